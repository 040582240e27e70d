/**
 * Keys, payloads and entries of the golden vectors, checked by Node's own cryptography without a line of Tidelog.
 * Argon2id, which stretches passphrases of vaults, is not in the Node versions supported: it is not checked here.
 */
import assert from 'node:assert/strict'
import { sign } from 'node:crypto'
import { test } from 'node:test'

import {
  bytes,
  expand,
  hkdf,
  hmac,
  openCobblestone,
  openHpke,
  publicBytes,
  secretKey,
  sha256,
  tag,
  verifies,
} from './host-crypto.js'
import { vectors } from './vectors.js'

const HEADER_LENGTH = 272
const CONTEXT_LENGTH = 176
const SIGNED_LENGTH = 208

function deviceKeys() {
  const { device } = vectors('keys.json')
  const derived = (info: string) =>
    hkdf(bytes(device.seed), Buffer.concat([bytes(device.workspace), bytes(device.incarnation)]), tag(info))
  return { sign: secretKey('Ed25519', derived('TIDE1 dev sign')), kem: secretKey('X25519', derived('TIDE1 dev kem')) }
}

test('device keys follow from the seed', () => {
  const { device } = vectors('keys.json')
  const keys = deviceKeys()
  const id = publicBytes(keys.sign)
  assert.equal(id.toString('hex'), device.device)
  assert.equal(publicBytes(keys.kem).toString('hex'), device.kem_pk)
  assert.equal(sign(null, Buffer.alloc(0), keys.sign).toString('hex'), device.signature_of_empty)
  const local = hkdf(bytes(device.seed), bytes(device.workspace), tag('TIDE1 dev local'))
  assert.equal(local.toString('hex'), device.local_key)
  const user = sha256(tag('TIDE1 user'), bytes(device.workspace), id).subarray(0, 16)
  assert.equal(user.toString('hex'), device.user)
})

test('root keys follow from the root secret', () => {
  const { root } = vectors('keys.json')
  const derived = (info: string) => hkdf(bytes(root.secret), Buffer.alloc(0), tag(info))
  assert.equal(publicBytes(secretKey('Ed25519', derived('TIDE1 root sign'))).toString('hex'), root.sign_pk)
  assert.equal(publicBytes(secretKey('X25519', derived('TIDE1 root kem'))).toString('hex'), root.kem_pk)
})

test('an epoch key has its derivations', () => {
  const { epoch } = vectors('keys.json')
  const key = bytes(epoch.key)
  assert.equal(expand(key, tag('TIDE1 key commit')).toString('hex'), epoch.commit)
  assert.equal(expand(key, tag('TIDE1 hedge')).toString('hex'), epoch.hedge)
  assert.equal(sha256(bytes(epoch.commit)).subarray(0, 16).toString('hex'), epoch.key_id)
  const name = bytes(epoch.name.key)
  assert.equal(expand(name, tag('TIDE1 name key')).toString('hex'), epoch.name.commit)
  assert.equal(expand(name, tag('TIDE1 peer psk')).toString('hex'), epoch.name.psk)
  for (const { database, stream } of epoch.name.streams) {
    const id = hmac('sha256', name, tag('TIDE1 stream'), Buffer.from(database)).subarray(0, 16)
    assert.equal(id.toString('hex'), stream, database)
  }
})

test('an epoch key opens what it wraps', () => {
  const { epoch } = vectors('keys.json')
  const number = Buffer.alloc(4)
  number.writeUInt32LE(epoch.epoch)
  const place = Buffer.concat([bytes(epoch.workspace), bytes(epoch.circle), number, bytes(epoch.key_id)])
  const name = Buffer.concat([tag('TIDE1 name wrap'), place])
  assert.equal(openCobblestone(bytes(epoch.key), name, bytes(epoch.name.wrap)).toString('hex'), epoch.name.key)
  const previous = Buffer.concat([tag('TIDE1 prev wrap'), place, bytes(epoch.previous.key_id)])
  const opened = openCobblestone(bytes(epoch.key), previous, bytes(epoch.previous.wrap))
  assert.equal(opened.toString('hex'), epoch.previous.key)
  const { recipient, enc, ct } = epoch.wrap
  const info = Buffer.concat([tag('TIDE1 keywrap'), place, bytes(epoch.commit), bytes(recipient)])
  assert.equal(openHpke(deviceKeys().kem, info, bytes(enc), bytes(ct)).toString('hex'), epoch.key)
})

test('a vault with a raw key opens', () => {
  const { vault } = vectors('keys.json')
  const file = bytes(vault.raw.bytes)
  const content = openCobblestone(bytes(vault.raw.key), file.subarray(0, 38), file.subarray(38))
  const life = `${vault.seed}${vault.incarnation}${vault.home}`
  const secrets = `${vault.root}${vault.next_incarnation}${vault.next_home}`
  assert.equal(content.toString('hex'), `${life}03${secrets}`)
})

test('payloads open to their plaintext', () => {
  const { key, opened } = vectors('payload.json')
  for (const { name, context, payload, plaintext } of opened) {
    const bound = Buffer.concat([tag('TIDE1 entry ctx'), bytes(context)])
    assert.equal(openCobblestone(bytes(key), bound, bytes(payload)).toString('hex'), plaintext, name)
  }
})

test('an entry is what its author signed, and opens', () => {
  const { signed, epoch_key: key, operations, hlc } = vectors('entry.json')
  const entry = bytes(signed.bytes)
  const header = entry.subarray(0, HEADER_LENGTH)
  const payload = entry.subarray(HEADER_LENGTH)
  assert.equal(sha256(tag('TIDE1 entry id'), header).toString('hex'), signed.id)
  assert.deepEqual(sha256(tag('TIDE1 payload'), payload), header.subarray(CONTEXT_LENGTH, SIGNED_LENGTH))
  const covered = Buffer.concat([tag('TIDE1 entry sig'), header.subarray(0, SIGNED_LENGTH)])
  assert.ok(verifies(bytes(signed.author), covered, header.subarray(SIGNED_LENGTH)))
  covered[20]! ^= 1
  assert.ok(!verifies(bytes(signed.author), covered, header.subarray(SIGNED_LENGTH)))

  const bound = Buffer.concat([tag('TIDE1 entry ctx'), header.subarray(0, CONTEXT_LENGTH)])
  const plaintext = openCobblestone(bytes(key), bound, payload)
  const end = 4 + plaintext.readUInt32LE(0)
  assert.equal(plaintext[4], 1)
  assert.equal(plaintext.readBigUInt64LE(5), BigInt(hlc))
  assert.equal(plaintext.subarray(13, end).toString('hex'), operations)
  assert.ok(plaintext.subarray(end).every((byte) => byte === 0))
})
