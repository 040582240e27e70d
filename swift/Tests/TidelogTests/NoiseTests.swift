import CCrypto
import Foundation
import Testing
import Tidelog

/// The published handshakes of `noise.json`, played over libcrypto: the channel of `docs/protocol.md`.
@Suite struct NoiseTests {
    private static let patterns = [
        "Noise_NK_25519_AESGCM_SHA256": [["e", "es"], ["e", "ee"]],
        "Noise_NNpsk0_25519_AESGCM_SHA256": [["psk", "e"], ["e", "ee"]],
    ]

    @Test func bothSidesMakeThePublishedMessages() throws {
        let vectors = try #require(try vectors("noise.json")["vectors"]).list
        #expect(vectors.count == 2)
        for vector in vectors { try play(vector) }
    }

    private func play(_ vector: Value) throws {
        var parties = [try Party(vector, "init"), try Party(vector, "resp")]
        let pattern = try #require(Self.patterns[vector["protocol_name"]?.text ?? ""])
        let messages = try #require(vector["messages"]).list
        for (turn, tokens) in pattern.enumerated() {
            let payload = try bytes(messages[turn], "payload")
            let message = try parties[turn].write(tokens, payload)
            #expect(try message == bytes(messages[turn], "ciphertext"))
            #expect(try parties[1 - turn].read(tokens, message) == payload)
        }
        for party in parties { #expect(try party.hash == bytes(vector, "handshake_hash")) }

        var channels = try parties.map { try $0.channel() }
        for (index, vector) in messages.dropFirst(2).enumerated() {
            let (sender, payload) = (index % 2, try bytes(vector, "payload"))
            let message = try channels[sender][sender].seal(payload)
            #expect(try message == bytes(vector, "ciphertext"))
            #expect(try channels[1 - sender][sender].open(message) == payload)
        }
    }

    private struct Cipher {
        let key: Data
        private var count: UInt64 = 0

        init(_ key: Data) { self.key = key }

        private mutating func nonce() -> Data {
            defer { count += 1 }
            return Data(count: 4) + withUnsafeBytes(of: count.bigEndian) { Data($0) }
        }

        mutating func seal(_ plain: Data, _ bound: Data = Data()) throws -> Data {
            try Crypto.sealAESGCM(key: key, nonce: nonce(), plain: plain, bound: bound)
        }

        mutating func open(_ sealed: Data, _ bound: Data = Data()) throws -> Data {
            try Crypto.openAESGCM(key: key, nonce: nonce(), sealed: sealed, bound: bound)
        }
    }

    /// One side of a handshake.
    private struct Party {
        private let psk: Data?
        private let ephemeral: Crypto.SecretKey
        private let ownStatic: Crypto.SecretKey?
        private let remoteStatic: Data?
        private var remoteEphemeral = Data()
        private var chain: Data
        private var cipher = Cipher(Data())
        private(set) var hash: Data

        init(_ vector: Value, _ side: String) throws {
            func given(_ name: String) -> Data? { vector["\(side)_\(name)"]?.text.flatMap(Data.init(hex:)) }
            let name = Data((vector["protocol_name"]?.text ?? "").utf8)
            hash = name + Data(count: 32 - name.count)
            chain = hash
            psk = vector["\(side)_psks"]?[0]?.text.flatMap(Data.init(hex:))
            ephemeral = try .init(EVP_PKEY_X25519, try #require(given("ephemeral")))
            ownStatic = try given("static").map { try .init(EVP_PKEY_X25519, $0) }
            remoteStatic = given("remote_static")
            try mixHash(try #require(given("prologue")))
            if let known = try remoteStatic ?? ownStatic?.publicKey() { try mixHash(known) }
        }

        private mutating func mixHash(_ data: Data) throws {
            hash = try Crypto.sha256(hash, data)
        }

        private func keys(_ secret: Data, _ count: Int) throws -> [Data] {
            let keys = try Crypto.expand(Crypto.hmac(EVP_sha256(), chain, secret), Data(), 32 * count)
            return (0..<count).map { Data(keys.dropFirst(32 * $0).prefix(32)) }
        }

        private mutating func mixKey(_ secret: Data) throws {
            let keys = try keys(secret, 2)
            (chain, cipher) = (keys[0], Cipher(keys[1]))
        }

        private mutating func mix(_ token: String, _ sent: Data) throws {
            switch token {
            case "psk":
                let keys = try keys(#require(psk), 3)
                (chain, cipher) = (keys[0], Cipher(keys[2]))
                try mixHash(keys[1])
            case "e":
                try mixHash(sent)
                if psk != nil { try mixKey(sent) }
            case "es":
                try mixKey(remoteStatic.map(ephemeral.shared) ?? #require(ownStatic).shared(with: remoteEphemeral))
            default:
                try mixKey(ephemeral.shared(with: remoteEphemeral))
            }
        }

        mutating func write(_ tokens: [String], _ payload: Data) throws -> Data {
            let own = try ephemeral.publicKey()
            for token in tokens { try mix(token, own) }
            let sealed = try cipher.seal(payload, hash)
            try mixHash(sealed)
            return own + sealed
        }

        mutating func read(_ tokens: [String], _ message: Data) throws -> Data {
            remoteEphemeral = Data(message.prefix(32))
            for token in tokens { try mix(token, remoteEphemeral) }
            let sealed = Data(message.dropFirst(32))
            let payload = try cipher.open(sealed, hash)
            try mixHash(sealed)
            return payload
        }

        /// What the initiator sends under, and what the responder does.
        func channel() throws -> [Cipher] {
            try keys(Data(), 2).map(Cipher.init)
        }
    }
}
