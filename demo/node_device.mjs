// The demo's second device: reads one JSON command a line, answers with one JSON line.
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import { Workspace } from '../node/dist/index.js'

let workspace
let link
const packages = () => workspace.database('main').collection('packages')
const document = () => workspace.database('main').collection('pages', { policy: 'document' }).document('readme')

/** A digest of everything this device shows of a collection, the same in every language. */
async function digest() {
  const hash = createHash('sha256')
  const items = await packages().query()
  for (const { key, value } of items.toSorted((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))) {
    hash.update(`${key}\t${value.note ?? ''}\t${value.name ?? ''}\n`)
  }
  return { count: items.length, sha256: hash.digest('hex') }
}

const commands = {
  async join({ path, passphrase, invite, relay }) {
    workspace = await Workspace.join(path, invite, { passphrase, profile: 'Node' })
    link = workspace.connect(relay)
    await link.waitLive()
    return { count: await packages().count() }
  },
  async query({ where, limit }) {
    const items = await packages().query({ where, sort: ['name'], limit })
    return { keys: items.map((item) => item.key) }
  },
  async note({ keys, text }) {
    for (const key of keys) await packages().patch(key, { note: text })
    return { count: keys.length }
  },
  async append({ text }) {
    const length = [...((await document().text('text')) ?? '')].length
    await document().spliceText('text', ((await document().text('text')) ?? '').length, 0, text)
    return { length }
  },
  async pending() {
    return { pending: link.pending, state: link.state }
  },
  async state() {
    const stats = await workspace.stats()
    return { root: stats.root, entries: stats.entries, text: await document().text('text'), ...(await digest()) }
  },
  async close() {
    await workspace.close()
    return {}
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { op, ...rest } = JSON.parse(line)
  try {
    console.log(JSON.stringify({ ok: true, ...(await commands[op](rest)) }))
  } catch (error) {
    console.log(JSON.stringify({ ok: false, code: error.code, message: error.message }))
  }
  if (op === 'close') process.exit(0)
}
