import CCrypto
import Foundation
import Testing
import Tidelog

/// Keys, payloads and entries of the golden vectors, checked by the platform's libcrypto without a line of Tidelog:
/// whoever has the keys can read a log with ordinary tools. This is `docs/format.md` in Swift.
@Suite struct CryptoTests {
    private let keys: Value

    init() throws {
        keys = try vectors("keys.json")
    }

    private func deviceKeys() throws -> (sign: Crypto.SecretKey, kem: Crypto.SecretKey) {
        let device = keys["device"]
        let seed = try bytes(device, "seed")
        let salt = try bytes(device, "workspace") + bytes(device, "incarnation")
        return (
            try .init(EVP_PKEY_ED25519, Crypto.hkdf(seed, salt: salt, info: tag("TIDE1 dev sign"))),
            try .init(EVP_PKEY_X25519, Crypto.hkdf(seed, salt: salt, info: tag("TIDE1 dev kem")))
        )
    }

    @Test func deviceKeysFollowFromTheSeed() throws {
        let device = keys["device"]
        let (sign, kem) = try deviceKeys()
        let workspace = try bytes(device, "workspace")
        let id = try sign.publicKey()
        #expect(try id == bytes(device, "device"))
        #expect(try kem.publicKey() == bytes(device, "kem_pk"))
        #expect(try sign.sign(Data()) == bytes(device, "signature_of_empty"))
        let local = try Crypto.hkdf(bytes(device, "seed"), salt: workspace, info: tag("TIDE1 dev local"))
        #expect(try local == bytes(device, "local_key"))
        #expect(try Crypto.sha256(tag("TIDE1 user"), workspace, id).prefix(16) == bytes(device, "user"))
    }

    @Test func rootKeysFollowFromTheRootSecret() throws {
        let secret = try bytes(keys["root"], "secret")
        let sign = try Crypto.hkdf(secret, salt: Data(), info: tag("TIDE1 root sign"))
        let kem = try Crypto.hkdf(secret, salt: Data(), info: tag("TIDE1 root kem"))
        #expect(try Crypto.SecretKey(EVP_PKEY_ED25519, sign).publicKey() == bytes(keys["root"], "sign_pk"))
        #expect(try Crypto.SecretKey(EVP_PKEY_X25519, kem).publicKey() == bytes(keys["root"], "kem_pk"))
    }

    @Test func anEpochKeyHasItsDerivationsAndOpensWhatItSeals() throws {
        let epoch = keys["epoch"]
        let key = try bytes(epoch, "key")
        let commit = try bytes(epoch, "commit")
        let keyId = try Crypto.sha256(commit).prefix(16)
        #expect(try Crypto.expand(key, tag("TIDE1 key commit")) == commit)
        #expect(try Crypto.expand(key, tag("TIDE1 hedge")) == bytes(epoch, "hedge"))
        #expect(try keyId == bytes(epoch, "key_id"))

        let number = withUnsafeBytes(of: UInt32(try #require(epoch?["epoch"]?.int)).littleEndian) { Data($0) }
        let place = try bytes(epoch, "workspace") + bytes(epoch, "circle") + number + keyId
        let info = try tag("TIDE1 keywrap") + place + commit + bytes(epoch, "wrap", "recipient")
        let unwrapped = try Crypto.openHPKE(
            deviceKeys().kem, info: info, enc: bytes(epoch, "wrap", "enc"), sealed: bytes(epoch, "wrap", "ct"))
        #expect(unwrapped == key)

        let previous = try Crypto.openCobblestone(
            key: key, context: tag("TIDE1 prev wrap") + place + bytes(epoch, "previous", "key_id"),
            sealed: bytes(epoch, "previous", "wrap"))
        #expect(try previous == bytes(epoch, "previous", "key"))

        let name = try bytes(epoch, "name", "key")
        let opened = try Crypto.openCobblestone(
            key: key, context: tag("TIDE1 name wrap") + place, sealed: bytes(epoch, "name", "wrap"))
        #expect(opened == name)
        #expect(try Crypto.expand(name, tag("TIDE1 name key")) == bytes(epoch, "name", "commit"))
        #expect(try Crypto.expand(name, tag("TIDE1 peer psk")) == bytes(epoch, "name", "psk"))
        for vector in try #require(epoch?["name"]?["streams"]).list {
            let database = Data(try #require(vector["database"]?.text).utf8)
            let stream = try Crypto.hmac(EVP_sha256(), name, tag("TIDE1 stream"), database).prefix(16)
            #expect(try stream == bytes(vector, "stream"))
        }
    }

    private func secrets(of vault: Value?) throws -> Data {
        let life = try ["seed", "incarnation", "home"].map { try bytes(vault, $0) }
        let others = try ["root", "next_incarnation", "next_home"].map { try bytes(vault, $0) }
        return Data(life.joined()) + [3] + Data(others.joined())
    }

    @Test func aVaultWithARawKeyOpens() throws {
        let vault = keys["vault"]
        let file = try bytes(vault, "raw", "bytes")
        let opened = try Crypto.openCobblestone(
            key: bytes(vault, "raw", "key"), context: file.prefix(38), sealed: file.dropFirst(38))
        #expect(try opened == secrets(of: vault))
    }

    @Test(.enabled(if: EVP_KDF_fetch(nil, "ARGON2ID", nil) != nil, "libcrypto has Argon2id since version 3.2"))
    func aVaultWithAPassphraseOpens() throws {
        let vault = keys["vault"]
        let file = try bytes(vault, "passphrase", "bytes")
        let cost = [10, 14, 18].map { at in (0..<4).reduce(UInt32(0)) { $0 | UInt32(file[at + $1]) << (8 * $1) } }
        let key = try Crypto.argon2id(
            try #require(vault?["passphrase"]?["passphrase"]?.text), salt: file[22..<38], memory: cost[0],
            passes: cost[1], lanes: cost[2])
        let opened = try Crypto.openCobblestone(
            key: try #require(key), context: file.prefix(38), sealed: file.dropFirst(38))
        #expect(try opened == secrets(of: vault))
    }

    @Test func payloadsOpenToTheirPlaintext() throws {
        let payloads = try vectors("payload.json")
        let key = try bytes(payloads, "key")
        let opened = try #require(payloads["opened"]).list
        #expect(!opened.isEmpty)
        for vector in opened {
            let context = try tag("TIDE1 entry ctx") + bytes(vector, "context")
            let plaintext = try Crypto.openCobblestone(key: key, context: context, sealed: bytes(vector, "payload"))
            #expect(try plaintext == bytes(vector, "plaintext"), "\(vector["name"]?.text ?? "")")
        }
    }

    @Test func anEntryIsWhatItsAuthorSignedAndOpens() throws {
        let group = try vectors("entry.json")
        let entry = try bytes(group, "signed", "bytes")
        let (header, payload) = (entry.prefix(272), Data(entry.dropFirst(272)))
        #expect(try Crypto.sha256(tag("TIDE1 entry id"), header) == bytes(group, "signed", "id"))
        #expect(try Crypto.sha256(tag("TIDE1 payload"), payload) == header[176..<208])
        let author = try bytes(group, "signed", "author")
        #expect(header[48..<80] == author)
        var covered = tag("TIDE1 entry sig") + header.prefix(208)
        #expect(Crypto.verifies(header[208...], of: covered, by: author))
        covered[20] ^= 1
        #expect(!Crypto.verifies(header[208...], of: covered, by: author))

        let key = try bytes(group, "epoch_key")
        let commit = try Crypto.expand(key, tag("TIDE1 key commit"))
        #expect(try Crypto.sha256(commit).prefix(16) == bytes(group, "signed", "key_id"))
        let plaintext = try Crypto.openCobblestone(
            key: key, context: tag("TIDE1 entry ctx") + header.prefix(176), sealed: payload)
        let length = (0..<4).reduce(0) { $0 | Int(plaintext[$1]) << (8 * $1) }
        let hlc = try #require(UInt64(group["hlc"]?.text ?? ""))
        let stamp = withUnsafeBytes(of: hlc.littleEndian) { Data($0) }
        #expect(try plaintext[4..<(4 + length)] == [1] + stamp + bytes(group, "operations"))
        #expect(plaintext[(4 + length)...].allSatisfy { $0 == 0 })
    }
}
