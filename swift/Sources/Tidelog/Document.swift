internal import TidelogFFI

extension Database {
    /// A document: an item whose concurrent edits merge.
    ///
    /// ```swift
    /// let pages = try workspace.database("main").collection("pages", policy: .document)
    /// let page = try pages.document("start")
    /// try await page.change { edits in
    ///     edits.set("title", "Field notes")
    ///     edits.set("tasks", ["calibrate"])
    ///     edits.increment("views")
    /// }
    /// print(try await page.text("title") ?? "")
    /// ```
    ///
    /// Paths are fields and positions joined by dots: `tasks.0.title`. Positions in text are UTF-16 code units, as in
    /// `NSRange` and `String.utf16`; ``Edits/spliceText(_:replacing:of:with:)`` takes ranges of a `String`.
    public final class Document: Sendable {
        private let native: TidelogFFI.Document

        init(_ native: TidelogFFI.Document) {
            self.native = native
        }

        /// What a path leads to, or the whole document; nil if there is nothing.
        public func get(_ path: String? = nil) async throws -> Value? {
            try await later { [native] in try await native.get(path: path).map(Value.init(crossing:)) }
        }

        /// The text that a path leads to.
        ///
        /// - Throws: ``TidelogError/invalidArgument(_:)`` if there is something else.
        public func text(_ path: String) async throws -> String? {
            try await later { [native] in try await native.text(path: path) }
        }

        /// Replaces what the path leads to.
        public func set(_ path: String, _ value: Value) async throws {
            try await change { $0.set(path, value) }
        }

        /// Removes what the path leads to.
        public func delete(_ path: String) async throws {
            try await change { $0.delete(path) }
        }

        /// Inserts into the list at the path.
        public func insert(_ path: String, at position: Int, _ value: Value) async throws {
            try await change { $0.insert(path, at: position, value) }
        }

        /// Replaces `delete` code units of the text at the path, from `position` on.
        public func spliceText(_ path: String, at position: Int, delete: Int = 0, insert text: String) async throws {
            try await change { $0.spliceText(path, at: position, delete: delete, insert: text) }
        }

        /// Adds to the counter at the path; a missing one is made.
        public func increment(_ path: String, by amount: Int = 1) async throws {
            try await change { $0.increment(path, by: amount) }
        }

        /// Several edits as one change, all or none. An error drops them.
        public func change(
            isolation: isolated (any Actor)? = #isolation, _ edit: (inout Edits) throws -> Void
        ) async throws {
            var edits = Edits()
            try edit(&edits)
            let crossing = try edits.edits.map { try $0() }
            try await later { [native] in try await native.change(edits: crossing) }
        }

        /// The latest changes, which name the whole content.
        public func heads() async throws -> [String] {
            try await later { [native] in try await native.heads() }
        }

        /// The entries behind the document, the oldest first.
        public func history() async throws -> [Version] {
            try await later { [native] in try await native.history() }.map(Version.init)
        }

        /// Its changes from now on, without values: read what is needed.
        public func watch() throws -> EventStream<Event<Value>> {
            .watch(try now { try native.watch() })
        }
    }
}

/// Edits of a document that become one change.
public struct Edits {
    fileprivate var edits: [() throws -> Edit] = []

    /// Replaces what the path leads to.
    public mutating func set(_ path: String, _ value: Value) {
        edits.append { .set(path: path, value: try value.crossing()) }
    }

    /// Removes what the path leads to.
    public mutating func delete(_ path: String) {
        edits.append { .delete(path: path) }
    }

    /// Inserts into the list at the path.
    public mutating func insert(_ path: String, at position: Int, _ value: Value) {
        edits.append { .insert(path: path, position: try place(position), value: try value.crossing()) }
    }

    /// Replaces `delete` UTF-16 code units of the text at the path, from `position` on.
    public mutating func spliceText(_ path: String, at position: Int, delete: Int = 0, insert text: String) {
        edits.append {
            .spliceText(path: path, position: try place(position), delete: try place(delete), text: text)
        }
    }

    /// Replaces a range of the text at the path, as it was read into `text`, by other text.
    public mutating func spliceText(
        _ path: String, replacing range: Range<String.Index>, of text: String, with replacement: String
    ) {
        let position = text.utf16.distance(from: text.startIndex, to: range.lowerBound)
        let delete = text.utf16.distance(from: range.lowerBound, to: range.upperBound)
        spliceText(path, at: position, delete: delete, insert: replacement)
    }

    /// Adds to the counter at the path; a missing one is made.
    public mutating func increment(_ path: String, by amount: Int = 1) {
        edits.append { .increment(path: path, by: Int64(amount)) }
    }
}

private func place(_ position: Int) throws -> UInt64 {
    guard position >= 0 else { throw TidelogError.invalidArgument("a position is not negative: \(position)") }
    return UInt64(position)
}
