import Foundation
internal import TidelogFFI

/// A value as it is stored: what JSON has, bytes, and integers of 64 bits.
///
/// Literals become values, which is how conditions and patches are written:
///
/// ```swift
/// let recent: Value = ["year": ["ge": 1999], "or": [["seen": false], ["rating": ["gt": 8.5]]]]
/// ```
public enum Value: Sendable, Hashable {
    /// Nothing.
    case null
    /// True or false.
    case bool(Bool)
    /// An integer. Doubles without a fraction, up to 2^53 - 1 either way, are stored as integers.
    case int(Int64)
    /// Any other number. NaN and infinities cannot be stored.
    case double(Double)
    /// Text.
    case text(String)
    /// Bytes.
    case bytes(Data)
    /// Values in order.
    case list([Value])
    /// Values by name.
    case map([String: Value])

    /// The value that stands for anything `Encodable`.
    ///
    /// Dates become RFC 3339 text in UTC with milliseconds, UUIDs lower-case text, decimals text.
    ///
    /// - Throws: ``TidelogError/invalidValue(_:)`` for what cannot be stored.
    public init(_ value: some Encodable) throws {
        try self.init(crossing: try ValueEncoder.encode(value))
    }

    /// A date, as it is stored in a field: to compare with.
    ///
    /// - Throws: ``TidelogError/invalidValue(_:)`` unless it is between the years 1 and 9999.
    public static func date(_ date: Date) throws -> Value {
        .text(try PlainText.of(date))
    }

    /// A UUID, as it is stored in a field: to compare with.
    public static func uuid(_ uuid: UUID) -> Value {
        .text(PlainText.of(uuid))
    }

    /// A decimal, as it is stored in a field: to compare with.
    ///
    /// - Throws: ``TidelogError/invalidValue(_:)`` for NaN.
    public static func decimal(_ decimal: Decimal) throws -> Value {
        .text(try PlainText.of(decimal))
    }

    /// Reads this value as a `Decodable` type.
    ///
    /// - Throws: ``TidelogError/invalidValue(_:)`` if it does not fit; the reason says where.
    public func decode<T: Decodable>(as type: T.Type) throws -> T {
        try ValueDecoder.decode(type, from: try crossing())
    }

    /// The field of a map; nil if there is none, or if this is no map.
    public subscript(field: String) -> Value? {
        guard case .map(let fields) = self else { return nil }
        return fields[field]
    }

    /// The element of a list; nil if there is none, or if this is no list.
    public subscript(position: Int) -> Value? {
        guard case .list(let items) = self, items.indices.contains(position) else { return nil }
        return items[position]
    }
}

extension Value {
    /// The deepest nesting that crosses to the engine, which allows less: what follows recursively stays bounded.
    static let depthMax = 128

    init(crossing: Crossing) throws {
        self =
            switch crossing {
            case .null: .null
            case .bool(let value): .bool(value)
            case .int(let value): .int(value)
            case .float(let value): .double(value)
            case .text(let value): .text(value)
            case .bytes(let value): .bytes(value)
            case .list(let items): .list(try items.map(Value.init(crossing:)))
            case .map(let fields): .map(try Value.named(fields))
            }
    }

    private static func named(_ fields: [Field]) throws -> [String: Value] {
        try fields.checkNames()
        return Dictionary(uniqueKeysWithValues: try fields.map { ($0.name, try Value(crossing: $0.value)) })
    }

    func crossing(at place: CodingPlace = .root) throws -> Crossing {
        switch self {
        case .null: .null
        case .bool(let value): .bool(value)
        case .int(let value): .int(value)
        case .double(let value): try .number(value, at: place)
        case .text(let value): .text(value)
        case .bytes(let value): .bytes(value)
        case .list(let items):
            .list(try items.enumerated().map { try $1.crossing(at: place.inner(Step($0))) })
        case .map(let fields):
            .map(try fields.map { name, value in
                Field(name: name, value: try value.crossing(at: place.inner(Step(stringValue: name))))
            })
        }
    }
}

extension [Field] {
    /// Refuses names that Swift takes for one, because they differ only in how characters are composed: a dictionary
    /// would lose all but one of them. Only programs in other languages write such a map.
    func checkNames() throws {
        let accented = lazy.map(\.name).filter { !$0.utf8.allSatisfy { $0 < 0x80 } }
        guard Set(accented).count == accented.count else {
            throw TidelogError.invalidValue(
                "a map has two fields whose names are one to Swift: they differ only in how characters are composed")
        }
    }
}

extension Crossing {
    /// A number, if it is one.
    static func number(_ value: Double, at place: @autoclosure () throws -> CodingPlace) throws -> Crossing {
        guard value.isFinite else {
            throw CodingPlace.refused(
                at: try place().path, "a number must be finite: NaN and infinities cannot be stored")
        }
        return .float(value)
    }
}

extension Value: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringInterpolation, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    /// Null.
    public init(nilLiteral: ()) { self = .null }
    /// True or false.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// An integer.
    public init(integerLiteral value: Int64) { self = .int(value) }
    /// A number.
    public init(floatLiteral value: Double) { self = .double(value) }
    /// Text.
    public init(stringLiteral value: String) { self = .text(value) }
    /// A list.
    public init(arrayLiteral elements: Value...) { self = .list(elements) }
    /// A map; of a name that occurs twice, the last.
    public init(dictionaryLiteral elements: (String, Value)...) {
        self = .map(Dictionary(elements) { _, last in last })
    }
}

extension Value: Codable {
    /// Reads a value from any decoder, such as that of JSON.
    public init(from decoder: any Decoder) throws {
        if let decoder = decoder as? ValueDecoder {
            try self.init(crossing: decoder.value)
            return
        }
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .int(value)
        } else if let value = try? container.decode(Double.self) {
            self = .double(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([Value].self) {
            self = .list(value)
        } else {
            self = .map(try container.decode([String: Value].self))
        }
    }

    /// Writes the value into any encoder. Bytes are what the encoder makes of `Data`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .int(let value): try container.encode(value)
        case .double(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .bytes(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .map(let value): try container.encode(value)
        }
    }
}
