import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'

import { Workspace } from 'tidelog'
import { KEY, program, workspace } from './support.js'

test('idle streams do not keep a process alive', async (t) => {
  const { code, output } = await program(t, `
    const ws = await Workspace.create(path, 'notes', { key })
    const notes = ws.database('main').collection('notes')
    notes.watch().next()
    ws.watch().next()
    const list = notes.live()
    await list.ready
    console.log('end')
  `)
  assert.deepEqual([code, output], [0, 'end'])
})

test('a write that nobody waits for is not lost at exit', async (t) => {
  const { output } = await program(t, `
    const ws = await Workspace.create(path, 'notes', { key })
    void ws.database('main').collection('notes').put('a', 'kept').then(() => ws.close()).then(async () => {
      const again = await Workspace.open(path, { key })
      console.log(await again.database('main').collection('notes').get('a'))
    })
  `)
  assert.equal(output, 'kept')
})

test('a link keeps a process alive until it is stopped, unless told otherwise', async (t) => {
  const { code, output } = await program(t, `
    const ws = await Workspace.create(path, 'notes', { key })
    const link = ws.connect('ws://127.0.0.1:9')
    ws.connect('ws://127.0.0.1:9').unref()
    setTimeout(() => { console.log('alive'); link.stop() }, 50).unref()
  `)
  assert.deepEqual([code, output], [0, 'alive'])
})

test('a process that exits with calls in flight ends well', async (t) => {
  const { code } = await program(t, `
    const ws = await Workspace.create(path, 'notes', { key })
    const notes = ws.database('main').collection('notes')
    for (let n = 0; n < 100; n += 1) void notes.put(String(n), n)
    ws.watch({ initial: true }).next()
    process.exit(7)
  `)
  assert.equal(code, 7)
})

test('worker threads each use the library, and may be terminated in the middle', async (t) => {
  const space = await workspace(t)
  await space.close()
  const source = `
    const { parentPort, workerData } = require('node:worker_threads')
    import('tidelog').then(async ({ Workspace }) => {
      const ws = await Workspace.open(workerData.path, { key: workerData.key })
      const notes = ws.database('main').collection('notes')
      ws.watch().next()
      await notes.put('a', 1)
      if (workerData.close) await ws.close()
      parentPort.postMessage(await notes.get('a').catch((error) => error.code))
      while (!workerData.close) await notes.put('b', 2)
    })
  `
  const run = (close: boolean) => {
    const workerData = { path: space.path, key: KEY, close }
    const worker = new Worker(source, { eval: true, workerData, execArgv: [] })
    return new Promise<{ worker: Worker; answer: unknown }>((resolve, reject) => {
      worker.once('message', (answer) => resolve({ worker, answer }))
      worker.once('error', reject)
    })
  }
  const first = await run(true)
  assert.equal(first.answer, 'closed')
  await first.worker.terminate()
  const second = await run(false)
  assert.equal(second.answer, 1)
  await second.worker.terminate()
  await using again = await openOnceFree(space.path)
  assert.equal(await again.database('main').collection('notes').get('a'), 1)
})

/** A terminated worker frees its workspace when the write that it was in is finished. */
async function openOnceFree(path: string): Promise<Workspace> {
  const deadline = Date.now() + 20_000
  for (;;) {
    try {
      return await Workspace.open(path, { key: KEY })
    } catch (error) {
      if ((error as { code?: string }).code !== 'already_open' || Date.now() > deadline) throw error
    }
  }
}

test('the event loop turns while the engine works', async (t) => {
  const space = await workspace(t)
  const notes = space.database('main').collection('notes')
  let turns = 0
  const timer = setInterval(() => (turns += 1), 1)
  await notes.putMany(new Map(Array.from({ length: 5000 }, (_, n) => [String(n), { n, text: 'x'.repeat(100) }])))
  await space.verify()
  clearInterval(timer)
  assert.ok(turns > 5, `${turns} turns`)
})

test('a path may be a URL, and `await using` closes', async (t) => {
  const space = await workspace(t)
  await space.close()
  const url = pathToFileURL(space.path)
  {
    await using open = await Workspace.open(url, { key: KEY, create: 'not needed' })
    assert.deepEqual([open.path, open.name], [space.path, 'Field notes'])
  }
  await using again = await Workspace.open(url, { key: KEY })
  assert.equal((await again.verify()).damaged, 0)
  assert.deepEqual(await again.databases(), [])
})
