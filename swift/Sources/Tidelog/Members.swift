import Foundation
internal import TidelogFFI

/// What a removal did.
public struct RemovalReport: Codable, Sendable, Hashable {
    /// Chains of the removed devices, each with the last entry that counts.
    public let cuts: Int
    /// Of these, how many end at an entry that this device does not hold: the removed device claimed it.
    public let claimed: Int
    /// Entries of the directory that were written for it, those of new keys not included.
    public let entries: Int
    /// Whether new keys are there already. If not, the next writer makes them first.
    public let keysRenewed: Bool
    /// What remains to be done, in words: the removed device is of the same user and as senior as this one.
    public let advice: String?
}

/// An entry that is held and not shown.
public struct ExcludedEntry: Codable, Sendable, Hashable {
    /// Why an entry is not shown.
    public enum Reason: String, Codable, Sendable {
        /// Its device was removed, and it is after the last entry that counts.
        case removed
        /// Its user may not write any more, and it is after the last entry that counts.
        case demoted
        /// Its user was taken out of the circle, and it is after the last entry that counts.
        case leftCircle = "left_circle"
        /// Its device wrote twice in one place, and this is not the one that counts.
        case fork
        /// Its device is none of the workspace.
        case notMember = "not_member"
        /// Its user may only read.
        case notWriter = "not_writer"
        /// Its user is not in the circle.
        case notInCircle = "not_in_circle"
        /// It is of the directory, and has no effect.
        case void
        /// It is from the future, and is shown when its time has come.
        case deferred
        /// This device lacks the key that it is sealed with.
        case missingKey = "missing_key"
        /// What it holds is no valid operation.
        case invalid
        /// A newer version wrote it.
        case upgradeNeeded = "upgrade_needed"
    }

    /// The entry.
    public let entry: String
    /// The device that wrote it.
    public let device: String
    /// The user of that device, if it is known.
    public let user: String?
    /// The database, if this device knows its name; empty for the catalogue and the directory.
    public let database: String?
    /// Its place in the chain of its device.
    public let seq: Int
    /// Why it is not shown.
    public let reason: Reason
    /// For a deferred one: when it is shown.
    public let due: Date?
}

/// Roles, who leaves, and what is held and not shown.
///
/// ```swift
/// for member in try await workspace.members() where member.profile == "phone" {
///     try await workspace.setRole(member.user, .reader)
///     try await workspace.removeUser(member.user)
/// }
/// ```
extension Workspace {
    /// Gives a user another role. Of one that may not write any more, what it writes from now on counts nowhere.
    ///
    /// - Throws: ``TidelogError``: `notFound`, and `notAuthorized` unless this user is above both roles, or if no
    ///   owner would be left.
    public func setRole(_ user: String, _ role: Role) async throws {
        try await later { [native] in try await native.setRole(user: user, role: role.rawValue) }
    }

    /// Removes a user with all devices, for good.
    ///
    /// What they write without knowing of it counts nowhere, and they get no later key; what they hold by now they
    /// keep.
    ///
    /// - Throws: ``TidelogError``: `notFound`, and `notAuthorized` unless this user is above it, or if no owner would
    ///   be left.
    @discardableResult
    public func removeUser(_ user: String) async throws -> RemovalReport {
        RemovalReport(try await later { [native] in try await native.removeUser(user: user) })
    }

    /// Removes a device, for good: it was lost, stolen or given away.
    ///
    /// - Throws: ``TidelogError``: `notFound`, and `notAuthorized` unless it is of this user or of one below it.
    @discardableResult
    public func removeDevice(_ device: String) async throws -> RemovalReport {
        RemovalReport(try await later { [native] in try await native.removeDevice(device: device) })
    }

    /// The entries that this device holds and does not show, in order of arrival. Each is shown once the reason is
    /// gone.
    public func excluded() async throws -> [ExcludedEntry] {
        try await later { [native] in try await native.excluded() }.map(ExcludedEntry.init)
    }

    /// Lets everything count that a removed or demoted device wrote before it knew, as far as it is held here by now;
    /// gives how many entries that brought back.
    ///
    /// - Throws: ``TidelogError``: `notFound` if there is nothing that could count, `notAuthorized` unless this user
    ///   has at least the role of whoever removed the device.
    @discardableResult
    public func acceptExcluded(_ device: String) async throws -> Int {
        Int(clamping: try await later { [native] in try await native.acceptExcluded(device: device) })
    }
}

extension RemovalReport {
    init(_ given: TidelogFFI.RemovalReport) {
        self.init(
            cuts: Int(clamping: given.cuts), claimed: Int(clamping: given.claimed),
            entries: Int(clamping: given.entries), keysRenewed: given.keysRenewed, advice: given.advice)
    }
}

extension ExcludedEntry {
    init(_ given: TidelogFFI.ExcludedEntry) throws {
        self.init(
            entry: given.entry, device: given.device, user: given.user, database: given.database,
            seq: Int(clamping: given.seq), reason: try known(given.reason), due: given.dueMs.map(PlainText.time(ms:)))
    }
}
