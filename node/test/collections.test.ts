import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import { z } from 'zod'

import { onLog, type LogLine, type StandardSchema } from 'tidelog'
import { refused, until, workspace } from './support.js'
import { vectors } from './vectors.js'

const Todo = z.object({
  id: z.string().default(''),
  title: z.string().min(1),
  done: z.boolean().default(false),
  due: z.date().optional(),
  size: z.bigint().optional(),
})

async function database(t: TestContext) {
  return (await workspace(t)).database('main')
}

async function todos(t: TestContext) {
  return (await database(t)).collection('todos', { schema: Todo })
}

test('an inserted item comes back with its key', async (t) => {
  const collection = await todos(t)
  const todo = await collection.insert({ title: 'Calibrate sensor' })
  assert.match(todo.id, /^[0-9a-f-]{36}$/)
  assert.deepEqual(await collection.get(todo.id), todo)
  assert.deepEqual(todo, { id: todo.id, title: 'Calibrate sensor', done: false })
  await assert.rejects(collection.insert(todo), refused('already_exists'))
})

test('a schema that wants a key gets one on insert', async (t) => {
  const Strict = z.object({ id: z.uuid(), n: z.number() })
  const collection = (await database(t)).collection('strict', { schema: Strict })
  const item = await collection.insert({ n: 1 })
  assert.deepEqual(await collection.get(item.id), item)
  await assert.rejects(collection.insert({ n: 'one' } as never), refused('invalid_value', 'at `n`'))
})

test('every local write is validated, and the error names the path', async (t) => {
  const collection = await todos(t)
  const bad = { title: '' }
  await collection.put('a', { title: 'fine' })
  for (const write of [
    () => collection.put('a', bad),
    () => collection.insert(bad),
    () => collection.putMany([bad]),
    () => collection.patch('a', bad),
    () => collection.update('a', () => bad),
  ]) {
    await assert.rejects(write(), refused('invalid_value', 'at `title`'))
  }
  assert.equal((await collection.get('a'))?.title, 'fine')
})

test('dates and small bigints come back as the schema wants them', async (t) => {
  const collection = await todos(t)
  const due = new Date(1_700_000_000_123)
  const todo = await collection.insert({ title: 'x', due, size: 5n })
  assert.deepEqual([todo.due, todo.size], [due, 5n])
  assert.equal(((await collection.getRaw(todo.id)) as { due: string }).due, due.toISOString())
  await collection.patch(todo.id, { done: true })
  assert.deepEqual(await collection.get(todo.id), { ...todo, done: true })
  assert.deepEqual(await collection.query({ where: { due: { le: due } } }), [{ ...todo, done: true }])
})

test('what the schema refuses is left out of what is read, and there for getRaw', async (t) => {
  const main = await database(t)
  await main.collection('todos').put('odd', { title: 5 })
  const collection = main.collection('todos', { schema: Todo })
  await collection.put('fine', { title: 'fine' })
  assert.equal(await collection.get('odd'), null)
  assert.deepEqual(await collection.getRaw('odd'), { title: 5 })
  assert.deepEqual((await collection.all()).map((todo) => todo.id), ['fine'])
  assert.equal((await collection.first())?.id, 'fine')
})

test('each item that is left out is logged and the first is a warning, by key and without its value', async (t) => {
  const told = z.object({ id: z.string(), title: z.string().refine(() => false, { error: ({ input }) => `not ${input}` }) })
  const main = await database(t)
  await main.collection('refused').putMany(new Map(['odd', 'worse'].map((key) => [key, { title: 'plaintext' }])))
  const collection = main.collection('refused', { schema: told })
  const [lines, grave, warnings]: [string[], LogLine[], Error[]] = [[], [], []]
  const hear = (line: LogLine) => {
    if (line.text.startsWith('item')) lines.push(`${line.level} ${line.target} ${line.text}`)
  }
  const stop = onLog(hear, 'warn')
  t.after(onLog((line) => grave.push(line), 'error'))
  const warned = (warning: Error) => warnings.push(warning)
  process.on('warning', warned)
  t.after(() => process.off('warning', warned))

  assert.deepEqual(await collection.all(), [])
  assert.equal(await collection.get('odd'), null)
  await setImmediate()
  const text = (key: string) => `item \`${key}\` of collection \`refused\` is left out: the schema refuses it`
  assert.deepEqual(lines, ['odd', 'worse', 'odd'].map((key) => `warn tidelog ${text(key)}`))
  assert.deepEqual(grave, [])
  assert.equal(warnings.length, 1)
  assert.ok(warnings[0]!.message.startsWith(text('odd')) && !warnings[0]!.message.includes('plaintext'))

  stop()
  await collection.all()
  await setImmediate()
  assert.deepEqual([lines.length, warnings.length], [3, 1])
})

test('any Standard Schema will do, if it says where the key is', async (t) => {
  const Name: StandardSchema<{ name: string }> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: async (value) => {
        const fits = typeof (value as { name?: unknown }).name === 'string'
        return fits ? { value: value as { name: string } } : { issues: [{ message: 'no name', path: [{ key: 'name' }] }] }
      },
    },
  }
  const main = await database(t)
  assert.throws(() => main.collection('names', { schema: Name }), refused('invalid_argument', 'key'))
  const names = main.collection('names', { schema: Name, key: 'name' })
  await names.put({ name: 'Ada' })
  assert.deepEqual(await names.get('Ada'), { name: 'Ada' })
  const loose = main.collection('loose', { schema: Name, key: false })
  const item = await loose.insert({ name: 'Ada' })
  assert.deepEqual(item.value, { name: 'Ada' })
})

test('without a key field results are items of key and value', async (t) => {
  const notes = (await database(t)).collection('notes')
  await notes.put('a', 'text')
  await notes.putMany([{ key: 'b', value: 2 }])
  await notes.putMany(new Map([['c', [3]]]))
  assert.deepEqual(await notes.all(), [
    { key: 'a', value: 'text' },
    { key: 'b', value: 2 },
    { key: 'c', value: [3] },
  ])
  await assert.rejects(notes.put({ no: 'key' }), refused('invalid_argument'))
})

test('many items are written in few entries, from any iterable', async (t) => {
  const numbers = (await database(t)).collection<{ n: string }>('numbers', { key: 'n' })
  async function* items() {
    for (let n = 0; n < 2500; n += 1) yield { n: String(n) }
  }
  const summary = await numbers.putMany(items())
  assert.equal(summary.items, 2500)
  assert.ok(summary.entries < 10)
  assert.equal(await numbers.count(), 2500)
})

test('patch replaces fields of what is there, delete says whether it was', async (t) => {
  const collection = await todos(t)
  await collection.put('a', { title: 'one' })
  await collection.patch('a', { done: true })
  assert.deepEqual(await collection.get('a'), { id: 'a', title: 'one', done: true })
  await assert.rejects(collection.patch('b', { done: true }), refused('not_found'))
  assert.deepEqual([await collection.delete('a'), await collection.delete('a')], [true, false])
  assert.equal(await collection.get('a'), null)
})

test('concurrent updates all count', async (t) => {
  const counters = (await database(t)).collection<number>('counters')
  const add = () => counters.update('a', (value) => (value ?? 0) + 1)
  await Promise.all(Array.from({ length: 20 }, add))
  assert.equal(await counters.get('a'), 20)
  assert.equal(await counters.update('a', () => null), null)
  assert.equal(await counters.get('a'), null)
})

test('an update of an item that is null ends', async (t) => {
  const notes = (await database(t)).collection('notes')
  await notes.put('a', null)
  assert.equal(await notes.update('a', (value) => (value === null ? 1 : 2)), 1)
})

test('queries answer as the vectors say', async (t) => {
  const { items, queries, refused: wrong } = vectors('query.json')
  const movies = (await database(t)).collection('movies')
  for (const [key, value] of Object.entries<{ rating?: unknown }>(items)) {
    // JSON.parse rounds the one integer beyond 2^53.
    await movies.put(key, Number(value.rating) > 2 ** 52 ? { ...value, rating: 9007199254740993n } : value)
  }
  for (const { keys, ...query } of queries) {
    if (JSON.stringify(query).includes('900719925474099')) continue
    assert.deepEqual((await movies.query(query)).map((item) => item.key), keys, JSON.stringify(query))
  }
  for (const { says, ...query } of wrong) {
    if (says !== undefined) await assert.rejects(movies.query(query), Error, JSON.stringify(query))
  }
  assert.equal(await movies.count({ rating: { gt: 9007199254740992n } }), 1)
})

test('a cursor goes on where a query stopped', async (t) => {
  const collection = await todos(t)
  for (const title of ['c', 'a', 'b']) await collection.insert({ title })
  const first = await collection.query({ sort: ['title'], limit: 2 })
  assert.deepEqual(first.map((todo) => todo.title), ['a', 'b'])
  const second = await collection.query({ sort: ['title'], limit: 2, cursor: first.cursor })
  assert.deepEqual([second.map((todo) => todo.title), second.cursor], [['c'], null])
})

test('wrong fields and types do not compile', async (t) => {
  const collection = await todos(t)
  const queries = () => [
    // @ts-expect-error there is no such field
    collection.query({ where: { don: false } }),
    // @ts-expect-error a field of another type
    collection.query({ where: { done: 'no' } }),
    // @ts-expect-error there is no such field
    collection.query({ sort: ['-don'] }),
    // @ts-expect-error a field of another type
    collection.insert({ title: 5 }),
    // @ts-expect-error a field is missing
    collection.put({ done: true }),
    // @ts-expect-error there is no such field
    collection.patch('a', { don: true }),
    collection.query({ where: { or: [{ title: { prefix: 'a' } }, { not: { done: true } }], 'due.x': 1 } }),
  ]
  assert.equal(typeof queries, 'function')
})

test('a transaction takes effect as a whole and reads its own writes', async (t) => {
  const main = await database(t)
  const [notes, tasks] = [main.collection('notes'), main.collection('todos', { schema: Todo })]
  const before = (await main.log().entryIds()).length
  const transaction = main.transaction()
  await transaction.collection(notes).put('a', 1)
  const task = await transaction.collection(tasks).insert({ title: 'x' })
  await transaction.collection(tasks).patch(task.id, { done: true })
  assert.equal((await transaction.collection(tasks).get(task.id))?.done, true)
  assert.equal(await notes.get('a'), null)
  assert.ok(await transaction.commit())
  assert.deepEqual([await notes.get('a'), (await tasks.get(task.id))?.done], [1, true])
  assert.equal((await main.log().entryIds()).length, before + 1)
  await assert.rejects(transaction.commit(), refused('closed'))
  assert.throws(() => main.transaction().collection(notes.own()), refused('invalid_argument'))
})

test('a transaction that is left without a commit is rolled back', async (t) => {
  const main = await database(t)
  const notes = main.collection('notes')
  {
    await using transaction = main.transaction()
    await transaction.collection(notes).put('a', 1)
  }
  assert.equal(await notes.get('a'), null)
  assert.equal(await main.transaction().commit(), null)
})

test('a live list is current without waiting, and tells of changes', async (t) => {
  const collection = await todos(t)
  await collection.put('b', { title: 'b' })
  await using open = collection.live({ where: { done: false }, sort: ['title'] })
  assert.equal(open.current.length, 0)
  await open.ready
  assert.deepEqual(open.current.map((todo) => todo.id), ['b'])
  const same = open.current
  let told = 0
  const forget = open.subscribe(() => (told += 1))
  await collection.put('a', { title: 'a' })
  await until(open, (list) => list.length === 2)
  assert.notEqual(open.current, same)
  assert.ok(told > 0)
  forget()
  const before = told
  await collection.patch('b', { done: true })
  await until(open, (list) => list.length === 1)
  assert.equal(told, before)
})

test('a live list of a query that makes no sense says so', async (t) => {
  const list = (await database(t)).collection('notes').live({ where: { a: { atLeast: 1 } } })
  await assert.rejects(list.ready, refused('invalid_argument'))
  assert.ok(list.error)
  await assert.rejects(list[Symbol.asyncIterator]().next(), refused('invalid_argument'))
})

test('a watch gives exactly one event for each change', async (t) => {
  const main = await database(t)
  const collection = main.collection('todos', { schema: Todo })
  const events = collection.watch()
  const all = main.watch()
  await collection.put('a', { title: 'one' })
  await collection.patch('a', { title: 'two' })
  await main.collection('notes').put('other', 1)
  await collection.delete('a')
  const seen = []
  for await (const event of events) {
    if (event.kind === 'lagged') continue
    seen.push([event.kind, event.key, event.old?.title, event.new?.title, event.local])
    if (seen.length === 3) break
  }
  assert.deepEqual(seen, [
    ['put', 'a', undefined, 'one', true],
    ['put', 'a', 'one', 'two', true],
    ['delete', 'a', 'two', undefined, true],
  ])
  assert.deepEqual(await events.next(), { done: true, value: undefined })
  const kinds = []
  for (let n = 0; n < 4; n += 1) kinds.push((await all.next()).value?.kind)
  assert.deepEqual(kinds, ['put', 'put', 'put', 'delete'])
  all.stop()
})

test('a watch with what is there begins with it', async (t) => {
  const notes = (await database(t)).collection('notes')
  await notes.put('a', 1)
  const { value } = await notes.watch({ initial: true }).next()
  assert.ok(value?.kind === 'current' && value.new === 1)
})

test('stopping a stream ends a wait', async (t) => {
  const events = (await database(t)).watch()
  const waits = [events.next(), events.next()]
  events.stop()
  for (const end of await Promise.all(waits)) assert.equal(end.done, true)
})

test('a history has every entry behind an item', async (t) => {
  const space = await workspace(t)
  const notes = space.database('main').collection('notes')
  await notes.put('a', 1)
  await notes.put('a', 2)
  await notes.delete('a')
  const history = await notes.history('a')
  assert.deepEqual(history.map(({ kind, value }) => [kind, value]), [['put', 1], ['put', 2], ['delete', undefined]])
  assert.ok(history.every((version) => version.local && version.user === space.me.user))
  assert.ok(Math.abs(Date.now() - history[0]!.time.getTime()) < 60_000)
})

test('own items are apart from those of others and from common ones', async (t) => {
  const space = await workspace(t)
  const profiles = space.database('main').collection('profiles')
  await profiles.own().put('me', 'mine')
  assert.equal(await profiles.get('me'), null)
  assert.equal(await profiles.of(space.me.user).get('me'), 'mine')
  assert.throws(() => profiles.of('nobody'), refused('invalid_argument'))
})
