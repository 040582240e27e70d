import Foundation
internal import TidelogFFI

extension Database {
    /// The log of one database as a relay holds it, from ``Log/at(_:)``.
    ///
    /// Every call meets the relay once; nothing is synced but who may write. Calls throw ``TidelogError``: `network`,
    /// `relayRefused`, `notAdmitted` or `protocol` if the relay cannot be reached or does not serve this device.
    public final class RemoteLog: Sendable {
        private let native: TidelogFFI.RemoteLog

        init(_ native: TidelogFFI.RemoteLog) {
            self.native = native
        }

        /// The ids of all entries the relay holds.
        public func entryIds() async throws -> [String] {
            try await later { [native] in try await native.entryIds() }
        }

        /// Which of these entries the relay lacks.
        public func missing(_ ids: [String]) async throws -> [String] {
            try await later { [native] in try await native.missing(ids: ids) }
        }

        /// These entries as bytes, as far as the relay has them.
        public func entries(_ ids: [String]) async throws -> Entries {
            Entries(try await later { [native] in try await native.entries(ids: ids) })
        }

        /// Gives the relay an entry, which verifies and stores it; false if it was there already.
        ///
        /// - Throws: ``TidelogError``: `invalidArgument` if it is not a valid entry of this workspace, `notFound` if
        ///   the relay lacks what it builds on: append that first.
        @discardableResult
        public func append(_ entry: Data) async throws -> Bool {
            try await later { [native] in try await native.append(entry: entry) }
        }

        /// What changed at the relay after a cursor, one item for each key at its latest change; from the beginning
        /// without one.
        ///
        /// All changes of one entry come together, so there may be more than `limit`. Go on with the cursor until
        /// nothing is left.
        public func changesSince(_ cursor: String? = nil, limit: Int? = nil) async throws -> Changes {
            let limit = try limit.map { try count("limit", $0) }
            return try Changes(await later { [native] in try await native.changesSince(cursor: cursor, limit: limit) })
        }
    }
}
