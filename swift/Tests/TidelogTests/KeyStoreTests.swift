import Foundation
import Testing

@testable import Tidelog

/// A key store of tests that forgets with the process.
final class MemoryKeyStore: KeyStore {
    private let key = Locked<Data?>(nil)

    func load() -> Data? { key.with { $0 } }
    func store(_ key: Data) { self.key.with { $0 = key } }
}

/// A key store of tests: a file with the key in it.
struct FileKeyStore: KeyStore {
    let file: URL

    func load() throws -> Data? {
        FileManager.default.fileExists(atPath: file.path()) ? try Data(contentsOf: file) : nil
    }

    func store(_ key: Data) throws {
        try key.write(to: file, options: .atomic)
    }
}

/// The hooks of a platform's keystore. The keychain itself is there on Apple platforms only.
@Suite struct KeyStoreTests {
    struct Broken: KeyStore {
        struct Secret: Error { let text = "secret" }

        let error: any Error
        func load() throws -> Data? { throw error }
        func store(_: Data) throws { throw error }
    }

    @Test func aKeyIsMadeOnceAndOpensAgain() async throws {
        try await withFolder { folder in
            let place = folder.appending(path: "notes.tide")
            let stores: [any KeyStore] = [MemoryKeyStore(), FileKeyStore(file: folder.appending(path: "key"))]
            for (number, store) in stores.enumerated() {
                let place = place.appendingPathExtension("\(number)")
                try await Workspace.open(at: place, key: .store(store), create: "Notes").shutdown()
                let key = try #require(try store.load())
                #expect(key.count == 32)
                try await Workspace.open(at: place, key: .store(store), create: "Notes").shutdown()
                #expect(try store.load() == key)
                try await Workspace.open(at: place, key: .raw(key)).shutdown()
                await refused("wrong_key") { try await Workspace.open(at: place, key: .store(MemoryKeyStore())) }
            }
        }
    }

    @Test func nothingIsStoredForAWorkspaceThatIsNotThere() async throws {
        try await withFolder { folder in
            let store = MemoryKeyStore()
            let place = folder.appending(path: "none.tide")
            await refused("not_a_workspace") { try await Workspace.open(at: place, key: .store(store)) }
            #expect(store.load() == nil)
        }
    }

    @Test func aStoreThatFailsFailsTheCall() async throws {
        try await withFolder { folder in
            let place = folder.appending(path: "notes.tide")
            let locked = Broken(error: TidelogError.notAuthorized("the keychain is locked"))
            await refused("not_authorized", saying: "the keychain is locked") {
                try await Workspace.create(at: place, name: "Notes", key: .store(locked))
            }
            do {
                _ = try await Workspace.create(at: place, name: "Notes", key: .store(Broken(error: Broken.Secret())))
                Issue.record("nothing was thrown")
            } catch let error as TidelogError {
                #expect(error.code == "io" && !error.reason.contains("secret"))
            }
        }
    }
}
