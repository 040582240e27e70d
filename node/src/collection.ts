/**
 * Collections: items by key, alone and within a transaction.
 */
import type * as native from '../native.js'
import { Document } from './document.js'
import { invalidArgument, later, now } from './errors.js'
import { asChange, asVersion } from './events.js'
import { LiveList } from './live.js'
import type { LongCall } from './progress.js'
import { asked, type Query, type Where } from './query.js'
import type { Shape } from './schema.js'
import { Stream } from './stream.js'
import type { Change, Item, Lagged, Page, Summary, Version } from './types.js'

/** Items handed to the engine at a time: the event loop gets its turn in between. */
const BATCH_ITEMS = 1000

/** What becomes of an item in `update`: the next value, or nothing to delete it. */
export type Update<T, Input> = (value: T | null) => Input | null | undefined | Promise<Input | null | undefined>

/**
 * Items by key.
 *
 * `T` is what is read, `Input` what is written, `Result` what lists hold: `T` if it holds its key, else `Item<T>`.
 * Items that the schema refuses are left out of what is read, and named by key to `onLog`, the first one in a warning of
 * the process as well; `getRaw` reads them.
 */
export class Collection<T, Input = T, Result = Item<T>> {
  readonly #native: native.Collection
  readonly #shape: Shape
  readonly #owned: boolean

  /** @internal */
  constructor(collection: native.Collection, shape: Shape, owned = false) {
    this.#native = collection
    this.#shape = shape
    this.#owned = owned
  }

  /** Its name. */
  get name(): string {
    return this.#shape.name
  }

  /** Writes an item: `put(value)` if it holds its key, or `put(key, value)`. It is durable when the promise resolves. */
  put(value: Input): Promise<void>
  put(key: string, value: Input): Promise<void>
  put(...given: [Input] | [string, Input]): Promise<void> {
    const [key, value] = given.length === 1 ? [undefined, given[0]] : given
    return later(async () => this.#native.put(key ?? null, await this.#shape.stored(value, key)))
  }

  /** Writes many items: a `Map`, or values that hold their keys, or items of key and value. Progress counts items. */
  putMany(
    items: Map<string, Input> | Iterable<Input | Item<Input>> | AsyncIterable<Input | Item<Input>>,
    how: LongCall = {},
  ): Promise<Summary> {
    return later(async () => {
      const { onProgress, signal } = how
      if (!isIterable(items)) throw invalidArgument('items to write are a Map, or something to iterate over')
      const total = items instanceof Map ? items.size : Array.isArray(items) ? items.length : 0
      const summary = { items: 0, entries: 0 }
      let batch: native.NewItem[] = []
      const flush = async () => {
        signal?.throwIfAborted()
        const written = await this.#native.putMany(batch)
        summary.items += written.items
        summary.entries += written.entries
        batch = []
        onProgress?.(summary.items, Math.max(summary.items, total))
      }
      for await (const item of items instanceof Map ? items : (items as Iterable<Input>)) {
        batch.push(await this.#newItem(item, items instanceof Map))
        if (batch.length === BATCH_ITEMS) await flush()
      }
      if (batch.length > 0) await flush()
      return summary
    })
  }

  /** Writes a new item and gives it with its key, which is made if there is none. */
  insert(value: Input): Promise<Result> {
    return later(async () => inserted(this.#shape, await this.#native.insert(await this.#shape.fresh(value))))
  }

  /** The item of a key, or null. */
  get(key: string): Promise<T | null> {
    return later(async () => (await this.#shape.typed(key, await this.#native.get(key))) as T | null)
  }

  /** The stored value of a key, whatever the schema says, or null. */
  getRaw(key: string): Promise<unknown> {
    return later(async () => (await this.#native.get(key)) ?? null)
  }

  /** The first item that matches, or null. */
  first(query: Omit<Query<T>, 'limit' | 'cursor'> = {}): Promise<Result | null> {
    return later(async () => {
      let page = await this.query({ ...query, limit: 1 })
      while (page.length === 0 && page.cursor !== null) {
        page = await this.query({ ...query, offset: 0, limit: 1, cursor: page.cursor })
      }
      return page[0] ?? null
    })
  }

  /** All items, by key. */
  all(): Promise<Result[]> {
    return this.query()
  }

  /** The items that match, such as `query({ where: { year: { ge: 1999 } }, sort: ['-year'], limit: 10 })`. */
  query(query: Query<T> = {}): Promise<Page<Result>> {
    return later(async () => {
      const page = await this.#native.query(asked(query))
      const results = (await this.#shape.results(page.items)) as Result[]
      return Object.defineProperty(results, 'cursor', { value: page.cursor ?? null }) as Page<Result>
    })
  }

  /** How many items match. */
  count(where?: Where<T> | null): Promise<number> {
    return later(async () => this.#native.count(asked({ where })))
  }

  /** Replaces some fields of an item that is there. */
  patch(key: string, fields: Partial<Input>): Promise<void> {
    return later(async () => {
      const before = await this.#native.get(key)
      return this.#native.patch(key, await this.#shape.patched(before, fields))
    })
  }

  /**
   * Replaces an item by what `change` makes of it; nothing deletes it. If another write comes in between, `change` is
   * called again with what is there then.
   */
  update(key: string, change: Update<T, Input>): Promise<T | null> {
    return later(async () => {
      for (;;) {
        const before = await this.#native.get(key)
        const after = await change((await this.#shape.typed(key, structuredClone(before))) as T | null)
        const stored = after == null ? undefined : await this.#shape.stored(after, key)
        if (await this.#native.replace(key, before, stored)) {
          return (await this.#shape.typed(key, structuredClone(stored))) as T | null
        }
      }
    })
  }

  /** Removes an item; false if there was none. */
  delete(key: string): Promise<boolean> {
    return later(() => this.#native.delete(key))
  }

  /** The result of a query, kept up to date. */
  live(query: Omit<Query<T>, 'cursor'> = {}): LiveList<Result> {
    const source = now(() => this.#native.live(asked(query)))
    return new LiveList<Result>(source, async (items: native.Item[]) => (await this.#shape.results(items)) as Result[])
  }

  /** Changes of one item, or of all, from now on; with `initial`, first what is there. */
  watch(options: { key?: string | undefined; initial?: boolean | undefined } = {}): Stream<Change<T> | Lagged> {
    const source = now(() => this.#native.watch(options.key ?? null, options.initial ?? false))
    return new Stream(source, (notice: native.Notice) => asChange<T>(notice, this.#shape))
  }

  /** The entries behind an item, the oldest first. */
  history(key: string): Promise<Version[]> {
    return later(async () => (await this.#native.history(key)).map(asVersion))
  }

  /** The items that only this user can write. */
  own(): Collection<T, Input, Result> {
    return new Collection(now(() => this.#native.own()), this.#shape, true)
  }

  /** The items that only the given user can write. */
  of(user: string): Collection<T, Input, Result> {
    return new Collection(now(() => this.#native.of(user)), this.#shape, true)
  }

  /** A document of a collection with the policy `document`. */
  document(key: string): Document {
    return new Document(now(() => this.#native.document(key)))
  }

  /** @internal */
  within(transaction: native.Transaction): TransactionCollection<T, Input, Result> {
    if (this.#owned) throw invalidArgument('items that belong to a user cannot be written in a transaction')
    const { name, options } = this.#shape
    return new TransactionCollection(now(() => transaction.collection(name, options)), this.#shape)
  }

  async #newItem(item: unknown, pair: boolean): Promise<native.NewItem> {
    if (pair) {
      const [key, value] = item as [string, unknown]
      return { key, value: await this.#shape.stored(value, key) }
    }
    if (this.#shape.keyField !== undefined) return { value: await this.#shape.fresh(item) }
    const { key, value } = item as Item<unknown>
    return { key, value: await this.#shape.stored(value, key) }
  }
}

/** A collection within a transaction; it reads what the transaction wrote. */
export class TransactionCollection<T, Input = T, Result = Item<T>> {
  readonly #native: native.TransactionCollection
  readonly #shape: Shape

  /** @internal */
  constructor(collection: native.TransactionCollection, shape: Shape) {
    this.#native = collection
    this.#shape = shape
  }

  /** Adds a write of an item: `put(value)` if it holds its key, or `put(key, value)`. */
  put(value: Input): Promise<void>
  put(key: string, value: Input): Promise<void>
  put(...given: [Input] | [string, Input]): Promise<void> {
    const [key, value] = given.length === 1 ? [undefined, given[0]] : given
    return later(async () => this.#native.put(key ?? null, await this.#shape.stored(value, key)))
  }

  /** Adds a write of a new item and gives it with its key, which is made if there is none. */
  insert(value: Input): Promise<Result> {
    return later(async () => inserted(this.#shape, await this.#native.insert(await this.#shape.fresh(value))))
  }

  /** The item as it would be after the commit, or null. */
  get(key: string): Promise<T | null> {
    return later(async () => (await this.#shape.typed(key, await this.#native.get(key))) as T | null)
  }

  /** Adds a replacement of some fields of an item that is there. */
  patch(key: string, fields: Partial<Input>): Promise<void> {
    return later(async () => {
      const before = await this.#native.get(key)
      return this.#native.patch(key, await this.#shape.patched(before, fields))
    })
  }

  /** Adds a removal; false if there is no item. */
  delete(key: string): Promise<boolean> {
    return later(() => this.#native.delete(key))
  }
}

function isIterable(items: unknown): boolean {
  return typeof items === 'object' && items !== null && (Symbol.iterator in items || Symbol.asyncIterator in items)
}

/** What was written is what the schema made of it, so it is read without leaving anything out. */
async function inserted<Result>(shape: Shape, { key, value }: native.Item): Promise<Result> {
  const judged = await shape.read(key, value)
  return shape.result(key, judged.problem === undefined ? judged.value : value) as Result
}
