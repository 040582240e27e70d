package io.tidelog

import io.tidelog.internal.Disposable
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/** A stream of the engine as a flow: opened when it is collected, ended when the collector is. */
internal fun <S : Disposable, N : Any, E> stream(
    open: () -> S,
    next: suspend (S) -> N?,
    convert: suspend (N) -> E,
): Flow<E> = flow {
    val stream = native { open() }
    try {
        while (true) emit(convert(native { next(stream) } ?: break))
    } finally {
        stream.destroy()
    }
}
