/** The published handshakes of `noise.json`, played over `node:crypto`: the channel of `docs/protocol.md`. */
import assert from 'node:assert/strict'
import type { KeyObject } from 'node:crypto'
import { test } from 'node:test'

import { agree, bytes, hkdf, openGcm, publicBytes, sealGcm, secretKey, sha256 } from './host-crypto.js'
import { vectors } from './vectors.js'

const NONE: Buffer = Buffer.alloc(0)
const PATTERNS: Record<string, [string[], string[]]> = {
  Noise_NK_25519_AESGCM_SHA256: [['e', 'es'], ['e', 'ee']],
  Noise_NNpsk0_25519_AESGCM_SHA256: [['psk', 'e'], ['e', 'ee']],
}

class Cipher {
  private count = 0

  constructor(private readonly key: Buffer) {}

  private nonce(): Buffer {
    const nonce = Buffer.alloc(12)
    nonce.writeUInt32BE(this.count++, 8)
    return nonce
  }

  seal(plain: Buffer, bound = NONE): Buffer {
    return sealGcm(this.key, this.nonce(), plain, bound)
  }

  open(sealed: Buffer, bound = NONE): Buffer {
    return openGcm(this.key, this.nonce(), sealed, bound)
  }
}

/** One side of a handshake. */
class Party {
  hash: Buffer
  private chain: Buffer
  private cipher = new Cipher(NONE)
  private readonly psk: Buffer
  private readonly ephemeral: KeyObject
  private readonly ownStatic: KeyObject | undefined
  private readonly remoteStatic: Buffer
  private remoteEphemeral = NONE

  constructor(vector: any, side: 'init' | 'resp') {
    const given = (name: string) => bytes(vector[`${side}_${name}`] ?? '')
    this.hash = this.chain = Buffer.from(vector.protocol_name.padEnd(32, '\0'))
    this.psk = bytes(vector[`${side}_psks`]?.[0] ?? '')
    this.ephemeral = secretKey('X25519', given('ephemeral'))
    this.ownStatic = given('static').length > 0 ? secretKey('X25519', given('static')) : undefined
    this.remoteStatic = given('remote_static')
    this.mixHash(given('prologue'))
    const known = this.ownStatic ? publicBytes(this.ownStatic) : this.remoteStatic
    if (known.length > 0) this.mixHash(known)
  }

  private mixHash(data: Buffer) {
    this.hash = sha256(this.hash, data)
  }

  private mixKey(secret: Buffer) {
    const keys = hkdf(secret, this.chain, NONE, 64)
    this.chain = keys.subarray(0, 32)
    this.cipher = new Cipher(keys.subarray(32))
  }

  private mixPsk() {
    const keys = hkdf(this.psk, this.chain, NONE, 96)
    this.chain = keys.subarray(0, 32)
    this.mixHash(keys.subarray(32, 64))
    this.cipher = new Cipher(keys.subarray(64))
  }

  private mix(token: string, sent: Buffer) {
    if (token === 'psk') {
      this.mixPsk()
    } else if (token === 'e') {
      this.mixHash(sent)
      if (this.psk.length > 0) this.mixKey(sent)
    } else {
      const own = (token === 'es' && this.ownStatic) || this.ephemeral
      const other = token === 'es' && !this.ownStatic ? this.remoteStatic : this.remoteEphemeral
      this.mixKey(agree(own, other))
    }
  }

  write(tokens: string[], payload: Buffer): Buffer {
    const own = publicBytes(this.ephemeral)
    for (const token of tokens) this.mix(token, own)
    const sealed = this.cipher.seal(payload, this.hash)
    this.mixHash(sealed)
    return Buffer.concat([own, sealed])
  }

  read(tokens: string[], message: Buffer): Buffer {
    this.remoteEphemeral = message.subarray(0, 32)
    for (const token of tokens) this.mix(token, this.remoteEphemeral)
    const sealed = message.subarray(32)
    const payload = this.cipher.open(sealed, this.hash)
    this.mixHash(sealed)
    return payload
  }

  /** What the initiator sends under, and what the responder does. */
  channel(): [Cipher, Cipher] {
    const keys = hkdf(NONE, this.chain, NONE, 64)
    return [new Cipher(keys.subarray(0, 32)), new Cipher(keys.subarray(32))]
  }
}

for (const vector of vectors('noise.json').vectors) {
  test(`both sides make the published messages of ${vector.protocol_name}`, () => {
    const parties = [new Party(vector, 'init'), new Party(vector, 'resp')] as const
    const pattern = PATTERNS[vector.protocol_name]!
    for (const turn of [0, 1] as const) {
      const { payload, ciphertext } = vector.messages[turn]
      const message = parties[turn].write(pattern[turn], bytes(payload))
      assert.equal(message.toString('hex'), ciphertext)
      assert.equal(parties[turn === 0 ? 1 : 0].read(pattern[turn], message).toString('hex'), payload)
    }
    for (const party of parties) assert.equal(party.hash.toString('hex'), vector.handshake_hash)

    const channels = [parties[0].channel(), parties[1].channel()] as const
    vector.messages.slice(2).forEach(({ payload, ciphertext }: any, index: number) => {
      const [sender, receiver] = index % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)
      const message = channels[sender][sender].seal(bytes(payload))
      assert.equal(message.toString('hex'), ciphertext)
      assert.equal(channels[receiver][sender].open(message).toString('hex'), payload)
    })
  })
}
