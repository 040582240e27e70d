internal import TidelogFFI

extension Database {
    /// Writes to collections of one database that take effect together, in one entry. It reads its own writes.
    ///
    /// ``Database/transaction(_:)`` commits by itself; this is for writes that no closure can hold. What is not
    /// committed when nobody holds the transaction any more is forgotten.
    public final class Transaction: Sendable {
        private let native: TidelogFFI.Transaction

        init(_ native: TidelogFFI.Transaction) {
            self.native = native
        }

        /// A collection of this database within the transaction.
        ///
        /// - Throws: ``TidelogError/invalidArgument(_:)`` for a collection of items that belong to a user.
        public func collection<Content, Result>(
            _ collection: Database.Collection<Content, Result>
        ) throws -> Collection<Content, Result> {
            guard !collection.owned else {
                throw TidelogError.invalidArgument("items that belong to a user cannot be written in a transaction")
            }
            let shape = collection.shape
            return Collection(try now { try native.collection(name: shape.name, options: shape.options) }, shape: shape)
        }

        /// Writes all of it as one entry, durable on return, and gives its id; nil if there was nothing to write.
        ///
        /// - Throws: ``TidelogError``: `tooLarge`, and `closed` if the transaction has ended before.
        @discardableResult
        public func commit() async throws -> String? {
            try await later { [native] in try await native.commit() }
        }

        /// Forgets its writes. Does nothing after its end.
        public func rollBack() throws {
            try now { try native.rollBack() }
        }

        /// A collection within a transaction; it reads what the transaction wrote.
        public final class Collection<Content: Codable & Sendable, Result: Sendable>: Sendable {
            fileprivate let native: TransactionCollection
            fileprivate let shape: Shape<Content, Result>

            fileprivate init(_ native: TransactionCollection, shape: Shape<Content, Result>) {
                self.native = native
                self.shape = shape
            }

            /// Adds a write of an item under a key.
            public func put(_ key: String, _ value: Content) async throws {
                try await later { [native, shape] in
                    try await native.put(key: key, value: shape.stored(value, key: key))
                }
            }

            /// Adds a write of a new item and returns it with its key, which is made if it has none.
            @discardableResult
            public func insert(_ value: Content) async throws -> Result {
                try await later { [native, shape] in
                    try shape.inserted(await native.insert(value: shape.stored(value)))
                }
            }

            /// The item as it would be after the commit, or nil.
            public func get(_ key: String) async throws -> Content? {
                try await later { [native, shape] in
                    try await native.get(key: key).flatMap { shape.value(key, $0) }
                }
            }

            /// Adds a replacement of some fields of an item that is there.
            public func patch(_ key: String, _ fields: Value) async throws {
                let fields = try fields.crossing()
                try await later { [native, shape] in
                    try shape.check(fields, within: await native.get(key: key))
                    try await native.patch(key: key, fields: fields)
                }
            }

            /// Adds a removal; false if there is no item.
            @discardableResult
            public func delete(_ key: String) async throws -> Bool {
                try await later { [native] in try await native.delete(key: key) }
            }
        }
    }
}

extension Database.Transaction.Collection where Result == Content {
    /// Adds a write of an item under the key that it holds.
    public func put(_ value: Content) async throws {
        try await later { [native, shape] in try await native.put(key: nil, value: shape.stored(value)) }
    }
}
