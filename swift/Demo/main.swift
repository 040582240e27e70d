// A device of the demo in Swift: reads one JSON command a line, answers with one JSON line.
import Foundation
import Tidelog

/// What the device has open, and how often a watch told it of a change.
actor Device {
    private var workspace: Workspace!
    private var link: Workspace.Link!
    private var watching: Task<Void, any Error>?
    private var seen = 0

    private func packages() throws -> Database.Collection<Value, Item<Value>> {
        try workspace.database("main").collection("packages")
    }
    private func document() throws -> Database.Document {
        try workspace.database("main").collection("pages", policy: .document).document("readme")
    }
    private func saw(_ event: Event<Value>) {
        if event.change?.collection == "pages" { seen += 1 }
    }

    func answer(_ command: Value) async throws -> [String: Value] {
        func text(_ name: String) -> String { if case .text(let text) = command[name] { text } else { "" } }
        switch text("op") {
        case "join":
            workspace = try await Workspace.join(
                at: URL(filePath: text("path")), invite: text("invite"), key: .passphrase(text("passphrase")),
                profile: "Swift")
            link = try workspace.connect(text("relay"))
            let events = try workspace.database("main").watch()
            watching = Task { for try await event in events { saw(event) } }
            try await link.waitLive()
            return ["name": .text(try workspace.name)]
        case "count": return ["count": .int(Int64(try await packages().count()))]
        case "query":
            let found = try await packages().query(where: ["name": ["eq": command["name"] ?? nil]], sort: ["name"])
            return ["keys": .list(found.map { .text($0.key) })]
        case "note":
            guard case .list(let keys) = command["keys"] else { return [:] }
            for case .text(let key) in keys { try await packages().patch(key, ["note": .text(text("text"))]) }
            return [:]
        case "append":
            let before = try await document().text("text") ?? ""
            try await document().spliceText("text", at: before.utf16.count, delete: 0, insert: text("text"))
            return [:]
        case "text": return ["text": .text(try await document().text("text") ?? "")]
        case "seen": return ["seen": .int(Int64(seen))]
        case "pending": return ["pending": .int(Int64(try link.pending))]
        case "root": return ["root": .text(try await workspace.stats().root)]
        case "view":
            let all = try await packages().all()
            return ["items": .map(Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0.value) }))]
        default:
            watching?.cancel()
            try await workspace.shutdown()
            return [:]
        }
    }
}

let device = Device()
while let line = readLine() {
    var said: [String: Value]
    do {
        said = try await device.answer(JSONDecoder().decode(Value.self, from: Data(line.utf8)))
        said["ok"] = true
    } catch let error as TidelogError {
        said = ["ok": false, "code": .text(error.code), "message": .text(error.reason)]
    }
    print(String(decoding: try JSONEncoder().encode(said), as: UTF8.self))
    fflush(nil)
}
