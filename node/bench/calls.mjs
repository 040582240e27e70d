// What a call from Node costs, beside the same calls from Rust (`bindings/api/benches/calls.rs`).
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Workspace } from '../dist/index.js'

const CALLS = 20_000
const IN_FLIGHT = 1_000
const RECORDS = 10_000
const KEY = new Uint8Array(32).fill(7)
const ITEM = { title: 'Alien', year: 1979 }

async function measure(name, calls, target, work) {
  const begin = performance.now()
  await work()
  const cost = ((performance.now() - begin) / calls) * 1_000
  console.log(`bench: Node: ${name} | ${cost.toFixed(2)} us | ${target}`)
}

const folder = await mkdtemp(join(tmpdir(), 'tidelog-'))
const workspace = await Workspace.create(join(folder, 'calls.tide'), 'Calls', { key: KEY })
const items = workspace.database('main').collection('items')
await items.put('alien', ITEM)
const inFlight = (call) => Promise.all(Array.from({ length: IN_FLIGHT }, call))

await measure('id, synchronous', CALLS, '<= Rust + 2 us', () => {
  for (let index = 0; index < CALLS; index += 1) workspace.id
})
await measure('get, awaited', CALLS / 10, '<= 60 us', async () => {
  for (let index = 0; index < CALLS / 10; index += 1) await items.get('alien')
})
await measure('get, 1,000 in flight', CALLS, '<= Rust + 5 us', async () => {
  for (let index = 0; index < CALLS / IN_FLIGHT; index += 1) await inFlight(() => items.get('alien'))
})
await measure('put, 1,000 in flight', IN_FLIGHT, '-', () => inFlight(() => items.put('alien', ITEM)))
const many = new Map(Array.from({ length: RECORDS }, (_, index) => [String(index), ITEM]))
await measure('put_many, per item', RECORDS, '-', () => items.putMany(many))
await measure('all, per item', RECORDS, '-', () => items.all())

await workspace.close()
await rm(folder, { recursive: true })
