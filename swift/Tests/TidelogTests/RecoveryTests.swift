import Foundation
import Testing
import Tidelog

/// Other keys, recovery words, backups and copies.
@Suite struct RecoveryTests {
    @Test func anotherPassphraseOpensFromThenOn() async throws {
        try await withFolder { folder in
            let place = folder.appending(path: "notes.tide")
            let workspace = try await Workspace.create(at: place, name: "Notes", key: .passphrase("one"))
            await refused("wrong_key") { try await workspace.changePassphrase(.passphrase("two"), old: .passphrase("x")) }
            try await workspace.changePassphrase(.passphrase("two"), old: .passphrase("one"))
            try await workspace.shutdown()
            await refused("wrong_key") { try await Workspace.open(at: place, key: .passphrase("one")) }
            try await Workspace.open(at: place, key: .passphrase("two")).shutdown()
        }
    }

    @Test func aBackupIsRestoredAndRecoveredByWords() async throws {
        try await withWorkspace { workspace in
            try await withFolder { folder in
                try await workspace.database("main").collection("notes").put("a", 1)
                let words = try await workspace.recoveryWords()
                #expect(words.split(separator: " ").count == 24)
                let (backup, key) = (folder.appending(path: "backup"), Key.passphrase("backup"))
                let report = try await workspace.backup(to: backup, key: key)
                #expect(report.copied > 0 && report.key == .own)
                let info = try await Workspace.verifyBackup(backup, key: key)
                #expect(try info.workspace == workspace.id && info.problems.isEmpty && info.bytes == report.bytes)

                let copy = try await Workspace.restore(
                    backup, at: folder.appending(path: "copy.tide"), backupKey: key, key: testKey)
                #expect(try copy.restored)
                #expect(try await copy.database("main").collection("notes").get("a") == 1)
                await refused("restored") { try await copy.database("main").collection("notes").put("a", 2) }
                try await copy.confirmOnlyCopy()
                try await copy.database("main").collection("notes").put("a", 2)
                try await copy.shutdown()

                let recovered = try await Workspace.recover(
                    at: folder.appending(path: "new.tide"), words: words, key: testKey, from: .folder(backup))
                #expect(try await recovered.database("main").collection("notes").get("a") == 1)
                try await recovered.shutdown()
                try await workspace.confirmRecoveryWords(words)
                await refused("not_found") { try await workspace.recoveryWords() }
            }
        }
    }
}
