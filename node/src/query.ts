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
  readonly eq?: V
  readonly ne?: V
  readonly lt?: V
  readonly le?: V
  readonly gt?: V
  readonly ge?: V
  readonly in?: readonly V[]
  /** A list has the element, a text the part, a map the field. */
  readonly contains?: Element<V>
  readonly prefix?: string
  readonly exists?: boolean
  readonly not?: Operators<V>
}

type Condition<V> = V | null | Operators<V | null>

/** Conditions on the fields of an item, such as `{ year: { ge: 1999 }, 'cast.lead': 'Ford' }`. */
export type Where<T> =
  IsAny<T> extends true
    ? { readonly [field: string]: unknown }
    : { readonly [K in Field<T>]?: Condition<NonNullable<T[K]>> } & { readonly [K in Deeper<T>]?: unknown } & {
        readonly and?: readonly Where<T>[]
        readonly or?: readonly Where<T>[]
        readonly not?: Where<T>
      }

/** A field to sort by; `-field` is descending. */
export type Sort<T> = IsAny<T> extends true ? string : Field<T> | Deeper<T> | `-${Field<T> | Deeper<T>}`

/** Which items, and in which order; then by key. */
export interface Query<T> {
  readonly where?: Where<T> | null | undefined
  readonly sort?: Sort<T> | readonly Sort<T>[] | undefined
  /** Most items to give. */
  readonly limit?: number | undefined
  /** Items to leave out at the beginning. */
  readonly offset?: number | undefined
  /** Where an earlier query with the same conditions and order stopped. */
  readonly cursor?: string | null | undefined
  /** Only items with these keys. */
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
