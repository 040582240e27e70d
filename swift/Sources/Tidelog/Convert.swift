import Foundation
internal import TidelogFFI

// From the records of the generated module to the types of this one.

/// The case of a name that the engine gave. The engine and this package have one version, so an unknown name is a bug.
func known<T: RawRepresentable>(_ name: String, as _: T.Type = T.self) throws -> T where T.RawValue == String {
    guard let value = T(rawValue: name) else {
        throw TidelogError.internal("the engine says `\(name)`, which this package does not know; please report it")
    }
    return value
}

/// A duration in whole milliseconds; nothing below zero.
func milliseconds(_ duration: Duration?) -> UInt64? {
    duration.map { duration in
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let whole = UInt64(seconds).multipliedReportingOverflow(by: 1000)
        return whole.overflow ? .max : whole.partialValue + UInt64(attoseconds / 1_000_000_000_000_000)
    }
}

/// A count that is not negative and has at most 32 bits.
func count(_ name: String, _ value: Int) throws -> UInt32 {
    guard let count = UInt32(exactly: value) else {
        throw TidelogError.invalidArgument("`\(name)` is a whole number from 0 to \(UInt32.max), not \(value)")
    }
    return count
}

extension Policy {
    var crossing: TidelogFFI.Policy {
        switch self {
        case .lww: .lww
        case .document: .document
        }
    }
}

extension Summary {
    init(_ given: TidelogFFI.Summary) {
        self.init(items: Int(clamping: given.items), entries: Int(clamping: given.entries))
    }
}

extension Version {
    init(_ given: TidelogFFI.Version) throws {
        self.init(
            entry: given.entry, author: given.author, user: given.user, time: PlainText.time(ms: given.hlcMs),
            kind: try known(given.kind), value: try given.value.map(Value.init(crossing:)), local: given.local)
    }
}

extension Event {
    /// An event of a watch, with its values read by `value`, which is given the key.
    init(_ given: TidelogFFI.Event, value: (String, Crossing) -> Content?) throws {
        switch given {
        case .lagged(let lost):
            self = .lagged(Int(clamping: lost))
        case .change(let change):
            self = .change(
                Change(
                    kind: try known(change.kind), database: change.database, circle: change.circle,
                    collection: change.collection, owner: change.owner, key: change.key,
                    old: change.old.flatMap { value(change.key, $0) },
                    new: change.new.flatMap { value(change.key, $0) }, author: change.author,
                    time: PlainText.time(ms: change.hlcMs), local: change.local, entry: change.entry))
        }
    }
}

extension Event where Content == Value {
    init(_ given: TidelogFFI.Event) throws {
        try self.init(given) { _, value in try? Value(crossing: value) }
    }
}

extension Me {
    init(_ given: TidelogFFI.Me) throws {
        self.init(user: given.user, device: given.device, role: try known(given.role), profile: given.profile)
    }
}

extension Invite {
    init(_ given: TidelogFFI.Invite) throws {
        self.init(
            id: given.id, uri: given.uri, expires: PlainText.time(ms: given.expiresMs), role: try known(given.role),
            relay: given.relay, usesLeft: Int(given.usesLeft), autoApprove: given.autoApprove,
            sameUser: given.sameUser, circles: given.circles)
    }
}

extension JoinRequest {
    init(_ given: TidelogFFI.JoinRequest) throws {
        self.init(
            id: given.id, profile: given.profile, device: given.device, role: try known(given.role),
            sameUser: given.sameUser, circles: given.circles, requested: PlainText.time(ms: given.requestedMs))
    }
}

extension Member {
    init(_ given: TidelogFFI.Member) throws {
        self.init(
            user: given.user, role: try known(given.role), profile: given.profile, devices: given.devices,
            me: given.me)
    }
}

extension Device {
    init(_ given: TidelogFFI.Device) {
        self.init(device: given.device, user: given.user, addedBy: given.addedBy, me: given.me)
    }
}

extension SyncReport {
    init(_ given: TidelogFFI.SyncReport) {
        self.init(
            sent: Int(clamping: given.sent), received: Int(clamping: given.received),
            bytesSent: Int(clamping: given.bytesSent), bytesReceived: Int(clamping: given.bytesReceived),
            roundTrips: Int(clamping: given.roundTrips), held: Int(clamping: given.held),
            heldThere: given.heldThere)
    }
}

extension Stats {
    init(_ given: TidelogFFI.Stats) {
        self.init(
            entries: Int(clamping: given.entries), logBytes: Int(clamping: given.logBytes),
            streams: Int(clamping: given.streams), chains: Int(clamping: given.chains),
            users: Int(clamping: given.users), devices: Int(clamping: given.devices), root: given.root)
    }
}

extension VerifyReport {
    init(_ given: TidelogFFI.VerifyReport) {
        self.init(
            entries: Int(clamping: given.entries), bytes: Int(clamping: given.bytes),
            signatures: Int(clamping: given.signatures), damaged: Int(clamping: given.damaged),
            problems: given.problems)
    }
}

extension Entries {
    init(_ given: TidelogFFI.Entries) {
        self.init(entries: given.entries, missing: given.missing)
    }
}

extension Changes {
    init(_ given: TidelogFFI.Changes) throws {
        let items = try given.items.map { change in
            LogChange(
                kind: try known(change.kind), collection: change.collection, owner: change.owner, key: change.key,
                entry: change.entry, author: change.author, arrival: Int(clamping: change.arrival))
        }
        self.init(items: items, cursor: given.cursor)
    }
}

extension Transfer {
    init(_ given: TidelogFFI.Transfer) {
        self.init(received: Int(clamping: given.received), sent: Int(clamping: given.sent))
    }
}

extension Workspace.Link.State {
    init(_ given: TidelogFFI.LinkState) {
        self =
            switch given {
            case .offline: .offline
            case .connecting: .connecting
            case .catchingUp: .catchingUp
            case .live: .live
            }
    }
}

extension Workspace.Link.Progress {
    init(_ given: TidelogFFI.Progress) {
        self.init(
            received: Int(clamping: given.received), receivedTotal: Int(clamping: given.receivedTotal),
            sent: Int(clamping: given.sent), sentTotal: Int(clamping: given.sentTotal),
            bytesReceived: Int(clamping: given.bytesReceived), bytesSent: Int(clamping: given.bytesSent))
    }
}

extension Warning {
    init(_ given: TidelogFFI.Warning) {
        self.init(
            kind: given.kind, device: given.device, user: given.user, database: given.database,
            entry: given.entry, text: given.text)
    }
}

extension Workspace.Link.Event {
    init(_ given: TidelogFFI.LinkEvent) {
        self =
            switch given {
            case .state(let state): .state(.init(state))
            case .progress(let progress): .progress(.init(progress))
            case .failed(let code, let reason): .failed(code: code, reason: reason)
            case .warned(let warning): .warned(.init(warning))
            case .lagged(let lost): .lagged(Int(clamping: lost))
            }
    }
}
