// The words of collections, transactions and documents.
import Tidelog

extension Player {
    typealias Items<R: Sendable> = Database.Collection<Value, R>

    /// Does what a word of collections says, whether its items hold their keys or not.
    func item(_ c: Command) async throws -> Any? {
        let database = try database(c)
        if let field = c["key_field"] {
            let items = try owned(c, database.collection(c["in"]!.text, key: field.text, policy: c.policy))
            return try await play(c, items, newItem: { $0["value"]! }) { try await $0.put($1) }
        }
        let items = try owned(c, database.collection(c["in"]!.text, policy: c.policy))
        return try await play(c, items, newItem: { Item(key: $0["key"]!.text, value: $0["value"]!) }) {
            // Does not compile in Swift: an item without a key where values do not hold them.
            try await $0.put("", $1)
        }
    }

    private func owned<R>(_ c: Command, _ all: Items<R>) throws -> Items<R> {
        try c["of"].map { try $0 == "me" ? all.own() : all.of($0.text) } ?? all
    }

    func transaction(_ c: Command) async throws -> Any? {
        let (database, rollBack) = (try database(c), c["roll_back"] == true)
        let transaction = try database.transaction()
        var answers: [Any?] = []
        for write in c["writes"]!.list.map(\.map) {
            if let field = write["key_field"] {
                let items = try transaction.collection(database.collection(write["in"]!.text, key: field.text))
                answers.append(try await play(write, items) { try await $0.put($1) })
            } else {
                let items = try transaction.collection(database.collection(write["in"]!.text))
                answers.append(try await play(write, items) { try await $0.put("", $1) })
            }
        }
        if rollBack { try transaction.rollBack() }
        let entry = try await rollBack ? nil : transaction.commit()
        return ["answers": .list(answers.map { plain($0 as Any) }), "committed": .bool(entry != nil)] as Value
    }

    private func play<R>(
        _ c: Command, _ items: Database.Transaction.Collection<Value, R>,
        put: (Database.Transaction.Collection<Value, R>, Value) async throws -> Void
    ) async throws -> Any? {
        let (key, value) = (c["key"]?.text ?? "", c["value"] ?? nil)
        switch c["op"]!.text {
        case "put": try await c["key"] == nil ? put(items, value) : items.put(key, value)
        case "insert": return try await items.insert(value)
        case "patch": try await items.patch(key, value)
        case "delete": return try await items.delete(key)
        default: return try await items.get(key)
        }
        return nil
    }

    func document(_ c: Command) async throws -> Any? {
        let all = try database(c).collection(c["in"]!.text, policy: .document)
        let (page, at) = (try owned(c, all).document(c["key"]!.text), c["at"]?.text)
        switch c["op"]!.text {
        case "doc_get": return try await page.get(at)
        case "doc_text": return try await page.text(at!)
        case "doc_heads": return try await page.heads()
        case "doc_history": return try await page.history()
        case "doc_watch": hear(c, try page.watch())
        default:
            let edits = c["edits"]!.list
            // Positions count Unicode scalars here, and UTF-16 units in Swift.
            let text = edits[0]["kind"] == "splice_text" ? try await page.text(edits[0]["at"]!.text) ?? "" : ""
            try await page.change { change in edits.forEach { edit(&change, $0, in: text) } }
        }
        return nil
    }

    private func play<R>(
        _ c: Command, _ items: Items<R>, newItem: (Value) -> R,
        put: (Items<R>, Value) async throws -> Void
    ) async throws -> Any? {
        let (key, value, filter) = (c["key"]?.text ?? "", c["value"] ?? nil, c["where"] ?? nil)
        let (sort, ids, limit) = (c["sort"]?.texts ?? [], c["ids"]?.texts, c["limit"]?.int)
        switch c["op"]!.text {
        case "names": return [try database(c).name, items.name]
        case "put": try await c["key"] == nil ? put(items, value) : items.put(key, value)
        case "put_many":
            let new = c["items"]!.list.map(newItem)
            return try await measured { try await items.putMany(new, progress: $0) }
        case "insert": return try await items.insert(value)
        case "get": return try await items.get(key)
        case "patch": try await items.patch(key, value)
        case "update":
            return try await items.update(key) { now in c["add"].map { .int(Int64((now?.int ?? 0) + $0.int)) } }
        case "delete": return try await items.delete(key)
        case "first": return try await items.first(where: filter, sort: sort, ids: ids)
        case "all": return try await items.all()
        case "query":
            return try await items.query(
                where: filter, sort: sort, limit: limit, offset: c["offset"]?.int ?? 0, cursor: c["cursor"]?.text,
                ids: ids)
        case "count": return try await items.count(where: filter)
        case "history": return try await items.history(key)
        case "watch": hear(c, try items.watch(c["key"]?.text, initial: c["initial"] == true))
        case "live": hear(c, try items.live(where: filter, sort: sort, limit: limit))
        case let word: fatalError("unknown word \(word)")
        }
        return nil
    }
}
