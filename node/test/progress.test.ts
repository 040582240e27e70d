import assert from 'node:assert/strict'
import { test } from 'node:test'

import { onLog, Workspace, type LogLine } from 'tidelog'
import { folder, KEY, workspace } from './support.js'

const MANY = new Map(Array.from({ length: 3_000 }, (_, index) => [String(index), { index }]))

test('an import tells how many items are written, and ends when it is told to', async (t) => {
  const notes = (await workspace(t)).database('main').collection('notes')
  const told: [number, number][] = []
  await notes.putMany(MANY, { onProgress: (...now) => told.push(now) })
  assert.deepEqual(told, [[1_000, 3_000], [2_000, 3_000], [3_000, 3_000]])
  const controller = new AbortController()
  const ended = notes.putMany(new Map([...MANY].map(([key, value]) => [`again ${key}`, value])), {
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('enough')),
  })
  await assert.rejects(ended, /enough/)
  assert.equal(await notes.count(), 4_000)
})

test('a verification tells how many entries it read, and ends when it is told to', async (t) => {
  const ws = await workspace(t)
  await ws.database('main').collection('notes').put('a', 1)
  const told: [number, number][] = []
  const { entries } = await ws.verify({ onProgress: (...now) => told.push(now) })
  assert.deepEqual(told.at(-1), [entries, entries])
  await assert.rejects(ws.verify({ signal: AbortSignal.abort(new Error('enough')) }), /enough/)
  const thrown = ws.verify({
    onProgress: () => {
      throw new Error('a bug')
    },
  })
  await assert.rejects(thrown, /a bug/)
  assert.equal((await ws.verify()).damaged, 0)
})

test('the log of the engine reaches a callback, and holds no data', async (t) => {
  const lines: LogLine[] = []
  const opened = new Promise<void>((resolve) => {
    const stop = onLog((line) => {
      lines.push(line)
      if (line.text.includes('log opened')) resolve()
    }, 'trace')
    t.after(stop)
  })
  const ws = await Workspace.create(`${await folder(t)}/notes`, 'plainname', { key: KEY })
  await ws.database('plainbase').collection('plainlist').put('plainkey', { plainfield: 'plaintext' })
  await ws.close()
  await opened
  assert.ok(lines.every((line) => line.target.startsWith('tidelog')))
  assert.ok(!lines.some((line) => line.text.includes('plain')))
})
