/// Events as they happen, in order.
///
/// ```swift
/// for try await list in todos.live(where: ["done": false]) {
///     show(list)
/// }
/// ```
///
/// Each event goes to one reader. A reader whose task is cancelled stops waiting with `CancellationError`, and no event
/// is lost by it: who reads next gets what came. The stream ends when it is stopped, when nobody holds it any more, and
/// with the workspace.
public final class EventStream<Element: Sendable>: AsyncSequence, Sendable {
    private let pull: Pull<Element>

    init<N: Sendable>(
        next: @escaping @Sendable () async throws -> N?, stop: @escaping @Sendable () throws -> Void,
        convert: @escaping @Sendable (N) throws -> Element
    ) {
        pull = Pull(next: { try await next().map(convert) }, stop: stop)
    }

    deinit {
        pull.stop()
    }

    /// Waits for the next event; nil after the end.
    public func next() async throws -> Element? {
        try await pull.next()
    }

    /// Ends the stream, also for whoever waits. Stopping again does nothing.
    public func stop() {
        pull.stop()
    }

    /// A reader of this stream.
    public func makeAsyncIterator() -> Iterator {
        Iterator(stream: self)
    }

    /// A reader of a stream.
    public struct Iterator: AsyncIteratorProtocol {
        let stream: EventStream

        /// Waits for the next event; nil after the end.
        public mutating func next() async throws -> Element? {
            try await stream.next()
        }
    }
}

/// Asks the engine for one event at a time, for whoever waits first. What comes when nobody waits any more is kept.
private final class Pull<Element: Sendable>: Sendable {
    private struct State {
        var readers: [Wait<Element?>] = []
        var kept: Result<Element?, any Error>?
        var asking = false
        var ended = false

        /// Hands a result over; false if nobody waits for another.
        mutating func take(_ result: Result<Element?, any Error>) -> Bool {
            var left = readers[...]
            var taken = false
            while !taken, let reader = left.popFirst() { taken = reader.end(result) }
            if !taken { kept = result }
            if case .success(.some) = result {
                readers = Array(left)
                asking = !readers.isEmpty
                return asking
            }
            ended = true
            left.forEach { $0.end(.success(nil)) }
            readers = []
            asking = false
            return false
        }
    }

    private let state = Locked(State())
    private let ask: @Sendable () async throws -> Element?
    private let end: @Sendable () throws -> Void

    init(next: @escaping @Sendable () async throws -> Element?, stop: @escaping @Sendable () throws -> Void) {
        ask = next
        end = stop
    }

    func stop() {
        // Stopping is refused only in a forked child, where nothing is left to stop.
        try? end()
    }

    func next() async throws -> Element? {
        try Task.checkCancellation()
        let reader = Wait<Element?>()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if reader.begin(continuation) { join(reader) }
            }
        } onCancel: {
            reader.end(.failure(CancellationError()))
        }
    }

    private func join(_ reader: Wait<Element?>) {
        let begin = state.with { state in
            if let kept = state.kept {
                if reader.end(kept) { state.kept = nil }
                return false
            }
            if state.ended {
                reader.end(.success(nil))
                return false
            }
            state.readers.removeAll(where: \.isOver)
            state.readers.append(reader)
            defer { state.asking = true }
            return !state.asking
        }
        if begin { Task.detached(priority: Task.currentPriority) { await self.serve() } }
    }

    /// Asks until nobody waits.
    private func serve() async {
        var goOn = true
        while goOn {
            let result: Result<Element?, any Error>
            do {
                result = .success(try await ask())
            } catch {
                result = .failure(TidelogError.known(error))
            }
            goOn = state.with { $0.take(result) }
        }
    }
}
