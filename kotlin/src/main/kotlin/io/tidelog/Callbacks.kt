package io.tidelog

import com.sun.jna.CallbackThreadInitializer
import com.sun.jna.Native
import io.tidelog.internal.uniffiRustFutureContinuationCallbackImpl

/** How threads of the engine call back into the JVM. */
internal object Callbacks {
    /**
     * Attaching a thread costs more than most calls take: the engine's few threads stay attached from their first
     * callback to their end, as daemons that no exit waits for.
     */
    val keepThreadsAttached: Unit =
        Native.setCallbackThreadInitializer(
            uniffiRustFutureContinuationCallbackImpl,
            CallbackThreadInitializer(true, false, "tidelog"),
        )
}
