/**
 * Long calls: told how far they have come, and ended early.
 */
import * as native from '../native.js'

/** How a long call is followed. */
export interface LongCall {
  /** Hears now and then how much is done, and of how much as far as that is known. If it throws, the call ends. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
  /** Ends the call, which rejects with its reason. What was written before stays. */
  readonly signal?: AbortSignal | undefined
}

/** How often somebody is told how far a call has come. */
const PROGRESS_MS = 50

/** Makes a call with a meter. */
export async function metered<T>(how: LongCall, call: (meter: native.Meter) => Promise<T>): Promise<T> {
  const { onProgress, signal } = how
  signal?.throwIfAborted()
  const meter = new native.Meter()
  let told = -1
  let failure: { error: unknown } | undefined
  const tell = () => {
    const done = meter.done()
    if (done === told || failure !== undefined) return
    told = done
    try {
      onProgress?.(done, meter.total())
    } catch (error) {
      failure = { error }
      meter.stop()
    }
  }
  const stop = () => meter.stop()
  const timer = onProgress && setInterval(tell, PROGRESS_MS)
  signal?.addEventListener('abort', stop)
  try {
    const result = await call(meter)
    tell()
    if (failure !== undefined) throw failure.error
    signal?.throwIfAborted()
    return result
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', stop)
  }
}
