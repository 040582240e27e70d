import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { Workspace } from 'tidelog'
import { folder, KEY, refused, workspace } from './support.js'

test('a backup is made, checked, restored, and read-only until somebody vouches for it', async (t) => {
  const [space, place] = [await workspace(t), await folder(t)]
  await space.database('main').collection('notes').put('a', 1)
  let told = [0, 0]
  const passphrase = 'for the shelf'
  const report = await space.backup(join(place, 'backup'), { passphrase, onProgress: (...step) => (told = step) })
  assert.deepEqual([report.key, ...told], ['own', report.bytes, report.bytes])
  const info = await Workspace.verifyBackup(join(place, 'backup'), { passphrase })
  assert.ok(info.problems.length === 0 && info.workspace === space.id && info.made instanceof Date)

  const options = { backup: { passphrase }, workspace: { key: KEY } }
  await using copy = await Workspace.restore(join(place, 'backup'), join(place, 'copy'), options)
  assert.ok(copy.restored)
  const notes = copy.database('main').collection('notes')
  await assert.rejects(notes.put('b', 2), refused('restored'))
  await copy.confirmOnlyCopy()
  assert.ok(!copy.restored)
  await notes.put('b', 2)
})

test('a backup that is ended is not complete, and the next one goes on', async (t) => {
  const [space, place] = [await workspace(t), await folder(t)]
  const ended = space.backup(join(place, 'backup'), { signal: AbortSignal.abort(new Error('enough')) })
  await assert.rejects(ended, /enough/)
  await assert.rejects(Workspace.verifyBackup(join(place, 'backup')), refused('not_a_workspace'))
  await space.backup(join(place, 'backup'))
  assert.equal((await Workspace.verifyBackup(join(place, 'backup'))).key, 'recovery_words')
})

test('words bring a workspace back', async (t) => {
  const [space, place] = [await workspace(t), await folder(t)]
  await space.database('main').collection('notes').put('a', 1)
  const [words, paper] = [await space.recoveryWords(), await space.addRecoveryDevice()]
  await assert.rejects(space.confirmRecoveryWords('one two'), refused('invalid_argument'))
  await space.confirmRecoveryWords(words)
  await assert.rejects(space.recoveryWords(), refused('not_found'))
  await space.changePassphrase({ passphrase: 'second' }, { key: KEY })
  await space.close()
  for (const [name, known] of Object.entries({ words, paper })) {
    await using back = await Workspace.recover(join(place, name), known, { key: KEY, folder: space.path })
    assert.equal(await back.database('main').collection('notes').get('a'), 1)
  }
})
