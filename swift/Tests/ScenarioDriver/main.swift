// Plays roles of the cross-language scenarios in Swift; the words are in tests/words.json.
import Foundation
import Tidelog

import func TidelogFFI.advance  // The clock of tests, which no released package has.

@MainActor final class Player {
    var workspace: Workspace!, link: Workspace.Link!
    var streams: [String: Heard] = [:]

    struct Heard {
        let next: @MainActor @Sendable () async throws -> Any?
        let stop: () -> Void
    }

    func database(_ c: Command) throws -> Database {
        try workspace.database(c["database"]?.text ?? "main", circle: c["circle"]?.text)
    }
    func log(_ c: Command) throws -> Database.Log { try database(c).log() }
    func records(_ c: Command) throws -> Database.Collection<Record, Record> {
        try database(c).collection(c["in"]!.text, of: Record.self)
    }
    func hear<T: Sendable>(_ c: Command, _ stream: EventStream<T>) {
        streams[c["stream"]!.text] = Heard(next: { try await stream.next().map(told) }, stop: { stream.stop() })
    }

    func play(_ c: Command) async throws -> Any? {
        let (relay, pattern) = (c["relay"]?.text ?? "", c["pattern"]?.text)
        switch c["op"]!.text {
        case "create": workspace = try await .create(at: c.path, name: c["name"]!.text, key: c.secret)
        case "open": workspace = try await .open(at: c.path, key: c.secret, create: c["create"]?.text)
        case "join":
            workspace = try await .join(
                at: c.path, invite: c["invite"]!.text, key: c.secret, profile: c["profile"]?.text ?? "",
                timeout: c.duration("timeout_ms"))
        case "restore":
            workspace = try await .restore(c.url("from"), at: c.path, backupKey: c.secret("backup_")!, key: c.secret)
        case "recover":
            let folder = c["folder"].map { RecoverFrom.folder(URL(filePath: $0.text)) }
            let source = folder ?? .relay(relay, workspace: c["workspace"]?.text ?? "")
            workspace = try await .recover(at: c.path, words: c["words"]!.text, key: c.secret, from: source)
        case "backup":
            return try await measured { [workspace] in
                try await workspace!.backup(to: c.url("to"), key: c.secret(""), progress: $0)
            }
        case "verify_backup": return try await Workspace.verifyBackup(c.url("from"), key: c.secret(""))
        case "change_passphrase":
            try await workspace.changePassphrase(c.secret, old: c.secret("old_"))
        case "recovery_words": return try await workspace.recoveryWords()
        case "confirm_recovery_words": try await workspace.confirmRecoveryWords(c["words"]!.text)
        case "add_recovery_device": return try await workspace.addRecoveryDevice()
        case "restored": return try workspace.restored
        case "confirm_only_copy": try await workspace.confirmOnlyCopy()
        case "shutdown": try await workspace.shutdown()
        case "identity": return ["id": try workspace.id, "name": try workspace.name]
        case "stats": return try await workspace.stats()
        case "warnings": return try await workspace.warnings()
        case "verify": return try await measured { [workspace] in try await workspace!.verify(progress: $0) }
        case "sync": return try await workspace.sync(relay)
        case "sync_with": return try await workspace.syncWith(players[c.other]!.workspace)
        case "connect": link = try workspace.connect(relay)
        case "wait_live": try await link.waitLive(timeout: c.duration("timeout_ms"))
        case "link_state":
            return [
                "state": plain(try link.state), "pending": plain(try link.pending),
                "last_error": plain(try link.lastError?.code as Any), "progress": plain(try link.progress),
            ] as Value
        case "stop": try await link?.stop()
        case "link_events": hear(c, try link.events())
        case "watch_workspace": hear(c, try workspace.watch(pattern, initial: c["initial"] == true))
        case "watch_database": hear(c, try database(c).watch())
        case "next": return try await streams[c["stream"]!.text]!.next()
        case "end": streams[c["stream"]!.text]!.stop()
        case "collections": return try await database(c).collections()
        case "transaction": return try await transaction(c)
        case "put_record": try await records(c).put(Record(texts: c["record"]!))
        case "get_record": return try await records(c).get(c["key"]!.text)?.texts()
        case "get_raw": return try await records(c).getRaw(c["key"]!.text)
        case "entry_ids": return try await log(c).entryIds()
        case "missing": return try await log(c).missing(c["ids"]!.texts)
        case "entries": return try await log(c).entries(c["ids"]!.texts)
        case "append": return try await log(c).append(c["entry"]!.bytes)
        case "changes_since": return try await log(c).changesSince(c["cursor"]?.text, limit: c["limit"]?.int)
        case "pull_from": return try await log(c).pullFrom(players[c.other]!.log(c))
        case "push_to": return try await log(c).pushTo(players[c.other]!.log(c))
        case "log_sync_with": return try await log(c).syncWith(players[c.other]!.log(c))
        case "pull_from_relay": return try await log(c).pullFrom(relay)
        case "push_to_relay": return try await log(c).pushTo(relay)
        case "log_sync_with_relay": return try await log(c).syncWith(relay)
        case "relay_entry_ids": return try await log(c).at(relay).entryIds()
        case "relay_missing": return try await log(c).at(relay).missing(c["ids"]!.texts)
        case "relay_entries": return try await log(c).at(relay).entries(c["ids"]!.texts)
        case "relay_append": return try await log(c).at(relay).append(c["entry"]!.bytes)
        case "relay_changes_since":
            return try await log(c).at(relay).changesSince(c["cursor"]?.text, limit: c["limit"]?.int)
        case let word where word.hasPrefix("doc_"): return try await document(c)
        default: return try await member(c)
        }
        return nil
    }
}

var players: [String: Player] = [:]

@MainActor func answer(_ c: Command) async throws -> Value {
    switch c["op"]!.text {
    case "reset":
        for player in players.values { try await player.workspace?.shutdown() }
        players = [:]
        return nil
    case "advance":
        try advance(ms: UInt64(c["ms"]!.int))
        return nil
    default:
        let player = players[c["by"]!.text] ?? Player()
        players[c["by"]!.text] = player
        return plain(try await player.play(c) as Any)
    }
}

while let line = readLine() {
    do {
        print(try json(["ok": try await answer(command(line))]))
    } catch let error as TidelogError {
        print(try json(["error": .text(error.code), "reason": .text(error.reason)]))
    }
    fflush(nil)
}
