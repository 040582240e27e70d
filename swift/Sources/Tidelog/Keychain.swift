#if canImport(Security)
    import Foundation
    import Security

    extension Key {
        /// A random key in the keychain of this device, made with the first workspace.
        public static var keychain: Key { keychain() }

        /// A random key in the keychain of this device, made with the first workspace that needs it.
        ///
        /// It can be read once the device was unlocked after it started, and is not copied to other devices, which
        /// join with keys of their own. Workspaces with the same service and account share the key.
        public static func keychain(service: String = "tidelog", account: String = "vault") -> Key {
            .store(Keychain(service: service, account: account))
        }
    }

    /// One generic password of the keychain.
    struct Keychain: KeyStore {
        let service: String
        let account: String

        private var query: [CFString: Any] {
            [
                kSecClass: kSecClassGenericPassword, kSecAttrService: service, kSecAttrAccount: account,
                kSecUseDataProtectionKeychain: true,
            ]
        }

        func load() throws -> Data? {
            var asked = query
            asked[kSecReturnData] = true
            var found: CFTypeRef?
            switch SecItemCopyMatching(asked as CFDictionary, &found) {
            case errSecSuccess: return found as? Data
            case errSecItemNotFound: return nil
            case let status: throw refused(status)
            }
        }

        func store(_ key: Data) throws {
            var added = query
            added[kSecValueData] = key
            added[kSecAttrAccessible] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
            let status = SecItemAdd(added as CFDictionary, nil)
            guard status == errSecSuccess else { throw refused(status) }
        }

        private func refused(_ status: OSStatus) -> TidelogError {
            .io("the keychain refused with status \(status)")
        }
    }
#endif
