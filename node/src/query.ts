/**
 * Queries: their types follow from the items, and what crosses to the engine.
 */
import type * as native from '../native.js'
import { count, invalidArgument, whole, COUNT_MAX } from './errors.js'
import { plain } from './plain.js'

type IsAny<T> = 0 extends 1 & T ? true : false
type Element<V> = V extends readonly (infer E)[] ? E : V extends string ? string : unknown
type Field<T> = keyof T & string
type Deeper<T> = `${Field<T>}.${string}`

/** What a field is compared with; a bare value is `eq`. */
export interface Operators<V> {
  /** The field is equal; a missing one is like null. */
  readonly eq?: V
  /** The field is not equal; a missing one is like null. */
  readonly ne?: V
  /** The field is less, and of the same kind: number, text, bytes or boolean. */
  readonly lt?: V
  /** The field is less or equal, and of the same kind. */
  readonly le?: V
  /** The field is greater, and of the same kind. */
  readonly gt?: V
  /** The field is greater or equal, and of the same kind. */
  readonly ge?: V
  /** The field equals one of these; all such lists of a query have at most 10,000 values. */
  readonly in?: readonly V[]
  /** A list has the element, a text the part, a map the field. */
  readonly contains?: Element<V>
  /** The field is a text that begins so. */
  readonly prefix?: string
  /** The field is there, be it null, or is not. */
  readonly exists?: boolean
  /** What stands in it does not hold. */
  readonly not?: Operators<V>
}

type Condition<V> = V | null | Operators<V | null>

/** Conditions on the fields of an item, such as `{ year: { ge: 1999 }, 'cast.lead': 'Ford' }`. */
export type Where<T> =
  IsAny<T> extends true
    ? { readonly [field: string]: unknown }
    : { readonly [K in Field<T>]?: Condition<NonNullable<T[K]>> } & { readonly [K in Deeper<T>]?: unknown } & {
        /** All of these hold. */
        readonly and?: readonly Where<T>[]
        /** At least one of these holds. */
        readonly or?: readonly Where<T>[]
        /** This does not hold. */
        readonly not?: Where<T>
      }

/** A field to sort by; `-field` is descending. */
export type Sort<T> = IsAny<T> extends true ? string : Field<T> | Deeper<T> | `-${Field<T> | Deeper<T>}`

/** Which items, and in which order; then by key. */
export interface Query<T> {
  /** What must hold for an item, in at most 1,000 tests; without it, or with null, every item matches. */
  readonly where?: Where<T> | null | undefined
  /** The field to sort by, or up to 16, the first one first; a missing field sorts as null. */
  readonly sort?: Sort<T> | readonly Sort<T>[] | undefined
  /** Most items to give; without it, all. */
  readonly limit?: number | undefined
  /** Items to leave out at the beginning. */
  readonly offset?: number | undefined
  /** Where an earlier query with the same conditions and order stopped. */
  readonly cursor?: string | null | undefined
  /** Only items with these keys, at most 10,000. */
  readonly ids?: Iterable<string> | undefined
}

const PARTS = new Set(['where', 'sort', 'limit', 'offset', 'cursor', 'ids'])

/** The query as the native module takes it. */
export function asked<T>(query: Query<T>): native.Query {
  if (typeof query !== 'object' || query === null) throw invalidArgument('a query is an object, such as `{ where: .. }`')
  const unknown = Object.keys(query).find((name) => !PARTS.has(name))
  if (unknown !== undefined) throw invalidArgument(`a query has no \`${unknown}\`, but ${[...PARTS].join(', ')}`)
  const asked: native.Query = {
    filter: plain(query.where ?? null),
    sort: typeof query.sort === 'string' ? [query.sort] : [...(query.sort ?? [])],
    offset: whole('offset', query.offset ?? 0, COUNT_MAX),
  }
  const limit = count('limit', query.limit)
  if (limit !== undefined) asked.limit = limit
  if (query.cursor != null) asked.cursor = query.cursor
  if (query.ids !== undefined) asked.ids = [...query.ids]
  return asked
}
