internal import TidelogFFI

extension Database {
    /// Items by key. `Content` is the type of values, `Result` that of results: `Content` if it holds its key, else
    /// ``Item``.
    ///
    /// ```swift
    /// let todos = try workspace.database("main").collection("todos", of: Todo.self)
    /// let todo = try await todos.insert(Todo(title: "Calibrate sensor"))
    /// try await todos.patch(todo.id, ["done": true])
    /// for todo in try await todos.query(where: ["done": true], sort: ["title"]) {
    ///     print(todo.id, todo.title)
    /// }
    /// ```
    ///
    /// Items that another application wrote and that do not fit the type are left out of results, with a warning to
    /// the log (on Linux, to standard error); ``getRaw(_:)`` reads them.
    public final class Collection<Content: Codable & Sendable, Result: Sendable>: Sendable {
        let native: TidelogFFI.Collection
        let shape: Shape<Content, Result>
        let owned: Bool

        init(_ native: TidelogFFI.Collection, shape: Shape<Content, Result>, owned: Bool) {
            self.native = native
            self.shape = shape
            self.owned = owned
        }

        /// Its name.
        public var name: String { shape.name }

        /// Writes an item under a key. It is durable when the call returns.
        public func put(_ key: String, _ value: Content) async throws {
            try await later { [native, shape] in
                try await native.put(key: key, value: shape.stored(value, key: key))
            }
        }

        /// Writes many items in as few entries as they fit into. Progress counts items.
        ///
        /// When the task is cancelled the rest is not written, and what is written stays.
        @discardableResult
        public func putMany(
            _ items: some Sequence<Result> & Sendable, progress: Progressing? = nil
        ) async throws -> Summary {
            Summary(
                try await metered(progress) { [native, shape] in
                    try await native.putMany(items: items.map(shape.newItem), meter: $0)
                })
        }

        /// Writes many items by key, in as few entries as they fit into. Progress counts items.
        ///
        /// When the task is cancelled the rest is not written, and what is written stays.
        @discardableResult
        public func putMany(_ items: [String: Content], progress: Progressing? = nil) async throws -> Summary {
            Summary(
                try await metered(progress) { [native, shape] in
                    let items = try items.map { NewItem(key: $0, value: try shape.stored($1, key: $0)) }
                    return try await native.putMany(items: items, meter: $0)
                })
        }

        /// Writes a new item and returns it with its key, which is made if it has none.
        ///
        /// - Throws: ``TidelogError/alreadyExists(_:)`` if the key is taken.
        @discardableResult
        public func insert(_ value: Content) async throws -> Result {
            try await later { [native, shape] in
                try shape.inserted(await native.insert(value: shape.stored(value)))
            }
        }

        /// The item of a key, or nil.
        public func get(_ key: String) async throws -> Content? {
            try await later { [native, shape] in
                try await native.get(key: key).flatMap { shape.value(key, $0) }
            }
        }

        /// The stored value of a key, whatever the type says, or nil.
        public func getRaw(_ key: String) async throws -> Value? {
            try await later { [native] in try await native.get(key: key).map(Value.init(crossing:)) }
        }

        /// The first item that matches, or nil.
        public func first(
            where conditions: Value = nil, sort: [String] = [], ids: [String]? = nil
        ) async throws -> Result? {
            var page = try await query(where: conditions, sort: sort, limit: 1, ids: ids)
            while page.isEmpty, let cursor = page.cursor {
                page = try await query(where: conditions, sort: sort, limit: 1, cursor: cursor, ids: ids)
            }
            return page.first
        }

        /// All items, by key.
        public func all() async throws -> [Result] {
            try await query().items
        }

        /// The items that match, such as `query(where: ["year": ["ge": 1999]], sort: ["-year", "title"], limit: 10)`.
        ///
        /// - Throws: ``TidelogError/invalidArgument(_:)`` if the query makes no sense; the reason says where.
        public func query(
            where conditions: Value = nil, sort: [String] = [], limit: Int? = nil, offset: Int = 0,
            cursor: String? = nil, ids: [String]? = nil
        ) async throws -> Page<Result> {
            let query = try Tidelog.query(
                conditions, sort: sort, limit: limit, offset: offset, cursor: cursor, ids: ids)
            return try await later { [native, shape] in
                let page = try await native.query(query: query)
                return Page(items: shape.results(page.items), cursor: page.cursor)
            }
        }

        /// How many items match.
        public func count(where conditions: Value = nil) async throws -> Int {
            let query = try Tidelog.query(conditions, sort: [], limit: nil, offset: 0, cursor: nil, ids: nil)
            return Int(clamping: try await later { [native] in try await native.count(query: query) })
        }

        /// Replaces some fields of an item that is there: `patch(todo.id, ["done": true])`.
        ///
        /// - Throws: ``TidelogError/notFound(_:)`` if it is not there.
        public func patch(_ key: String, _ fields: Value) async throws {
            let fields = try fields.crossing()
            try await later { [native, shape] in
                try shape.check(fields, within: await native.get(key: key))
                try await native.patch(key: key, fields: fields)
            }
        }

        /// Replaces an item by what `change` makes of it; nil deletes.
        ///
        /// If another write comes in between, `change` is called again with what is there then. It runs where this is
        /// called, on the main actor for example.
        @discardableResult
        public func update(
            _ key: String, isolation: isolated (any Actor)? = #isolation,
            _ change: (Content?) async throws -> Content?
        ) async throws -> Content? {
            while true {
                let before = try await later { [native] in try await native.get(key: key) }
                let after = try await change(before.flatMap { shape.value(key, $0) })
                let replacement = try after.map { try shape.stored($0, key: key) }
                let replaced = try await later { [native] in
                    try await native.replace(key: key, expected: before, value: replacement)
                }
                if replaced { return replacement.flatMap { shape.value(key, $0) } }
            }
        }

        /// Removes an item; false if there was none.
        @discardableResult
        public func delete(_ key: String) async throws -> Bool {
            try await later { [native] in try await native.delete(key: key) }
        }

        /// The result of a query, first as it is, then again after every change of it. ``LiveList`` shows it.
        public func live(
            where conditions: Value = nil, sort: [String] = [], limit: Int? = nil, offset: Int = 0,
            ids: [String]? = nil
        ) throws -> EventStream<[Result]> {
            let query = try Tidelog.query(
                conditions, sort: sort, limit: limit, offset: offset, cursor: nil, ids: ids)
            let live = try now { try native.live(query: query) }
            return EventStream(
                next: { try await live.next() }, stop: { try live.stop() }, convert: { [shape] in shape.results($0) })
        }

        /// Changes of one item, or of all, from now on; with `initial`, first what is there.
        public func watch(_ key: String? = nil, initial: Bool = false) throws -> EventStream<Event<Content>> {
            let watch = try now { try native.watch(key: key, initial: initial) }
            return EventStream(
                next: { try await watch.next() }, stop: { try watch.stop() },
                convert: { [shape] in try Event($0, value: shape.value) })
        }

        /// The entries behind an item, the oldest first.
        public func history(_ key: String) async throws -> [Version] {
            try await later { [native] in try await native.history(key: key) }.map(Version.init)
        }

        /// The items that only this user can write.
        public func own() throws -> Collection {
            Collection(try now { try native.own() }, shape: shape, owned: true)
        }

        /// The items that only the given user can write.
        public func of(_ user: String) throws -> Collection {
            Collection(try now { try native.of(user: user) }, shape: shape, owned: true)
        }

        /// A document of a collection with the policy `document`.
        public func document(_ key: String) throws -> Document {
            Document(try now { try native.document(key: key) })
        }
    }
}

extension Database.Collection where Result == Content {
    /// Writes an item under the key that it holds. It is durable when the call returns.
    public func put(_ value: Content) async throws {
        try await later { [native, shape] in try await native.put(key: nil, value: shape.stored(value)) }
    }
}
