package io.tidelog

import kotlinx.coroutines.flow.Flow
import io.tidelog.internal.LogEvent as NativeLogEvent
import io.tidelog.internal.LogLevel as NativeLogLevel
import io.tidelog.internal.logs as nativeLogs

/** How much a log line matters, the gravest first. */
public enum class LogLevel {
    /** Something failed. */
    ERROR,

    /** Something is not as it should be, and was dealt with. */
    WARN,

    /** Something of note happened. */
    INFO,

    /** For whoever looks for a fault. */
    DEBUG,

    /** Everything. */
    TRACE,
}

/** What the engine logged: how much it matters, the module it comes from, and what happened. */
public data class LogLine(
    /** How much it matters. */
    val level: LogLevel,

    /** The module it comes from. */
    val target: String,

    /** What happened. */
    val text: String,
)

/**
 * What the engine logs while the flow is collected, down to a level. Holds no key, passphrase or data.
 *
 * ```
 * scope.launch {
 *     logs(LogLevel.DEBUG).collect { line -> logger.info("{} {}", line.target, line.text) } // SLF4J
 * }
 * ```
 */
public fun logs(level: LogLevel = LogLevel.INFO): Flow<LogLine> {
    Callbacks.keepThreadsAttached
    return stream({ nativeLogs(NativeLogLevel.valueOf(level.name)) }, { it.next() }) { event ->
        when (event) {
            is NativeLogEvent.Line -> LogLine(LogLevel.valueOf(event.v1.level.name), event.v1.target, event.v1.text)
            is NativeLogEvent.Lagged -> LogLine(LogLevel.WARN, "tidelog", "${event.v1} lines of the log are missing")
        }
    }
}
