package io.tidelog

import io.tidelog.internal.Log as NativeLog

/** The entries under a database: pull and offer, as between two stores. */
public class Log internal constructor(private val handle: NativeLog) {
    /** The ids of all entries held. */
    public suspend fun entryIds(): List<String> = native { handle.entryIds() }

    /** Which of these entries this log lacks. */
    public suspend fun missing(ids: Iterable<String>): List<String> = native { handle.missing(ids.toList()) }

    /** These entries as bytes, as far as this log has them. */
    public suspend fun entries(ids: Iterable<String>): Entries = native { handle.entries(ids.toList()) }.toEntries()

    /** Verifies an entry and stores it; false if it was there already. */
    public suspend fun append(entry: ByteArray): Boolean = native { handle.append(entry) }

    /** What changed after a cursor, one item for each key at its latest change; from the beginning without one. */
    public suspend fun changesSince(cursor: String? = null, limit: Int? = null): Changes =
        native { handle.changesSince(cursor, changesMax(limit)) }.toChanges()

    /** The same log as a relay holds it, to be read and written there. */
    public fun at(relay: String): RemoteLog = RemoteLog(native { handle.at(relay) })

    /** Takes over what another log has and this one lacks. */
    public suspend fun pullFrom(other: Log): Transfer = native { handle.pullFrom(other.handle) }.toTransfer()

    /** Takes over what a relay has of this database and this log lacks; gives it nothing. */
    public suspend fun pullFrom(relay: String): Transfer = native { handle.pullFromRelay(relay) }.toTransfer()

    /** Gives another log what this one has and it lacks. */
    public suspend fun pushTo(other: Log): Transfer = native { handle.pushTo(other.handle) }.toTransfer()

    /** Gives a relay what this log has and it lacks; takes nothing. */
    public suspend fun pushTo(relay: String): Transfer = native { handle.pushToRelay(relay) }.toTransfer()

    /** Both. */
    public suspend fun syncWith(other: Log): Transfer = native { handle.syncWith(other.handle) }.toTransfer()

    /** Both, with a relay. */
    public suspend fun syncWith(relay: String): Transfer = native { handle.syncWithRelay(relay) }.toTransfer()
}

/** A limit of changes as it crosses. */
internal fun changesMax(limit: Int?): UInt? {
    if (limit != null && limit < 0) throw TidelogException.InvalidArgument("limit is no number of changes: $limit")
    return limit?.toUInt()
}
