/**
 * Schemas: what the items of a collection are to this program.
 *
 * Any Standard Schema (Zod, Valibot, ArkType, ..) will do. Every local write is validated; what it makes of the value
 * is stored. What is read is validated again, so a schema must accept what it gives. Where it asks for a `Date` or a
 * `bigint` and the engine holds RFC 3339 text or a small integer, it gets those.
 */
import type * as native from '../native.js'
import { invalidArgument, TidelogError } from './errors.js'
import { warn } from './logs.js'
import { plain } from './plain.js'

/** What schema libraries agree on; see https://standardschema.dev. */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** What a program that takes schemas needs of one. */
  readonly '~standard': {
    /** The version of the standard. */
    readonly version: 1
    /** The library it comes from. */
    readonly vendor: string
    /** The value as the schema makes it, or what is wrong with it. */
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    /** For the compiler only: what it takes and what it gives. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a schema takes. */
export type InputOf<S> = S extends StandardSchema<infer Input, unknown> ? Input : never

/** What a schema gives. */
export type OutputOf<S> = S extends StandardSchema<unknown, infer Output> ? Output : never

/** How often a value read is adapted: a schema may report what is deeper only when the rest fits. */
const ADAPTATIONS_MAX = 8

const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

type Fields = Record<string, unknown>
type Judged =
  | { readonly value: unknown; readonly problem?: undefined }
  | { readonly problem: string; readonly fields: readonly PropertyKey[] }

/** How a collection is opened. */
export interface Shaping {
  /** Its name. */
  readonly name: string
  /** Whether it holds documents instead of plain values. */
  readonly documents: boolean
  /** What items are; without one, anything. */
  readonly schema?: StandardSchema | undefined
  /** The field that is the key; without saying so it is `id`, if the schema has that. False: there is none. */
  readonly key?: string | false | undefined
}

/** What the items of one collection are to this program. */
export class Shape {
  /** The name of the collection. */
  readonly name: string
  /** The field that holds the key, if one does. */
  readonly keyField: string | undefined
  readonly #documents: boolean
  readonly #schema: StandardSchema | undefined
  #warned = false

  /** The shape of a collection that is opened so. */
  constructor(shaping: Shaping) {
    this.name = shaping.name
    this.#documents = shaping.documents
    this.#schema = shaping.schema
    this.keyField = keyField(shaping)
  }

  /** How the native module opens the collection. */
  get options(): native.CollectionOptions {
    const options: native.CollectionOptions = { documents: this.#documents }
    if (this.keyField !== undefined) options.keyField = this.keyField
    return options
  }

  /** The item as it is stored. A key that is given besides the value fills its key field. */
  async stored(value: unknown, key?: string): Promise<unknown> {
    const field = this.keyField
    if (field !== undefined && key !== undefined && isFields(value) && value[field] === undefined) {
      value = { ...value, [field]: key }
    }
    return plain(await this.#accepted(value))
  }

  /** A new item as it is stored. If the schema wants a key and there is none, one is made for it. */
  async fresh(value: unknown): Promise<unknown> {
    const field = this.keyField
    if (this.#schema === undefined || field === undefined || !isFields(value) || value[field]) {
      return this.stored(value)
    }
    const judged = await this.#judge(value, false)
    if (judged.problem === undefined) return plain(judged.value)
    if (judged.fields.includes(field)) return this.stored({ ...value, [field]: newKey() })
    throw this.#invalid(judged.problem)
  }

  /** The fields to replace, if the item is valid with them. */
  async patched(before: unknown, fields: unknown): Promise<unknown> {
    const given = plain(fields)
    if (!isFields(given)) throw new TidelogError('invalid_value', `${this.name}: fields to replace are an object`)
    if (this.#schema === undefined || !isFields(before)) return given
    const judged = await this.#judge({ ...before, ...(fields as Fields) }, true)
    if (judged.problem !== undefined) throw this.#invalid(judged.problem)
    const after = plain(judged.value) as Fields
    return Object.fromEntries(Object.keys(given).flatMap((name) => (name in after ? [[name, after[name]]] : [])))
  }

  /** The item of a stored value, or why it is none. */
  async read(key: string, value: unknown): Promise<Judged> {
    const field = this.keyField
    if (field !== undefined && isFields(value) && !Object.hasOwn(value, field)) value[field] = key
    return this.#schema === undefined ? { value } : this.#judge(value, true)
  }

  /** The item of a stored value; null if there is none, or the schema refuses it. */
  async typed(key: string, value: unknown): Promise<unknown> {
    if (value === undefined) return null
    const judged = await this.read(key, value)
    if (judged.problem === undefined) return judged.value
    this.#leftOut(key)
    return null
  }

  /** The results of stored items. Those that the schema refuses are left out. */
  async results(items: readonly { key: string; value: unknown }[]): Promise<unknown[]> {
    const results: unknown[] = []
    for (const { key, value } of items) {
      const judged = this.#schema === undefined ? undefined : await this.read(key, value)
      if (judged?.problem !== undefined) this.#leftOut(key)
      else results.push(this.result(key, judged === undefined ? this.#keyed(key, value) : judged.value))
    }
    return results
  }

  /** An item with its key: itself, if it holds that. */
  result(key: string, value: unknown): unknown {
    return this.keyField === undefined ? { key, value } : value
  }

  #keyed(key: string, value: unknown): unknown {
    const field = this.keyField
    if (field !== undefined && isFields(value) && !Object.hasOwn(value, field)) value[field] = key
    return value
  }

  async #accepted(value: unknown): Promise<unknown> {
    if (this.#schema === undefined) return value
    const judged = await this.#judge(value, false)
    if (judged.problem !== undefined) throw this.#invalid(judged.problem)
    return judged.value
  }

  async #judge(value: unknown, adapt: boolean): Promise<Judged> {
    const validate = (candidate: unknown) => this.#schema!['~standard'].validate(candidate)
    let result = await validate(value)
    for (let round = 0; adapt && result.issues !== undefined && round < ADAPTATIONS_MAX; round += 1) {
      const adapted = result.issues.reduce((candidate, issue) => adaptedAt(candidate, keys(issue)), value)
      if (adapted === value) break
      value = adapted
      result = await validate(value)
    }
    return result.issues === undefined ? { value: result.value } : refused(result.issues)
  }

  #invalid(problem: string): TidelogError {
    return new TidelogError('invalid_value', `${this.name}: ${problem}`)
  }

  /**
   * Tells of an item that the schema refuses: in the log always, and to the process once, for whoever reads no log. What
   * the schema says of it is not told, for that may hold the value.
   */
  #leftOut(key: string): void {
    const text = `item \`${key}\` of collection \`${this.name}\` is left out: the schema refuses it`
    warn(text)
    if (this.#warned) return
    this.#warned = true
    const message = `${text}; others of the collection are told to \`onLog\` only`
    process.emitWarning(message, { type: 'TidelogWarning', code: 'TIDELOG_INVALID_ITEM' })
  }
}

function refused(issues: readonly SchemaIssue[]): Judged {
  const [first] = issues
  const at = first === undefined ? [] : keys(first)
  const problem = `${at.length === 0 ? '' : `at \`${at.map(String).join('.')}\`: `}${first?.message ?? 'refused'}`
  return { problem, fields: issues.flatMap((issue) => keys(issue).slice(0, 1)) }
}

function keys(issue: SchemaIssue): PropertyKey[] {
  return (issue.path ?? []).map((segment) => (typeof segment === 'object' ? segment.key : segment))
}

/** A copy of the value with what is at the path as a host's type, or the value itself if that changes nothing. */
function adaptedAt(value: unknown, path: readonly PropertyKey[]): unknown {
  const [key, ...rest] = path
  if (key === undefined) return adapted(value)
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return value
  const before = (value as Record<PropertyKey, unknown>)[key]
  const after = adaptedAt(before, rest)
  if (after === before) return value
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<PropertyKey, unknown>
  copy[key] = after
  return copy
}

function adapted(value: unknown): unknown {
  if (typeof value === 'string' && DATE_TIME.test(value)) return new Date(value)
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  return value
}

/** A new key, as the engine makes them: a UUID (version 7), in the order of time. */
function newKey(): string {
  const ms = Date.now().toString(16).padStart(12, '0')
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7${crypto.randomUUID().slice('00000000-0000-4'.length)}`
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

/** The field that holds the key: the one named, or `id` if the schema has it. */
function keyField({ name, schema, key }: Shaping): string | undefined {
  if (key !== undefined) return key === false ? undefined : key
  if (schema === undefined) return undefined
  const fields = fieldsOf(schema)
  if (fields === undefined) {
    throw invalidArgument(`${name}: the schema does not tell its fields; say \`key: 'id'\`, or \`key: false\``)
  }
  return Object.hasOwn(fields, 'id') ? 'id' : undefined
}

/** The fields of a schema, as Zod, Valibot, or the Standard JSON Schema tell them. */
function fieldsOf(schema: StandardSchema): object | undefined {
  const { shape, entries } = schema as { shape?: unknown; entries?: unknown }
  for (const fields of [shape, entries]) {
    if (typeof fields === 'object' && fields !== null) return fields
  }
  const { jsonSchema } = schema['~standard'] as { jsonSchema?: { output(options: { target: string }): unknown } }
  if (jsonSchema === undefined) return undefined
  try {
    const { properties } = jsonSchema.output({ target: 'draft-2020-12' }) as { properties?: object }
    return properties ?? {}
  } catch {
    return undefined
  }
}
