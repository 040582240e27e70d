import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { TidelogError, Workspace, type ErrorCode } from 'tidelog'
import { folder, KEY, refused, workspace } from './support.js'
import { vectors } from './vectors.js'

test('the codes are those of all languages', async () => {
  // The native module is private to the package; this is the way to it from where this test is compiled to.
  const native = await import(new URL('../../native.js', import.meta.url).href)
  const codes: string[] = vectors('errors.json').errors.map((error: { js: string }) => error.js)
  assert.deepEqual(native.errorCodes().toSorted(), codes.toSorted())
})

test('an error is an Error with a code and a name', async (t) => {
  const path = await folder(t)
  const error = await Workspace.open(join(path, 'none'), { key: KEY }).catch((error: unknown) => error)
  assert.ok(error instanceof TidelogError && error instanceof Error)
  assert.equal(error.name, 'TidelogError')
  assert.equal(error.code satisfies ErrorCode, 'not_a_workspace')
  assert.ok(!error.message.includes('\0'))
  assert.match(error.stack ?? '', /errors\.test/)
})

test('a wrong key is told apart', async (t) => {
  const open = await workspace(t)
  await open.close()
  await assert.rejects(Workspace.open(open.path, { key: KEY.toReversed() }), refused('wrong_key'))
  await assert.rejects(Workspace.open(open.path, { key: KEY.slice(1) }), refused('invalid_argument', '32 bytes'))
  await assert.rejects(Workspace.open(open.path, {} as never), refused('invalid_argument', 'passphrase'))
})

test('a workspace can be open once', async (t) => {
  const open = await workspace(t)
  await assert.rejects(Workspace.open(open.path, { key: KEY }), refused('already_open'))
  await assert.rejects(Workspace.create(open.path, 'again', { key: KEY }), TidelogError)
})

test('after close every call is refused, and closing again does nothing', async (t) => {
  const open = await workspace(t)
  const notes = open.database('main').collection('notes')
  await open.close()
  await open.close()
  await assert.rejects(notes.put('a', 1), refused('closed'))
  await assert.rejects(notes.get('a'), refused('closed'))
  assert.throws(() => open.watch(), refused('closed'))
})

test('arguments of the wrong type are refused, not misread', async (t) => {
  const notes = (await workspace(t)).database('main').collection('notes')
  await assert.rejects(notes.get(5 as never), refused('invalid_argument'))
  await assert.rejects(notes.query({ limit: -1 }), refused('invalid_argument', 'limit'))
  await assert.rejects(notes.query({ offset: 2 ** 32 }), refused('invalid_argument', 'offset'))
  await assert.rejects(notes.query({ where: { year: { atLeast: 5 } } }), refused('invalid_argument'))
})

test('arguments that make no sense are named, and not quoted', async (t) => {
  const items = (await workspace(t)).database('main').collection('items')
  const wrong: [RegExp, () => Promise<unknown>][] = [
    [/passphrase.*key/, () => Workspace.open('x', undefined as any)],
    [/number instead of text/, () => items.put(4711 as any, 1)],
    [/a query is an object/, () => items.query('year > 3' as any)],
    [/a query has no `wher`/, () => items.query({ wher: {} } as any)],
    [/something to iterate over/, () => items.putMany(5 as any)],
  ]
  for (const [reason, call] of wrong) {
    await assert.rejects(call, (error: TidelogError) => {
      assert.equal(error.code, 'invalid_argument')
      assert.match(error.message, reason)
      assert.doesNotMatch(error.message, /4711/)
      return true
    })
  }
})
