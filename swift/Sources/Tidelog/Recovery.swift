import Foundation
internal import TidelogFFI

/// What opens a backup.
public enum BackupKey: String, Codable, Sendable, Hashable {
    /// Its own key.
    case own
    /// The passphrase that the workspace had then.
    case workspace
    /// Nothing in it: recovery words.
    case recoveryWords = "recovery_words"
}

/// What a backup copied.
public struct BackupReport: Codable, Sendable, Hashable {
    /// Entries in it.
    public let entries: Int
    /// Bytes in it.
    public let bytes: Int
    /// Bytes copied this time.
    public let copied: Int
    /// What opens it.
    public let key: BackupKey
}

/// What is in a backup; no problems is good.
public struct BackupInfo: Codable, Sendable, Hashable {
    /// The id of the workspace.
    public let workspace: String
    /// When it was made.
    public let made: Date
    /// Entries in it.
    public let entries: Int
    /// Bytes in it.
    public let bytes: Int
    /// What opens it.
    public let key: BackupKey
    /// The first problems, in words.
    public let problems: [String]
}

/// Where a workspace is got back from with recovery words.
public enum RecoverFrom: Sendable, Hashable {
    /// A backup, or the folder of another member's workspace.
    case folder(URL)
    /// A relay, and the id of the workspace.
    case relay(String, workspace: String)
}

/// Other keys, recovery words, and backups.
///
/// ```swift
/// let words = try await workspace.recoveryWords()                  // for paper
/// try await workspace.confirmRecoveryWords(words)                  // typed in again: erased from this device
/// try await workspace.backup(to: URL(filePath: "/mnt/backup"))
/// ```
extension Workspace {
    /// Makes another key the one that opens this workspace on this device. `old`, if given, has to be the present one.
    public func changePassphrase(_ key: Key, old: Key? = nil) async throws {
        let (old, new) = try now { (try old?.crossing(), try key.crossing()) }
        try await later { [native] in try await native.changePassphrase(old: old, new: new) }
    }

    /// The 24 words that stand for the root of this workspace, until they are confirmed.
    public func recoveryWords() async throws -> String {
        try await later { [native] in try await native.recoveryWords() }
    }

    /// Takes the recovery words back from who wrote them down; right ones are erased from this device.
    public func confirmRecoveryWords(_ words: String) async throws {
        try await later { [native] in try await native.confirmRecoveryWords(words: words) }
    }

    /// Makes a device of this user that exists as 24 words only. They are not shown again.
    public func addRecoveryDevice() async throws -> String {
        try await later { [native] in try await native.addRecoveryDevice() }
    }

    /// Copies the workspace as it is now into a folder; into that of an earlier backup, only what is new.
    ///
    /// The key is the backup's own. Progress counts bytes. When the task is cancelled the backup ends, and the next one
    /// goes on.
    @discardableResult
    public func backup(to folder: URL, key: Key? = nil, progress: Progressing? = nil) async throws -> BackupReport {
        let path = try Self.path(folder)
        let key = try now { try key?.crossing() }
        let report = try await metered(progress) { [native] in try await native.backup(to: path, key: key, meter: $0) }
        return BackupReport(
            entries: Int(clamping: report.entries), bytes: Int(clamping: report.bytes),
            copied: Int(clamping: report.copied), key: try known(report.key))
    }

    /// Reads a backup and checks it; with a key, also that this opens it. Progress counts bytes.
    public static func verifyBackup(
        _ backup: URL, key: Key? = nil, progress: Progressing? = nil
    ) async throws -> BackupInfo {
        let path = try path(backup)
        let key = try now { try key?.crossing() }
        let info = try await metered(progress) {
            try await TidelogFFI.verifyBackup(from: path, key: key, meter: $0)
        }
        return BackupInfo(
            workspace: info.workspace, made: PlainText.time(ms: info.madeMs), entries: Int(clamping: info.entries),
            bytes: Int(clamping: info.bytes), key: try known(info.key), problems: info.problems)
    }

    /// Makes the workspace of a backup anew in an empty folder.
    ///
    /// `backupKey` opens the backup, `key` the workspace from then on, the same if nothing is said. It can only be read
    /// until it has met a peer: see ``restored``.
    public static func restore(
        _ backup: URL, at folder: URL, backupKey: Key, key: Key? = nil, progress: Progressing? = nil
    ) async throws -> Workspace {
        let (from, path) = (try path(backup), try path(folder))
        let (backupKey, key) = try now { (try backupKey.crossing(), try key?.crossing()) }
        return Workspace(
            try await metered(progress) {
                try await .restore(from: from, path: path, backupKey: backupKey, key: key, meter: $0)
            })
    }

    /// Gets a workspace back with recovery words, as a new device in an empty folder.
    public static func recover(
        at folder: URL, words: String, key: Key, from source: RecoverFrom
    ) async throws -> Workspace {
        let path = try path(folder)
        let key = try now { try key.crossing() }
        let from =
            switch source {
            case .folder(let folder):
                TidelogFFI.RecoverFrom(folder: try Self.path(folder), relay: nil, workspace: nil)
            case .relay(let relay, let workspace):
                TidelogFFI.RecoverFrom(folder: nil, relay: relay, workspace: workspace)
            }
        return Workspace(try await later { try await .recover(path: path, key: key, words: words, from: from) })
    }

    /// Whether this is a copy of a device, which can only be read until it has met a peer.
    public var restored: Bool {
        get throws { try now { try native.restored() } }
    }

    /// Goes on without having met a peer: no other copy of this device is in use.
    public func confirmOnlyCopy() async throws {
        try await later { [native] in try await native.confirmOnlyCopy() }
    }
}
