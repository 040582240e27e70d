import Foundation
internal import TidelogFFI

/// Reads `Decodable` values from what crosses from the engine.
struct ValueDecoder: Decoder {
    let userInfo: [CodingUserInfoKey: Any] = [:]
    var codingPath: [any CodingKey] { place.path }
    let value: Crossing
    fileprivate let place: CodingPlace

    /// The value of this type.
    ///
    /// Throws `TidelogError.invalidValue`, with the place, for what does not fit. What the value holds is not quoted.
    static func decode<T: Decodable>(_ type: T.Type, from value: Crossing) throws -> T {
        do {
            return try ValueDecoder(value: value, place: .root).decode(type)
        } catch let error as DecodingError {
            throw refused(error)
        }
    }

    private static func refused(_ error: DecodingError) -> TidelogError {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            CodingPlace.refused(at: context.codingPath, context.debugDescription)
        case .keyNotFound(let key, let context):
            CodingPlace.refused(at: context.codingPath, "field `\(key.stringValue)` is missing")
        case .dataCorrupted(let context):
            // Its description may quote the value.
            CodingPlace.refused(at: context.codingPath, "the value does not fit")
        @unknown default:
            .invalidValue("the value does not fit")
        }
    }

    func container<Key>(keyedBy _: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(FieldsReader(try fields(), place: place))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        ItemsReader(items: try items(), place: place)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer {
        self
    }

    fileprivate func fields() throws -> [Field] {
        guard case .map(let fields) = value else { throw misfit([String: Crossing].self, "a map") }
        try fields.checkNames()
        return fields
    }

    fileprivate func items() throws -> [Crossing] {
        guard case .list(let items) = value else { throw misfit([Crossing].self, "a list") }
        return items
    }

    fileprivate func misfit(_ type: Any.Type, _ expected: String) -> DecodingError {
        let found =
            switch value {
            case .null: "null"
            case .bool: "a boolean"
            case .int: "an integer"
            case .float: "a number"
            case .text: "other text"
            case .bytes: "bytes"
            case .list: "a list"
            case .map: "a map"
            }
        let text = "expected \(expected), found \(found)"
        return .typeMismatch(type, .init(codingPath: codingPath, debugDescription: text))
    }
}

extension ValueDecoder: SingleValueDecodingContainer {
    func decodeNil() -> Bool {
        if case .null = value { true } else { false }
    }

    func decode(_ type: Bool.Type) throws -> Bool {
        guard case .bool(let value) = value else { throw misfit(type, "a boolean") }
        return value
    }

    func decode(_ type: String.Type) throws -> String {
        guard case .text(let value) = value else { throw misfit(type, "text") }
        return value
    }

    func decode(_ type: Double.Type) throws -> Double {
        switch value {
        case .float(let value): value
        case .int(let value): Double(value)
        default: throw misfit(type, "a number")
        }
    }

    func decode(_: Float.Type) throws -> Float { Float(try decode(Double.self)) }
    func decode(_: Int.Type) throws -> Int { try integer() }
    func decode(_: Int8.Type) throws -> Int8 { try integer() }
    func decode(_: Int16.Type) throws -> Int16 { try integer() }
    func decode(_: Int32.Type) throws -> Int32 { try integer() }
    func decode(_: Int64.Type) throws -> Int64 { try integer() }
    func decode(_: UInt.Type) throws -> UInt { try integer() }
    func decode(_: UInt8.Type) throws -> UInt8 { try integer() }
    func decode(_: UInt16.Type) throws -> UInt16 { try integer() }
    func decode(_: UInt32.Type) throws -> UInt32 { try integer() }
    func decode(_: UInt64.Type) throws -> UInt64 { try integer() }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        if T.self == String.self { return try decode(String.self) as! T }
        if T.self == Date.self { return try text("a date as RFC 3339 text", PlainText.date) as! T }
        if T.self == UUID.self { return try text("a UUID", UUID.init(uuidString:)) as! T }
        if T.self == Decimal.self { return try text("a decimal", PlainText.decimal) as! T }
        if T.self == URL.self { return try text("a URL", URL.init(string:)) as! T }
        if T.self == Value.self { return try Value(crossing: value) as! T }
        if T.self == Data.self {
            guard case .bytes(let bytes) = value else { throw misfit(type, "bytes") }
            return bytes as! T
        }
        return try T(from: self)
    }

    private func integer<I: FixedWidthInteger>() throws -> I {
        let number: I? =
            switch value {
            case .int(let value): I(exactly: value)
            // A whole number that JavaScript wrote beyond 2^53.
            case .float(let value): I(exactly: value)
            default: nil
            }
        guard let number else { throw misfit(I.self, "an integer of type \(I.self)") }
        return number
    }

    private func text<T>(_ expected: String, _ parse: (String) -> T?) throws -> T {
        guard case .text(let text) = value, let parsed = parse(text) else { throw misfit(T.self, expected) }
        return parsed
    }
}

private struct FieldsReader<Key: CodingKey>: KeyedDecodingContainerProtocol {
    /// From here on a search through all fields takes longer than making a dictionary.
    private static var fewMax: Int { 16 }

    private let fields: [Field]
    private let places: [String: Int]?
    let place: CodingPlace
    var codingPath: [any CodingKey] { place.path }
    var allKeys: [Key] { fields.compactMap { Key(stringValue: $0.name) } }

    init(_ fields: [Field], place: CodingPlace) {
        self.fields = fields
        self.place = place
        let many = fields.count > Self.fewMax
        places = many ? Dictionary(uniqueKeysWithValues: fields.indices.lazy.map { (fields[$0].name, $0) }) : nil
    }

    private func find(_ name: String) -> Crossing? {
        let found = if let places { places[name] } else { fields.firstIndex { $0.name == name } }
        return found.map { fields[$0].value }
    }

    func contains(_ key: Key) -> Bool { find(key.stringValue) != nil }

    private func at(_ key: some CodingKey) throws -> ValueDecoder {
        guard let value = find(key.stringValue) else {
            throw DecodingError.keyNotFound(key, .init(codingPath: codingPath, debugDescription: "missing"))
        }
        return ValueDecoder(value: value, place: try place.inner(key))
    }

    func decodeNil(forKey key: Key) throws -> Bool { try at(key).decodeNil() }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try at(key).decode(type) }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try at(key).decode(type) }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try at(key).decode(type) }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { try at(key).decode(type) }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try at(key).decode(type) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try at(key).decode(type) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try at(key).decode(type) }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try at(key).decode(type) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try at(key).decode(type) }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try at(key).decode(type) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try at(key).decode(type) }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try at(key).decode(type) }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try at(key).decode(type) }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try at(key).decode(type) }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try at(key).decode(type) }

    func nestedContainer<Inner>(keyedBy type: Inner.Type, forKey key: Key) throws -> KeyedDecodingContainer<Inner> {
        try at(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try at(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { try at(Step.inherited) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try at(key) }
}

private struct ItemsReader: UnkeyedDecodingContainer {
    let items: [Crossing]
    let place: CodingPlace
    var currentIndex = 0
    var codingPath: [any CodingKey] { place.path }
    var count: Int? { items.count }
    var isAtEnd: Bool { currentIndex >= items.count }

    init(items: [Crossing], place: CodingPlace) {
        self.items = items
        self.place = place
    }

    private func here() throws -> ValueDecoder {
        let place = try place.inner(Step(currentIndex))
        guard !isAtEnd else {
            let context = DecodingError.Context(codingPath: place.path, debugDescription: "the list is too short")
            throw DecodingError.valueNotFound(Any.self, context)
        }
        return ValueDecoder(value: items[currentIndex], place: place)
    }

    /// Goes on to the next element if this one was read.
    private mutating func taking<T>(_ read: (ValueDecoder) throws -> T) throws -> T {
        let value = try read(here())
        currentIndex += 1
        return value
    }

    mutating func decodeNil() throws -> Bool {
        let isNil = try here().decodeNil()
        if isNil { currentIndex += 1 }
        return isNil
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool { try taking { try $0.decode(type) } }
    mutating func decode(_ type: String.Type) throws -> String { try taking { try $0.decode(type) } }
    mutating func decode(_ type: Double.Type) throws -> Double { try taking { try $0.decode(type) } }
    mutating func decode(_ type: Float.Type) throws -> Float { try taking { try $0.decode(type) } }
    mutating func decode(_ type: Int.Type) throws -> Int { try taking { try $0.decode(type) } }
    mutating func decode(_ type: Int8.Type) throws -> Int8 { try taking { try $0.decode(type) } }
    mutating func decode(_ type: Int16.Type) throws -> Int16 { try taking { try $0.decode(type) } }
    mutating func decode(_ type: Int32.Type) throws -> Int32 { try taking { try $0.decode(type) } }
    mutating func decode(_ type: Int64.Type) throws -> Int64 { try taking { try $0.decode(type) } }
    mutating func decode(_ type: UInt.Type) throws -> UInt { try taking { try $0.decode(type) } }
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try taking { try $0.decode(type) } }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try taking { try $0.decode(type) } }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try taking { try $0.decode(type) } }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try taking { try $0.decode(type) } }
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try taking { try $0.decode(type) } }

    mutating func nestedContainer<Inner>(keyedBy type: Inner.Type) throws -> KeyedDecodingContainer<Inner> {
        try taking { try $0.container(keyedBy: type) }
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try taking { try $0.unkeyedContainer() }
    }

    mutating func superDecoder() throws -> any Decoder { try taking { $0 } }
}
