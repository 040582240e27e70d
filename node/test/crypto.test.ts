/**
 * Keys, payloads and entries of the golden vectors, checked by Node's own cryptography without a line of Tidelog.
 * Argon2id, which stretches passphrases of vaults, is not in the Node versions supported: it is not checked here.
 */
import assert from 'node:assert/strict'
import { createDecipheriv, createHash, createHmac, createPrivateKey, createPublicKey, hkdfSync, sign, verify } from 'node:crypto'
import { test } from 'node:test'

import { vectors } from './support.js'

const HEADER_LENGTH = 272
const CONTEXT_LENGTH = 176
const SIGNED_LENGTH = 208
const CHUNK_LENGTH = 16 * 1024 + 16
/** Ed25519 keys in DER are these bytes and the key. */
const SECRET_DER = '302e020100300506032b657004220420'
const PUBLIC_DER = '302a300506032b6570032100'

const bytes = (hex: string) => Buffer.from(hex, 'hex')
const tag = (text: string) => Buffer.from(text.padEnd(16, '\0'), 'ascii')
const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
const hmac = (digest: string, key: Uint8Array, ...parts: Uint8Array[]) =>
  createHmac(digest, key).update(Buffer.concat(parts)).digest()
const hkdf = (secret: Buffer, salt: Buffer, info: string) => Buffer.from(hkdfSync('sha256', secret, salt, tag(info), 32))
const expand = (key: Buffer, info: string) => hmac('sha256', key, tag(info), Buffer.of(1))
const secretKey = (seed: Buffer) =>
  createPrivateKey({ key: Buffer.concat([bytes(SECRET_DER), seed]), format: 'der', type: 'pkcs8' })
const publicKey = (key: Buffer) =>
  createPublicKey({ key: Buffer.concat([bytes(PUBLIC_DER), key]), format: 'der', type: 'spki' })

function openCobblestone(key: Buffer, context: Buffer, sealed: Buffer): Buffer {
  const label = Buffer.from('c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0', 'ascii')
  const info = Buffer.concat([label, sealed.subarray(0, 24), context])
  const first = hmac('sha512', key, info, Buffer.of(1))
  const derived = Buffer.concat([first, hmac('sha512', key, first, info, Buffer.of(2))])
  assert.deepEqual(derived.subarray(44, 76), sealed.subarray(24, 56), 'commitment')
  const chunks = sealed.subarray(56)
  const plaintext: Buffer[] = []
  for (let number = 0; number <= Math.floor(chunks.length / CHUNK_LENGTH); number += 1) {
    const chunk = chunks.subarray(number * CHUNK_LENGTH, (number + 1) * CHUNK_LENGTH)
    const nonce = Buffer.from(derived.subarray(32, 44))
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ number) >>> 0, 8)
    const cipher = createDecipheriv('aes-256-gcm', derived.subarray(0, 32), nonce)
    cipher.setAuthTag(chunk.subarray(-16))
    plaintext.push(cipher.update(chunk.subarray(0, -16)), cipher.final())
  }
  return Buffer.concat(plaintext)
}

test('device keys follow from the seed', () => {
  const { device } = vectors('keys.json')
  const salt = Buffer.concat([bytes(device.workspace), bytes(device.incarnation)])
  const key = secretKey(hkdf(bytes(device.seed), salt, 'TIDE1 dev sign'))
  const id = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)
  assert.equal(id.toString('hex'), device.device)
  assert.equal(sign(null, Buffer.alloc(0), key).toString('hex'), device.signature_of_empty)
  assert.equal(hkdf(bytes(device.seed), bytes(device.workspace), 'TIDE1 dev local').toString('hex'), device.local_key)
  const user = sha256(tag('TIDE1 user'), bytes(device.workspace), id).subarray(0, 16)
  assert.equal(user.toString('hex'), device.user)
})

test('an epoch key has its derivations', () => {
  const { epoch } = vectors('keys.json')
  const key = bytes(epoch.key)
  assert.equal(expand(key, 'TIDE1 key commit').toString('hex'), epoch.commit)
  assert.equal(expand(key, 'TIDE1 hedge').toString('hex'), epoch.hedge)
  assert.equal(sha256(bytes(epoch.commit)).subarray(0, 16).toString('hex'), epoch.key_id)
  const name = bytes(epoch.name.key)
  assert.equal(expand(name, 'TIDE1 name key').toString('hex'), epoch.name.commit)
  assert.equal(expand(name, 'TIDE1 peer psk').toString('hex'), epoch.name.psk)
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
  const author = publicKey(bytes(signed.author))
  assert.ok(verify(null, covered, author, header.subarray(SIGNED_LENGTH)))
  covered[20]! ^= 1
  assert.ok(!verify(null, covered, author, header.subarray(SIGNED_LENGTH)))

  const bound = Buffer.concat([tag('TIDE1 entry ctx'), header.subarray(0, CONTEXT_LENGTH)])
  const plaintext = openCobblestone(bytes(key), bound, payload)
  const end = 4 + plaintext.readUInt32LE(0)
  assert.equal(plaintext[4], 1)
  assert.equal(plaintext.readBigUInt64LE(5), BigInt(hlc))
  assert.equal(plaintext.subarray(13, end).toString('hex'), operations)
  assert.ok(plaintext.subarray(end).every((byte) => byte === 0))
})
