import Foundation
internal import TidelogFFI

#if canImport(os)
    import os
#endif

/// How the items of one collection look to the application: `Content` is what is written, `Result` what lists hold.
struct Shape<Content: Codable & Sendable, Result: Sendable>: Sendable {
    let name: String
    let policy: Policy
    let keyField: String?
    /// The result of a key and a value.
    let result: @Sendable (String, Content) -> Result
    /// The key, unless the value holds it, and the value of a result.
    let parts: @Sendable (Result) -> (String?, Content)

    var options: CollectionOptions {
        CollectionOptions(policy: policy.crossing, keyField: keyField)
    }

    /// The stored form of a value, with the key in its field if that is missing or empty.
    func stored(_ value: Content, key: String? = nil) throws -> Crossing {
        let stored = try ValueEncoder.encode(value)
        guard let key, let keyField, case .map(let fields) = stored else { return stored }
        switch fields.last(where: { $0.name == keyField })?.value {
        case nil, .null, .text(""): return .map(fields + [Field(name: keyField, value: .text(key))])
        default: return stored
        }
    }

    func newItem(_ result: Result) throws -> NewItem {
        let (key, value) = parts(result)
        return NewItem(key: key, value: try stored(value, key: key))
    }

    /// The value of an item; nil, with a warning, if it does not fit the type: another application wrote it.
    func value(_ key: String, _ stored: Crossing) -> Content? {
        do {
            return try ValueDecoder.decode(Content.self, from: stored)
        } catch {
            // What the type says may quote the value.
            warn("item `\(key)` of collection `\(name)` is left out: the type refuses it")
            return nil
        }
    }

    /// The result of an item that was just written: it fits.
    func inserted(_ item: TidelogFFI.Item) throws -> Result {
        result(item.key, try ValueDecoder.decode(Content.self, from: item.value))
    }

    /// The items that fit the type.
    func results(_ items: [TidelogFFI.Item]) -> [Result] {
        items.compactMap { item in value(item.key, item.value).map { result(item.key, $0) } }
    }

    /// Refuses fields with which an item would no longer fit the type.
    func check(_ fields: Crossing, within current: Crossing?) throws {
        guard Content.self != Value.self, case .map(let old) = current, case .map(let new) = fields else { return }
        let kept = old.filter { old in !new.contains { $0.name == old.name } }
        _ = try ValueDecoder.decode(Content.self, from: .map(kept + new))
    }

    private func warn(_ text: String) {
        #if canImport(os)
            Logger(subsystem: "tidelog", category: "collection").warning("\(text)")
        #else
            FileHandle.standardError.write(Data("tidelog: \(text)\n".utf8))
        #endif
    }
}

/// The arguments of a query as they cross.
func query(
    _ conditions: Value, sort: [String], limit: Int?, offset: Int, cursor: String?, ids: [String]?
) throws -> Query {
    Query(
        filter: try conditions.crossing(), sort: sort, limit: try limit.map { try count("limit", $0) },
        offset: try count("offset", offset), cursor: cursor, ids: ids)
}
