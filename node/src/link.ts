/**
 * Links: what keeps this replica and a peer equal.
 */
import type * as native from '../native.js'
import { known, later, now, TidelogError, whole, type ErrorCode } from './errors.js'
import { asWarning } from './records.js'
import { FOREVER_MS, held, Stream } from './stream.js'
import type { LinkEvent, LinkState, Progress } from './types.js'

/**
 * A live link; it comes back by itself when it breaks. Like a socket it keeps the process alive until it is stopped,
 * unless `unref()` says otherwise.
 */
export class Link implements AsyncDisposable {
  readonly #native: native.Link
  readonly #alive = setInterval(() => undefined, FOREVER_MS)

  /** @internal */
  constructor(link: native.Link) {
    this.#native = link
  }

  /** How it stands. */
  get state(): LinkState {
    return now(() => this.#native.state()) as LinkState
  }

  /** How far the present connection has come. */
  get progress(): Progress {
    return now(() => this.#native.progress())
  }

  /** How many entries of this replica the peer is not yet known to hold. */
  get pending(): number {
    return now(() => this.#native.pending())
  }

  /** Why it was last interrupted, or null. */
  get lastError(): TidelogError | null {
    const failure = now(() => this.#native.lastError())
    return failure === null ? null : new TidelogError(failure.code as ErrorCode, failure.reason)
  }

  /** Waits until everything either side had is on both; rejects with `timeout` after so many milliseconds. */
  waitLive(timeout?: number): Promise<void> {
    return later(async () => {
      const limit = timeout === undefined ? null : whole('timeout', timeout)
      await held<void>(FOREVER_MS, (resolve, reject) => {
        this.#native.waitLive(limit, (error) => (error === null ? resolve() : reject(known(error))))
      })
    })
  }

  /** Its events from now on. */
  events(): Stream<LinkEvent> {
    return new Stream(now(() => this.#native.events()), asLinkEvent)
  }

  /** Ends it, and waits until the peer is told. Stopping again does nothing. */
  stop(): Promise<void> {
    this.unref()
    return later(() => this.#native.stop())
  }

  /** Keeps the process alive, as it does from the beginning. */
  ref(): this {
    this.#alive.ref()
    return this
  }

  /** Lets the process end while the link lives. */
  unref(): this {
    this.#alive.unref()
    return this
  }

  /** Stops it, at the end of `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

function asLinkEvent({ state, progress, failed, warned, lagged }: native.LinkEvent): LinkEvent {
  if (state != null) return { kind: 'state', state: state as LinkState }
  if (progress != null) return { kind: 'progress', ...progress }
  if (failed != null) return { kind: 'failed', code: failed.code as ErrorCode, reason: failed.reason }
  if (warned != null) return { kind: 'warned', warning: asWarning(warned) }
  return { kind: 'lagged', lost: lagged ?? 0 }
}
