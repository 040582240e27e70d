internal import TidelogFFI

extension Workspace {
    /// A link that keeps this replica and a peer equal, and comes back by itself when it breaks.
    ///
    /// ```swift
    /// let link = try workspace.connect("wss://relay.example.org")
    /// try await link.waitLive(timeout: .seconds(10))
    /// for try await event in try link.events() {
    ///     print(event)
    /// }
    /// ```
    public final class Link: Sendable {
        /// How a link stands.
        public enum State: String, Codable, Sendable {
            /// Not connected; it will try again.
            case offline
            /// Connecting.
            case connecting
            /// Connected, and not yet equal.
            case catchingUp = "catching-up"
            /// Equal; changes pass as they are made.
            case live
        }

        /// How far the present connection has come: entries, with those still expected in the totals.
        public struct Progress: Codable, Sendable, Hashable {
            /// Entries received.
            public let received: Int
            /// Entries received and still expected, as far as is known.
            public let receivedTotal: Int
            /// Entries sent.
            public let sent: Int
            /// Entries sent and still to send.
            public let sentTotal: Int
            /// Bytes received.
            public let bytesReceived: Int
            /// Bytes sent.
            public let bytesSent: Int
        }

        /// What happens on a link.
        public enum Event: Codable, Sendable, Hashable {
            /// It has another state.
            case state(State)
            /// It got on.
            case progress(Progress)
            /// Something failed; it goes on by itself.
            case failed(code: String, reason: String)
            /// Something is wrong that was not before.
            case warned(Warning)
            /// The reader was too slow, and so many events were dropped.
            case lagged(Int)
        }

        private let native: TidelogFFI.Link

        init(_ native: TidelogFFI.Link) {
            self.native = native
        }

        /// How it stands.
        public var state: State {
            get throws { State(try now { try native.state() }) }
        }

        /// How far it has got.
        public var progress: Progress {
            get throws { Progress(try now { try native.progress() }) }
        }

        /// How many entries of this replica the peer is not yet known to hold.
        public var pending: Int {
            get throws { Int(clamping: try now { try native.pending() }) }
        }

        /// Why it was last interrupted, if it was.
        public var lastError: TidelogError? {
            get throws {
                guard case .Failed(let kind, let reason) = try now({ try native.lastError() }) else { return nil }
                return TidelogError(kind: kind, reason: reason)
            }
        }

        /// Waits until everything that either side had is on both; without a timeout, for ever.
        ///
        /// - Throws: ``TidelogError``: `timeout`, and `closed` if the link was stopped.
        public func waitLive(timeout: Duration? = nil) async throws {
            let limit = milliseconds(timeout)
            try await later { [native] in try await native.waitLive(timeoutMs: limit) }
        }

        /// Its events from now on.
        public func events() throws -> EventStream<Event> {
            let events = try now { try native.events() }
            return EventStream(
                next: { try await events.next() }, stop: { try events.stop() }, convert: { Event($0) })
        }

        /// Ends the link, and waits until the peer is told. Stopping again does nothing.
        public func stop() async throws {
            try await later { [native] in try await native.stop() }
        }
    }
}
