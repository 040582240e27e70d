import CCrypto
import Foundation
import Testing
import Tidelog

/// Project Wycheproof against the primitives that the other vectors are checked with.
@Suite struct WycheproofTests {
    /// Runs each test of a file, with its group.
    private func each(_ name: String, _ run: (Value, Value) throws -> Void) throws {
        let file = try vectors("wycheproof/\(name)")
        var count = 0
        for group in try #require(file["testGroups"]).list {
            for test in try #require(group["tests"]).list {
                try run(test, group)
                count += 1
            }
        }
        #expect(count == file["numberOfTests"]?.int)
    }

    private func isValid(_ test: Value) -> Bool {
        test["result"] == "valid"
    }

    private func name(_ test: Value) -> Comment {
        "tcId \(test["tcId"]?.int ?? 0)"
    }

    @Test func aes256GCMOpensWhatIsValid() throws {
        var run = 0
        try each("aes_gcm_test.json") { test, group in
            guard group["keySize"] == 256, group["ivSize"] == 96, group["tagSize"] == 128 else { return }
            run += 1
            let (key, nonce, bound) = (try bytes(test, "key"), try bytes(test, "iv"), try bytes(test, "aad"))
            let sealed = try bytes(test, "ct") + bytes(test, "tag")
            let opened = try? Crypto.openAESGCM(key: key, nonce: nonce, sealed: sealed, bound: bound)
            #expect(opened?.hex == (isValid(test) ? test["msg"]?.text : nil), name(test))
        }
        #expect(run == 66)
    }

    @Test func ed25519VerifiesWhatIsValid() throws {
        try each("ed25519_test.json") { test, group in
            let key = try bytes(group, "publicKey", "pk")
            let verified = try Crypto.verifies(bytes(test, "sig"), of: bytes(test, "msg"), by: key)
            #expect(verified == isValid(test), name(test))
        }
    }

    @Test func x25519AgreesOrRefusesWhatDoesNotContribute() throws {
        try each("x25519_test.json") { test, _ in
            let secret = try Crypto.SecretKey(EVP_PKEY_X25519, bytes(test, "private"))
            let other = try bytes(test, "public")
            let isZero = test["flags"]?.list.contains("ZeroSharedSecret") == true
            #expect((try? secret.shared(with: other))?.hex == (isZero ? nil : test["shared"]?.text), name(test))
        }
    }

    @Test(arguments: ["hmac_sha256_test.json", "hmac_sha512_test.json"])
    func hmacAgrees(_ file: String) throws {
        try each(file) { test, _ in
            let kind = file.contains("256") ? EVP_sha256() : EVP_sha512()
            let made = try Crypto.hmac(kind, bytes(test, "key"), bytes(test, "msg"))
            #expect(try made.starts(with: bytes(test, "tag")) == isValid(test), name(test))
        }
    }

    @Test func hkdfAgreesAndEnds() throws {
        try each("hkdf_sha256_test.json") { test, _ in
            let size = try #require(test["size"]?.int)
            let salt = try bytes(test, "salt")
            let made = try Crypto.hkdf(bytes(test, "ikm"), salt: salt, info: bytes(test, "info"), size)
            let agrees = try isValid(test) ? made == bytes(test, "okm") : made.count < size
            #expect(agrees, name(test))
        }
    }

    @Test func cobblestoneOpensWhatIsValid() throws {
        try each("c2sp_chunked_encryption_aes_256_gcm_test.json") { test, _ in
            let (key, context) = (try bytes(test, "key"), try bytes(test, "ctx"))
            var packed = Deflated(bytes: [UInt8](try bytes(test, "ct")))
            let sealed = Data(try packed.inflate())
            let opened = try? Crypto.openCobblestone(key: key, context: context, sealed: sealed)
            let digest = try opened.map { try Crypto.sha512($0).hex }
            #expect(digest == (isValid(test) ? test["msgSha512"]?.text : nil), name(test))
        }
    }
}

/// RFC 1950 and 1951, for the ciphertexts that Wycheproof packs: Foundation unpacks only on Apple's systems.
private struct Deflated {
    private struct Malformed: Error {}

    private struct Code {
        /// How many symbols have a code of each length, and the symbols in the order of their codes.
        var counts = [Int](repeating: 0, count: 16)
        var symbols: [Int] = []

        init(_ lengths: [Int]) {
            for length in lengths where length > 0 { counts[length] += 1 }
            symbols = lengths.indices.filter { lengths[$0] > 0 }.sorted { (lengths[$0], $0) < (lengths[$1], $1) }
        }
    }

    let bytes: [UInt8]
    /// The place of the next bit, after the header.
    private var at = 16

    init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func bits(_ count: Int) throws -> Int {
        guard at + count <= 8 * bytes.count else { throw Malformed() }
        defer { at += count }
        var value = 0
        for place in 0..<count {
            let byte = bytes[(at + place) / 8]
            let bit = byte >> UInt8((at + place) % 8) & 1
            value |= Int(bit) << place
        }
        return value
    }

    private mutating func symbol(_ code: Code) throws -> Int {
        var (value, first, index) = (0, 0, 0)
        for length in 1..<16 {
            value = try value << 1 | bits(1)
            first <<= 1
            if value - first < code.counts[length] { return code.symbols[index + value - first] }
            index += code.counts[length]
            first += code.counts[length]
        }
        throw Malformed()
    }

    private mutating func codes() throws -> (Code, Code) {
        let (literals, distances, count) = (try bits(5) + 257, try bits(5) + 1, try bits(4) + 4)
        var lengths = [Int](repeating: 0, count: 19)
        for place in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].prefix(count) {
            lengths[place] = try bits(3)
        }
        let code = Code(lengths)
        lengths = []
        while lengths.count < literals + distances {
            switch try symbol(code) {
            case 16: lengths += [Int](repeating: lengths.last ?? 0, count: try bits(2) + 3)
            case 17: lengths += [Int](repeating: 0, count: try bits(3) + 3)
            case 18: lengths += [Int](repeating: 0, count: try bits(7) + 11)
            case let length: lengths.append(length)
            }
        }
        return (Code([Int](lengths.prefix(literals))), Code([Int](lengths.dropFirst(literals))))
    }

    private static func fixed() -> (Code, Code) {
        let lengths = (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 }
        return (Code(lengths), Code([Int](repeating: 5, count: 30)))
    }

    mutating func inflate() throws -> [UInt8] {
        var output: [UInt8] = []
        var isLast = false
        while !isLast {
            isLast = try bits(1) == 1
            let kind = try bits(2)
            if kind == 0 {
                at = (at + 7) / 8 * 8
                let length = try bits(16)
                _ = try bits(16)
                for _ in 0..<length { output.append(UInt8(try bits(8))) }
                continue
            }
            let (literals, distances) = kind == 1 ? Self.fixed() : try codes()
            while case let symbol = try self.symbol(literals), symbol != 256 {
                guard symbol > 256 else {
                    output.append(UInt8(symbol))
                    continue
                }
                let length = try symbol == 285 ? 258 : 3 + stretched(symbol - 257, 4)
                let distance = 1 + (try stretched(self.symbol(distances), 2))
                guard distance <= output.count else { throw Malformed() }
                for _ in 0..<length { output.append(output[output.count - distance]) }
            }
        }
        return output
    }

    /// A length or distance: from its symbol, of which so many share a number of further bits, and these bits.
    private mutating func stretched(_ symbol: Int, _ share: Int) throws -> Int {
        let extra = max(0, symbol / share - 1)
        return try extra == 0 ? symbol : (share + symbol % share) << extra + bits(extra)
    }
}
