/**
 * Workspaces on disk, a relay that is a process of its own, and programs in other processes.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'

import { TidelogError, Workspace, type ErrorCode } from 'tidelog'

import { ROOT } from './vectors.js'

export const KEY = Uint8Array.from({ length: 32 }, (_, index) => index)

/** How long a test waits for a peer before it gives up. */
export const PATIENCE = 20_000

/** A folder that goes with the test. */
export async function folder(test: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tidelog-'))
  test.after(() => rm(path, { recursive: true, force: true }))
  return path
}

/** A workspace that is closed with the test. */
export async function workspace(test: TestContext): Promise<Workspace> {
  const made = await Workspace.create(join(await folder(test), 'notes.tide'), 'Field notes', { key: KEY })
  test.after(() => made.close())
  return made
}

/** For `assert.rejects` and `assert.throws`: an error with this code, whose message has these words. */
export function refused(code: ErrorCode, words = '') {
  return (error: unknown) => error instanceof TidelogError && error.code === code && error.message.includes(words)
}

/** The address of a relay that takes any workspace; undefined, with the test skipped, if it was not built. */
export async function relay(test: TestContext): Promise<string | undefined> {
  const target = process.env['CARGO_TARGET_DIR'] ?? join(ROOT, 'target')
  const program = join(target, 'debug', process.platform === 'win32' ? 'tidelog-relay.exe' : 'tidelog-relay')
  if (!existsSync(program)) {
    test.skip('tidelog-relay is not built')
    return undefined
  }
  const data = join(await folder(test), 'relay')
  const child = spawn(program, ['--listen', '127.0.0.1:0', '--data', data, '--open'], { stdio: ['ignore', 'pipe', 'ignore'] })
  test.after(() => stopped(child))
  for await (const line of createInterface({ input: child.stdout })) {
    const [, , address, , key] = line.split(' ')
    return `${address}#${key}`
  }
  throw new Error('the relay did not start')
}

/** The workspace on a second device, of another user. Both have a live link to the relay. */
export async function joined(test: TestContext, first: Workspace, address: string): Promise<Workspace> {
  await first.connect(address).waitLive(PATIENCE)
  const invite = await first.invite(address, { autoApprove: true })
  const path = join(await folder(test), 'phone.tide')
  const second = await Workspace.join(path, invite.uri, { key: KEY, profile: 'phone', timeout: PATIENCE })
  test.after(() => second.close())
  await second.connect(address).waitLive(PATIENCE)
  return second
}

/** What a program in another process did. Its arguments are a folder and the key in hexadecimal. */
export async function program(test: TestContext, source: string): Promise<{ code: number | null; output: string }> {
  const head = `
    import { Workspace } from 'tidelog'
    const path = process.argv[1] + '/other.tide'
    const key = Buffer.from(process.argv[2], 'hex')
  `
  const given = [await folder(test), Buffer.from(KEY).toString('hex')]
  const child = spawn(process.execPath, ['--input-type=module', '--eval', head + source, ...given], {
    cwd: join(ROOT, 'node'),
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: PATIENCE,
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  const code = await new Promise<number | null>((done) => child.on('close', done))
  return { code, output: output.trim() }
}

function stopped(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    child.once('close', () => done())
    child.kill()
  })
}

/** Waits until a condition holds, looking after each event of a live list. */
export async function until<R>(lists: AsyncIterable<readonly R[]>, holds: (list: readonly R[]) => boolean): Promise<void> {
  for await (const list of lists) if (holds(list)) return
  throw new Error('the list ended before')
}
