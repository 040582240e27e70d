internal import TidelogFFI

/// A database: collections that are synced, or not, as a whole.
///
/// ```swift
/// let main = try workspace.database("main")
/// let todos = try main.collection("todos", of: Todo.self)
/// try await main.transaction { transaction in
///     let within = try transaction.collection(todos)
///     try await within.insert(Todo(title: "Calibrate sensor"))
///     try await within.insert(Todo(title: "Write report"))
/// }
/// ```
public final class Database: Sendable {
    let native: TidelogFFI.Database

    init(_ native: TidelogFFI.Database) {
        self.native = native
    }

    /// Its name.
    public var name: String {
        get throws { try now { try native.name() } }
    }

    /// A collection of values whose property `id` is the key; it need not exist yet.
    ///
    /// `insert` fills the key, `put(value)` reads it, results have it.
    public func collection<Content: Codable & Sendable & Identifiable>(
        _ name: String, of _: Content.Type, policy: Policy = .lww
    ) throws -> Collection<Content, Content> where Content.ID == String {
        try keyed(name, by: "id", policy: policy)
    }

    /// A collection of values of which the stored field named by `key` is the key; it need not exist yet.
    public func collection<Content: Codable & Sendable>(
        _ name: String, of _: Content.Type = Value.self, key: String, policy: Policy = .lww
    ) throws -> Collection<Content, Content> {
        try keyed(name, by: key, policy: policy)
    }

    /// A collection of values that do not hold their key: results are ``Item``s. It need not exist yet.
    public func collection<Content: Codable & Sendable>(
        _ name: String, of _: Content.Type = Value.self, policy: Policy = .lww
    ) throws -> Collection<Content, Item<Content>> {
        let shape = Shape<Content, Item<Content>>(
            name: name, policy: policy, keyField: nil, result: { Item(key: $0, value: $1) },
            parts: { ($0.key, $0.value) })
        return try open(shape)
    }

    private func keyed<Content>(
        _ name: String, by field: String, policy: Policy
    ) throws -> Collection<Content, Content> {
        try open(Shape(name: name, policy: policy, keyField: field, result: { $1 }, parts: { (nil, $0) }))
    }

    private func open<Content, Result>(_ shape: Shape<Content, Result>) throws -> Collection<Content, Result> {
        let opened = try now { try native.collection(name: shape.name, options: shape.options) }
        return Collection(opened, shape: shape, owned: false)
    }

    /// The names of its collections.
    public func collections() async throws -> [String] {
        try await later { [native] in try await native.collections() }
    }

    /// A batch of writes that takes effect when it is committed, as a whole.
    public func transaction() throws -> Transaction {
        Transaction(try now { try native.transaction() })
    }

    /// Writes that take effect together when `body` returns, in one entry; an error drops them.
    ///
    /// `body` runs where this is called, on the main actor for example.
    public func transaction<R: Sendable>(
        isolation: isolated (any Actor)? = #isolation, _ body: (Transaction) async throws -> R
    ) async throws -> R {
        let transaction: Transaction = try self.transaction()
        do {
            let result = try await body(transaction)
            try await transaction.commit()
            return result
        } catch {
            try transaction.rollBack()
            throw error
        }
    }

    /// Changes of its items from now on. Values are as they are stored.
    public func watch() throws -> EventStream<Event<Value>> {
        .watch(try now { try native.watch() })
    }

    /// The entries under it.
    public func log() throws -> Log {
        Log(try now { try native.log() })
    }
}

extension EventStream where Element == Event<Value> {
    /// The changes of a watch over collections of any type.
    static func watch(_ native: Watch) -> EventStream {
        EventStream(next: { try await native.next() }, stop: { try native.stop() }, convert: { try Event($0) })
    }
}
