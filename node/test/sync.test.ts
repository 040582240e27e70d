import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { Workspace } from 'tidelog'
import { folder, joined, KEY, PATIENCE, refused, relay, until, workspace } from './support.js'

test('two devices see each other\'s writes as they are made', async (t) => {
  const address = await relay(t)
  if (address === undefined) return
  const first = await workspace(t)
  const second = await joined(t, first, address)
  const [ours, theirs] = [first, second].map((space) => space.database('main').collection('notes'))
  await using list = theirs!.live()
  await ours!.put('a', { at: new Date(0) })
  await until(list, (items) => items.length === 1)
  assert.deepEqual(await theirs!.get('a'), { at: '1970-01-01T00:00:00.000Z' })

  const events = ours!.watch({ key: 'a' })
  await theirs!.put('a', 2)
  const { value } = await events.next()
  assert.ok(value?.kind === 'put' && value.new === 2 && !value.local)
  assert.deepEqual((await ours!.history('a')).map((version) => version.local), [true, false])

  const [members, devices] = [await first.members(), await second.devices()]
  assert.deepEqual(members.map((member) => [member.role, member.profile, member.me]).toSorted(), [
    ['owner', null, true],
    ['writer', 'phone', false],
  ])
  assert.equal(devices.length, 2)
  assert.equal(second.name, 'Field notes')
})

test('who asks to join is admitted by hand', async (t) => {
  const address = await relay(t)
  if (address === undefined) return
  const first = await workspace(t)
  await first.connect(address).waitLive(PATIENCE)
  const invite = await first.invite(address, { role: 'reader', expiresIn: 60_000 })
  assert.deepEqual((await first.invites()).map(({ id }) => id), [invite.id])
  assert.ok(invite.expires > new Date())
  const path = join(await folder(t), 'phone.tide')
  const joining = Workspace.join(path, invite.uri, { key: KEY, profile: 'phone', timeout: PATIENCE })
  let [request] = await first.requests()
  while (request === undefined) [request] = await first.requests()
  assert.deepEqual([request.profile, request.role], ['phone', 'reader'])
  await first.approve(request)
  await using second = await joining
  assert.equal(second.me.role, 'reader')
  await assert.rejects(second.database('main').collection('notes').put('a', 1), refused('not_authorized'))
})

test('an invite that was withdrawn, or is none, lets nobody in', async (t) => {
  const path = join(await folder(t), 'phone.tide')
  await assert.rejects(Workspace.join(path, 'tidelog:join?nonsense', { key: KEY }), refused('invite_invalid'))
  const address = await relay(t)
  if (address === undefined) return
  const first = await workspace(t)
  const invite = await first.invite(address)
  await first.withdraw(invite)
  await assert.rejects(first.withdraw('unknown'), refused('not_found'))
  await assert.rejects(Workspace.join(path, invite.uri, { key: KEY, timeout: 1000 }))
})

test('a sync once brings everything, and its report says how much', async (t) => {
  const address = await relay(t)
  if (address === undefined) return
  const first = await workspace(t)
  const second = await joined(t, first, address)
  const notes = first.database('main').collection('notes')
  await notes.put('a', 1)
  const report = await first.sync(address)
  assert.ok(report.roundTrips > 0 && report.bytesSent > 0)
  await second.sync(address)
  assert.equal(await second.database('main').collection('notes').get('a'), 1)
  assert.equal((await first.stats()).root, (await second.stats()).root)
})

test('two replicas in one process are made equal without a relay', async (t) => {
  const address = await relay(t)
  if (address === undefined) return
  const first = await workspace(t)
  const second = await joined(t, first, address)
  const [ours, theirs] = [first, second].map((space) => space.database('main').collection('notes'))
  await ours!.put('a', 1)
  await theirs!.put('b', 2)
  await first.syncWith(second)
  assert.deepEqual(await ours!.all(), await theirs!.all())
  assert.equal((await first.stats()).root, (await second.stats()).root)
  await using other = await Workspace.create(join(await folder(t), 'other.tide'), 'other', { key: KEY })
  await assert.rejects(first.syncWith(other), refused('invalid_argument'))
})

test('a relay and a replica are not taken for each other', async (t) => {
  const first = await workspace(t)
  await assert.rejects(first.sync(first as never), refused('invalid_argument'))
  await assert.rejects(first.syncWith('ws://127.0.0.1:9' as never), refused('invalid_argument', 'open workspace'))
})

test('a link tells how it stands, and stops', async (t) => {
  const address = await relay(t)
  if (address === undefined) return
  const first = await workspace(t)
  const link = first.connect(address)
  const events = link.events()
  await link.waitLive(PATIENCE)
  assert.deepEqual([link.state, link.pending, link.lastError], ['live', 0, null])
  assert.ok(link.progress.bytesSent > 0)
  const { value } = await events.next()
  assert.ok(value !== undefined)
  await link.stop()
  await link.stop()
  await assert.rejects(link.waitLive(PATIENCE), refused('closed'))
})

test('a relay that is not there is a failure that the link survives', async (t) => {
  const first = await workspace(t)
  await assert.rejects(first.sync('ws://127.0.0.1:9'), refused('network'))
  assert.throws(() => first.connect('not an address'), refused('invalid_argument'))
  await using link = first.connect('ws://127.0.0.1:9')
  await assert.rejects(link.waitLive(200), refused('timeout'))
  for await (const event of link.events()) if (event.kind === 'failed') break
  assert.equal(link.lastError?.code, 'network')
})

test('entries are offered and pulled between logs', async (t) => {
  const address = await relay(t)
  if (address === undefined) return
  const first = await workspace(t)
  const second = await joined(t, first, address)
  const here = first.database('main')
  const there = second.database('main')
  for (const link of [first, second]) await link.sync(address)
  await here.collection('notes').putMany(new Map([['a', 1], ['b', 2]]))
  await here.collection('notes').delete('b')

  const ids = await here.log().entryIds()
  const missing = await there.log().missing(ids)
  const { entries } = await here.log().entries(missing)
  for (const entry of entries) {
    assert.ok(entry instanceof Uint8Array)
    await there.log().append(entry)
    assert.equal(await there.log().append(entry), false)
  }
  assert.deepEqual(await there.log().missing(ids), [])
  assert.deepEqual(await there.collection('notes').all(), [{ key: 'a', value: 1 }])

  const changes = await there.log().changesSince()
  assert.deepEqual(changes.items.map(({ key, kind }) => [key, kind]).toSorted(), [['a', 'put'], ['b', 'delete']])
  assert.deepEqual((await there.log().changesSince(changes.cursor)).items, [])
  await there.collection('notes').put('c', 3)
  assert.deepEqual((await there.log().changesSince(changes.cursor)).items.map(({ key }) => key), ['c'])
  assert.ok((await here.log().syncWith(there.log())).received >= 0)
  assert.deepEqual((await here.log().pullFrom(there.log())).received, 0)
  assert.deepEqual((await here.log().pushTo(there.log())).sent, 0)
  assert.equal(await here.collection('notes').get('c'), 3)

  const damaged = Buffer.from(entries[0]!)
  damaged[damaged.length - 1]! ^= 1
  await assert.rejects(there.log().append(damaged), refused('invalid_argument'))
  await assert.rejects(there.log().missing(['x']), refused('invalid_argument'))
})
