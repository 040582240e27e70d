// A device of the demo in Node: reads one JSON command a line, answers with one JSON line.
import { createInterface } from 'node:readline'
import { Workspace } from '../node/dist/index.js'

let workspace
let link
const packages = () => workspace.database('main').collection('packages')
const document = () => workspace.database('main').collection('pages', { policy: 'document' }).document('readme')

/** How often a watch told of a change. */
let seen = 0
async function listen() {
  for await (const event of workspace.database('main').watch()) if (event.collection === 'pages') seen += 1
}

/** Integers that a number does not hold as text. */
const plain = (_name, value) => (typeof value === 'bigint' ? String(value) : value)

const commands = {
  async join({ path, passphrase, invite, relay }) {
    workspace = await Workspace.join(path, invite, { passphrase, profile: 'Node' })
    link = workspace.connect(relay)
    listen()
    await link.waitLive()
    return { name: workspace.name }
  },
  async count() {
    return { count: await packages().count() }
  },
  async query({ name }) {
    const items = await packages().query({ where: { name: { eq: name } }, sort: ['name'] })
    return { keys: items.map((item) => item.key) }
  },
  async note({ keys, text }) {
    for (const key of keys) await packages().patch(key, { note: text })
    return { count: keys.length }
  },
  async append({ text }) {
    const before = (await document().text('text')) ?? ''
    await document().spliceText('text', before.length, 0, text)
    return {}
  },
  async text() {
    return { text: await document().text('text') }
  },
  async seen() {
    return { seen }
  },
  async pending() {
    return { pending: link.pending, state: link.state }
  },
  async root() {
    return { root: (await workspace.stats()).root }
  },
  async view() {
    const items = await packages().query()
    return { items: Object.fromEntries(items.map((item) => [item.key, item.value])) }
  },
  async close() {
    await workspace.close()
    return {}
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { op, ...rest } = JSON.parse(line)
  try {
    console.log(JSON.stringify({ ok: true, ...(await commands[op](rest)) }, plain))
  } catch (error) {
    console.log(JSON.stringify({ ok: false, code: error.code, message: error.message }))
  }
  if (op === 'close') process.exit(0)
}
