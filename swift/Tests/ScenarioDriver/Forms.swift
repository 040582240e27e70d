// What JSON and the words of tests/words.json make of values, and back.
import Foundation
import Tidelog

typealias Command = [String: Value]

/// A record as Swift has it, and as text.
struct Record: Codable, Sendable, Identifiable {
    var id, title: String, when: Date?, uid: UUID, price: Decimal, big: Int64, data: Data, done = false

    init(texts: Value) throws {
        var fields = texts.map
        fields["big"] = .int(Int64(fields["big"]!.text)!)
        fields["done"] = fields["done"] ?? false
        self = try Value.map(fields).decode(as: Record.self)
    }

    func texts() throws -> Value {
        var fields = try Value(self).map
        fields["when"] = fields["when"] ?? .null
        return .map(fields)
    }
}

struct FileKeyStore: KeyStore {
    let file: URL
    func load() throws -> Data? { try? Data(contentsOf: file) }
    func store(_ key: Data) throws { try key.write(to: file) }
}

extension Value {
    var text: String { if case .text(let text) = self { text } else { "" } }
    var int: Int { if case .int(let int) = self { Int(int) } else { 0 } }
    var list: [Value] { if case .list(let list) = self { list } else { [] } }
    var map: Command { if case .map(let map) = self { map } else { [:] } }
    var bytes: Data { if case .bytes(let bytes) = self { bytes } else { Data() } }
    var texts: [String] { list.map(\.text) }

    /// With bytes in place of maps of one mark.
    var unmarked: Value {
        switch self {
        case .list(let items): .list(items.map(\.unmarked))
        case .map(let fields) where fields.count == 1 && fields["$bytes"] != nil:
            .bytes(Data(base64Encoded: fields["$bytes"]!.text)!)
        case .map(let fields): .map(fields.mapValues(\.unmarked))
        default: self
        }
    }

    var marked: Value {
        switch self {
        case .list(let items): .list(items.map(\.marked))
        case .map(let fields): .map(fields.mapValues(\.marked))
        case .bytes(let bytes): ["$bytes": .text(bytes.base64EncodedString())]
        default: self
        }
    }
}

extension Command {
    var path: URL { URL(filePath: self["path"]!.text) }
    var other: String { self["other"]!.text }
    var policy: Policy { Policy(rawValue: self["policy"]!.text)! }
    var secret: Tidelog.Key { secret("")! }
    func secret(_ which: String) -> Tidelog.Key? {
        if let passphrase = self[which + "passphrase"] { return .passphrase(passphrase.text) }
        if let file = self[which + "key_file"] { return .store(FileKeyStore(file: URL(filePath: file.text))) }
        return self[which + "key_byte"].map { .raw(Data(repeating: UInt8($0.int), count: 32)) }
    }
    func url(_ field: String) -> URL { URL(filePath: self[field]!.text) }
    func duration(_ field: String) -> Duration? { self[field].map { .milliseconds($0.int) } }
}

/// A command; what is null in it is not said.
func command(_ line: String) throws -> Command {
    try JSONDecoder().decode(Value.self, from: Data(line.utf8)).unmarked.map.filter { $0.value != .null }
}

func json(_ answer: Value) throws -> String {
    String(decoding: try JSONEncoder().encode(answer.marked), as: UTF8.self)
}

/// What a call gave: names in lower case, without times.
func plain(_ any: Any) -> Value {
    switch any {
    case let value as Value: return value
    case let text as String: return .text(text)
    case let int as Int: return .int(Int64(int))
    case let bool as Bool: return .bool(bool)
    case let bytes as Data: return .bytes(bytes)
    case let list as [Any]: return .list(list.map(plain))
    case let fields as [String: String]: return .map(fields.mapValues(Value.text))
    case let name as any RawRepresentable: return plain(name.rawValue)
    case let i as Invite:  // Its mirror leaves the link out.
        let words: [String: Any] = [
            "id": i.id, "uri": i.uri, "role": i.role, "relay": i.relay as Any, "uses_left": i.usesLeft,
            "auto_approve": i.autoApprove, "same_user": i.sameUser, "circles": i.circles,
        ]
        return .map(words.mapValues(plain))
    default: break
    }
    let mirror = Mirror(reflecting: any)
    if mirror.displayStyle == .optional { return mirror.children.first.map { plain($0.value) } ?? nil }
    let fields = mirror.children.filter { !($0.value is Date) }.map { field in
        (field.label!.replacing(/[A-Z]/) { "_" + $0.output.lowercased() }, plain(field.value))
    }
    return .map(Dictionary(uniqueKeysWithValues: fields))
}

/// What a call gave that tells its progress, and the last it told.
@MainActor func measured<T: Sendable>(_ call: (@escaping Progressing) async throws -> T) async throws -> Value {
    let steps = AsyncStream<Value>.makeStream()
    var answer = plain(try await call { steps.continuation.yield(["done": .int(Int64($0)), "total": .int(Int64($1))]) }).map
    steps.continuation.finish()
    for await step in steps.stream { answer.merge(step.map) { $1 } }
    return .map(answer)
}

/// What an event of a stream is in answers.
func told(_ event: Any) -> Any {
    switch event {
    case let link as Workspace.Link.Event:
        switch link {
        case .state(let state): return state.rawValue
        case .progress: return "progress"
        case .failed: return "failed"
        case .warned: return "warned"
        case .lagged: return "lagged"
        }
    case let event as Event<Value>:
        if case .lagged(let lost) = event { return ["lost": .int(Int64(lost))] as Value }
        return event.change!
    default: return event
    }
}

/// An edit with positions that count Unicode scalars, in a text whose positions count UTF-16 units.
func edit(_ edits: inout Edits, _ e: Value, in text: String) {
    let (at, position) = (e["at"]!.text, e["position"]?.int ?? 0)
    func units(_ scalars: Int) -> Int { String(String.UnicodeScalarView(text.unicodeScalars.prefix(scalars))).utf16.count }
    switch e["kind"]!.text {
    case "set": edits.set(at, e["value"]!)
    case "delete": edits.delete(at)
    case "insert": edits.insert(at, at: position, e["value"]!)
    case "splice_text":
        let start = units(position)
        let delete = units(position + (e["delete"]?.int ?? 0)) - start
        edits.spliceText(at, at: start, delete: delete, insert: e["text"]!.text)
    default: edits.increment(at, by: e["by"]!.int)
    }
}
