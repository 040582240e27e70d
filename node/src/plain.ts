/**
 * What an application writes, as what the engine stores.
 *
 * The engine knows null, booleans, numbers, 64-bit integers, text, bytes, lists and maps. A `Date` becomes RFC 3339
 * text, a `Map` a map, anything else with `toJSON` what that gives. What cannot be stored is an error that names the
 * path. What is plain already is not copied.
 */
import { TidelogError } from './errors.js'

/** Ends the walk through a structure that holds itself; the engine's own limit is lower. */
const DEPTH_MAX = 100

const INT_MIN = -(2n ** 63n)
const INT_MAX = 2n ** 63n - 1n

/** How long RFC 3339 text with milliseconds is; longer ones have years of more than four digits. */
const DATE_LENGTH = 24

/** The plain form of a value. */
export function plain(value: unknown): unknown {
  return convert(value, [])
}

type Path = (string | number)[]

function refuse(path: Path, problem: string): never {
  const where = path.length === 0 ? '' : `at \`${path.join('.')}\`: `
  throw new TidelogError('invalid_value', where + problem)
}

function convert(value: unknown, path: Path): unknown {
  switch (typeof value) {
    case 'boolean':
      return value
    case 'string':
      return text(value, path)
    case 'number':
      return Number.isFinite(value) ? value : refuse(path, `${value} is no number that can be stored`)
    case 'bigint':
      return value >= INT_MIN && value <= INT_MAX ? value : refuse(path, 'an integer must fit into 64 bits with sign')
    case 'undefined':
      return refuse(path, 'there is no value: use null')
    case 'object':
      return value === null ? null : object(value, path)
    default:
      return refuse(path, `a ${typeof value} cannot be stored`)
  }
}

function text(value: string, path: Path): string {
  return value.isWellFormed() ? value : refuse(path, 'the text has lone surrogates, which are no characters')
}

function object(value: object, path: Path): unknown {
  if (path.length > DEPTH_MAX) refuse(path.slice(0, 3), 'it nests too deep, or holds itself')
  if (Array.isArray(value)) return list(value, path)
  if (value instanceof Uint8Array) return value
  if (value instanceof Date) return date(value, path)
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  if (ArrayBuffer.isView(value)) return refuse(path, 'of the typed arrays only Uint8Array can be stored')
  if (value instanceof Map) return map(Object.fromEntries(names(value, path)), path)
  if (value instanceof Set) return refuse(path, 'a Set cannot be stored: make it a list')
  if ('toJSON' in value && typeof value.toJSON === 'function') return convert(value.toJSON(), path)
  return map(value, path)
}

function date(value: Date, path: Path): string {
  if (Number.isNaN(value.getTime())) refuse(path, 'the date is invalid')
  const written = value.toISOString()
  return written.length === DATE_LENGTH ? written : refuse(path, 'a date has a year from 0 to 9999')
}

function list(items: readonly unknown[], path: Path): unknown {
  let copy: unknown[] | undefined
  for (let index = 0; index < items.length; index += 1) {
    const item = items[index]
    path.push(index)
    const stored = item === undefined ? null : convert(item, path)
    path.pop()
    if (stored !== item) {
      copy ??= [...items]
      copy[index] = stored
    }
  }
  return copy ?? items
}

function map(value: object, path: Path): unknown {
  let copy: Record<string, unknown> | undefined
  for (const [name, field] of Object.entries(value)) {
    path.push(name)
    text(name, path)
    if (field !== undefined) {
      const stored = convert(field, path)
      if (stored !== field) {
        copy ??= { ...value }
        copy[name] = stored
      }
    }
    path.pop()
  }
  return copy ?? value
}

function* names(value: Map<unknown, unknown>, path: Path): Iterable<[string, unknown]> {
  for (const [name, field] of value) {
    if (typeof name !== 'string') refuse(path, 'the name of a field must be text')
    yield [name, field]
  }
}
