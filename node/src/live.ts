/**
 * Live lists: the current result of a query, for user interfaces.
 */
import { FOREVER_MS, pull, type Source } from './stream.js'

interface Settle {
  resolve(): void
  reject(error: unknown): void
}

/**
 * The result of a query, kept up to date.
 *
 * `current` is the same array until the result changes, as `useSyncExternalStore` and stores of Svelte and Vue want
 * it. Once it has its first result it does not keep the process alive.
 */
export class LiveList<R> implements AsyncIterable<readonly R[]>, AsyncDisposable {
  readonly #source: Source<unknown>
  readonly #listeners = new Set<() => void>()
  #current: readonly R[] = []
  #error: unknown
  #ended = false

  /** Settles when `current` is the result for the first time. */
  readonly ready: Promise<void>

  /** @internal */
  constructor(source: Source<unknown>, convert: (items: never) => Promise<R[]>) {
    this.#source = source
    let first!: Settle
    this.ready = new Promise((resolve, reject) => {
      first = { resolve, reject }
    })
    // Whoever does not wait for it is told by `error`.
    this.ready.catch(() => undefined)
    void this.#follow(convert as (items: unknown) => Promise<R[]>, first)
  }

  /** The result now; empty before it is there for the first time. */
  get current(): readonly R[] {
    return this.#current
  }

  /** Why it ended, if something failed. */
  get error(): unknown {
    return this.#error
  }

  /** Calls back after every change, and at the end. Gives the function that takes it back. */
  subscribe(listener: () => void): () => void {
    const own = () => listener()
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  /** Ends it. `current` stays as it is. */
  stop(): void {
    this.#source.stop()
  }

  /** Ends it, at the end of `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop()
  }

  /** The result, then again after changes; a reader who is slow gets the latest only. */
  async *[Symbol.asyncIterator](): AsyncGenerator<readonly R[], void, undefined> {
    await this.ready
    for (let seen: readonly R[] | undefined; ; ) {
      if (seen !== this.#current) {
        seen = this.#current
        yield seen
      } else if (this.#ended) {
        if (this.#error !== undefined) throw this.#error
        return
      } else {
        await new Promise<void>((resolve) => {
          const forget = this.subscribe(() => {
            forget()
            resolve()
          })
        })
      }
    }
  }

  async #follow(convert: (items: unknown) => Promise<R[]>, first: Settle): Promise<void> {
    try {
      // There is a first result, so it is worth waiting for.
      for (let items = await pull(this.#source, FOREVER_MS); items !== null; items = await pull(this.#source)) {
        this.#current = await convert(items)
        first.resolve()
        this.#tell()
      }
      first.resolve()
    } catch (error) {
      this.#error = error
      first.reject(error)
    }
    this.#ended = true
    this.#tell()
  }

  #tell(): void {
    for (const listener of this.#listeners) {
      try {
        listener()
      } catch (error) {
        // A listener's bug is not the list's end.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
