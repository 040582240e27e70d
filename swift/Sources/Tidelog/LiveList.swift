import Observation

/// The result of a query, kept up to date for a user interface.
///
/// ```swift
/// struct TodoView: View {
///     @State private var open: LiveList<Todo>
///
///     init(todos: Database.Collection<Todo, Todo>) throws {
///         open = LiveList(try todos.live(where: ["done": false], sort: ["title"]))
///     }
///
///     var body: some View {
///         List(open.current) { Text($0.title) }
///     }
/// }
/// ```
///
/// It lives on the main actor and never blocks it: the query runs in the engine. It ends when nobody holds it any more.
@MainActor @Observable
public final class LiveList<Element: Sendable> {
    /// The result now; empty before it is there for the first time.
    public private(set) var current: [Element] = []

    /// Whether `current` has been the result at least once.
    public private(set) var isReady = false

    /// Why it ended, if something failed.
    public private(set) var error: (any Error)?

    @ObservationIgnored private let stream: EventStream<[Element]>

    /// Follows a stream of results, such as that of ``Database/Collection/live(where:sort:limit:offset:ids:)``.
    public init(_ stream: EventStream<[Element]>) {
        self.stream = stream
        Task { [weak self] in
            do {
                for try await list in stream {
                    guard let self else { return }
                    self.current = list
                    self.isReady = true
                }
            } catch {
                self?.error = error
            }
        }
    }

    deinit {
        stream.stop()
    }

    /// Ends it. `current` stays as it is.
    public func stop() {
        stream.stop()
    }
}
