/**
 * Bytes as the tables of `docs/format.md` and `docs/protocol.md` lay them out, without a line of Tidelog.
 *
 * A layout reads bytes into what JSON holds, with bytes as hexadecimal and 64-bit numbers as text, and writes it back.
 */
import assert from 'node:assert/strict'

export class Reader {
  constructor(public data: Buffer) {}

  take(length: number): Buffer {
    assert.ok(length <= this.data.length, 'cut short')
    const taken = this.data.subarray(0, length)
    this.data = this.data.subarray(length)
    return taken
  }
}

export interface Layout {
  read(reader: Reader): any
  write(value: any): Buffer
}

/** Whatever decodes encodes to the same bytes. */
export function decode(layout: Layout, data: Buffer): any {
  const reader = new Reader(data)
  const value = layout.read(reader)
  assert.equal(reader.data.length, 0, 'trailing bytes')
  assert.deepEqual(layout.write(value), data)
  return value
}

function where(layout: Layout, rule: (value: any) => boolean): Layout {
  const read = (reader: Reader) => {
    const value = layout.read(reader)
    assert.ok(rule(value), 'breaks a rule')
    return value
  }
  return { read, write: layout.write }
}

function number(size: number, low = 0, high = Infinity): Layout {
  const write = (value: number) => {
    const bytes = Buffer.alloc(size)
    bytes.writeUIntLE(value, 0, size)
    return bytes
  }
  return where({ read: (reader) => reader.take(size).readUIntLE(0, size), write }, (value) => low <= value && value <= high)
}

const hex = (value: string) => Buffer.from(value, 'hex')
const raw = (size: number): Layout => ({ read: (reader) => reader.take(size).toString('hex'), write: hex })

function rest(low: number, high: number): Layout {
  const all: Layout = { read: (reader) => reader.take(reader.data.length).toString('hex'), write: hex }
  return where(all, (value) => low <= value.length / 2 && value.length / 2 <= high)
}

function text(low: number, high: number): Layout {
  const read = (reader: Reader) => new TextDecoder('utf-8', { fatal: true }).decode(hex(rest(low, high).read(reader)))
  return where({ read, write: (value) => Buffer.from(value) }, (value) => !/\p{Cc}/u.test(value))
}

function items(count: Layout, item: Layout): Layout {
  return {
    read: (reader) => Array.from({ length: count.read(reader) }, () => item.read(reader)),
    write: (value) => Buffer.concat([count.write(value.length), ...value.map(item.write)]),
  }
}

/** One after the other to the end, at least one. */
function runs(item: Layout): Layout {
  const read = (reader: Reader) => {
    const value = [item.read(reader)]
    while (reader.data.length > 0) value.push(item.read(reader))
    return value
  }
  return { read, write: (value) => Buffer.concat(value.map(item.write)) }
}

function fields(named: Record<string, Layout>): Layout {
  const layouts = Object.entries(named)
  return {
    read: (reader) => Object.fromEntries(layouts.map(([name, layout]) => [name, layout.read(reader)])),
    write: (value) => Buffer.concat(layouts.map(([name, layout]) => layout.write(value[name]))),
  }
}

/** A number that says what follows; with its length as u32, if it is sized. */
function choice(label: string, sized: boolean, kinds: Record<number, [string, Record<string, Layout>]>): Layout {
  return {
    read: (reader) => {
      const kind = kinds[U8.read(reader)]
      assert.ok(kind, 'unknown kind')
      const layout = fields(kind[1])
      const content = sized ? decode(layout, reader.take(U32.read(reader))) : layout.read(reader)
      return { [label]: kind[0], ...content }
    },
    write: (value) => {
      const [tag, [, named]] = Object.entries(kinds).find(([, [name]]) => name === value[label])!
      const content = fields(named).write(value)
      return Buffer.concat([U8.write(Number(tag)), sized ? U32.write(content.length) : Buffer.alloc(0), content])
    },
  }
}

const [U8, U16, U32] = [number(1), number(2), number(4)]
const U64: Layout = {
  read: (reader) => reader.take(8).readBigUInt64LE().toString(),
  write: (value) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(value))
    return bytes
  },
}
const [ID, KEY, STREAM, SIGNATURE] = [raw(32), raw(32), raw(16), raw(64)]
const POINT = { seq: U64, id: ID }
const ZERO_ID = '00'.repeat(32)

/** docs/format.md, "Entries". */
export const ENTRY = where(
  fields({
    version: number(1, 1, 1),
    suite: number(1, 1, 1),
    kind: number(1, 0, 3),
    flags: number(1, 0, 3),
    payload_len: number(4, 0, 1_049_656),
    seq: where(U64, (value) => value !== '0'),
    workspace: ID,
    author: KEY,
    prev: ID,
    auth: ID,
    stream: STREAM,
    key_id: raw(16),
    payload_hash: raw(32),
    signature: SIGNATURE,
    payload: rest(0, 1_049_656),
  }),
  (entry) =>
    entry.payload.length === 2 * entry.payload_len &&
    (entry.prev === ZERO_ID) === (entry.seq === '1') &&
    (entry.signature === '00'.repeat(64)) === ((entry.flags & 2) !== 0),
)

const CERTIFICATE_FIELDS = { sign_pk: KEY, kem_pk: KEY, caps: U8, cert_version: U64, self_sig: SIGNATURE }
export const CERTIFICATE = fields(CERTIFICATE_FIELDS)
const ROLE = number(1, 0, 3)
const CUTS = items(U16, fields({ device: KEY, stream: STREAM, ...POINT }))
const WRAPS = items(U16, fields({ device: KEY, enc: raw(32), ct: raw(48) }))
const [USER, CIRCLE, KEY_ID, SEALED] = [raw(16), raw(16), raw(16), raw(104)]
const EPOCH = {
  epoch: U32,
  key_id: KEY_ID,
  commit: raw(32),
  name_wrap: SEALED,
  previous: items(U8, fields({ key_id: KEY_ID, prev_wrap: SEALED })),
  wraps: WRAPS,
}
const OPERATION = choice('operation', true, {
  0: ['Genesis', { root_pk: KEY, root_kem_pk: KEY, name_commit: raw(32), policy: rest(0, 256) }],
  1: ['AddUser', { user: USER, role: ROLE, certificates: items(number(1, 0, 16), CERTIFICATE) }],
  2: ['AddDevice', { user: USER, certificate: CERTIFICATE }],
  3: ['SetRole', { user: USER, role: ROLE, cuts: CUTS }],
  4: ['RemoveDevice', { device: KEY, cuts: CUTS }],
  5: ['RemoveUser', { user: USER, cuts: CUTS }],
  6: ['AmendCut', { cuts: CUTS }],
  7: ['CircleNew', { circle: CIRCLE, settings: number(1, 0, 3), name_commit: raw(32) }],
  8: ['CircleAdd', { circle: CIRCLE, user: USER, role: ROLE }],
  9: ['CircleRemove', { circle: CIRCLE, user: USER, cuts: CUTS }],
  10: ['KeyEpoch', { circle: CIRCLE, ...EPOCH }],
  11: ['KeyGrant', { circle: CIRCLE, key_id: KEY_ID, wraps: WRAPS }],
  12: ['RelaySet', { relay_pk: KEY, url: text(1, 1024) }],
  13: ['RelayUnset', { relay_pk: KEY }],
  14: ['Policy', { rotate_days: U16, rotate_entries: U32 }],
  15: ['Purge', { stream: STREAM, entries: items(U16, fields({ device: KEY, ...POINT })) }],
})

/** docs/format.md, "Directory bodies". */
export const BODY = fields({
  version: number(1, 1, 1),
  parents: items(number(1, 0, 16), ID),
  ops: items(number(2, 0, 256), OPERATION),
})

const ascending = (names: string[]) => names.slice(1).every((name, index) => names[index]! < name)
const TIP = where(fields({ stream: STREAM, ...POINT }), (tip) => tip.seq !== '0')

/** docs/format.md, "Beacons". */
export const BEACON = fields({
  version: number(1, 1, 1),
  heads: where(items(number(2, 0, 256), ID), ascending),
  tips: where(items(number(2, 0, 4096), TIP), (tips) => ascending(tips.map((tip: any) => tip.stream))),
})

const STREAMS: Layout = {
  read: (reader) => {
    const count = U16.read(reader)
    if (count === 0xffff) return 'all'
    assert.ok(1 <= count && count <= 128)
    return Array.from({ length: count }, () => STREAM.read(reader))
  },
  write: (value) => (value === 'all' ? U16.write(0xffff) : Buffer.concat([U16.write(value.length), ...value.map(hex)])),
}
const PATH: Layout = {
  read: (reader) => {
    const inner = new Reader(reader.take(U8.read(reader)))
    const stream = number(1, 0, 1).read(inner) === 1 ? { stream: STREAM.read(inner) } : {}
    const count = number(1, 0, 64).read(inner)
    const nibbles = inner.take(Math.ceil(count / 2)).toString('hex').slice(0, count)
    assert.equal(inner.data.length, 0)
    return { ...stream, nibbles }
  },
  write: ({ stream, nibbles }) => {
    const start = stream === undefined ? Buffer.of(0) : Buffer.concat([Buffer.of(1), hex(stream)])
    const inner = Buffer.concat([start, U8.write(nibbles.length), hex(nibbles + '0'.repeat(nibbles.length % 2))])
    return Buffer.concat([U8.write(inner.length), inner])
  },
}
const CHILDREN: Layout = {
  read: (reader) => {
    const present = number(2, 1).read(reader)
    const children = Array.from({ length: 16 }, (_, child) => child).filter((child) => (present >> child) & 1)
    return Object.fromEntries(children.map((child) => [child, raw(32).read(reader)]))
  },
  write: (value) => {
    const present = Object.keys(value).reduce((bits, child) => bits | (1 << Number(child)), 0)
    return Buffer.concat([U16.write(present), ...Object.values<string>(value).map(hex)])
  },
}
const CHAIN_TIPS = fields({ device: KEY, tips: items(number(1, 1, 32), fields(POINT)) })
const ZERO_OR_POINT = where(fields({ device: KEY, ...POINT }), ({ seq, id }) => (seq === '0') === (id === ZERO_ID))
const chains = (chain: Layout) => runs(fields({ stream: STREAM, chains: items(number(1, 1, 64), chain) }))
const CONTENT = choice('kind', false, {
  0: ['empty', {}],
  1: ['branch', { children: CHILDREN }],
  2: ['stream', { stream: STREAM }],
  3: ['leaves', { runs: chains(CHAIN_TIPS) }],
})
const SELECT = choice('by', false, {
  0: ['stream', { stream: STREAM, after: U64 }],
  1: ['ids', { ids: items(number(2, 1, 4096), ID) }],
})
const HELLO = {
  role: number(1, 0, 1),
  workspace: ID,
  device: KEY,
  signature: SIGNATURE,
  epoch: raw(16),
  arrivals: U64,
  cursor_epoch: raw(16),
  cursor_arrival: U64,
  streams: STREAMS,
}
const [ENTRIES_MAX, BATCH] = [number(2, 0, 8192), rest(0, 2 ** 20 + 2 ** 16)]
const [BOX, TOKEN, MESSAGE] = [raw(16), raw(32), rest(1, 4096)]
const REASON = where(text(0, 200), (value) => /^[ -~]*$/.test(value))

/** docs/protocol.md, "Frames". */
export const FRAME = choice('frame', true, {
  1: ['Hello', HELLO],
  2: ['Resume', { arrival: U64 }],
  3: ['Root', { root: raw(32), arrivals: U64, seen: U32 }],
  4: ['Walk', { paths: items(number(2, 1, 4096), PATH) }],
  5: ['Node', { path: PATH, content: CONTENT }],
  6: ['Want', { runs: chains(ZERO_OR_POINT) }],
  7: ['Branch', { stream: STREAM, device: KEY, points: items(number(1, 1, 64), fields(POINT)) }],
  8: ['Entries', { arrival: U64, batch: BATCH }],
  9: ['Ack', { batches: U32, taken: number(1, 0, 2) }],
  10: ['Signal', { message: MESSAGE }],
  11: ['MailOpen', { box: BOX, token_hash: raw(32), expires_ms: U64 }],
  12: ['MailPut', { box: BOX, token: TOKEN, message: MESSAGE }],
  13: ['MailGet', { box: BOX, token: TOKEN, after: U32 }],
  14: ['Mail', { box: BOX, slot: U32, message: MESSAGE }],
  15: ['MailResult', { box: BOX, slot: U32, code: number(1, 0, 3) }],
  16: ['Error', { code: number(1, 1, 13), retry_after_s: U32, reason: REASON }],
  17: ['Bye', {}],
  18: ['Ask', { form: number(1, 0, 1), select: SELECT }],
  19: ['Listed', { through: U64, ids: items(ENTRIES_MAX, fields({ arrival: U64, id: ID })) }],
  20: ['Given', { through: U64, arrivals: items(ENTRIES_MAX, U64), batch: BATCH }],
})
