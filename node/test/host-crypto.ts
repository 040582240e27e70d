/** The primitives of `docs/format.md` over `node:crypto`. */
import assert from 'node:assert/strict'
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  verify,
  type KeyObject,
} from 'node:crypto'

const CHUNK_LENGTH = 16 * 1024 + 16
/** Keys in DER are these bytes and the key. */
const SECRET_DER = { Ed25519: '302e020100300506032b657004220420', X25519: '302e020100300506032b656e04220420' }
const PUBLIC_DER = { Ed25519: '302a300506032b6570032100', X25519: '302a300506032b656e032100' }
type Curve = keyof typeof SECRET_DER

export const bytes = (hex: string) => Buffer.from(hex, 'hex')
export const tag = (text: string) => Buffer.from(text.padEnd(16, '\0'), 'ascii')
export const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
export const hmac = (digest: string, key: Uint8Array, ...parts: Uint8Array[]) =>
  createHmac(digest, key).update(Buffer.concat(parts)).digest()

export function expand(key: Uint8Array, info: Uint8Array, length = 32, digest = 'sha256'): Buffer {
  const blocks: Buffer[] = [Buffer.alloc(0)]
  for (let counter = 1; counter < 256 && Buffer.concat(blocks).length < length; counter += 1) {
    blocks.push(hmac(digest, key, blocks.at(-1)!, info, Buffer.of(counter)))
  }
  return Buffer.concat(blocks).subarray(0, length)
}

export const hkdf = (secret: Uint8Array, salt: Uint8Array, info: Uint8Array, length = 32) =>
  expand(hmac('sha256', salt, secret), info, length)

export const secretKey = (curve: Curve, secret: Buffer) =>
  createPrivateKey({ key: Buffer.concat([bytes(SECRET_DER[curve]), secret]), format: 'der', type: 'pkcs8' })
export const publicKey = (curve: Curve, key: Buffer) =>
  createPublicKey({ key: Buffer.concat([bytes(PUBLIC_DER[curve]), key]), format: 'der', type: 'spki' })
export const publicBytes = (secret: KeyObject) =>
  createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-32)
export const verifies = (key: Buffer, message: Buffer, signature: Buffer) =>
  verify(null, message, publicKey('Ed25519', key), signature)
export const agree = (secret: KeyObject, other: Buffer) =>
  diffieHellman({ privateKey: secret, publicKey: publicKey('X25519', other) })

export function sealGcm(key: Buffer, nonce: Buffer, plain: Buffer, bound: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(bound)
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

export function openGcm(key: Buffer, nonce: Buffer, sealed: Buffer, bound: Buffer = Buffer.alloc(0)): Buffer {
  assert.ok(sealed.length >= 16)
  const cipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(bound).setAuthTag(sealed.subarray(-16))
  return Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()])
}

export function openCobblestone(key: Buffer, context: Buffer, sealed: Buffer): Buffer {
  assert.equal(key.length, 32)
  const label = Buffer.from('c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0', 'ascii')
  const derived = expand(key, Buffer.concat([label, sealed.subarray(0, 24), context]), 76, 'sha512')
  assert.deepEqual(derived.subarray(44), sealed.subarray(24, 56), 'commitment')
  const chunks = sealed.subarray(56)
  const plaintext: Buffer[] = []
  for (let number = 0; number <= Math.floor(chunks.length / CHUNK_LENGTH); number += 1) {
    const chunk = chunks.subarray(number * CHUNK_LENGTH, (number + 1) * CHUNK_LENGTH)
    const nonce = Buffer.from(derived.subarray(32, 44))
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ number) >>> 0, 8)
    plaintext.push(openGcm(derived.subarray(0, 32), nonce, chunk))
  }
  return Buffer.concat(plaintext)
}

/** RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. */
export function openHpke(secret: KeyObject, info: Buffer, enc: Buffer, sealed: Buffer): Buffer {
  const kem = Buffer.from('KEM\0\x20')
  const suite = Buffer.from('HPKE\0\x20\0\x01\0\x02')
  const none = Buffer.alloc(0)
  const extract = (suite: Buffer, salt: Buffer, label: string, secret: Buffer) =>
    hmac('sha256', salt, Buffer.from('HPKE-v1'), suite, Buffer.from(label), secret)
  const labelled = (suite: Buffer, key: Buffer, label: string, info: Buffer, length: number) =>
    expand(key, Buffer.concat([Buffer.of(0, length), Buffer.from('HPKE-v1'), suite, Buffer.from(label), info]), length)

  const both = Buffer.concat([enc, publicBytes(secret)])
  const shared = labelled(kem, extract(kem, none, 'eae_prk', agree(secret, enc)), 'shared_secret', both, 32)
  const ids = [extract(suite, none, 'psk_id_hash', none), extract(suite, none, 'info_hash', info)]
  const context = Buffer.concat([Buffer.of(0), ...ids])
  const schedule = extract(suite, shared, 'secret', none)
  const key = labelled(suite, schedule, 'key', context, 32)
  return openGcm(key, labelled(suite, schedule, 'base_nonce', context, 12), sealed)
}
