/**
 * Logs: the entries under a database. Pull and offer, as between two stores.
 */
import type * as native from '../native.js'
import { count, later, now } from './errors.js'
import type { Changes, Entries, LogChange, Transfer } from './types.js'

/** What the log of a database and that at a relay have in common. */
class EntryLog {
  readonly #held: native.Log | native.RemoteLog

  /** @internal */
  constructor(log: native.Log | native.RemoteLog) {
    this.#held = log
  }

  /** The ids of all entries held. */
  entryIds(): Promise<string[]> {
    return later(() => this.#held.entryIds())
  }

  /** Which of these entries this log lacks. */
  missing(ids: Iterable<string>): Promise<string[]> {
    return later(() => this.#held.missing([...ids]))
  }

  /** These entries as bytes, as far as this log has them. */
  entries(ids: Iterable<string>): Promise<Entries> {
    return later(() => this.#held.entries([...ids]))
  }

  /** Verifies an entry and stores it; false if it was there already. */
  append(entry: Uint8Array): Promise<boolean> {
    return later(() => this.#held.append(entry))
  }

  /**
   * What changed strictly after a cursor, one item for each key at its latest change; from the beginning without one.
   * Go on with the cursor until nothing is left.
   */
  changesSince(cursor?: string | null, options: { limit?: number | undefined } = {}): Promise<Changes> {
    return later(async () => {
      const changes = await this.#held.changesSince(cursor ?? null, count('limit', options.limit) ?? null)
      const items = changes.items.map(({ owner, ...same }): LogChange => ({ ...same, owner: owner ?? null }))
      return { items, cursor: changes.cursor }
    })
  }
}

/** The entries under one database. */
export class Log extends EntryLog {
  readonly #native: native.Log

  /** @internal */
  constructor(log: native.Log) {
    super(log)
    this.#native = log
  }

  /** The same log as a relay holds it, to be read and written there. */
  at(relay: string | URL): RemoteLog {
    return new RemoteLog(now(() => this.#native.at(String(relay))))
  }

  /** Takes over what another log has and this one lacks, or what the relay at an address has of this database. */
  pullFrom(other: Log | string): Promise<Transfer> {
    return later(() =>
      typeof other === 'string' ? this.#native.pullFromRelay(other) : this.#native.pullFrom(other.#native),
    )
  }

  /** Gives another log, or the relay at an address, what this one has and it lacks. */
  pushTo(other: Log | string): Promise<Transfer> {
    return later(() =>
      typeof other === 'string' ? this.#native.pushToRelay(other) : this.#native.pushTo(other.#native),
    )
  }

  /** Both. */
  syncWith(other: Log | string): Promise<Transfer> {
    return later(() =>
      typeof other === 'string' ? this.#native.syncWithRelay(other) : this.#native.syncWith(other.#native),
    )
  }
}

/** The entries under one database as a relay holds them. Every call meets the relay once; nothing is synced. */
export class RemoteLog extends EntryLog {}
