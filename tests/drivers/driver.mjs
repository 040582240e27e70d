// Plays roles of the cross-language scenarios in Node; the words are in tests/words.json.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { Link, LiveList, Stream, TidelogError, Workspace } from '../../node/dist/index.js'

const PACKAGE = new URL('../../node/', import.meta.url)
// Only for the clock of tests, which no released package has.
const { advance } = createRequire(PACKAGE)(`./${readdirSync(PACKAGE).find((name) => name.endsWith('.node'))}`)
const { words: WORDS } = JSON.parse(readFileSync(new URL('../words.json', import.meta.url), 'utf8'))
const NAMES = { shutdown: 'close' }

/** A model as any library for Standard Schema makes them. */
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
const MODEL = { entries: FIELDS, '~standard': { version: 1, vendor: 'driver', validate } }
function validate(value) {
  const wrong = Object.keys(FIELDS).filter((name) => !FIELDS[name](value[name]))
  return wrong.length === 0 ? { value } : { issues: wrong.map((name) => ({ message: 'wrong type', path: [name] })) }
}

const roles = new Map()
const roleOf = (name) => roles.get(name) ?? roles.set(name, { streams: {} }).get(name)
const camel = (name) => name.replace(/_ms$/, '').replace(/_(\w)/g, (_, letter) => letter.toUpperCase())
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** The key of a command, as options; a key file is a store that keeps the key in a file. */
function secret(c, which = '') {
  const [passphrase, byte, file] = [c[`${which}passphrase`], c[`${which}key_byte`], c.key_file]
  if (passphrase !== undefined) return { passphrase }
  const load = () => (existsSync(file) ? readFileSync(file) : null)
  if (file !== undefined) return { key: { load, store: (key) => writeFileSync(file, key) } }
  return byte === undefined ? undefined : { key: new Uint8Array(32).fill(byte) }
}

/** What a word is a call of. */
const targets = {
  package: () => Workspace,
  workspace: (c, role) => role.workspace,
  link: (c, role) => role.link,
  stream: (c, role) => role.streams[c.stream],
  database: (c, role) => role.workspace.database(c.database, c.circle),
  log: (c, role) => targets.database(c, role).log(),
  remote_log: (c, role) => targets.log(c, role).at(c.relay),
  collection(c, role, options = { key: c.key_field }) {
    const found = targets.database(c, role).collection(c.in, { policy: c.policy, ...options })
    return c.of === undefined ? found : c.of === 'me' ? found.own() : found.of(c.of)
  },
  records: (c, role) => targets.collection(c, role, { schema: MODEL, key: 'id' }),
  document: (c, role) => targets.collection(c, role).document(c.key),
}

/** Fields that are not given as they are. */
const arguments_ = {
  other: (other, c, on) => targets[on](c, roleOf(other)),
  record: (r) => ({ done: false, ...r, when: r.when && new Date(r.when), big: BigInt(r.big) }),
  items: (items) => items.map((item) => ('key' in item ? item : item.value)),
}

/** Makes the call that a word is, with what the command has of its arguments. */
async function call(c, role) {
  const [where, ...wanted] = WORDS[c.op].call.split(' ')
  const [on, method] = where.split('.')
  const value = (field) => arguments_[field]?.(c[field], c, on) ?? c[field]
  const given = wanted.filter((field) => field in c).map(value)
  const named = wanted.filter((field) => field.startsWith('-') && field.slice(1) in c)
  const options = Object.fromEntries(named.map((field) => [camel(field.slice(1)), value(field.slice(1))]))
  let told = wanted.includes('+progress') ? { done: 0, total: 0 } : null
  if (wanted.includes('*key')) Object.assign(options, secret(c))
  if (wanted.includes('+progress')) options.onProgress = (done, total) => (told = { done, total })
  if (Object.keys(options).length > 0) given.push(options)
  const target = targets[on](c, role)
  const name = NAMES[method] ?? camel(method)
  const result = typeof target[name] === 'function' ? await target[name](...given) : target[name]
  if (result instanceof Workspace) role.workspace = result
  else if (result instanceof Link) role.link = result
  else if (result instanceof Stream || result instanceof LiveList) {
    role.streams[c.stream] = Object.assign(result, { events: result[Symbol.asyncIterator]() })
  } else if (c.op === 'query') return { items: [...result], cursor: result.cursor }
  else return told ? { ...result, ...told } : result
}

/** Makes an edit. Positions count code points here, and UTF-16 units in JavaScript. */
function edit(target, e, text) {
  const units = (position) => [...(text ?? '')].slice(0, position).join('').length
  const start = units(e.position)
  const middle = { insert: [e.position], splice_text: [start, units(e.position + e.delete) - start] }[e.kind] ?? []
  const last = [e.value, e.text, e.by].filter((given) => given !== undefined)
  return target[camel(e.kind)](e.at, ...middle, ...last)
}

const others = {
  async reset() {
    for (const { workspace } of roles.values()) await workspace?.close()
    roles.clear()
  },
  advance: (c) => advance(c.ms),
  async restore(c, role) {
    const keys = { backup: secret(c, 'backup_'), workspace: secret(c) }
    role.workspace = await Workspace.restore(c.from, c.path, keys)
  },
  identity: (c, { workspace: { id, name } }) => ({ id, name }),
  change_passphrase: (c, { workspace }) => workspace.changePassphrase(secret(c), secret(c, 'old_')),
  link_state(c, { link: { state, pending, lastError, progress } }) {
    return { state, pending, last_error: lastError?.code ?? null, progress }
  },
  stop: (c, role) => role.link?.stop(),
  names: (c, role) => [targets.database(c, role).name, targets.collection(c, role).name],
  async transaction(c, role) {
    const [batch, answers] = [targets.database(c, role).transaction(), []]
    for (const w of c.writes) {
      const inner = batch.collection(targets.collection(w, role))
      const given = ['key', 'value'].filter((field) => field in w).map((field) => w[field])
      answers.push((await inner[w.op](...given)) ?? null)
    }
    const entry = c.roll_back ? batch.rollBack() : await batch.commit()
    return { answers, committed: entry != null }
  },
  update(c, role) {
    return targets.collection(c, role).update(c.key, (now) => ('add' in c ? (now ?? 0) + c.add : null))
  },
  async doc_edit(c, role) {
    const document = targets.document(c, role)
    const texts = await Promise.all(c.edits.map((e) => (e.kind === 'splice_text' ? document.text(e.at) : null)))
    if (c.edits.length === 1) return edit(document, c.edits[0], texts[0])
    await document.change((change) => c.edits.forEach((e, index) => edit(change, e, texts[index])))
  },
  async next(c, role) {
    const { value } = await role.streams[c.stream].events.next()
    return { state: value?.state, progress: 'progress', failed: 'failed', warned: 'warned' }[value?.kind] ?? value
  },
}

function revive(key, value) {
  const bytes = value?.$bytes
  const marked = typeof bytes === 'string' && Object.keys(value).length === 1
  return marked ? new Uint8Array(Buffer.from(bytes, 'base64')) : value
}
/** Names as the words have them: those of the scenarios' own values are in lower case already. */
function write(key, value) {
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
