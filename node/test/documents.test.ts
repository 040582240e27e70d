import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'

import { refused, workspace } from './support.js'

async function document(t: TestContext) {
  return (await workspace(t)).database('main').collection('documents', { policy: 'document' }).document('one')
}

test('a document holds maps, lists, texts and counters', async (t) => {
  const doc = await document(t)
  assert.deepEqual(await doc.get(), {})
  await doc.set('title', 'Plan')
  await doc.set('tasks', [{ name: 'a' }])
  await doc.insert('tasks', 0, { name: 'b' })
  await doc.increment('count', 2)
  await doc.increment('count', -5n)
  assert.deepEqual(await doc.get(), { title: 'Plan', tasks: [{ name: 'b' }, { name: 'a' }], count: -3 })
  assert.equal(await doc.get('tasks.0.name'), 'b')
  await doc.delete('tasks.0')
  assert.deepEqual(await doc.get('tasks'), [{ name: 'a' }])
  assert.equal(await doc.get('none'), null)
})

test('positions in text count as JavaScript does', async (t) => {
  const doc = await document(t)
  const text = 'a\u{1F40E}e\u0301\u{1F30A}z'
  await doc.set('text', text)
  let expected = text
  for (const [position, remove, insert] of [
    [0, 1, ''],
    [2, 0, 'X'],
    [5, 2, '\u{1F469}\u200D\u{1F680}'],
    [3, 1, 'y'],
    [10, 0, '\u{1F40E}'],
  ] as const) {
    expected = expected.slice(0, position) + insert + expected.slice(position + remove)
    await doc.spliceText('text', position, remove, insert)
    assert.equal(await doc.text('text'), expected)
  }
})

test('edits of one change see each other, and an error drops them all', async (t) => {
  const doc = await document(t)
  await doc.change((edits) => {
    edits.set('text', '\u{1F40E}')
    edits.spliceText('text', 2, 0, '\u{1F40E}!')
    edits.spliceText('text', 4, 1, '?')
  })
  assert.equal(await doc.text('text'), '\u{1F40E}\u{1F40E}?')
  assert.equal((await doc.history()).length, 1)
  const fails = doc.change((edits) => {
    edits.set('text', 'lost')
    throw new RangeError('no')
  })
  await assert.rejects(fails, RangeError)
  await assert.rejects(doc.change((edits) => (edits.set('x', 1), edits.insert('none', 3, 1))), refused('invalid_argument'))
  assert.deepEqual(await doc.get(), { text: '\u{1F40E}\u{1F40E}?' })
})

test('edits that make no sense are refused', async (t) => {
  const doc = await document(t)
  await doc.set('text', 'abc')
  await assert.rejects(doc.spliceText('text', 9, 0, 'x'), refused('invalid_argument'))
  await assert.rejects(doc.spliceText('text', -1, 0, 'x'), refused('invalid_argument', 'position'))
  await assert.rejects(doc.increment('count', 0.5), refused('invalid_value'))
})

test('a collection keeps its policy', async (t) => {
  const main = (await workspace(t)).database('main')
  await main.collection('notes').put('a', 1)
  await assert.rejects(main.collection('notes', { policy: 'document' }).document('a').set('x', 1), refused('policy_conflict'))
  assert.throws(() => main.collection('notes', { policy: 'latest' as never }), refused('invalid_argument'))
})

test('a watch of a document tells of its changes', async (t) => {
  const doc = await document(t)
  const events = doc.watch()
  await doc.set('a', 1)
  const { value } = await events.next()
  assert.ok(value?.kind === 'merge' && value.key === 'one')
  assert.equal((await doc.heads()).length, 1)
})
