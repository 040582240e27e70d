// Plays one role of the cross-language scenarios in Node; the words are those of core/examples/scenario_driver.rs.
import { createInterface } from 'node:readline'
import { Workspace } from '../../node/dist/index.js'

const KEY = new Uint8Array(32).fill(7)
let workspace
let link

const main = () => workspace.database('main')
function collection({ in: name, policy = 'lww', of: owner }) {
  const plain = main().collection(name, { policy })
  if (owner === undefined) return plain
  return owner === 'me' ? plain.own() : plain.of(owner)
}
const document = (command) => collection(command).document(command.key)
/** Code points as UTF-16 units: JavaScript counts positions in those. */
const units = (text, position) => [...text].slice(0, position).join('').length

const operations = {
  async create({ path, name }) { workspace = await Workspace.create(path, name, { key: KEY }) },
  async open({ path, wrong_key: wrong }) {
    workspace = await Workspace.open(path, { key: wrong ? new Uint8Array(32).fill(8) : KEY })
  },
  async join({ path, invite, profile }) {
    workspace = await Workspace.join(path, invite, { key: KEY, profile, timeout: 60_000 })
  },
  async invite({ relay, role = 'writer' }) { return (await workspace.invite(relay, { autoApprove: true, role })).uri },
  async connect({ relay }) {
    link = workspace.connect(relay)
    await link.waitLive(60_000)
  },
  async disconnect() {
    await link?.stop()
    link = undefined
  },
  async sync({ relay }) { await workspace.sync(relay) },
  async close() { await workspace.close() },
  async put(c) { await collection(c).put(c.key, c.value) },
  async patch(c) { await collection(c).patch(c.key, c.value) },
  async get(c) { return (await collection(c).get(c.key)) ?? null },
  async delete(c) { return collection(c).delete(c.key) },
  async count(c) { return collection(c).count(c.where) },
  async query(c) {
    const items = await collection(c).query({ where: c.where, sort: c.sort, limit: c.limit })
    return items.map((item) => item.key)
  },
  async transaction({ puts }) {
    const transaction = main().transaction()
    for (const put of puts) await transaction.collection(main().collection(put.in)).put(put.key, put.value)
    await transaction.commit()
  },
  async splice(c) {
    const text = (await document(c).text(c.at)) ?? ''
    const start = units(text, c.position ?? 0)
    const end = units(text, (c.position ?? 0) + (c.delete ?? 0))
    await document(c).spliceText(c.at, start, end - start, c.text)
  },
  async text(c) { return (await document(c).text(c.at)) ?? null },
  async set(c) { await document(c).set(c.at, c.value) },
  async increment(c) { await document(c).increment(c.at, c.amount ?? 1) },
  async look(c) { return (await document(c).get(c.at)) ?? null },
  async history(c) { return (await collection(c).history(c.key)).map((version) => version.kind) },
  async changes({ cursor }) {
    const changes = await main().log().changesSince(cursor, { limit: 1_000 })
    return { keys: changes.items.flatMap((item) => item.key || []).toSorted(), cursor: changes.cursor }
  },
  async entries() { return (await main().log().entryIds()).length },
  async me() { return workspace.me.user },
  async members() { return (await workspace.members()).map((member) => member.role).toSorted() },
  async root() { return (await workspace.stats()).root }
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  let answer
  try {
    answer = { ok: (await operations[command.op](command)) ?? null }
  } catch (error) {
    answer = { error: error.code, reason: error.message }
  }
  console.log(JSON.stringify(answer))
}
