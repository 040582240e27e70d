package io.tidelog

import io.tidelog.internal.RemoteLog as NativeRemoteLog

/**
 * The log of one database as a relay holds it, from [Log.at]. Every call meets the relay once; nothing is synced but
 * who may write.
 *
 * Calls fail with [TidelogException.Network], [TidelogException.RelayRefused] or [TidelogException.NotAdmitted] if the
 * relay cannot be reached or does not serve this device.
 */
public class RemoteLog internal constructor(private val handle: NativeRemoteLog) {
    /** The ids of all entries the relay holds. */
    public suspend fun entryIds(): List<String> = native { handle.entryIds() }

    /** Which of these entries the relay lacks. */
    public suspend fun missing(ids: Iterable<String>): List<String> = native { handle.missing(ids.toList()) }

    /** These entries as bytes, as far as the relay has them. */
    public suspend fun entries(ids: Iterable<String>): Entries = native { handle.entries(ids.toList()) }.toEntries()

    /**
     * Gives the relay an entry, which verifies and stores it; false if it was there already.
     *
     * @throws TidelogException.NotFound if the relay lacks what it builds on: append that first
     */
    public suspend fun append(entry: ByteArray): Boolean = native { handle.append(entry) }

    /**
     * What changed at the relay after a cursor, one item for each key at its latest change; from the beginning without
     * one. All changes of one entry come together, so there may be more than [limit].
     */
    public suspend fun changesSince(cursor: String? = null, limit: Int? = null): Changes =
        native { handle.changesSince(cursor, changesMax(limit)) }.toChanges()
}
