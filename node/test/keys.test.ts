import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'

import { Workspace, type KeyStore } from 'tidelog'
import { folder, refused } from './support.js'

/** Keeps the key in a file. */
class KeyFile implements KeyStore {
  constructor(readonly path: string) {}
  load() {
    try {
      return readFileSync(this.path)
    } catch {
      return null
    }
  }
  store(key: Uint8Array) {
    writeFileSync(this.path, key)
  }
}

test('a store keeps the key that a new workspace gets, and opens it again', async (t) => {
  const path = await folder(t)
  const key = new KeyFile(`${path}/key`)
  const ws = await Workspace.open(`${path}/notes`, { key, create: 'Notes' })
  await ws.database('main').collection('notes').put('a', 1)
  await ws.close()
  assert.equal(key.load()?.length, 32)
  await using again = await Workspace.open(`${path}/notes`, { key })
  assert.equal(await again.database('main').collection('notes').get('a'), 1)
})

test('a store that lost the key does not get another one', async (t) => {
  const path = await folder(t)
  const key = new KeyFile(`${path}/key`)
  await (await Workspace.create(`${path}/notes`, 'Notes', { key })).close()
  rmSync(key.path)
  await assert.rejects(Workspace.open(`${path}/notes`, { key, create: 'Notes' }), refused('wrong_key'))
  assert.equal(key.load(), null)
})

test('a store may be slow; when it fails, so does the call', async (t) => {
  const path = await folder(t)
  let kept: Uint8Array | undefined
  const key: KeyStore = {
    load: async () => kept,
    store: async (given) => {
      await new Promise((resolve) => setTimeout(resolve, 10))
      kept = given
    },
  }
  await (await Workspace.create(`${path}/slow`, 'Slow', { key })).close()
  assert.equal(kept?.length, 32)
  const locked: KeyStore = {
    load: () => {
      throw new Error('the keychain is locked')
    },
    store: () => undefined,
  }
  await assert.rejects(Workspace.open(`${path}/slow`, { key: locked }), refused('io'))
  await assert.rejects(Workspace.open(`${path}/slow`, { key: { load: () => 5 as never, store: () => undefined } }), refused('io'))
})
