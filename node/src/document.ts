/**
 * Documents: items whose concurrent edits merge.
 */
import type * as native from '../native.js'
import { COUNT_MAX, later, now, whole } from './errors.js'
import { asChange, asVersion } from './events.js'
import { plain } from './plain.js'
import { Stream } from './stream.js'
import type { Change, Lagged, Version } from './types.js'

/** Edits that take effect as one change. */
export class Edits {
  readonly #edits: native.Edit[]

  /** @internal */
  constructor(edits: native.Edit[]) {
    this.#edits = edits
  }

  /** Replaces what the path leads to. */
  set(path: string, value: unknown): void {
    this.#edits.push({ kind: 'set', path, value: plain(value) })
  }

  /** Removes what the path leads to. */
  delete(path: string): void {
    this.#edits.push({ kind: 'delete', path })
  }

  /** Inserts into the list at the path. */
  insert(path: string, position: number, value: unknown): void {
    this.#edits.push({ kind: 'insert', path, position: whole('position', position, COUNT_MAX), value: plain(value) })
  }

  /** Replaces `remove` units of the text at the path, from `position` on. Positions count as JavaScript does. */
  spliceText(path: string, position: number, remove: number, text: string): void {
    this.#edits.push({
      kind: 'splice',
      path,
      position: whole('position', position, COUNT_MAX),
      delete: whole('remove', remove, COUNT_MAX),
      text: plain(text) as string,
    })
  }

  /** Adds to the counter at the path; a missing one is made. */
  increment(path: string, by: number | bigint = 1): void {
    this.#edits.push({ kind: 'increment', path, by: plain(by) })
  }
}

/** A document. Paths are fields and positions joined by dots: `tasks.0.title`. */
export class Document {
  readonly #native: native.Document

  /** @internal */
  constructor(document: native.Document) {
    this.#native = document
  }

  /** What a path leads to, or the whole document; null if there is nothing. */
  get<T = unknown>(path?: string): Promise<T | null> {
    return later(async () => ((await this.#native.get(path ?? null)) ?? null) as T | null)
  }

  /** The text that a path leads to, or null. */
  text(path: string): Promise<string | null> {
    return later(async () => (await this.#native.text(path)) ?? null)
  }

  /** Replaces what the path leads to. */
  set(path: string, value: unknown): Promise<void> {
    return this.change((edits) => edits.set(path, value))
  }

  /** Removes what the path leads to. */
  delete(path: string): Promise<void> {
    return this.change((edits) => edits.delete(path))
  }

  /** Inserts into the list at the path. */
  insert(path: string, position: number, value: unknown): Promise<void> {
    return this.change((edits) => edits.insert(path, position, value))
  }

  /** Replaces `remove` units of the text at the path, from `position` on. Positions count as JavaScript does. */
  spliceText(path: string, position: number, remove: number, text: string): Promise<void> {
    return this.change((edits) => edits.spliceText(path, position, remove, text))
  }

  /** Adds to the counter at the path; a missing one is made. */
  increment(path: string, by: number | bigint = 1): Promise<void> {
    return this.change((edits) => edits.increment(path, by))
  }

  /** Makes several edits as one change. An error in `make` drops them. */
  change(make: (edits: Edits) => void | Promise<void>): Promise<void> {
    return later(async () => {
      const edits: native.Edit[] = []
      await make(new Edits(edits))
      if (edits.length > 0) await this.#native.change(edits)
    })
  }

  /** The latest changes, which name the whole content. */
  heads(): Promise<string[]> {
    return later(() => this.#native.heads())
  }

  /** The entries behind the document, the oldest first. */
  history(): Promise<Version[]> {
    return later(async () => (await this.#native.history()).map(asVersion))
  }

  /** Its changes from now on, without values: read what is needed. */
  watch(): Stream<Change<unknown> | Lagged> {
    return new Stream(now(() => this.#native.watch()), (notice: native.Notice) => asChange(notice))
  }
}
