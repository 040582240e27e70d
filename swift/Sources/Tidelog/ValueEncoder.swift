import Foundation
internal import TidelogFFI

/// Writes `Encodable` values as they cross to the engine.
final class ValueEncoder: Encoder {
    let userInfo: [CodingUserInfoKey: Any] = [:]
    var codingPath: [any CodingKey] { place.path }
    fileprivate let place: CodingPlace
    fileprivate var written: Node?

    fileprivate init(at place: CodingPlace) {
        self.place = place
    }

    /// The crossing value that stands for this one.
    ///
    /// Throws `TidelogError.invalidValue`, with the place, for what cannot be stored.
    static func encode(_ value: some Encodable) throws -> Crossing {
        do {
            return try node(of: value, at: .root).crossing()
        } catch EncodingError.invalidValue(_, let context) {
            throw CodingPlace.refused(at: context.codingPath, "the value cannot be stored")
        }
    }

    func container<Key>(keyedBy _: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(FieldsWriter(fields: fields(), place: place))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        ItemsWriter(items: items(), place: place)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        self
    }

    /// Classes that inherit ask several times for the same map.
    private func fields() -> Fields {
        if case .fields(let fields) = written { return fields }
        let fields = Fields()
        written = .fields(fields)
        return fields
    }

    private func items() -> Items {
        if case .items(let items) = written { return items }
        let items = Items()
        written = .items(items)
        return items
    }

    fileprivate static func node<T: Encodable>(of value: T, at place: CodingPlace) throws -> Node {
        // Comparing types costs nothing; a dynamic cast of every value would.
        if T.self == String.self { return .value(.text(value as! String)) }
        if T.self == Date.self { return .value(.text(try located(place) { try PlainText.of(value as! Date) })) }
        if T.self == UUID.self { return .value(.text(PlainText.of(value as! UUID))) }
        if T.self == Data.self { return .value(.bytes(value as! Data)) }
        if T.self == Decimal.self { return .value(.text(try located(place) { try PlainText.of(value as! Decimal) })) }
        if T.self == URL.self { return .value(.text((value as! URL).absoluteString)) }
        if T.self == Value.self { return .value(try (value as! Value).crossing(at: place)) }
        let encoder = ValueEncoder(at: place)
        try value.encode(to: encoder)
        return encoder.written ?? .fields(Fields())
    }

    fileprivate static func integer(_ value: some BinaryInteger, at place: CodingPlace) throws -> Node {
        guard let integer = Int64(exactly: value) else {
            throw CodingPlace.refused(at: place.path, "an integer beyond 64 bits with a sign cannot be stored")
        }
        return .value(.int(integer))
    }

    private static func located<T>(_ place: CodingPlace, _ make: () throws -> T) throws -> T {
        do {
            return try make()
        } catch TidelogError.invalidValue(let reason) {
            throw CodingPlace.refused(at: place.path, reason)
        }
    }
}

/// What was written at one place; the maps and lists may still grow.
private enum Node {
    case value(Crossing)
    case fields(Fields)
    case items(Items)
    case later(ValueEncoder)

    func crossing() -> Crossing {
        switch self {
        case .value(let value): value
        case .fields(let fields): .map(fields.nodes.map { Field(name: $0, value: $1.crossing()) })
        case .items(let items): .list(items.nodes.map { $0.crossing() })
        case .later(let encoder): encoder.written?.crossing() ?? .map([])
        }
    }
}

private final class Fields {
    /// In the order of writing; of a name that is written again, the last counts.
    private(set) var nodes: [(String, Node)] = []

    func set(_ key: some CodingKey, _ node: Node) { nodes.append((key.stringValue, node)) }
}

private final class Items {
    var nodes: [Node] = []
}

extension ValueEncoder: SingleValueEncodingContainer {
    func encodeNil() { written = .value(.null) }
    func encode(_ value: Bool) { written = .value(.bool(value)) }
    func encode(_ value: String) { written = .value(.text(value)) }
    func encode(_ value: Double) throws { written = .value(try .number(value, at: place)) }
    func encode(_ value: Float) throws { try encode(Double(value)) }
    func encode(_ value: Int) { written = .value(.int(Int64(value))) }
    func encode(_ value: Int8) { written = .value(.int(Int64(value))) }
    func encode(_ value: Int16) { written = .value(.int(Int64(value))) }
    func encode(_ value: Int32) { written = .value(.int(Int64(value))) }
    func encode(_ value: Int64) { written = .value(.int(value)) }
    func encode(_ value: UInt) throws { written = try Self.integer(value, at: place) }
    func encode(_ value: UInt8) { written = .value(.int(Int64(value))) }
    func encode(_ value: UInt16) { written = .value(.int(Int64(value))) }
    func encode(_ value: UInt32) { written = .value(.int(Int64(value))) }
    func encode(_ value: UInt64) throws { written = try Self.integer(value, at: place) }
    func encode<T: Encodable>(_ value: T) throws { written = try Self.node(of: value, at: place) }
}

private struct FieldsWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let fields: Fields
    let place: CodingPlace
    var codingPath: [any CodingKey] { place.path }

    private func set(_ key: Key, _ value: Crossing) { fields.set(key, .value(value)) }

    /// What is nil is stored as null, as by the other languages: their types have the field, and not all may lack it.
    private func encodeOrNil<T>(_ value: T?, _ key: Key, _ encode: (T, Key) throws -> Void) throws {
        if let value { try encode(value, key) } else { encodeNil(forKey: key) }
    }

    func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }
    func encodeIfPresent(_ value: String?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }
    func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }
    func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }
    func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }
    func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }
    func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }
    func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }
    func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }
    func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }
    func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }
    func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }
    func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }
    func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }
    func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws { try encodeOrNil(value, key, encode) }

    func encodeNil(forKey key: Key) { set(key, .null) }
    func encode(_ value: Bool, forKey key: Key) { set(key, .bool(value)) }
    func encode(_ value: String, forKey key: Key) { set(key, .text(value)) }
    func encode(_ value: Double, forKey key: Key) throws { set(key, try .number(value, at: place.inner(key))) }
    func encode(_ value: Float, forKey key: Key) throws { try encode(Double(value), forKey: key) }
    func encode(_ value: Int, forKey key: Key) { set(key, .int(Int64(value))) }
    func encode(_ value: Int8, forKey key: Key) { set(key, .int(Int64(value))) }
    func encode(_ value: Int16, forKey key: Key) { set(key, .int(Int64(value))) }
    func encode(_ value: Int32, forKey key: Key) { set(key, .int(Int64(value))) }
    func encode(_ value: Int64, forKey key: Key) { set(key, .int(value)) }
    func encode(_ value: UInt8, forKey key: Key) { set(key, .int(Int64(value))) }
    func encode(_ value: UInt16, forKey key: Key) { set(key, .int(Int64(value))) }
    func encode(_ value: UInt32, forKey key: Key) { set(key, .int(Int64(value))) }
    func encode(_ value: UInt, forKey key: Key) throws {
        fields.set(key, try ValueEncoder.integer(value, at: place.inner(key)))
    }
    func encode(_ value: UInt64, forKey key: Key) throws {
        fields.set(key, try ValueEncoder.integer(value, at: place.inner(key)))
    }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        fields.set(key, try ValueEncoder.node(of: value, at: place.inner(key)))
    }

    func nestedContainer<Inner>(keyedBy _: Inner.Type, forKey key: Key) -> KeyedEncodingContainer<Inner> {
        let inner = Fields()
        fields.set(key, .fields(inner))
        return KeyedEncodingContainer(FieldsWriter<Inner>(fields: inner, place: place.step(key)))
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        let inner = Items()
        fields.set(key, .items(inner))
        return ItemsWriter(items: inner, place: place.step(key))
    }

    func superEncoder() -> any Encoder { encoder(Step.inherited) }
    func superEncoder(forKey key: Key) -> any Encoder { encoder(key) }

    private func encoder(_ key: some CodingKey) -> any Encoder {
        let encoder = ValueEncoder(at: place.step(key))
        fields.set(key, .later(encoder))
        return encoder
    }
}

private struct ItemsWriter: UnkeyedEncodingContainer {
    let items: Items
    let place: CodingPlace
    var codingPath: [any CodingKey] { place.path }
    var count: Int { items.nodes.count }

    private func add(_ value: Crossing) { items.nodes.append(.value(value)) }

    func encodeNil() { add(.null) }
    func encode(_ value: Bool) { add(.bool(value)) }
    func encode(_ value: String) { add(.text(value)) }
    func encode(_ value: Double) throws { add(try .number(value, at: place.inner(Step(count)))) }
    func encode(_ value: Float) throws { try encode(Double(value)) }
    func encode(_ value: Int) { add(.int(Int64(value))) }
    func encode(_ value: Int8) { add(.int(Int64(value))) }
    func encode(_ value: Int16) { add(.int(Int64(value))) }
    func encode(_ value: Int32) { add(.int(Int64(value))) }
    func encode(_ value: Int64) { add(.int(value)) }
    func encode(_ value: UInt8) { add(.int(Int64(value))) }
    func encode(_ value: UInt16) { add(.int(Int64(value))) }
    func encode(_ value: UInt32) { add(.int(Int64(value))) }
    func encode(_ value: UInt) throws { items.nodes.append(try ValueEncoder.integer(value, at: place.inner(Step(count)))) }
    func encode(_ value: UInt64) throws {
        items.nodes.append(try ValueEncoder.integer(value, at: place.inner(Step(count))))
    }
    func encode<T: Encodable>(_ value: T) throws {
        items.nodes.append(try ValueEncoder.node(of: value, at: place.inner(Step(count))))
    }

    func nestedContainer<Inner>(keyedBy _: Inner.Type) -> KeyedEncodingContainer<Inner> {
        let inner = Fields()
        let place = place.step(Step(count))
        items.nodes.append(.fields(inner))
        return KeyedEncodingContainer(FieldsWriter<Inner>(fields: inner, place: place))
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        let inner = Items()
        let place = place.step(Step(count))
        items.nodes.append(.items(inner))
        return ItemsWriter(items: inner, place: place)
    }

    func superEncoder() -> any Encoder {
        let encoder = ValueEncoder(at: place.step(Step(count)))
        items.nodes.append(.later(encoder))
        return encoder
    }
}
