/** Project Wycheproof against the primitives that the other vectors are checked with. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { inflateSync } from 'node:zlib'

import { agree, bytes, hkdf, hmac, openCobblestone, openGcm, secretKey, verifies } from './host-crypto.js'
import { vectors } from './vectors.js'

/** Runs each test of a file, with its group. */
function each(name: string, run: (test: any, group: any) => void) {
  const file = vectors(`wycheproof/${name}`)
  let count = 0
  for (const group of file.testGroups) {
    for (const test of group.tests) {
      run(test, group)
      count += 1
    }
  }
  assert.equal(count, file.numberOfTests)
}

function attempt(call: () => Buffer): Buffer | undefined {
  try {
    return call()
  } catch {
    return undefined
  }
}

test('AES-256-GCM opens what is valid', () => {
  let run = 0
  each('aes_gcm_test.json', (test, { keySize, ivSize, tagSize }) => {
    if (keySize !== 256 || ivSize !== 96 || tagSize !== 128) return
    run += 1
    const opened = attempt(() => openGcm(bytes(test.key), bytes(test.iv), bytes(test.ct + test.tag), bytes(test.aad)))
    assert.equal(opened?.toString('hex'), test.result === 'valid' ? test.msg : undefined, `${test.tcId}`)
  })
  assert.equal(run, 66)
})

test('Ed25519 verifies what is valid', () => {
  each('ed25519_test.json', ({ msg, sig, result, tcId }, { publicKey }) => {
    assert.equal(verifies(bytes(publicKey.pk), bytes(msg), bytes(sig)), result === 'valid', `${tcId}`)
  })
})

test('X25519 agrees, or refuses what does not contribute', () => {
  each('x25519_test.json', (test) => {
    const shared = attempt(() => agree(secretKey('X25519', bytes(test.private)), bytes(test.public)))
    assert.equal(shared?.toString('hex'), test.flags.includes('ZeroSharedSecret') ? undefined : test.shared, `${test.tcId}`)
  })
})

for (const [digest, file] of [['sha256', 'hmac_sha256_test.json'], ['sha512', 'hmac_sha512_test.json']] as const) {
  test(`HMAC-${digest} agrees`, () => {
    each(file, ({ key, msg, tag, result, tcId }) => {
      const made = hmac(digest, bytes(key), bytes(msg)).toString('hex')
      assert.equal(made.startsWith(tag), result === 'valid', `${tcId}`)
    })
  })
}

test('HKDF agrees, and ends', () => {
  each('hkdf_sha256_test.json', ({ ikm, salt, info, size, okm, result, tcId }) => {
    const made = hkdf(bytes(ikm), bytes(salt), bytes(info), size)
    if (result === 'valid') assert.equal(made.toString('hex'), okm, `${tcId}`)
    else assert.ok(made.length < size, `${tcId}`)
  })
})

test('Cobblestone opens what is valid', () => {
  each('c2sp_chunked_encryption_aes_256_gcm_test.json', ({ key, ctx, ct, msgSha512, result, tcId }) => {
    const opened = attempt(() => openCobblestone(bytes(key), bytes(ctx), inflateSync(bytes(ct))))
    const digest = opened && createHash('sha512').update(opened).digest('hex')
    assert.equal(digest, result === 'valid' ? msgSha512 : undefined, `${tcId}`)
  })
})
