import Foundation
import Tidelog

/// Values of the vectors, from JSON text and from CBOR: `docs/format.md`, "Values", without the engine.
enum HostValues {
    /// The value of JSON with the marks of the vectors: `$bytes` for bytes, `$value` around a map that only looks like
    /// a mark.
    static func value(ofJSON json: String) throws -> Value {
        if let number = Double(json) {
            return Int64(json).map(Value.int) ?? .double(number)
        }
        return unmarked(try JSONDecoder().decode(Value.self, from: Data(json.utf8)))
    }

    private static func unmarked(_ value: Value) -> Value {
        switch value {
        case .list(let items): return .list(items.map(unmarked))
        case .map(let fields):
            if fields.count == 1, let text = fields["$bytes"]?.text, let bytes = Data(base64Encoded: text) {
                return .bytes(bytes)
            }
            if fields.count == 1, case .map(let inner) = fields["$value"] { return .map(inner.mapValues(unmarked)) }
            return .map(fields.mapValues(unmarked))
        default: return value
        }
    }

    /// The value that these bytes are the one encoding of.
    static func decodeCBOR(_ data: Data) throws -> Value {
        var reader = Layout.Reader(data: data)
        let value = try read(&reader, 0)
        try need(reader.data.isEmpty)
        return value
    }

    private static let depthMax = 60

    private static func need(_ holds: Bool) throws {
        guard holds else { throw Layout.Refused() }
    }

    private static func read(_ reader: inout Layout.Reader, _ depth: Int) throws -> Value {
        let first = try reader.take(1)[0]
        let (major, info) = (first >> 5, first & 31)
        if major == 7 { return try simple(&reader, info) }
        let count = try count(&reader, info)
        switch major {
        case 0: return .int(count)
        case 1: return .int(-1 - count)
        case 2: return .bytes(try take(&reader, count))
        case 3: return .text(try text(take(&reader, count)))
        case 4:
            try need(depth < depthMax && count <= reader.data.count)
            return .list(try (0..<count).map { _ in try read(&reader, depth + 1) })
        case 5:
            try need(depth < depthMax && count <= reader.data.count)
            return .map(try fields(&reader, count, depth + 1))
        default: throw Layout.Refused()
        }
    }

    private static func fields(_ reader: inout Layout.Reader, _ count: Int64, _ depth: Int) throws -> [String: Value] {
        var fields: [String: Value] = [:]
        var last: Data?
        for _ in 0..<count {
            let first = try reader.take(1)[0]
            try need(first >> 5 == 3)
            let key = try take(&reader, self.count(&reader, first & 31))
            try need(last.map { ($0.count, $0.hex) < (key.count, key.hex) } ?? true)
            last = key
            fields[try text(key)] = try read(&reader, depth)
        }
        return fields
    }

    /// A number or a length of 63 bits, with the shortest head.
    private static func count(_ reader: inout Layout.Reader, _ info: UInt8) throws -> Int64 {
        if info < 24 { return Int64(info) }
        try need(info < 28)
        let size = 1 << Int(info - 24)
        let count = big(try reader.take(size))
        try need(count >= (size == 1 ? 24 : 1 << (4 * UInt64(size))) && count >> 63 == 0)
        return Int64(count)
    }

    private static func big(_ bytes: Data) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func take(_ reader: inout Layout.Reader, _ count: Int64) throws -> Data {
        try need(count <= reader.data.count)
        return try reader.take(Int(count))
    }

    private static func text(_ bytes: Data) throws -> String {
        guard let text = String(data: bytes, encoding: .utf8) else { throw Layout.Refused() }
        return text
    }

    /// A double of half precision, from its bits: not every platform has such a type.
    private static func half(_ bits: UInt64) -> Double {
        let (exponent, fraction) = (Int(bits >> 10 & 31), Double(bits & 1023))
        let size = exponent == 0 ? scalbn(fraction, -24) : scalbn(1024 + fraction, exponent - 25)
        return exponent == 31 ? .nan : bits & 0x8000 == 0 ? size : -size
    }

    private static let halves = Set((0...0xffff).map(half))

    /// A boolean, null, or a double in the least precision that keeps it; integral ones that are integers are none.
    private static func simple(_ reader: inout Layout.Reader, _ info: UInt8) throws -> Value {
        let number: Double
        switch info {
        case 20, 21: return .bool(info == 21)
        case 22: return .null
        case 25: number = half(big(try reader.take(2)))
        case 26: number = Double(Float(bitPattern: UInt32(big(try reader.take(4)))))
        case 27: number = Double(bitPattern: big(try reader.take(8)))
        default: throw Layout.Refused()
        }
        try need(number.isFinite && !(number.rounded() == number && abs(number) < 0x1p53))
        try need(info == 25 || !halves.contains(number))
        try need(info < 27 || Double(Float(number)) != number)
        return .double(number)
    }
}
