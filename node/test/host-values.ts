/** Values of the vectors, from JSON text and from CBOR: `docs/format.md`, "Values", without a line of Tidelog. */
import assert from 'node:assert/strict'

import { Reader } from './layouts.js'

const INT64 = [-(2n ** 63n), 2n ** 63n - 1n] as const
const DEPTH_MAX = 60

/** An integer as JavaScript has it: a number where that keeps every digit. */
const integer = (value: bigint) => (Number.isSafeInteger(Number(value)) ? Number(value) : value)

/** The JavaScript value of a vector. */
export function valueOf(json: string): unknown {
  if (/^-?\d+$/.test(json)) {
    const value = BigInt(json)
    return value >= INT64[0] && value <= INT64[1] ? integer(value) : Number(json)
  }
  return unmarked(JSON.parse(json))
}

/** A value without the markers of JSON: `$bytes` for bytes, `$value` around a map that only looks like a marker. */
function unmarked(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(unmarked)
  if (typeof json !== 'object' || json === null) return json
  const [[name, inner] = ['', undefined], ...others] = Object.entries(json)
  if (others.length === 0 && name === '$bytes' && typeof inner === 'string') {
    return new Uint8Array(Buffer.from(inner, 'base64'))
  }
  const fields = others.length === 0 && name === '$value' ? (inner as object) : json
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, unmarked(field)]))
}

/** The value that these bytes are the one encoding of. */
export function decodeCbor(data: Buffer): unknown {
  const reader = new Reader(data)
  const value = readValue(reader, 0)
  assert.equal(reader.data.length, 0, 'trailing bytes')
  return value
}

function readValue(reader: Reader, depth: number): unknown {
  const first = reader.take(1)[0]!
  const [major, info] = [first >> 5, first & 31]
  if (major === 7) return readSimple(reader, info)
  const count = readCount(reader, info)
  if (major < 2) {
    assert.ok(count <= INT64[1], 'beyond 64 bits')
    return integer(major === 0 ? count : -1n - count)
  }
  if (major === 2) return new Uint8Array(reader.take(Number(count)))
  if (major === 3) return readText(reader.take(Number(count)))
  assert.ok(major < 6 && depth < DEPTH_MAX && count <= reader.data.length)
  if (major === 4) return Array.from({ length: Number(count) }, () => readValue(reader, depth + 1))
  const entries: [string, unknown][] = []
  let last: Buffer | undefined
  for (let left = count; left > 0n; left -= 1n) {
    const head = reader.take(1)[0]!
    assert.equal(head >> 5, 3, 'a key is text')
    const key = reader.take(Number(readCount(reader, head & 31)))
    assert.ok(!last || last.length < key.length || (last.length === key.length && last.compare(key) < 0), 'order of keys')
    last = key
    entries.push([readText(key), readValue(reader, depth + 1)])
  }
  return Object.fromEntries(entries)
}

/** A number or a length, with the shortest head. */
function readCount(reader: Reader, info: number): bigint {
  if (info < 24) return BigInt(info)
  assert.ok(info < 28, 'indefinite or reserved')
  const size = 1 << (info - 24)
  const count = BigInt(`0x${reader.take(size).toString('hex')}`)
  assert.ok(count >= (size === 1 ? 24n : 1n << BigInt(4 * size)), 'not the shortest head')
  return count
}

function readText(data: Buffer): string {
  const text = data.toString('utf8')
  assert.deepEqual(Buffer.from(text), data, 'not UTF-8')
  return text
}

/** A double of half precision, from its bits. */
function half(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023]
  const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25)
  return exponent === 31 ? NaN : bits & 0x8000 ? -size : size
}

const HALVES = new Set(Array.from({ length: 0x10000 }, (_, bits) => half(bits)))

/** A boolean, null, or a double in the least precision that keeps it; integral ones that are integers are none. */
function readSimple(reader: Reader, info: number): unknown {
  if (info >= 20 && info <= 22) return [false, true, null][info - 20]
  assert.ok(info >= 25 && info <= 27, 'other simple value')
  const data = reader.take(1 << (info - 24))
  const value = info === 25 ? half(data.readUInt16BE()) : info === 26 ? data.readFloatBE() : data.readDoubleBE()
  assert.ok(Number.isFinite(value) && !Number.isSafeInteger(value))
  assert.ok(info === 25 || !HALVES.has(value), 'half precision keeps it')
  assert.ok(info < 27 || Math.fround(value) !== value, 'single precision keeps it')
  return value
}
