import Foundation
import Testing
import Tidelog

/// Items by key, alone and in transactions.
@Suite struct CollectionTests {
    struct Film: Codable, Sendable, Hashable {
        var title: String
        var year: Int
    }

    /// What an older or newer application made of `Todo`.
    struct OtherTodo: Codable, Sendable, Identifiable {
        var id = ""
        var title: Int
        var colour = "red"
    }

    private func withTodos(_ body: (Database.Collection<Todo, Todo>, Database) async throws -> Void) async throws {
        try await withWorkspace { workspace in
            let database = try workspace.database("main")
            try await body(try database.collection("todos", of: Todo.self), database)
        }
    }

    @Test func itemsOutliveTheWorkspace() async throws {
        try await withFolder { folder in
            let place = folder.appending(path: "notes.tide")
            var workspace = try await Workspace.open(at: place, key: .passphrase("p"), create: "Field notes")
            let id = try workspace.id
            let due = Date(timeIntervalSince1970: 1_700_000_000.123)
            let todo = try await workspace.database("main").collection("todos", of: Todo.self)
                .insert(Todo(title: "Calibrate sensor", due: due))
            #expect(!todo.id.isEmpty)
            try await workspace.shutdown()
            workspace = try await Workspace.open(at: place, key: .passphrase("p"), create: "Another name")
            #expect(try (workspace.id, workspace.name) == (id, "Field notes"))
            let todos = try workspace.database("main").collection("todos", of: Todo.self)
            #expect(try await todos.get(todo.id) == todo)
            #expect(try await todos.get(todo.id)?.due == due)
            try await workspace.shutdown()
        }
    }

    @Test func whatIsNotThereIsNilOrNotFound() async throws {
        try await withTodos { todos, database in
            #expect(try await todos.get("none") == nil)
            #expect(try await todos.getRaw("none") == nil)
            #expect(try await todos.first() == nil)
            #expect(try await todos.all().isEmpty)
            #expect(try await todos.delete("none") == false)
            #expect(try await todos.history("none").isEmpty)
            await refused("not_found") { try await todos.patch("none", ["done": true]) }
            let names = try await database.collections()
            #expect(names.isEmpty)
        }
    }

    @Test func putReplacesPatchChangesDeleteRemoves() async throws {
        try await withTodos { todos, database in
            try await todos.put(Todo(id: "a", title: "One"))
            try await todos.put("b", Todo(title: "Two"))
            #expect(try await todos.get("b") == Todo(id: "b", title: "Two"))
            try await todos.put(Todo(id: "a", title: "Three", due: Date(timeIntervalSince1970: 0)))
            try await todos.patch("a", ["done": true])
            #expect(try await todos.get("a") == Todo(id: "a", title: "Three", due: .init(timeIntervalSince1970: 0), done: true))
            #expect(try await todos.delete("a"))
            #expect(try await todos.delete("a") == false)
            #expect(try await todos.count() == 1)
            #expect(try await database.collections() == ["todos"])
            #expect(try await todos.history("a").map(\.kind) == [.put, .put, .put, .delete])
            await refused("invalid_argument") { try await todos.put(Todo(title: "no key")) }
            await refused("invalid_argument") { try await todos.put("other", Todo(id: "key", title: "Two keys")) }
        }
    }

    @Test func insertMakesKeysAndRefusesATakenOne() async throws {
        try await withTodos { todos, _ in
            let (one, two) = (try await todos.insert(Todo(title: "One")), try await todos.insert(Todo(title: "Two")))
            #expect(one.id != two.id)
            #expect(try await todos.insert(Todo(id: "mine", title: "Mine")).id == "mine")
            await refused("already_exists") { try await todos.insert(Todo(id: "mine", title: "Yours")) }
            #expect(try await todos.count() == 3)
        }
    }

    @Test func withoutAKeyFieldResultsAreItems() async throws {
        try await withWorkspace { workspace in
            let films = try workspace.database("main").collection("films", of: Film.self)
            let heat = Film(title: "Heat", year: 1995)
            let summary = try await films.putMany(["heat": heat, "up": Film(title: "Up", year: 2009)])
            #expect((summary.items, summary.entries) == (2, 1))
            #expect(try await films.all().map(\.key) == ["heat", "up"])
            #expect(try await films.first(where: ["year": ["lt": 2000]]) == Item(key: "heat", value: heat))
            let item = try await films.insert(Film(title: "Alien", year: 1979))
            #expect(try await films.get(item.key) == item.value)
            #expect(try await films.putMany([Item(key: "heat", value: heat)]).items == 1)
        }
    }

    @Test func anyFieldCanBeTheKey() async throws {
        try await withWorkspace { workspace in
            let films = try workspace.database("main").collection("films", of: Film.self, key: "title")
            #expect(try await films.putMany([Film(title: "Heat", year: 1995), Film(title: "Up", year: 2009)]).items == 2)
            #expect(try await films.get("Up") == Film(title: "Up", year: 2009))
            let plain = try workspace.database("main").collection("films", key: "title")
            #expect(try await plain.get("Up") == ["title": "Up", "year": 2009])
        }
    }

    @Test func queriesFilterSortAndPage() async throws {
        try await withTodos { todos, _ in
            let due = (0..<10).map { Date(timeIntervalSince1970: Double($0)) }
            try await todos.putMany(due.indices.map { Todo(id: "\($0)", title: "T\($0 % 3)", due: due[$0], done: $0 > 6) })
            let titles = try await todos.query(where: ["done": false], sort: ["title", "-id"]).map(\.id)
            #expect(titles == ["6", "3", "0", "4", "1", "5", "2"])
            #expect(try await todos.count(where: ["due": ["ge": .date(due[8])]]) == 2)
            #expect(try await todos.query(sort: ["-due"], limit: 2, offset: 1).map(\.id) == ["8", "7"])
            #expect(try await todos.query(ids: ["3", "none", "1"]).map(\.id) == ["1", "3"])
            var (seen, cursor): ([String], String?) = ([], nil)
            repeat {
                let page = try await todos.query(sort: ["id"], limit: 4, cursor: cursor)
                seen += page.map(\.id)
                cursor = page.cursor
            } while cursor != nil
            #expect(seen == due.indices.map(String.init))
            await refused("invalid_argument") { try await todos.query(limit: -1) }
            await refused("invalid_argument") { try await todos.query(offset: .max) }
        }
    }

    @Test func theQueryGrammarIsThatOfTheVectors() async throws {
        try await withWorkspace { workspace in
            let group = try vectors("query.json")
            let items = try workspace.database("main").collection("items")
            try await items.putMany(try #require(group["items"]).map)
            func ask(_ vector: Value) async throws -> [String] {
                let page = try await items.query(
                    where: vector["where"] ?? nil, sort: (vector["sort"] ?? []).list.compactMap(\.text),
                    limit: vector["limit"]?.int, offset: vector["offset"]?.int ?? 0,
                    ids: vector["ids"]?.list.compactMap(\.text))
                return page.map(\.key)
            }
            for vector in try #require(group["queries"]).list {
                #expect(try await ask(vector) == vector["keys"]?.list.compactMap(\.text), "\(vector)")
            }
            for vector in try #require(group["refused"]).list {
                await refused("invalid_argument", saying: try #require(vector["says"]?.text)) { try await ask(vector) }
            }
        }
    }

    @Test func whatDoesNotFitIsLeftOutAndThereForGetRaw() async throws {
        try await withTodos { todos, database in
            try await database.collection("todos", of: OtherTodo.self).put(OtherTodo(id: "a", title: 3))
            try await todos.put(Todo(id: "b", title: "fits"))
            #expect(try await todos.get("a") == nil)
            #expect(try await todos.all().map(\.id) == ["b"])
            #expect(try await todos.first()?.id == "b")
            #expect(try await todos.getRaw("a") == ["id": "a", "title": 3, "colour": "red"])
            await refused("invalid_value", saying: "at `title`") { try await todos.patch("a", ["done": true]) }
            await refused("invalid_value", saying: "at `done`") { try await todos.patch("b", ["done": "yes"]) }
            let mended = try await todos.update("a") { old in
                #expect(old == nil)
                return Todo(id: "a", title: "mended")
            }
            #expect(mended?.title == "mended")
        }
    }

    @Test func fieldsOfANewerVersionSurviveAPatch() async throws {
        try await withTodos { todos, database in
            let plain = try database.collection("todos", key: "id")
            try await plain.put(["id": "a", "title": "A", "done": false, "newer": [1]])
            try await todos.patch("a", ["done": true])
            #expect(try await plain.get("a") == ["id": "a", "title": "A", "done": true, "newer": [1]])
        }
    }

    @Test func concurrentUpdatesAllCount() async throws {
        try await withWorkspace { workspace in
            let counters = try workspace.database("main").collection("counters", of: [String: Int].self)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await counters.update("hits") { ["count": ($0?["count"] ?? 0) + 1] }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await counters.get("hits") == ["count": 20])
            #expect(try await counters.update("hits") { _ in nil } == nil)
            #expect(try await counters.get("hits") == nil)
            struct Changed: Error {}
            await #expect(throws: Changed.self) { try await counters.update("hits") { _ in throw Changed() } }
        }
    }

    @Test func aTransactionTakesEffectAsAWholeAndReadsItsOwnWrites() async throws {
        try await withTodos { todos, database in
            let films = try database.collection("films", of: Film.self)
            try await todos.put(Todo(id: "old", title: "Old"))
            let before = try await database.log().entryIds().count
            let made = try await database.transaction { transaction in
                let (todos, films) = (try transaction.collection(todos), try transaction.collection(films))
                try await films.put("up", Film(title: "Up", year: 2009))
                let made = try await todos.insert(Todo(title: "New"))
                try await todos.put(Todo(id: "b", title: "B"))
                try await todos.patch("b", ["done": true])
                #expect(try await todos.get("b")?.done == true)
                #expect(try await todos.delete("old"))
                #expect(try await todos.get("old") == nil)
                await refused("invalid_value") { try await todos.patch("b", ["done": 1]) }
                return made
            }
            #expect(try await database.log().entryIds().count == before + 1)
            #expect(try await todos.get(made.id) == made)
            #expect(try await films.count() == 1)
            #expect(try await todos.get("old") == nil)
        }
    }

    @Test func aTransactionThatFailsOrIsLeftChangesNothing() async throws {
        struct Changed: Error {}
        try await withTodos { todos, database in
            await #expect(throws: Changed.self) {
                try await database.transaction { transaction in
                    try await transaction.collection(todos).put(Todo(id: "a", title: "A"))
                    throw Changed()
                }
            }
            let transaction = try database.transaction()
            try await transaction.collection(todos).put(Todo(id: "a", title: "A"))
            try transaction.rollBack()
            try transaction.rollBack()
            await refused("closed") { try await transaction.commit() }
            #expect(try await database.transaction().commit() == nil)
            #expect(try await todos.count() == 0)
            await refused("invalid_argument") { try database.transaction().collection(todos.own()) }
        }
    }

    @Test func ownItemsAreApart() async throws {
        try await withWorkspace { workspace in
            let notes = try workspace.database("main").collection("notes")
            let (mine, me) = (try notes.own(), try workspace.me.user)
            try await mine.put("a", 1)
            try await notes.put("a", 2)
            #expect(try await mine.get("a") == 1)
            #expect(try await notes.of(me).get("a") == 1)
            #expect(try await notes.get("a") == 2)
            await refused("invalid_argument") { try notes.of("nobody") }
        }
    }

    @Test func figuresAndVerification() async throws {
        try await withTodos { todos, database in
            try await todos.put(Todo(id: "a", title: "A"))
            #expect(try database.name == "main")
            #expect(todos.name == "todos")
        }
        try await withWorkspace { workspace in
            try await workspace.database("main").collection("notes").put("a", 1)
            #expect(try await workspace.databases() == ["main"])
            let (stats, report) = (try await workspace.stats(), try await workspace.verify())
            #expect(stats.entries > 0 && stats.logBytes > 0 && stats.users == 1 && stats.devices == 1)
            #expect(report.damaged == 0 && report.problems.isEmpty && report.entries == stats.entries)
            #expect(try await workspace.devices().map(\.me) == [true])
            try await workspace.setProfile("Ada")
            #expect(try await workspace.members().map(\.profile) == ["Ada"])
            #expect(try workspace.me.profile == "Ada")
            #expect(try workspace.me.role == .owner)
        }
    }
}
