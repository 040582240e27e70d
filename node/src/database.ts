/**
 * Databases and transactions.
 */
import type * as native from '../native.js'
import { Collection, type TransactionCollection } from './collection.js'
import { invalidArgument, later, now } from './errors.js'
import { asChange } from './events.js'
import { Log } from './log.js'
import { Shape, type InputOf, type OutputOf, type StandardSchema } from './schema.js'
import { Stream } from './stream.js'
import type { Change, Item, Lagged } from './types.js'

/** What merges concurrent writes: the last write of a whole value wins, or the edits of a document merge. */
export type Policy = 'lww' | 'document'

/** How a collection is opened. */
export interface CollectionOptions {
  /** What merges concurrent writes; `lww` without saying so. */
  readonly policy?: Policy | undefined
  /** What items are: Zod, or any Standard Schema. */
  readonly schema?: StandardSchema | undefined
  /** The field that is the key; without saying so it is `id`, if the schema has that. False: there is none. */
  readonly key?: string | false | undefined
}

type WithoutKey<T, K extends PropertyKey> = Omit<T, K> & Partial<Pick<T, K & keyof T>>

/** A collection whose items hold their keys. */
export type Keyed<T, Input, K extends PropertyKey> = Collection<T, WithoutKey<Input, K>, T>

type ById<S> = OutputOf<S> extends { id: string } ? Keyed<OutputOf<S>, InputOf<S>, 'id'> : Unkeyed<S>
type Unkeyed<S> = Collection<OutputOf<S>, InputOf<S>, Item<OutputOf<S>>>

/** A database: collections that are synced, or not, as a whole. */
export class Database {
  readonly #native: native.Database

  /** @internal */
  constructor(database: native.Database) {
    this.#native = database
  }

  /** Its name. */
  get name(): string {
    return now(() => this.#native.name())
  }

  /**
   * A collection; it need not exist yet. With a schema its items are typed and every local write is validated. The
   * field `id` of the schema, or the one named by `key`, is the key: `insert` fills it, `put(value)` reads it, results
   * have it. Without such a field results are `{ key, value }`.
   */
  collection<S extends StandardSchema, K extends keyof OutputOf<S> & string>(
    name: string,
    options: { schema: S; key: K; policy?: Policy | undefined },
  ): Keyed<OutputOf<S>, InputOf<S>, K>
  collection<S extends StandardSchema>(
    name: string,
    options: { schema: S; key: false; policy?: Policy | undefined },
  ): Unkeyed<S>
  collection<S extends StandardSchema>(
    name: string,
    options: { schema: S; key?: undefined; policy?: Policy | undefined },
  ): ById<S>
  collection<T = any>(
    name: string,
    options: { key: keyof T & string; schema?: undefined; policy?: Policy | undefined },
  ): Keyed<T, T, keyof T & string>
  collection<T = any>(
    name: string,
    options?: { key?: false | undefined; schema?: undefined; policy?: Policy | undefined },
  ): Collection<T, T, Item<T>>
  collection(name: string, options: CollectionOptions = {}): unknown {
    const { policy = 'lww', schema, key } = options
    if (policy !== 'lww' && policy !== 'document') {
      throw invalidArgument(`a policy is 'lww' or 'document', not ${String(policy)}`)
    }
    const shape = new Shape({ name, documents: policy === 'document', schema, key })
    return new Collection(now(() => this.#native.collection(name, shape.options)), shape)
  }

  /** The names of its collections. */
  collections(): Promise<string[]> {
    return later(() => this.#native.collections())
  }

  /** A batch of writes that takes effect as a whole, or not at all. */
  transaction(): Transaction {
    return new Transaction(now(() => this.#native.transaction()))
  }

  /** Changes of its items from now on. Values are as they are stored. */
  watch(): Stream<Change<unknown> | Lagged> {
    return new Stream(now(() => this.#native.watch()), (notice: native.Notice) => asChange(notice))
  }

  /** The entries under it. */
  log(): Log {
    return new Log(now(() => this.#native.log()))
  }
}

/**
 * Writes to collections of one database that take effect together, in one entry. Reads its own writes.
 *
 * With `await using`, what was not committed is rolled back.
 */
export class Transaction implements AsyncDisposable {
  readonly #native: native.Transaction

  /** @internal */
  constructor(transaction: native.Transaction) {
    this.#native = transaction
  }

  /** A collection of this database within the transaction. */
  collection<T, Input, Result>(collection: Collection<T, Input, Result>): TransactionCollection<T, Input, Result> {
    return collection.within(this.#native)
  }

  /** Writes all of it, durable when the promise resolves; gives the entry, or null if there was nothing to write. */
  commit(): Promise<string | null> {
    return later(async () => (await this.#native.commit()) ?? null)
  }

  /** Forgets its writes. Does nothing after its end. */
  rollBack(): void {
    now(() => this.#native.rollBack())
  }

  /** Rolls back what was not committed, at the end of `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.rollBack()
  }
}
