import Foundation

/// What a user may do in a workspace.
public enum Role: String, Codable, Sendable, Hashable, CaseIterable {
    /// Reads.
    case reader
    /// Reads and writes.
    case writer
    /// Also admits and removes others.
    case admin
    /// Also makes admins.
    case owner
}

/// What merges concurrent writes to the items of a collection; part of the collection's identity.
public enum Policy: String, Codable, Sendable, Hashable, CaseIterable {
    /// An item is one value; the last write wins.
    case lww
    /// An item is a document whose concurrent edits merge.
    case document
}

/// An item of a collection whose values do not hold their key.
public struct Item<Content: Sendable>: Sendable {
    /// The key.
    public var key: String
    /// The value.
    public var value: Content

    /// An item of a key and a value.
    public init(key: String, value: Content) {
        self.key = key
        self.value = value
    }
}

extension Item: Equatable where Content: Equatable {}
extension Item: Hashable where Content: Hashable {}
extension Item: Codable where Content: Codable {}

extension Item: Identifiable {
    /// The key.
    public var id: String { key }
}

/// The items of a query, and where the next page begins if a limit left items out.
public struct Page<Element: Sendable>: RandomAccessCollection, Sendable {
    /// The items.
    public let items: [Element]
    /// Where the next query goes on, if the limit left items out.
    public let cursor: String?

    /// The first position.
    public var startIndex: Int { items.startIndex }
    /// The position after the last.
    public var endIndex: Int { items.endIndex }
    /// The item at a position.
    public subscript(position: Int) -> Element { items[position] }
}

extension Page: Codable where Element: Codable {}

/// What writing many items did.
public struct Summary: Codable, Sendable, Hashable {
    /// Items written.
    public let items: Int
    /// Entries they were written in.
    public let entries: Int
}

/// One entry in the history of an item, with the value as it was stored.
public struct Version: Codable, Sendable, Hashable {
    /// What an entry did.
    public enum Kind: String, Codable, Sendable {
        /// It put a value.
        case put
        /// It deleted the item.
        case delete
        /// It changed a document.
        case change
    }

    /// The entry.
    public let entry: String
    /// The device that wrote it.
    public let author: String
    /// The user of that device, if it is known.
    public let user: String?
    /// When, by the author's clock.
    public let time: Date
    /// What it did.
    public let kind: Kind
    /// The value it put.
    public let value: Value?
    /// Whether this device wrote it.
    public let local: Bool
}

/// What a watch observes.
public enum Event<Content: Sendable>: Sendable {
    /// An item changed.
    case change(Change<Content>)
    /// The reader was too slow, and so many changes were dropped: read the state again.
    case lagged(Int)

    /// The change, unless changes were dropped.
    public var change: Change<Content>? {
        if case .change(let change) = self { change } else { nil }
    }
}

extension Event: Equatable where Content: Equatable {}
extension Event: Codable where Content: Codable {}

/// A change of one item.
public struct Change<Content: Sendable>: Sendable {
    /// What happened.
    public enum Kind: String, Codable, Sendable {
        /// It is there already.
        case current
        /// It was put.
        case put
        /// It was deleted.
        case delete
        /// A document took up changes. Documents carry no values: read what is needed.
        case merge
        /// An entry cannot be shown: its key is missing, or it is invalid. It has no collection and no key.
        case unreadable
    }

    /// What happened.
    public let kind: Kind
    /// The database, if this device knows its name.
    public let database: String?
    /// The circle whose database it is; nil if all members share it. Several circles may use one name.
    public let circle: String?
    /// The collection.
    public let collection: String
    /// The user whose own item it is.
    public let owner: String?
    /// The item.
    public let key: String
    /// The value before; nil if there was none or it does not fit the type.
    public let old: Content?
    /// The value now; nil if there is none or it does not fit the type.
    public let new: Content?
    /// The device that wrote the entry.
    public let author: String
    /// When, by the author's clock.
    public let time: Date
    /// Whether this device wrote it.
    public let local: Bool
    /// The entry.
    public let entry: String
}

extension Change: Equatable where Content: Equatable {}
extension Change: Codable where Content: Codable {}

/// This device in its workspace.
public struct Me: Codable, Sendable, Hashable {
    /// The user.
    public let user: String
    /// The device.
    public let device: String
    /// What it may do.
    public let role: Role
    /// The user's name, if it gave one.
    public let profile: String?
}

/// An invite.
public struct Invite: Codable, Sendable, Hashable, Identifiable, CustomStringConvertible, CustomReflectable {
    /// Its name.
    public let id: String
    /// The link: a secret for whom it is meant.
    public let uri: String
    /// When it ends.
    public let expires: Date
    /// The role that it grants.
    public let role: Role
    /// The relay to meet at; nil if request and welcome go by hand.
    public let relay: String?
    /// How often it can still be used.
    public let usesLeft: Int
    /// Whether whoever asks is admitted at once.
    public let autoApprove: Bool
    /// Whether it is for another device of this user.
    public let sameUser: Bool
    /// The circles that the new user comes into.
    public let circles: [Workspace.Circle.ID]

    /// Without the link, which is a secret.
    public var description: String { "Invite(id: \(id), expires: \(expires))" }
    /// Without the link, which is a secret.
    public var customMirror: Mirror { Mirror(self, children: ["id": id, "expires": expires]) }
}

/// A device that asks to join. Nothing vouches for its profile.
public struct JoinRequest: Codable, Sendable, Hashable, Identifiable {
    /// What to approve.
    public let id: String
    /// The name it gave itself.
    public let profile: String
    /// The device.
    public let device: String
    /// The role it will have.
    public let role: Role
    /// Whether it is to be another device of this user.
    public let sameUser: Bool
    /// The circles that the invite leads into.
    public let circles: [Workspace.Circle.ID]
    /// When it asked, by its clock.
    public let requested: Date
}

/// A user of the workspace.
public struct Member: Codable, Sendable, Hashable {
    /// The user.
    public let user: String
    /// What it may do.
    public let role: Role
    /// The user's name, if it gave one.
    public let profile: String?
    /// The user's devices.
    public let devices: [String]
    /// Whether this device is one of them.
    public let me: Bool
}

/// A device of the workspace.
public struct Device: Codable, Sendable, Hashable {
    /// The device.
    public let device: String
    /// Its user.
    public let user: String
    /// The device, or root key, that admitted it.
    public let addedBy: String
    /// Whether it is this one.
    public let me: Bool
}

/// What a sync did.
public struct SyncReport: Codable, Sendable, Hashable {
    /// Entries sent.
    public let sent: Int
    /// Entries received.
    public let received: Int
    /// Bytes sent.
    public let bytesSent: Int
    /// Bytes received.
    public let bytesReceived: Int
    /// Times the protocol waited for the peer.
    public let roundTrips: Int
    /// Chains of entries that this device cannot advance until it is upgraded.
    public let held: Int
    /// Whether the peer leaves entries of this device out until it is upgraded, or because a chain forked too often.
    public let heldThere: Bool
}

/// Something that is wrong now. It goes when its cause is gone.
public struct Warning: Codable, Sendable, Hashable {
    /// What it is about: `upgrade_needed`, `clock_behind`, `fork`, `key_mismatch` or `withheld`.
    public let kind: String
    /// The device concerned, if it is one.
    public let device: String?
    /// The user whose device it is, if known.
    public let user: String?
    /// Name of the database concerned, if it is one whose name is known; empty for the directory.
    public let database: String?
    /// The entry that shows it, if one does.
    public let entry: String?
    /// What it means and what to do about it.
    public let text: String
}

/// Figures of a workspace.
public struct Stats: Codable, Sendable, Hashable {
    /// Entries held.
    public let entries: Int
    /// Bytes of the log on disk, preallocated space included.
    public let logBytes: Int
    /// Streams that have entries.
    public let streams: Int
    /// Chains, one for each device and stream it wrote to.
    public let chains: Int
    /// Users.
    public let users: Int
    /// Devices.
    public let devices: Int
    /// Stands for everything held: equal on two replicas exactly if they hold the same.
    public let root: String
}

/// What a verification found; no problems is good.
public struct VerifyReport: Codable, Sendable, Hashable {
    /// Entries checked.
    public let entries: Int
    /// Bytes checked.
    public let bytes: Int
    /// Signatures checked; one vouches for all entries before it in its chain.
    public let signatures: Int
    /// Number of problems.
    public let damaged: Int
    /// The first problems, in words.
    public let problems: [String]
}

/// Entries asked of a log, and the ids of those it lacks.
public struct Entries: Codable, Sendable, Hashable {
    /// Those it has, in the order asked for.
    public let entries: [Data]
    /// The ids of those it lacks.
    public let missing: [String]
}

/// One item at its latest change, or one entry that cannot be shown, without collection and key.
public struct LogChange: Codable, Sendable, Hashable {
    /// What became of an item, or why an entry cannot be shown.
    public enum Kind: String, Codable, Sendable {
        /// The item was put.
        case put
        /// The item was deleted.
        case delete
        /// The key of the entry is missing.
        case missingKey = "missing_key"
        /// The entry is invalid.
        case invalid
    }

    /// What became of it.
    public let kind: Kind
    /// The collection.
    public let collection: String
    /// The user whose own item it is.
    public let owner: String?
    /// The item.
    public let key: String
    /// The entry with the item's highest version, or the entry itself.
    public let entry: String
    /// The device that wrote the entry that made the change.
    public let author: String
    /// The number of that entry in this replica's order of arrival.
    public let arrival: Int
}

/// Changes after a cursor.
public struct Changes: Codable, Sendable, Hashable {
    /// The changes, the earliest first.
    public let items: [LogChange]
    /// Where to go on.
    public let cursor: String
}

/// What moving entries between two logs did.
public struct Transfer: Codable, Sendable, Hashable {
    /// Entries that were new here.
    public let received: Int
    /// Entries that were new there.
    public let sent: Int
}
