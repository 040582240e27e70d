import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'

import { decodeCbor, valueOf } from './host-values.js'
import { refused, workspace } from './support.js'
import { vectors } from './vectors.js'

async function things(t: TestContext) {
  return (await workspace(t)).database('main').collection('things')
}

/** JSON text that JSON.parse would round inside of a list or map. */
const isRounded = (json: string) => /\d{16}/.test(json) && /[[{]/.test(json)

test('values come back as the vectors say', async (t) => {
  const collection = await things(t)
  for (const { name, json, canonical } of vectors('values.json').values) {
    if (isRounded(json)) continue
    await collection.put('it', valueOf(json))
    assert.deepEqual(await collection.get('it'), valueOf(canonical), name)
  }
})

test('CBOR is its value, and other bytes are refused', () => {
  const { values, refused_cbor: others } = vectors('values.json')
  for (const { name, cbor, canonical } of values) {
    if (!isRounded(canonical)) assert.deepEqual(decodeCbor(Buffer.from(cbor, 'hex')), valueOf(canonical), name)
  }
  assert.ok(others.length > 0)
  for (const { name, cbor } of others) {
    assert.throws(() => decodeCbor(Buffer.from(cbor, 'hex')), { name: 'AssertionError' }, name)
  }
  const types = vectors('types.json')
  for (const { stored, text } of [...types.date_times, ...types.decimals, ...types.uuids]) {
    assert.equal(decodeCbor(Buffer.from(stored.cbor, 'hex')), text)
  }
  for (const { cbor, text } of types.int64) assert.equal(BigInt(decodeCbor(Buffer.from(cbor, 'hex')) as bigint), BigInt(text))
  for (const { cbor, hex } of types.bytes) {
    assert.deepEqual(decodeCbor(Buffer.from(cbor, 'hex')), new Uint8Array(Buffer.from(hex, 'hex')))
  }
})

test('integers of 64 bits keep every digit', async (t) => {
  const collection = await things(t)
  for (const { text } of vectors('types.json').int64) {
    const integer = BigInt(text)
    await collection.put('it', integer)
    const read = await collection.get('it')
    assert.equal(BigInt(read), integer)
    assert.equal(typeof read, Number.isSafeInteger(Number(text)) ? 'number' : 'bigint', text)
  }
})

test('dates are RFC 3339 in UTC with milliseconds', async (t) => {
  const collection = await things(t)
  for (const { text, unix_ms: ms } of vectors('types.json').date_times) {
    await collection.put('it', { at: new Date(ms) })
    assert.deepEqual(await collection.get('it'), { at: text })
  }
  for (const { given, text } of vectors('types.json').date_times_given_otherwise) {
    await collection.put('it', [new Date(given)])
    assert.deepEqual(await collection.get('it'), [text])
  }
})

test('bytes are Uint8Array', async (t) => {
  const collection = await things(t)
  for (const { hex } of vectors('types.json').bytes) {
    await collection.put('it', Buffer.from(hex, 'hex'))
    const read = await collection.get('it')
    assert.ok(read instanceof Uint8Array)
    assert.equal(Buffer.from(read).toString('hex'), hex)
  }
})

test('a Map is a map, a missing field is left out, and a hole in a list is null', async (t) => {
  const collection = await things(t)
  await collection.put('it', { map: new Map([['a', new Date(0)]]), none: undefined, list: [undefined, 1] })
  assert.deepEqual(await collection.get('it'), { map: { a: '1970-01-01T00:00:00.000Z' }, list: [null, 1] })
})

test('a field named like the prototype is a field', async (t) => {
  const collection = await things(t)
  await collection.put('it', JSON.parse('{"__proto__": {"polluted": true}}'))
  const read = await collection.get('it')
  assert.deepEqual(Object.keys(read), ['__proto__'])
  assert.equal(read.polluted, undefined)
  assert.equal(Object.getPrototypeOf(read), Object.prototype)
})

test('what cannot be stored is refused with its place', async (t) => {
  const collection = await things(t)
  const itself: unknown[] = []
  itself.push(itself)
  const values: [unknown, string][] = [
    [{ a: [1, Number.NaN] }, 'at `a.1`'],
    [{ a: Infinity }, 'at `a`'],
    [{ a: { b: () => 1 } }, 'at `a.b`'],
    [Symbol('s'), 'symbol'],
    [{ a: 2n ** 63n }, '64 bits'],
    ['\ud800', 'surrogates'],
    [{ '\udc00': 1 }, 'surrogates'],
    [new Date(Number.NaN), 'invalid'],
    [new Date(8.64e15), 'year'],
    [new Set([1]), 'Set'],
    [new Float64Array(1), 'Uint8Array'],
    [undefined, 'no value'],
    [itself, 'deep'],
  ]
  for (const [value, words] of values) await assert.rejects(collection.put('it', value), refused('invalid_value', words))
  assert.equal(await collection.get('it'), null)
})

test('writing does not change what was given', async (t) => {
  const collection = await things(t)
  const value = Object.freeze({ at: new Date(0), list: Object.freeze([new Date(0)]) })
  await collection.put('it', value)
  assert.ok(value.at instanceof Date && value.list[0] instanceof Date)
})
