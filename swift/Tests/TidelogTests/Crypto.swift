import CCrypto
import Foundation
import Testing
import Tidelog

/// The primitives of libcrypto that `docs/format.md` names.
enum Crypto {
    struct Refused: Error {}

    static func sha256(_ parts: Data...) throws -> Data { try digest(EVP_sha256(), 32, Data(parts.joined())) }

    static func sha512(_ input: Data) throws -> Data { try digest(EVP_sha512(), 64, input) }

    private static func digest(_ kind: OpaquePointer?, _ size: Int, _ input: Data) throws -> Data {
        try output(size) { bytes in
            var length: UInt32 = 0
            return input.withUnsafeBytes { EVP_Digest($0.baseAddress, $0.count, bytes, &length, kind, nil) }
        }
    }

    static func hmac(_ digest: OpaquePointer?, _ key: Data, _ parts: Data...) throws -> Data {
        let input = Data(parts.joined())
        var length: UInt32 = 0
        var mac = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        let made = key.withUnsafeBytes { key in
            input.withUnsafeBytes { input in
                HMAC(
                    digest, key.baseAddress, Int32(key.count), input.bindMemory(to: UInt8.self).baseAddress,
                    input.count, &mac, &length)
            }
        }
        guard made != nil else { throw Refused() }
        return Data(mac[..<Int(length)])
    }

    static func expand(_ key: Data, _ info: Data, _ length: Int = 32, _ digest: OpaquePointer? = EVP_sha256()) throws -> Data {
        var (output, block, counter) = (Data(), Data(), 1)
        while output.count < length && counter < 256 {
            block = try hmac(digest, key, block, info, Data([UInt8(counter)]))
            output += block
            counter += 1
        }
        return output.prefix(length)
    }

    static func hkdf(_ secret: Data, salt: Data, info: Data, _ length: Int = 32) throws -> Data {
        // An empty salt is as many zeros; libcrypto wants at least a pointer to them.
        try expand(hmac(EVP_sha256(), salt.isEmpty ? Data(count: 32) : salt, secret), info, length)
    }

    static func sealAESGCM(key: Data, nonce: Data, plain: Data, bound: Data) throws -> Data {
        let context = EVP_CIPHER_CTX_new()
        defer { EVP_CIPHER_CTX_free(context) }
        var text = [UInt8](repeating: 0, count: plain.count)
        var tag = [UInt8](repeating: 0, count: 16)
        var length: Int32 = 0
        guard EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), nil, [UInt8](key), [UInt8](nonce)) == 1,
            bound.isEmpty || EVP_EncryptUpdate(context, nil, &length, [UInt8](bound), Int32(bound.count)) == 1,
            plain.isEmpty || EVP_EncryptUpdate(context, &text, &length, [UInt8](plain), Int32(plain.count)) == 1,
            EVP_EncryptFinal_ex(context, nil, &length) == 1,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, &tag) == 1
        else { throw Refused() }
        return Data(text + tag)
    }

    static func openAESGCM(key: Data, nonce: Data, sealed: Data, bound: Data = Data()) throws -> Data {
        guard key.count == 32, sealed.count >= 16 else { throw Refused() }
        let context = EVP_CIPHER_CTX_new()
        defer { EVP_CIPHER_CTX_free(context) }
        let text = [UInt8](sealed.dropLast(16))
        var tag = [UInt8](sealed.suffix(16))
        var plain = [UInt8](repeating: 0, count: text.count)
        var length: Int32 = 0
        guard EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nil, [UInt8](key), [UInt8](nonce)) == 1,
            bound.isEmpty || EVP_DecryptUpdate(context, nil, &length, [UInt8](bound), Int32(bound.count)) == 1,
            text.isEmpty || EVP_DecryptUpdate(context, &plain, &length, text, Int32(text.count)) == 1,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16, &tag) == 1,
            EVP_DecryptFinal_ex(context, nil, &length) == 1
        else { throw Refused() }
        return Data(plain)
    }

    /// The chunked encryption of payloads, vaults and wrapped keys.
    static func openCobblestone(key: Data, context: Data, sealed: Data) throws -> Data {
        guard key.count == 32 else { throw Refused() }
        let chunkLength = 16 * 1024 + 16
        let label = Data("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0".utf8)
        let derived = try expand(key, label + sealed.prefix(24) + context, 76, EVP_sha512())
        guard derived.suffix(32) == sealed.dropFirst(24).prefix(32) else { throw Refused() }
        let chunks = Data(sealed.dropFirst(56))
        var plaintext = Data()
        for number in 0...(chunks.count / chunkLength) {
            var nonce = Data(derived.dropFirst(32).prefix(12))
            for byte in 0..<4 { nonce[11 - byte] ^= UInt8(truncatingIfNeeded: number >> (8 * byte)) }
            let chunk = Data(chunks.dropFirst(number * chunkLength).prefix(chunkLength))
            plaintext += try openAESGCM(key: Data(derived.prefix(32)), nonce: nonce, sealed: chunk)
        }
        return plaintext
    }

    /// A secret key of Ed25519 or X25519.
    final class SecretKey {
        private let key: OpaquePointer

        init(_ kind: Int32, _ secret: Data) throws {
            guard let key = EVP_PKEY_new_raw_private_key(kind, nil, [UInt8](secret), secret.count) else {
                throw Refused()
            }
            self.key = key
        }

        deinit { EVP_PKEY_free(key) }

        func publicKey() throws -> Data {
            try output(32) { bytes in
                var length = 32
                return EVP_PKEY_get_raw_public_key(key, bytes, &length)
            }
        }

        func sign(_ message: Data) throws -> Data {
            let context = EVP_MD_CTX_new()
            defer { EVP_MD_CTX_free(context) }
            guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1 else { throw Refused() }
            return try output(64) { bytes in
                var length = 64
                return EVP_DigestSign(context, bytes, &length, [UInt8](message), message.count)
            }
        }

        func shared(with peer: Data) throws -> Data {
            let context = EVP_PKEY_CTX_new(key, nil)
            let peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nil, [UInt8](peer), peer.count)
            defer {
                EVP_PKEY_CTX_free(context)
                EVP_PKEY_free(peer)
            }
            guard EVP_PKEY_derive_init(context) == 1, EVP_PKEY_derive_set_peer(context, peer) == 1 else {
                throw Refused()
            }
            return try output(32) { bytes in
                var length = 32
                return EVP_PKEY_derive(context, bytes, &length)
            }
        }
    }

    static func verifies(_ signature: Data, of message: Data, by key: Data) -> Bool {
        let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, [UInt8](key), key.count)
        let context = EVP_MD_CTX_new()
        defer {
            EVP_MD_CTX_free(context)
            EVP_PKEY_free(key)
        }
        return EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
            && EVP_DigestVerify(context, [UInt8](signature), signature.count, [UInt8](message), message.count) == 1
    }

    /// RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
    static func openHPKE(_ secret: SecretKey, info: Data, enc: Data, sealed: Data) throws -> Data {
        let kem = Data("KEM\0\u{20}".utf8)
        let suite = Data("HPKE".utf8) + Data([0, 0x20, 0, 1, 0, 2])

        func extract(_ suite: Data, _ salt: Data, _ label: String, _ secret: Data) throws -> Data {
            let salt = salt.isEmpty ? Data(count: 32) : salt
            return try hmac(EVP_sha256(), salt, Data("HPKE-v1".utf8), suite, Data(label.utf8), secret)
        }

        func labelled(_ suite: Data, _ key: Data, _ label: String, _ info: Data, _ length: Int) throws -> Data {
            let head = Data([UInt8(length >> 8), UInt8(length & 0xff)])
            return try expand(key, head + Data("HPKE-v1".utf8) + suite + Data(label.utf8) + info, length)
        }

        let extracted = try extract(kem, Data(), "eae_prk", secret.shared(with: enc))
        let shared = try labelled(kem, extracted, "shared_secret", enc + secret.publicKey(), 32)
        let context =
            try Data([0]) + extract(suite, Data(), "psk_id_hash", Data()) + extract(suite, Data(), "info_hash", info)
        let schedule = try extract(suite, shared, "secret", Data())
        let key = try labelled(suite, schedule, "key", context, 32)
        return try openAESGCM(
            key: key, nonce: labelled(suite, schedule, "base_nonce", context, 12), sealed: sealed)
    }

    /// Argon2id, which libcrypto has since version 3.2; nil without it.
    static func argon2id(_ passphrase: String, salt: Data, memory: UInt32, passes: UInt32, lanes: UInt32) throws -> Data? {
        guard let kdf = EVP_KDF_fetch(nil, "ARGON2ID", nil) else { return nil }
        let context = EVP_KDF_CTX_new(kdf)
        defer {
            EVP_KDF_CTX_free(context)
            EVP_KDF_free(kdf)
        }
        var (password, salt) = ([UInt8](passphrase.utf8), [UInt8](salt))
        let costs = UnsafeMutablePointer<UInt32>.allocate(capacity: 3)
        defer { costs.deallocate() }
        (costs[0], costs[1], costs[2]) = (memory, passes, lanes)
        // The parameters keep pointers to their names.
        let names = (["pass", "salt", "memcost", "iter", "lanes"] as [String]).map { strdup($0)! }
        defer { names.forEach { free($0) } }
        return try output(32) { bytes in
            password.withUnsafeMutableBytes { password in
                salt.withUnsafeMutableBytes { salt in
                    let parameters = [
                        OSSL_PARAM_construct_octet_string(names[0], password.baseAddress, password.count),
                        OSSL_PARAM_construct_octet_string(names[1], salt.baseAddress, salt.count),
                        OSSL_PARAM_construct_uint32(names[2], costs + 0),
                        OSSL_PARAM_construct_uint32(names[3], costs + 1),
                        OSSL_PARAM_construct_uint32(names[4], costs + 2),
                        OSSL_PARAM_construct_end(),
                    ]
                    return EVP_KDF_derive(context, bytes, 32, parameters)
                }
            }
        }
    }

    private static func output(_ count: Int, _ fill: (UnsafeMutablePointer<UInt8>) -> Int32) throws -> Data {
        var bytes = [UInt8](repeating: 0, count: count)
        guard bytes.withUnsafeMutableBufferPointer({ fill($0.baseAddress!) }) == 1 else { throw Refused() }
        return Data(bytes)
    }
}

/// The bytes that a vector has in hexadecimal, at a path of names.
func bytes(_ value: Value?, _ path: String...) throws -> Data {
    let found = path.reduce(value) { $0?[$1] }
    return try #require(found?.text.flatMap(Data.init(hex:)))
}

/// A domain tag of the format.
func tag(_ text: String) -> Data {
    Data(text.utf8) + Data(count: 16 - text.utf8.count)
}

extension Data {
    /// The bytes of lower-case hexadecimal digits; nil if there are others.
    init?(hex: String) {
        let digits = hex.compactMap(\.hexDigitValue)
        guard digits.count == hex.count, digits.count.isMultiple(of: 2) else { return nil }
        self.init(stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) })
    }

    var hex: String { map { String(format: "%02x", $0) }.joined() }
}
