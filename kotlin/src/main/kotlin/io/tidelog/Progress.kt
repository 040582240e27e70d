package io.tidelog

import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlin.time.Duration.Companion.milliseconds
import io.tidelog.internal.Meter as NativeMeter

/** Hears how far a long call has come: how much is done, and of how much as far as that is known. */
public typealias Progressing = (done: Long, total: Long) -> Unit

/** How often somebody is told how far a call has come. */
private val PROGRESS_INTERVAL = 50.milliseconds

/** Makes a call with a meter. If it is given up, the engine ends it early. */
internal suspend fun <R> metered(progress: Progressing?, call: suspend (NativeMeter) -> R): R = native {
    val meter = NativeMeter.start()
    var ended = false
    try {
        val result = coroutineScope {
            val teller = progress?.let {
                launch {
                    while (true) {
                        delay(PROGRESS_INTERVAL)
                        it(meter.done().toLong(), meter.total().toLong())
                    }
                }
            }
            call(meter).also { teller?.cancel() }
        }
        ended = true
        progress?.invoke(meter.done().toLong(), meter.total().toLong())
        result
    } finally {
        if (!ended) meter.stop()
        meter.destroy()
    }
}
