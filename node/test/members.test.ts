import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { Workspace, type Circle } from 'tidelog'
import { folder, joined, KEY, refused, relay, workspace } from './support.js'

test('circles and members are given as they came', async (t) => {
  const address = await relay(t)
  if (address === undefined) return
  const first = await workspace(t)
  const second = await joined(t, first, address)
  const circle = await first.createCircle('Board')
  const { user } = first.me
  const made: Omit<Circle, 'id'> = {
    name: 'Board',
    history: 'full',
    recoverable: true,
    members: [{ user, role: 'writer' }],
    readable: true,
  }
  assert.deepEqual({ ...circle }, { id: circle.id, ...made })
  const other = (await first.members()).find((member) => !member.me)!
  await first.addToCircle(circle, other, 'reader')
  await first.database('minutes', circle).collection('notes').put('1', 'in the circle')
  await first.syncWith(second)
  assert.deepEqual(await second.circles(), await first.circles())
  assert.deepEqual([await second.databases(circle), await second.databases()], [['minutes'], []])
  assert.equal(await second.database('minutes', circle.id).collection('notes').get('1'), 'in the circle')
  assert.equal(await second.database('minutes').collection('notes').get('1'), null)
  await assert.rejects(second.database('minutes', circle).collection('notes').put('2', 2), refused('not_authorized'))
  await first.removeFromCircle(circle, { user: other.user, role: 'reader' })
  assert.deepEqual((await first.circles())[0]!.members, made.members)
  assert.throws(() => first.database('minutes', 'no id'), refused('invalid_argument'))
})

test('a circle is made as it is said', async (t) => {
  const first = await workspace(t)
  const { history, recoverable } = await first.createCircle('Board', { history: 'from_join', recoverable: false })
  assert.deepEqual([history, recoverable], ['from_join', false])
  await assert.rejects(first.createCircle('Board', { history: 'none' as 'full' }), refused('invalid_argument'))
})

test('the policy of keys has bounds', async (t) => {
  const first = await workspace(t)
  assert.deepEqual({ ...first.policy }, { rotateDays: 90, rotateEntries: 2 ** 20 })
  for (const [rotateDays, rotateEntries] of [[2 ** 16 - 1, 2 ** 32 - 1], [0, 0]] as const) {
    await first.setPolicy({ rotateDays, rotateEntries })
    assert.deepEqual({ ...first.policy }, { rotateDays, rotateEntries })
  }
  for (const wrong of [2 ** 32, -1, 1.5, NaN]) {
    await assert.rejects(first.setPolicy({ ...first.policy, rotateDays: wrong }), refused('invalid_argument'))
    await assert.rejects(first.setPolicy({ ...first.policy, rotateEntries: wrong }), refused('invalid_argument'))
  }
  await assert.rejects(first.setPolicy({ rotateDays: 2 ** 16, rotateEntries: 0 }), refused('invalid_argument'))
})

test('a member is demoted and removed', async (t) => {
  const address = await relay(t)
  if (address === undefined) return
  const first = await workspace(t)
  const second = await joined(t, first, address)
  await first.syncWith(second)
  const [other, device] = [(await first.members()).find((member) => !member.me)!, second.me.device]
  await first.setRole(other, 'reader')
  assert.deepEqual((await first.members()).filter((member) => !member.me).map(({ role }) => role), ['reader'])
  await assert.rejects(first.setRole(other, 'king' as 'owner'), refused('invalid_argument'))
  const { claimed, keysRenewed, advice } = await first.removeUser(other)
  assert.deepEqual([claimed, keysRenewed, advice], [0, true, null])
  assert.equal((await first.members()).length, 1)
  assert.deepEqual([await first.excluded(), await first.warnings()], [[], []])
  await assert.rejects(first.removeDevice(device), refused('not_found'))
  await assert.rejects(first.acceptExcluded(device), refused('not_found'))
})

test('a device joins by hand', async (t) => {
  const first = await workspace(t)
  const circle = await first.createCircle('Board')
  await first.database('minutes', circle).collection('notes').put('1', 1)
  const invite = await first.invite({ role: 'reader', uses: 2, circles: [circle] })
  const { relay: meeting, role, usesLeft, autoApprove, sameUser, circles } = invite
  assert.deepEqual([meeting, role, usesLeft, autoApprove, sameUser, circles], [null, 'reader', 2, false, false, [circle.id]])
  const path = join(await folder(t), 'phone.tide')
  const letter = await Workspace.askToJoin(path, invite.uri, { key: KEY, profile: 'phone' })
  const request = await first.receiveRequest(letter)
  assert.deepEqual([request.profile, request.role, request.circles], ['phone', 'reader', [circle.id]])
  assert.deepEqual(await first.requests(), [request])
  await assert.rejects(first.welcome(request), refused('not_admitted'))
  await first.approve(request)
  await using second = await Workspace.finishJoining(path, await first.welcome(request), { key: KEY })
  assert.equal(second.me.role, 'reader')
  assert.equal(await second.database('minutes', circle).collection('notes').get('1'), 1)
  assert.deepEqual((await first.invites()).map((held) => held.usesLeft), [1])
  const elsewhere = join(await folder(t), 'other.tide')
  await assert.rejects(Workspace.finishJoining(elsewhere, letter, { key: KEY }), refused('not_a_workspace'))
  await assert.rejects(first.receiveRequest('text' as never), refused('invalid_argument'))
})

test('what an invite cannot say is refused', async (t) => {
  const first = await workspace(t)
  const invite = first.invite.bind(first) as (...given: unknown[]) => Promise<unknown>
  for (const given of [[5], [null], [undefined, { role: 'reader' }], [{ role: 'reader' }, {}]]) {
    await assert.rejects(invite(...given), refused('invalid_argument'))
  }
  const { id } = await first.createCircle('Board')
  for (const wrong of [{ uses: -1 }, { expiresIn: 0.5 }, { circles: ['no id'] }, { circles: id }]) {
    await assert.rejects(first.invite(wrong), refused('invalid_argument'))
  }
  assert.deepEqual(await first.invites(), [])
})

test('the log at a relay is read and written there', async (t) => {
  const address = await relay(t)
  if (address === undefined) return
  const database = (await workspace(t)).database('main')
  await database.collection('notes').put('a', 1)
  const [here, there] = [database.log(), database.log().at(address)]
  assert.deepEqual(await there.entryIds(), [])
  const ids = await here.entryIds()
  assert.deepEqual(await there.missing(ids), ids)
  const { entries } = await here.entries(ids)
  assert.deepEqual([await there.append(entries[0]!), await there.append(entries[0]!)], [true, false])
  assert.deepEqual((await there.entries(ids)).entries, entries)
  const changes = await there.changesSince()
  assert.deepEqual(changes.items.map(({ kind, key }) => [kind, key]), [['put', 'a']])
  assert.deepEqual((await there.changesSince(changes.cursor, { limit: 1 })).items, [])
  assert.throws(() => here.at('nonsense'), refused('invalid_argument'))
})
