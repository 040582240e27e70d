import Foundation
internal import TidelogFFI

/// What opens a workspace on this device.
///
/// ```swift
/// let words = Key.passphrase("correct horse battery staple")
/// let bytes = Key.raw(Data((0..<32).map { _ in UInt8.random(in: .min ... .max) }))
/// ```
///
/// On Apple platforms `Key.keychain` keeps a random key in the keychain; ``store(_:)`` takes any other place.
public struct Key: Sendable, CustomStringConvertible, CustomReflectable {
    private enum Kind {
        case passphrase(String)
        case raw(Data)
        case stored(any KeyStore)
    }

    private let kind: Kind

    /// A passphrase, stretched before it is used.
    public static func passphrase(_ passphrase: String) -> Key { Key(kind: .passphrase(passphrase)) }

    /// 32 random bytes that the application keeps safe.
    public static func raw(_ bytes: Data) -> Key { Key(kind: .raw(bytes)) }

    /// The key in a store of the platform. Making or joining a workspace makes a random key first, if the store has
    /// none; opening one whose key the store lacks fails with ``TidelogError/wrongKey(_:)``.
    public static func store(_ store: any KeyStore) -> Key { Key(kind: .stored(store)) }

    /// Without the secret.
    public var description: String { "Key(..)" }
    /// Without the secret.
    public var customMirror: Mirror { Mirror(self, children: []) }

    func crossing() throws -> TidelogFFI.Key {
        switch kind {
        case .passphrase(let passphrase): try .passphrase(passphrase: passphrase)
        case .raw(let bytes): try .raw(bytes: bytes)
        case .stored(let store): try .fromStore(store: CrossingStore(store))
        }
    }
}

/// A place of the platform that keeps one key of 32 bytes.
///
/// Both are called on a thread that may block: a keychain may ask its user first.
public protocol KeyStore: Sendable {
    /// The key, if there is one. A ``TidelogError`` becomes the error of the call that needed the key; of any other
    /// error only that it happened is told.
    func load() throws -> Data?

    /// Keeps a key, safely before this returns: what it opens is written afterwards.
    func store(_ key: Data) throws
}

/// A key store as the engine calls it.
private final class CrossingStore: TidelogFFI.KeyStore {
    private let store: any KeyStore

    init(_ store: any KeyStore) {
        self.store = store
    }

    func load() throws -> Data? {
        try crossing { try store.load() }
    }

    func store(key: Data) throws {
        try crossing { try store.store(key) }
    }

    private func crossing<T>(_ call: () throws -> T) throws -> T {
        do {
            return try call()
        } catch let error as TidelogError {
            throw Failure.Failed(kind: error.kind, reason: error.reason)
        }
    }
}
