internal import TidelogFFI

/// How much a line of the log matters.
public enum LogLevel: String, Sendable, Hashable, CaseIterable {
    /// Something failed.
    case error
    /// Something is wrong and was dealt with.
    case warn
    /// What happens now and then.
    case info
    /// What helps to find a fault.
    case debug
    /// Everything.
    case trace
}

/// A line of the engine's log. It holds no key, no passphrase and no data.
public struct LogLine: Sendable, Hashable {
    /// How much it matters.
    public let level: LogLevel
    /// The module it comes from.
    public let target: String
    /// What happened.
    public let text: String
}

/// Every line that the engine logs from now on, down to a level, until nobody holds the stream any more.
///
/// ```swift
/// let lines = try engineLog(.debug)
/// Task {
///     let logger = Logger(subsystem: "tidelog", category: "engine")
///     for try await line in lines { logger.debug("\(line.text)") }
/// }
/// ```
public func engineLog(_ level: LogLevel = .info) throws -> EventStream<LogLine> {
    let logs = try now { try TidelogFFI.logs(level: TidelogFFI.LogLevel(level)) }
    return EventStream(
        next: { try await logs.next() }, stop: { try logs.stop() },
        convert: { event in
            switch event {
            case .line(let line): LogLine(level: .init(line.level), target: line.target, text: line.text)
            case .lagged(let lost):
                LogLine(level: .warn, target: "tidelog", text: "\(lost) lines of the log are missing")
            }
        })
}

extension TidelogFFI.LogLevel {
    fileprivate init(_ level: LogLevel) {
        self =
            switch level {
            case .error: .error
            case .warn: .warn
            case .info: .info
            case .debug: .debug
            case .trace: .trace
            }
    }
}

extension LogLevel {
    fileprivate init(_ given: TidelogFFI.LogLevel) {
        self =
            switch given {
            case .error: .error
            case .warn: .warn
            case .info: .info
            case .debug: .debug
            case .trace: .trace
            }
    }
}
