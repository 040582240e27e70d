/**
 * Streams of events: `for await (const event of stream)`.
 *
 * A stream does not keep the process alive: whoever waits for an event holds it for a second, so that what is under
 * way arrives, and no longer. Leaving the loop, or `stop()`, ends the stream.
 */
import { known } from './errors.js'

/** A stream of the native module. */
export interface Source<N> {
  /** Calls back with the next event, or with null after the end. */
  next(done: (error: Error | null, event: N | null) => void): void
  /** Ends it, also for whoever waits. */
  stop(): void
}

/** Events, in order. Each goes to one reader. */
export class Stream<T> implements AsyncIterableIterator<T, undefined>, AsyncDisposable {
  readonly #source: Source<unknown>
  readonly #convert: (event: unknown) => T | Promise<T>
  #last: Promise<unknown> = Promise.resolve()

  /** @internal */
  constructor(source: Source<never> | Source<unknown>, convert: (event: never) => T | Promise<T>) {
    this.#source = source as Source<unknown>
    this.#convert = convert as (event: unknown) => T | Promise<T>
  }

  /** The next event, once there is one. */
  next(): Promise<IteratorResult<T, undefined>> {
    const next = this.#last.then(() => this.#pull())
    // Later readers wait for their turn whatever became of this one.
    this.#last = next.catch(() => undefined)
    return next
  }

  /** Ends the stream, also for whoever waits. */
  stop(): void {
    this.#source.stop()
  }

  /** Ends the stream, when a loop over it is left. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.stop()
    return { done: true, value: undefined }
  }

  /** Itself: a second loop goes on where the first stopped. */
  [Symbol.asyncIterator](): this {
    return this
  }

  /** Ends the stream, at the end of `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop()
  }

  async #pull(): Promise<IteratorResult<T, undefined>> {
    const event = await pull(this.#source)
    return event === null ? { done: true, value: undefined } : { done: false, value: await this.#convert(event) }
  }
}

/** How long a wait for what may never come holds the process. */
const HOLD_MS = 1000

/** The longest that a timer can wait. */
export const FOREVER_MS = 2 ** 31 - 1

/** The next event of a source, or null after the end. */
export function pull<N>(source: Source<N>, holdMs = HOLD_MS): Promise<N | null> {
  return held(holdMs, (resolve, reject) => {
    source.next((error, event) => (error === null ? resolve(event) : reject(known(error))))
  })
}

/** A promise that holds the process until it is settled, but not for longer than this. */
export async function held<T>(holdMs: number, start: (...settle: Parameters<Start<T>>) => void): Promise<T> {
  const hold = setTimeout(() => undefined, holdMs)
  try {
    return await new Promise<T>(start)
  } finally {
    clearTimeout(hold)
  }
}

type Start<T> = ConstructorParameters<typeof Promise<T>>[0]
