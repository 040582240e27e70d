import Foundation
import Tidelog

/// Bytes as the tables of `docs/format.md` and `docs/protocol.md` lay them out, read and written without the engine.
///
/// A layout reads bytes into what JSON holds, with bytes as hexadecimal and 64-bit numbers as text, and writes it back.
struct Layout: Sendable {
    /// Bytes, or a value, that are not laid out so.
    struct Refused: Error {}

    let read: @Sendable (inout Reader) throws -> Value
    let write: @Sendable (Value) throws -> Data

    struct Reader {
        var data: Data

        mutating func take(_ length: Int) throws -> Data {
            guard length <= data.count else { throw Refused() }
            defer { data = Data(data.dropFirst(length)) }
            return Data(data.prefix(length))
        }
    }

    /// Whatever decodes encodes to the same bytes.
    func decode(_ data: Data) throws -> Value {
        var reader = Reader(data: data)
        let value = try read(&reader)
        guard reader.data.isEmpty, try write(value) == data else { throw Refused() }
        return value
    }

    func `where`(_ rule: @escaping @Sendable (Value) -> Bool) -> Layout {
        Layout(
            read: { reader in
                let value = try read(&reader)
                guard rule(value) else { throw Refused() }
                return value
            }, write: write)
    }

    static func bytes(_ value: Value) throws -> Data {
        guard let bytes = value.text.flatMap(Data.init(hex:)) else { throw Refused() }
        return bytes
    }

    static func little(_ number: UInt64, _ size: Int) -> Data {
        Data((0..<size).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) })
    }

    static func little(_ bytes: Data) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    static func number(_ size: Int, _ range: ClosedRange<Int> = 0...0xffff_ffff) -> Layout {
        Layout(
            read: { .int(Int64(little(try $0.take(size)))) },
            write: { value in
                guard let number = value.int else { throw Refused() }
                return little(UInt64(number), size)
            }
        ).where { range.contains($0.int!) }
    }

    static func raw(_ size: Int) -> Layout {
        Layout(read: { .text(try $0.take(size).hex) }, write: bytes)
    }

    static func rest(_ sizes: ClosedRange<Int>) -> Layout {
        Layout(read: { .text(try $0.take($0.data.count).hex) }, write: bytes).where { sizes.contains($0.text!.count / 2) }
    }

    static func text(_ sizes: ClosedRange<Int>) -> Layout {
        Layout(
            read: { reader in
                guard let text = String(data: try bytes(rest(sizes).read(&reader)), encoding: .utf8) else { throw Refused() }
                return .text(text)
            },
            write: { Data($0.text!.utf8) }
        ).where { $0.text!.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control } }
    }

    static func items(_ count: Layout, _ item: Layout) -> Layout {
        Layout(
            read: { reader in
                .list(try (0..<count.read(&reader).int!).map { _ in try item.read(&reader) })
            },
            write: { try count.write(.int(Int64($0.list.count))) + Data($0.list.map(item.write).joined()) })
    }

    /// One after the other to the end, at least one.
    static func runs(_ item: Layout) -> Layout {
        Layout(
            read: { reader in
                var values: [Value] = []
                repeat { values.append(try item.read(&reader)) } while !reader.data.isEmpty
                return .list(values)
            },
            write: { Data(try $0.list.map(item.write).joined()) })
    }

    static func fields(_ fields: Fields) -> Layout {
        Layout(
            read: { reader in
                var values: [String: Value] = [:]
                for (name, layout) in fields.named { values[name] = try layout.read(&reader) }
                return .map(values)
            },
            write: { value in
                try fields.named.reduce(into: Data()) { bytes, field in
                    guard let found = value[field.0] else { throw Refused() }
                    bytes += try field.1.write(found)
                }
            })
    }

    /// A number that says what follows; with its length as u32, if it is sized.
    static func choice(_ label: String, sized: Bool, _ kinds: [Int: (String, Fields)]) -> Layout {
        Layout(
            read: { reader in
                guard let (name, named) = kinds[try u8.read(&reader).int!] else { throw Refused() }
                let layout = fields(named)
                let content =
                    sized ? try layout.decode(reader.take(u32.read(&reader).int!)) : try layout.read(&reader)
                return .map(content.map.merging([label: .text(name)]) { $1 })
            },
            write: { value in
                guard let (tag, kind) = kinds.first(where: { .text($0.value.0) == value[label] }) else { throw Refused() }
                let content = try fields(kind.1).write(value)
                return Data([UInt8(tag)]) + (sized ? little(UInt64(content.count), 4) : Data()) + content
            })
    }
}

/// Layouts by name, in order.
struct Fields: ExpressibleByDictionaryLiteral, Sendable {
    let named: [(String, Layout)]

    init(dictionaryLiteral named: (String, Layout)...) { self.named = named }

    private init(_ named: [(String, Layout)]) { self.named = named }

    static func + (one: Fields, other: Fields) -> Fields { Fields(one.named + other.named) }
}

extension Layout {
    static let u8 = number(1)
    static let u16 = number(2)
    static let u32 = number(4)
    static let u64 = Layout(
        read: { .text(String(little(try $0.take(8)))) },
        write: { value in
            guard let number = value.text.flatMap(UInt64.init) else { throw Refused() }
            return little(number, 8)
        })
    private static let (id, key, stream, signature) = (raw(32), raw(32), raw(16), raw(64))
    private static let point: Fields = ["seq": u64, "id": id]
    private static let zeroId = String(repeating: "00", count: 32)

    /// docs/format.md, "Entries".
    static let entry = fields([
        "version": number(1, 1...1), "suite": number(1, 1...1), "kind": number(1, 0...3), "flags": number(1, 0...3),
        "payload_len": number(4, 0...1_049_656), "seq": u64.where { $0 != "0" }, "workspace": id, "author": key,
        "prev": id, "auth": id, "stream": stream, "key_id": raw(16), "payload_hash": raw(32), "signature": signature,
        "payload": rest(0...1_049_656),
    ]).where { entry in
        entry["payload"]?.text?.count == 2 * entry["payload_len"]!.int!
            && (entry["prev"]?.text == zeroId) == (entry["seq"] == "1")
            && (entry["signature"]?.text == zeroId + zeroId) == (entry["flags"]!.int! & 2 != 0)
    }

    static let certificate = fields([
        "sign_pk": key, "kem_pk": key, "caps": u8, "cert_version": u64, "self_sig": signature,
    ])
    private static let user: Fields = ["user": raw(16)]
    private static let role: Fields = ["role": number(1, 0...3)]
    private static let cuts: Fields = ["cuts": items(u16, fields(["device": key, "stream": stream] + point))]
    private static let wraps: Fields = ["wraps": items(u16, fields(["device": key, "enc": raw(32), "ct": raw(48)]))]
    private static let circle: Fields = ["circle": raw(16)]
    private static let keyId: Fields = ["key_id": raw(16)]
    private static let previous: Fields = ["previous": items(u8, fields(keyId + ["prev_wrap": raw(104)]))]
    private static let epoch: Fields = ["epoch": u32] + keyId + ["commit": raw(32), "name_wrap": raw(104)]
    private static let genesis: Fields = [
        "root_pk": key, "root_kem_pk": key, "name_commit": raw(32), "policy": rest(0...256),
    ]
    private static let operations: [Int: (String, Fields)] = [
        0: ("Genesis", genesis),
        1: ("AddUser", user + role + ["certificates": items(number(1, 0...16), certificate)]),
        2: ("AddDevice", user + ["certificate": certificate]),
        3: ("SetRole", user + role + cuts),
        4: ("RemoveDevice", ["device": key] + cuts),
        5: ("RemoveUser", user + cuts),
        6: ("AmendCut", cuts),
        7: ("CircleNew", circle + ["settings": number(1, 0...3), "name_commit": raw(32)]),
        8: ("CircleAdd", circle + user + role),
        9: ("CircleRemove", circle + user + cuts),
        10: ("KeyEpoch", circle + epoch + previous + wraps),
        11: ("KeyGrant", circle + keyId + wraps),
        12: ("RelaySet", ["relay_pk": key, "url": text(1...1024)]),
        13: ("RelayUnset", ["relay_pk": key]),
        14: ("Policy", ["rotate_days": u16, "rotate_entries": u32]),
        15: ("Purge", ["stream": stream, "entries": items(u16, fields(["device": key] + point))]),
    ]

    /// docs/format.md, "Directory bodies".
    static let body = fields([
        "version": number(1, 1...1), "parents": items(number(1, 0...16), id),
        "ops": items(number(2, 0...256), choice("operation", sized: true, operations)),
    ])

    @Sendable private static func ascending(_ names: [String?]) -> Bool {
        zip(names, names.dropFirst()).allSatisfy { $0! < $1! }
    }

    private static let tip = fields(["stream": stream] + point).where { $0["seq"] != "0" }

    /// docs/format.md, "Beacons".
    static let beacon = fields([
        "version": number(1, 1...1),
        "heads": items(number(2, 0...256), id).where { ascending($0.list.map(\.text)) },
        "tips": items(number(2, 0...4096), tip).where { ascending($0.list.map { $0["stream"]?.text }) },
    ])

    private static let someStreams = items(number(2, 1...128), stream)
    private static let streams = Layout(
        read: { reader in
            guard reader.data.prefix(2) == Data([0xff, 0xff]) else { return try someStreams.read(&reader) }
            _ = try reader.take(2)
            return "all"
        },
        write: { $0 == "all" ? Data([0xff, 0xff]) : try someStreams.write($0) })

    /// `nibbles` are hexadecimal digits, and there is a `stream` in the trie over its devices.
    private static let path = Layout(
        read: { reader in
            var inner = Reader(data: try reader.take(u8.read(&reader).int!))
            var value: [String: Value] = [:]
            if try number(1, 0...1).read(&inner) == 1 { value["stream"] = try stream.read(&inner) }
            let count = try number(1, 0...64).read(&inner).int!
            value["nibbles"] = .text(String(try inner.take((count + 1) / 2).hex.prefix(count)))
            guard inner.data.isEmpty else { throw Refused() }
            return .map(value)
        },
        write: { value in
            guard let nibbles = value["nibbles"]?.text else { throw Refused() }
            let start = try value["stream"].map { Data([1]) + (try bytes($0)) } ?? Data([0])
            let padded = nibbles + (nibbles.count.isMultiple(of: 2) ? "" : "0")
            let inner = start + Data([UInt8(nibbles.count)]) + (try bytes(.text(padded)))
            return Data([UInt8(inner.count)]) + inner
        })

    /// The hash of each child present, by its number.
    private static let children = Layout(
        read: { reader in
            let present = try number(2, 1...0xffff).read(&reader).int!
            var value: [String: Value] = [:]
            for child in 0..<16 where present >> child & 1 == 1 { value["\(child)"] = try raw(32).read(&reader) }
            return .map(value)
        },
        write: { value in
            let children = value.map.map { (Int($0.key)!, $0.value) }.sorted { $0.0 < $1.0 }
            let present = children.reduce(UInt64(0)) { $0 | 1 << $1.0 }
            return little(present, 2) + Data(try children.map { try bytes($0.1) }.joined())
        })

    private static func chains(_ chain: Layout) -> Fields {
        ["runs": runs(fields(["stream": stream, "chains": items(number(1, 1...64), chain)]))]
    }

    private static let chainTips = fields(["device": key, "tips": items(number(1, 1...32), fields(point))])
    private static let zeroOrPoint = fields(["device": key] + point).where {
        ($0["seq"] == "0") == ($0["id"]?.text == zeroId)
    }
    private static let content = choice(
        "kind", sized: false,
        [
            0: ("empty", [:]), 1: ("branch", ["children": children]), 2: ("stream", ["stream": stream]),
            3: ("leaves", chains(chainTips)),
        ])
    private static let select = choice(
        "by", sized: false,
        [0: ("stream", ["stream": stream, "after": u64]), 1: ("ids", ["ids": items(number(2, 1...4096), id)])])
    private static let hello: Fields = [
        "role": number(1, 0...1), "workspace": id, "device": key, "signature": signature, "epoch": raw(16),
        "arrivals": u64, "cursor_epoch": raw(16), "cursor_arrival": u64, "streams": streams,
    ]
    private static let some = number(2, 0...8192)
    private static let batch: Fields = ["batch": rest(0...(1_114_112))]
    private static let box: Fields = ["box": raw(16)]
    private static let token: Fields = ["token": raw(32)]
    private static let message: Fields = ["message": rest(1...4096)]
    private static let reason = text(0...200).where { $0.text!.allSatisfy(\.isASCII) }
    private static let points = items(number(1, 1...64), fields(point))
    private static let frames: [Int: (String, Fields)] = [
        1: ("Hello", hello),
        2: ("Resume", ["arrival": u64]),
        3: ("Root", ["root": raw(32), "arrivals": u64, "seen": u32]),
        4: ("Walk", ["paths": items(number(2, 1...4096), path)]),
        5: ("Node", ["path": path, "content": content]),
        6: ("Want", chains(zeroOrPoint)),
        7: ("Branch", ["stream": stream, "device": key, "points": points]),
        8: ("Entries", ["arrival": u64] + batch),
        9: ("Ack", ["batches": u32, "taken": number(1, 0...2)]),
        10: ("Signal", message),
        11: ("MailOpen", box + ["token_hash": raw(32), "expires_ms": u64]),
        12: ("MailPut", box + token + message),
        13: ("MailGet", box + token + ["after": u32]),
        14: ("Mail", box + ["slot": u32] + message),
        15: ("MailResult", box + ["slot": u32, "code": number(1, 0...3)]),
        16: ("Error", ["code": number(1, 1...13), "retry_after_s": u32, "reason": reason]),
        17: ("Bye", [:]),
        18: ("Ask", ["form": number(1, 0...1), "select": select]),
        19: ("Listed", ["through": u64, "ids": items(some, fields(["arrival": u64, "id": id]))]),
        20: ("Given", ["through": u64, "arrivals": items(some, u64)] + batch),
    ]

    /// docs/protocol.md, "Frames".
    static let frame = choice("frame", sized: true, frames)
}
