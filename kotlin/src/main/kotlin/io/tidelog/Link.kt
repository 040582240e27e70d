package io.tidelog

import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import kotlin.time.Duration
import io.tidelog.internal.Failure
import io.tidelog.internal.Link as NativeLink

/**
 * A link that keeps this replica and a peer equal, and comes back by itself when it breaks.
 *
 * ```
 * val link = workspace.connect("wss://relay.example.org")
 * link.waitLive(timeout = 20.seconds)
 * ```
 */
public class Link internal constructor(private val handle: NativeLink) : AutoCloseable {
    /** How it stands. */
    public val state: LinkState get() = native { handle.state() }.toLinkState()

    /** How far it has got. */
    public val progress: Progress get() = native { handle.progress() }.toProgress()

    /** How many entries of this replica the peer is not yet known to hold. */
    public val pending: Long get() = native { handle.pending() }.toLong()

    /** Why it was last interrupted, if it was. */
    public val lastError: TidelogException?
        get() = native { handle.lastError() }?.let { failure: Failure -> exception(failure) }

    /**
     * Waits until everything that either side had is on both; for so long, or for ever.
     *
     * @throws TidelogException.Timeout if it takes longer
     */
    public suspend fun waitLive(timeout: Duration? = null): Unit = native { handle.waitLive(timeout?.toMillis()) }

    /** Its events from when the flow is collected. */
    public fun events(): Flow<LinkEvent> = stream({ handle.events() }, { it.next() }) { it.toLinkEvent() }

    /** Ends the link, and waits until the peer is told. Stopping again does nothing. */
    public suspend fun stop(): Unit = withContext(NonCancellable) { native { handle.stop() } }

    /** Ends the link like [stop], blocking the thread: the end of a `use` block. */
    override fun close(): Unit = runBlocking { stop() }
}

internal fun Duration.toMillis(): ULong = inWholeMilliseconds.coerceAtLeast(0).toULong()
