import Foundation

/// Makes a call that answers at once.
func now<T>(_ call: () throws -> T) throws -> T {
    do {
        return try call()
    } catch {
        throw TidelogError.known(error)
    }
}

/// Makes a call of the engine and waits for its end.
///
/// A task that is cancelled stops waiting with `CancellationError`. The call itself goes on to its end: UniFFI cannot
/// stop it, and what it writes is not lost. A task that was cancelled before makes no call.
func later<T: Sendable>(_ call: @escaping @Sendable () async throws -> T) async throws -> T {
    try Task.checkCancellation()
    let wait = Wait<T>()
    return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { continuation in
            guard wait.begin(continuation) else { return }
            Task.detached(priority: Task.currentPriority) {
                do {
                    wait.end(.success(try await call()))
                } catch {
                    wait.end(.failure(TidelogError.known(error)))
                }
            }
        }
    } onCancel: {
        wait.end(.failure(CancellationError()))
    }
}

/// A continuation that is resumed once: by the end of a call, or by giving up before.
final class Wait<T: Sendable>: Sendable {
    private enum State {
        case new
        case waiting(CheckedContinuation<T, any Error>)
        case over
    }

    private let state = Locked<State>(.new)

    /// Whether nobody waits here any more.
    var isOver: Bool {
        state.with { if case .over = $0 { true } else { false } }
    }

    /// Begins to wait; false, with the continuation resumed, if waiting is over already.
    func begin(_ continuation: CheckedContinuation<T, any Error>) -> Bool {
        let begun = state.with { state in
            guard case .new = state else { return false }
            state = .waiting(continuation)
            return true
        }
        if !begun { continuation.resume(throwing: CancellationError()) }
        return begun
    }

    /// Ends waiting; false if it was over already.
    @discardableResult
    func end(_ result: Result<T, any Error>) -> Bool {
        let ended = state.with { state -> State in
            defer { state = .over }
            return state
        }
        switch ended {
        case .over: return false
        case .new: return true
        case .waiting(let continuation):
            continuation.resume(with: result)
            return true
        }
    }
}

/// A value behind a lock.
final class Locked<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) {
        self.value = value
    }

    func with<R>(_ body: (inout Value) throws -> R) rethrows -> R {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}
