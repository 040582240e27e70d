import Foundation
internal import TidelogFFI

extension Database {
    /// The entries under a database: pull and offer, as between two stores.
    ///
    /// ```swift
    /// let log = try workspace.database("main").log()
    /// var cursor: String?
    /// repeat {
    ///     let changes = try await log.changesSince(cursor, limit: 100)
    ///     changes.items.forEach { print($0.collection, $0.key) }
    ///     cursor = changes.items.isEmpty ? nil : changes.cursor
    /// } while cursor != nil
    /// ```
    public final class Log: Sendable {
        private let native: TidelogFFI.Log

        init(_ native: TidelogFFI.Log) {
            self.native = native
        }

        /// The ids of all entries held.
        public func entryIds() async throws -> [String] {
            try await later { [native] in try await native.entryIds() }
        }

        /// Which of these entries this log lacks.
        public func missing(_ ids: [String]) async throws -> [String] {
            try await later { [native] in try await native.missing(ids: ids) }
        }

        /// These entries as bytes, as far as this log has them.
        public func entries(_ ids: [String]) async throws -> Entries {
            Entries(try await later { [native] in try await native.entries(ids: ids) })
        }

        /// Verifies an entry and stores it; false if it was there already.
        ///
        /// - Throws: ``TidelogError``: `invalidArgument` if it is not a valid entry of this workspace, `notFound` if
        ///   this log lacks what it builds on: append that first.
        @discardableResult
        public func append(_ entry: Data) async throws -> Bool {
            try await later { [native] in try await native.append(entry: entry) }
        }

        /// What changed after a cursor, one item for each key at its latest change; from the beginning without one.
        ///
        /// Go on with the cursor until nothing is left. A change is given at least once.
        public func changesSince(_ cursor: String? = nil, limit: Int? = nil) async throws -> Changes {
            let limit = try limit.map { try count("limit", $0) }
            return try Changes(await later { [native] in try await native.changesSince(cursor: cursor, limit: limit) })
        }

        /// The same log as a relay holds it, to be read and written there.
        ///
        /// - Throws: ``TidelogError/invalidArgument(_:)`` for what is not an address.
        public func at(_ relay: String) throws -> RemoteLog {
            RemoteLog(try now { try native.at(url: relay) })
        }

        /// Takes over what another log has and this one lacks.
        @discardableResult
        public func pullFrom(_ other: Log) async throws -> Transfer {
            Transfer(try await later { [native] in try await native.pullFrom(other: other.native) })
        }

        /// Takes over what a relay has of this database and this log lacks.
        ///
        /// - Throws: ``TidelogError``: those of ``Workspace/sync(_:)``.
        @discardableResult
        public func pullFrom(_ relay: String) async throws -> Transfer {
            Transfer(try await later { [native] in try await native.pullFromRelay(url: relay) })
        }

        /// Gives another log what this one has and it lacks.
        @discardableResult
        public func pushTo(_ other: Log) async throws -> Transfer {
            Transfer(try await later { [native] in try await native.pushTo(other: other.native) })
        }

        /// Gives a relay what this log has and it lacks.
        ///
        /// - Throws: ``TidelogError``: those of ``Workspace/sync(_:)``.
        @discardableResult
        public func pushTo(_ relay: String) async throws -> Transfer {
            Transfer(try await later { [native] in try await native.pushToRelay(url: relay) })
        }

        /// Both, with another log.
        @discardableResult
        public func syncWith(_ other: Log) async throws -> Transfer {
            Transfer(try await later { [native] in try await native.syncWith(other: other.native) })
        }

        /// Both, with a relay.
        ///
        /// - Throws: ``TidelogError``: those of ``Workspace/sync(_:)``.
        @discardableResult
        public func syncWith(_ relay: String) async throws -> Transfer {
            Transfer(try await later { [native] in try await native.syncWithRelay(url: relay) })
        }
    }
}
