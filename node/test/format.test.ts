/** Entries, directories, beacons and frames of the golden vectors, read and written by the tables of `layouts.ts`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { bytes, sha256, tag, verifies } from './host-crypto.js'
import { BEACON, BODY, CERTIFICATE, decode, ENTRY, FRAME, type Layout } from './layouts.js'
import { vectors } from './vectors.js'

/** Bytes are their fields, and fields their bytes. */
function same(layout: Layout, data: string, fields: unknown, name: string) {
  assert.deepEqual(decode(layout, bytes(data)), fields, name)
  assert.equal(layout.write(fields).toString('hex'), data, name)
}

function refuses(layout: Layout, cases: { name: string; bytes: string }[]) {
  assert.ok(cases.length > 0)
  for (const { name, bytes: data } of cases) assert.throws(() => decode(layout, bytes(data)), { name: 'AssertionError' }, name)
}

test('directory bodies are their operations and fields', () => {
  const { bodies, fields } = vectors('directory.json')
  assert.equal(Object.keys(fields).length, 16)
  assert.deepEqual(Object.keys(bodies), Object.keys(fields))
  for (const [name, data] of Object.entries<string>(bodies)) same(BODY, data, fields[name], name)
})

test('a certificate is signed by its device for its user', () => {
  const { bytes: hex, fields, user, workspace } = vectors('directory.json').certificate
  same(CERTIFICATE, hex, fields, 'certificate')
  const device = bytes(fields.sign_pk)
  assert.equal(sha256(tag('TIDE1 user'), bytes(workspace), device).subarray(0, 16).toString('hex'), user)
  const signed = Buffer.concat([tag('TIDE1 device crt'), bytes(workspace), bytes(user), bytes(hex).subarray(0, 73)])
  assert.ok(verifies(device, signed, bytes(fields.self_sig)))
  signed[72]! ^= 1
  assert.ok(!verifies(device, signed, bytes(fields.self_sig)))
})

test('frames are their fields, and others are refused', () => {
  const { frames, refused } = vectors('frames.json')
  assert.equal(new Set(frames.map((frame: any) => frame.fields.frame)).size, 20)
  for (const { name, bytes: data, fields } of frames) same(FRAME, data, fields, name)
  refuses(FRAME, refused)
})

test('beacons are their heads and tips, and others are refused', () => {
  const { cases, refused } = vectors('beacon.json')
  assert.ok(cases.length > 0)
  for (const { name, bytes: data, heads, tips } of cases) same(BEACON, data, { version: 1, heads, tips }, name)
  refuses(BEACON, refused)
})

/** Whether this is an entry that its author signed. */
function isProven(data: Buffer): boolean {
  let entry
  try {
    entry = decode(ENTRY, data)
  } catch {
    return false
  }
  const signed = Buffer.concat([tag('TIDE1 entry sig'), data.subarray(0, 208)])
  const payload = sha256(tag('TIDE1 payload'), bytes(entry.payload)).toString('hex')
  return payload === entry.payload_hash && verifies(bytes(entry.author), signed, bytes(entry.signature))
}

test('entries have their fields and ids, and are proven only if their author signed them', () => {
  const { signed, covered, refused } = vectors('entry.json')
  for (const { bytes: hex, id, prunable, covered: isCovered, seq, ...named } of [signed, covered]) {
    const { version, suite, flags, payload, ...entry } = decode(ENTRY, bytes(hex))
    assert.deepEqual(entry, { ...named, seq: String(seq) })
    assert.deepEqual([version, suite, flags], [1, 1, Number(prunable) | (Number(isCovered) << 1)])
    assert.equal(payload, hex.slice(544))
    assert.equal(sha256(tag('TIDE1 entry id'), bytes(hex).subarray(0, 272)).toString('hex'), id)
    assert.equal(isProven(bytes(hex)), !isCovered)
  }
  assert.ok(refused.length > 0)
  for (const { name, bytes: data } of refused) assert.ok(!isProven(bytes(data)), name)
})
