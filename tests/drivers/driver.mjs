// Plays roles of the cross-language scenarios in Node; the words are in tests/words.json.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { Link, LiveList, Stream, TidelogError, Workspace } from '../../node/dist/index.js'

const PACKAGE = new URL('../../node/', import.meta.url)
const { advance } = createRequire(PACKAGE)(`./${readdirSync(PACKAGE).find((name) => name.endsWith('.node'))}`)
const { words: WORDS } = JSON.parse(readFileSync(new URL('../words.json', import.meta.url), 'utf8'))
const FIELDS = {
  id: (v) => typeof v === 'string',
  title: (v) => typeof v === 'string',
  when: (v) => v === null || v instanceof Date,
  uid: (v) => typeof v === 'string',
  price: (v) => typeof v === 'string',
  big: (v) => typeof v === 'bigint',
  data: (v) => v instanceof Uint8Array,
  done: (v) => typeof v === 'boolean',
}
/** A model as any library for Standard Schema makes them. */
const MODEL = { entries: FIELDS, '~standard': { version: 1, vendor: 'driver', validate } }
function validate(value) {
  const wrong = Object.keys(FIELDS).filter((name) => !FIELDS[name](value[name]))
  return wrong.length === 0 ? { value } : { issues: wrong.map((name) => ({ message: 'wrong type', path: [name] })) }
}

const roles = new Map()
const roleOf = (name) => roles.get(name) ?? roles.set(name, { streams: {} }).get(name)
const camel = (name) => name.replace(/_ms$/, '').replace(/_(\w)/g, (_, letter) => letter.toUpperCase())
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
/** A store that keeps the key in a file. */
const keyFile = (path) => ({ load: () => (existsSync(path) ? readFileSync(path) : null), store: (key) => writeFileSync(path, key) })
const keyOf = (c) => (c.key_file ? keyFile(c.key_file) : new Uint8Array(32).fill(c.key_byte ?? 7))
const secret = (c) => (c.passphrase ? { passphrase: c.passphrase } : { key: keyOf(c) })
const ownSecret = (c) => (c.backup_passphrase ? { passphrase: c.backup_passphrase } : {})

/** What a word is a call of. */
const targets = {
  workspace: (c, role) => role.workspace,
  link: (c, role) => role.link,
  stream: (c, role) => role.streams[c.stream],
  database: (c, role) => role.workspace.database(c.database ?? 'main'),
  log: (c, role) => targets.database(c, role).log(),
  collection(c, role, policy = c.policy, options = { key: c.key_field }) {
    const found = targets.database(c, role).collection(c.in, { policy, ...options })
    return c.of === undefined ? found : c.of === 'me' ? found.own() : found.of(c.of)
  },
  records: (c, role) => targets.collection(c, role, c.policy, { schema: MODEL, key: 'id' }),
  document: (c, role) => targets.collection(c, role, 'document').document(c.key),
}

/** Makes the call of the same name, with what the command has of its arguments. */
async function call(c, role) {
  const [[, on, method], ...wanted] = WORDS[c.op].call.split(' ').map((part, index) => (index ? part : /(.*)\.(.*)/.exec(part)))
  const value = (field) => (field === 'other' ? targets[on](c, roleOf(c.other)) : c[field])
  const [plain, named] = [false, true].map((is) => wanted.filter((field) => field.startsWith('-') === is))
  const given = plain.filter((field) => field in c).map(value)
  const options = named.map((field) => field.slice(1)).filter((field) => field in c)
  if (options.length > 0) given.push(Object.fromEntries(options.map((field) => [camel(field), value(field)])))
  const target = targets[on](c, role)
  const name = { sync_with: on === 'workspace' ? 'sync' : 'syncWith', shutdown: 'close' }[method] ?? camel(method)
  const result = typeof target[name] === 'function' ? await target[name](...given) : target[name]
  if (result instanceof Link) role.link = result
  else if (result instanceof Stream || result instanceof LiveList) {
    role.streams[c.stream] = Object.assign(result, { events: result[Symbol.asyncIterator]() })
  } else return c.op === 'query' ? { items: [...result], cursor: result.cursor } : result
}

/** What a call gives that tells its progress, and the last it told. */
async function measured(make) {
  let [done, total] = [0, 0]
  return { ...(await make((...told) => ([done, total] = told))), done, total }
}

/** Makes an edit. Positions count code points here, and UTF-16 units in JavaScript. */
function edit(target, e, text) {
  const units = (position) => [...(text ?? '')].slice(0, position).join('').length
  const middle = { insert: [e.position], splice_text: [units(e.position), units(e.position + e.delete) - units(e.position)] }
  const last = 'value' in e ? e.value : 'text' in e ? e.text : e.by
  return target[camel(e.kind)](e.at, ...(middle[e.kind] ?? []), ...(last === undefined ? [] : [last]))
}

const others = {
  async reset() {
    for (const { workspace } of roles.values()) await workspace?.close()
    roles.clear()
  },
  advance: (c) => advance(c.ms),
  create: async (c, role) => void (role.workspace = await Workspace.create(c.path, c.name, secret(c))),
  open: async (c, role) => void (role.workspace = await Workspace.open(c.path, { ...secret(c), create: c.create })),
  async join({ path, invite, profile, timeout_ms: timeout, ...c }, role) {
    role.workspace = await Workspace.join(path, invite, { ...secret(c), profile, timeout })
  },
  identity: (c, { workspace: { id, name } }) => ({ id, name }),
  verify: (c, { workspace }) => measured((onProgress) => workspace.verify({ onProgress })),
  change_passphrase({ new_passphrase: passphrase, new_key_byte: byte, ...c }, { workspace }) {
    const old = { passphrase: c.old_passphrase, key_byte: c.old_key_byte }
    return workspace.changePassphrase(byte ? secret({ key_byte: byte }) : { passphrase }, Object.keys(c).some((name) => name.startsWith('old_')) ? secret(old) : undefined)
  },
  backup: (c, { workspace }) => measured((onProgress) => workspace.backup(c.to, { ...ownSecret(c), onProgress })),
  verify_backup: (c) => Workspace.verifyBackup(c.from, ownSecret(c)),
  restore: async (c, role) =>
    void (role.workspace = await Workspace.restore(c.from, c.path, { backup: ownSecret(c), workspace: secret(c) })),
  recover: async (c, role) => void (role.workspace = await Workspace.recover(c.path, c.words, { ...c, ...secret(c) })),
  link_state(c, { link: { state, pending, lastError, progress } }) {
    return { state, pending, last_error: lastError?.code ?? null, progress }
  },
  stop: (c, role) => role.link?.stop(),
  names: (c, role) => [targets.database(c, role).name, targets.collection(c, role).name],
  async transaction(c, role) {
    const [batch, answers] = [targets.database(c, role).transaction(), []]
    for (const w of c.writes) {
      const inner = batch.collection(targets.collection({ ...w, database: c.database }, role))
      answers.push((await inner[w.op](...['key', 'value'].filter((field) => field in w).map((field) => w[field]))) ?? null)
    }
    const entry = c.roll_back ? batch.rollBack() : await batch.commit()
    return { answers, committed: entry != null }
  },
  put_many(c, role) {
    const items = c.items.map((item) => ('key' in item ? item : item.value))
    return measured((onProgress) => targets.collection(c, role).putMany(items, { onProgress }))
  },
  update: (c, role) => targets.collection(c, role).update(c.key, (now) => ('add' in c ? (now ?? 0) + c.add : null)),
  put_record(c, role) {
    const { when, big, data, done = false, ...texts } = c.record
    const bytes = Buffer.from(data, 'base64')
    return targets.records(c, role).put({ ...texts, done, when: when && new Date(when), big: BigInt(big), data: bytes })
  },
  async get_record(c, role) {
    const found = await targets.records(c, role).get(c.key)
    return found && { ...found, big: String(found.big), data: Buffer.from(found.data).toString('base64') }
  },
  async doc_edit(c, role) {
    const document = targets.document(c, role)
    const texts = await Promise.all(c.edits.map((e) => (e.kind === 'splice_text' ? document.text(e.at) : null)))
    if (c.edits.length === 1) return edit(document, c.edits[0], texts[0])
    await document.change((change) => c.edits.forEach((e, index) => edit(change, e, texts[index])))
  },
  async next(c, role) {
    const { value } = await role.streams[c.stream].events.next()
    return { state: value?.state, progress: 'progress', failed: 'failed' }[value?.kind] ?? value
  },
}

function revive(key, value) {
  const bytes = value?.$bytes
  return typeof bytes === 'string' && Object.keys(value).length === 1 ? new Uint8Array(Buffer.from(bytes, 'base64')) : value
}
/** Names as the words have them: those of the scenarios' own values are in lower case already. */
function write(key, value) {
  if (this[key] instanceof Date) return key === 'when' ? value : undefined
  if (typeof value === 'bigint') return `#${value}#`
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [snake(name), inner ?? null]))
}

for await (const line of createInterface({ input: process.stdin })) {
  const c = JSON.parse(line, revive)
  let answer
  try {
    answer = { ok: (await (others[c.op] ?? call)(c, roleOf(c.by))) ?? null }
  } catch (error) {
    if (!(error instanceof TidelogError)) throw error
    answer = { error: error.code, reason: error.message }
  }
  console.log(JSON.stringify(answer, write).replace(/"#(-?\d+)#"/g, '$1'))
}
