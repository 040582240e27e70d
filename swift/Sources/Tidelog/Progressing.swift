internal import TidelogFFI

/// Hears how much of a long call is done, and of how much as far as that is known; 0 before it is.
public typealias Progressing = @Sendable (_ done: Int, _ total: Int) -> Void

/// How often somebody is told how far a call has come.
private let tellingInterval = Duration.milliseconds(50)

/// Makes a long call, which tells its progress and ends early, without a loss, when its task is cancelled.
func metered<T: Sendable>(
    _ progress: Progressing?, _ call: @escaping @Sendable (Meter) async throws -> T
) async throws -> T {
    let meter = try now { try Meter.start() }
    let told = Locked<UInt64?>(nil)
    let tell: @Sendable () -> Void = {
        guard let progress, let done = try? meter.done(), let total = try? meter.total() else { return }
        told.with { last in
            if last.map({ $0 < done }) ?? true { progress(Int(clamping: done), Int(clamping: total)) }
            last = max(last ?? 0, done)
        }
    }
    let teller = Task {
        while progress != nil {
            try await Task.sleep(for: tellingInterval)
            tell()
        }
    }
    defer { teller.cancel() }
    let result = try await withTaskCancellationHandler {
        try await later { try await call(meter) }
    } onCancel: {
        try? meter.stop()
    }
    tell()
    return result
}
