import Foundation
import Testing

@testable import Tidelog
import TidelogFFI

/// Errors are one case for each code, the same codes as in every language.
@Suite struct ErrorTests {
    /// Every kind of the engine. A kind that is missing in `TidelogError.make` does not compile.
    private let kinds: [ErrorKind] = [
        .notFound, .alreadyExists, .alreadyOpen, .wrongKey, .notAWorkspace, .newerFormat, .upgradeNeeded, .readOnly,
        .restored, .diskFull, .io, .corrupt, .tooLarge, .invalidArgument, .invalidValue, .policyConflict, .notAuthorized,
        .notAdmitted, .inviteInvalid, .inviteExpired, .timeout, .relayRefused, .network, .protocol, .quotaExceeded,
        .closed, .internal, .forked,
    ]

    @Test func casesAndCodesAreThoseOfTheVectors() throws {
        let errors = kinds.map { TidelogError(kind: $0, reason: "why") }
        let published = try #require(try vectors("errors.json")["errors"]).list
        #expect(errors.map(\.code).sorted() == published.compactMap { $0["code"]?.text }.sorted())
        for error in errors {
            let name = try #require(Mirror(reflecting: error).children.first?.label)
            #expect(published.contains { $0["code"]?.text == error.code && $0["swift"]?.text == name }, "\(error)")
            #expect(error.reason == "why")
            #expect(error.description == "\(error.code): why")
        }
        #expect(errors.map(\.kind) == kinds)
    }

    @Test func foldersAndKeysAreToldApart() async throws {
        try await withFolder { folder in
            let place = folder.appending(path: "notes.tide")
            await refused("not_a_workspace") { try await Workspace.open(at: place, key: testKey) }
            let workspace = try await Workspace.create(at: place, name: "Notes", key: testKey)
            await refused("already_open") { try await Workspace.open(at: place, key: testKey) }
            try await workspace.shutdown()
            await refused("already_exists") { try await Workspace.create(at: place, name: "Notes", key: testKey) }
            await refused("wrong_key") { try await Workspace.open(at: place, key: .raw(Data(count: 32))) }
            await refused("invalid_argument") { try await Workspace.open(at: place, key: .raw(Data(count: 31))) }
            await refused("invalid_argument") {
                try await Workspace.open(at: URL(string: "https://example.org/notes")!, key: testKey)
            }
        }
    }

    @Test func afterShutdownEveryCallSaysClosed() async throws {
        try await withWorkspace { workspace in
            let database = try workspace.database("main")
            let todos = try database.collection("todos", of: Todo.self)
            try await todos.put(Todo(id: "a", title: "A"))
            let (watch, live) = (try todos.watch(), try todos.live())
            let transaction = try database.transaction()
            try await workspace.shutdown()
            try await workspace.shutdown()
            await refused("closed") { try await todos.put(Todo(id: "b", title: "B")) }
            await refused("closed") { try await todos.get("a") }
            await refused("closed") { try await todos.all() }
            await refused("closed") { try await database.collections() }
            await refused("closed") { try await transaction.collection(todos).insert(Todo(title: "C")) }
            await refused("closed") { try await workspace.databases() }
            await refused("closed") { try await workspace.stats() }
            await refused("closed") { try workspace.database("main") }
            await refused("closed") { try workspace.id }
            await refused("closed") { try workspace.connect("ws://127.0.0.1:9#" + String(repeating: "0", count: 64)) }
            #expect(try await watch.next() == nil)
            await refused("closed") { try await live.next() }
        }
    }

    @Test func secretsDoNotPrint() async throws {
        for key in [Key.passphrase("correct horse"), .raw(Data(repeating: 65, count: 32))] {
            var text = ""
            dump(key, to: &text)
            for shown in ["\(key)", String(reflecting: key), text] {
                #expect(!shown.contains("horse") && !shown.contains("AAAA") && !shown.contains("65"))
            }
        }
        let invite = Invite(
            id: "i", uri: "tidelog:join?secret", expires: .now, role: .writer, relay: nil, usesLeft: 1,
            autoApprove: false, sameUser: false, circles: [])
        var text = ""
        dump(invite, to: &text)
        for shown in ["\(invite)", String(reflecting: invite), text] { #expect(!shown.contains("secret")) }
    }
}
