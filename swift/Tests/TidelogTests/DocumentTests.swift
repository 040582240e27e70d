import Testing
import Tidelog

/// Documents, whose concurrent edits merge.
@Suite struct DocumentTests {
    private func withPage(_ body: (Database.Document, Database) async throws -> Void) async throws {
        try await withWorkspace { workspace in
            let database = try workspace.database("main")
            try await body(try database.collection("pages", policy: .document).document("start"), database)
        }
    }

    @Test func editsBuildADocument() async throws {
        try await withPage { page, _ in
            #expect(try await page.get() == [:])
            try await page.set("title", "Field notes")
            try await page.set("tasks", ["first", "third"])
            try await page.insert("tasks", at: 1, "second")
            try await page.increment("views")
            try await page.increment("views", by: 41)
            try await page.set("old", true)
            try await page.delete("old")
            #expect(try await page.get() == ["title": "Field notes", "tasks": ["first", "second", "third"], "views": 42])
            #expect(try await page.get("tasks.1") == "second")
            #expect(try await page.text("title") == "Field notes")
            #expect(try await page.get("none") == nil)
            #expect(try await page.heads().count == 1)
        }
    }

    @Test func positionsAreThoseOfUTF16AndOfRanges() async throws {
        try await withPage { page, _ in
            try await page.set("body", "")
            try await page.spliceText("body", at: 0, insert: "a\u{1f469}\u{200d}\u{1f680}b")
            try await page.spliceText("body", at: 6, delete: 1, insert: "!")
            let text = try #require(try await page.text("body"))
            #expect(text == "a\u{1f469}\u{200d}\u{1f680}!")
            let astronaut = try #require(text.firstIndex(of: "\u{1f469}\u{200d}\u{1f680}"))
            try await page.change { edits in
                edits.spliceText("body", replacing: astronaut..<text.index(after: astronaut), of: text, with: "\u{e9}")
            }
            #expect(try await page.text("body") == "a\u{e9}!")
        }
    }

    @Test func aChangeIsOneEntryAndAllOrNothing() async throws {
        try await withPage { page, database in
            try await page.change { edits in
                edits.set("a", 1)
                edits.set("b", [])
                edits.insert("b", at: 0, "x")
            }
            #expect(try await database.log().entryIds().count == 1)
            await refused("invalid_argument") {
                try await page.change { edits in
                    edits.set("a", 2)
                    edits.insert("a", at: 0, "no list")
                }
            }
            await refused("invalid_argument") { try await page.insert("b", at: -1, "before the beginning") }
            struct Changed: Error {}
            await #expect(throws: Changed.self) {
                try await page.change { edits in
                    edits.set("a", 3)
                    throw Changed()
                }
            }
            #expect(try await page.get("a") == 1)
        }
    }

    @Test func aDocumentTellsItsHistoryAndChanges() async throws {
        try await withPage { page, database in
            let changes = try page.watch()
            try await page.set("a", 1)
            let change = try #require(try await first(changes).change)
            #expect((change.kind, change.key, change.collection) == (.merge, "start", "pages"))
            #expect(change.new == nil)
            #expect(try await page.history().map(\.kind) == [.change])
            await refused("policy_conflict") { try await database.collection("pages").put("start", 1) }
            await refused("policy_conflict") {
                try await database.collection("notes").put("a", 1)
                return try await database.collection("notes").document("a").get()
            }
        }
    }
}
