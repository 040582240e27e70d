import Foundation
internal import TidelogFFI

/// An open workspace: members, databases, and what syncs them.
///
/// ```swift
/// import Foundation
/// import Tidelog
///
/// struct Todo: Codable, Identifiable, Sendable {
///     var id = ""
///     var title: String
///     var done = false
/// }
///
/// let folder = FileManager.default.temporaryDirectory.appending(path: "notes.tide")
/// let key = Key.passphrase("correct horse")
/// let workspace = try await Workspace.open(at: folder, key: key, create: "Field notes")
/// let todos = try workspace.database("main").collection("todos", of: Todo.self)
/// let todo = try await todos.insert(Todo(title: "Calibrate sensor"))
/// print(todo.id)
/// try await workspace.shutdown()
/// ```
///
/// Everything here may be used from any task, and nothing blocks the main actor. A task that is cancelled stops waiting
/// with `CancellationError`; what the call writes is not lost by it. After ``shutdown()`` every call throws
/// ``TidelogError/closed(_:)``.
public final class Workspace: Sendable {
    let native: TidelogFFI.Workspace

    init(_ native: TidelogFFI.Workspace) {
        self.native = native
    }

    /// Opens a workspace; with `create`, makes it under this name if there is none.
    ///
    /// - Throws: ``TidelogError``: `notAWorkspace`, `wrongKey`, `alreadyOpen`, `newerFormat`, `io`.
    public static func open(at folder: URL, key: Key, create: String? = nil) async throws -> Workspace {
        let path = try path(folder)
        let key = try now { try key.crossing() }
        return Workspace(try await later { try await .open(path: path, key: key, create: create) })
    }

    /// Makes a workspace.
    ///
    /// - Throws: ``TidelogError``: `alreadyExists` if there is one, and those of writing.
    public static func create(at folder: URL, name: String, key: Key) async throws -> Workspace {
        let path = try path(folder)
        let key = try now { try key.crossing() }
        return Workspace(try await later { try await .create(path: path, key: key, name: name) })
    }

    /// Joins the workspace of an invite, under the name `profile`. After an interruption it may be called again.
    ///
    /// Without a timeout it waits until somebody approves.
    ///
    /// - Throws: ``TidelogError``: `inviteInvalid`, `inviteExpired`, `timeout`, `network`.
    public static func join(
        at folder: URL, invite: String, key: Key, profile: String = "", timeout: Duration? = nil
    ) async throws -> Workspace {
        let path = try path(folder)
        let key = try now { try key.crossing() }
        let options = JoinOptions(profile: profile, timeoutMs: milliseconds(timeout))
        return Workspace(try await later { try await .join(path: path, key: key, invite: invite, options: options) })
    }

    static func path(_ folder: URL) throws -> String {
        guard folder.isFileURL else { throw TidelogError.invalidArgument("a workspace is at the URL of a file") }
        return folder.path(percentEncoded: false)
    }

    /// Its id.
    public var id: String {
        get throws { try now { try native.id() } }
    }

    /// Its name.
    public var name: String {
        get throws { try now { try native.name() } }
    }

    /// This device in it.
    public var me: Me {
        get throws { try Me(now { try native.me() }) }
    }

    /// A database that all members share, or one of a circle; it comes into being with the first write.
    public func database(_ name: String, circle: Circle.ID? = nil) throws -> Database {
        Database(try now { try native.database(name: name, circle: circle) })
    }

    /// The names of the databases that all members share, or of those of a circle.
    ///
    /// - Throws: ``TidelogError/notAuthorized(_:)`` if this device is not in the circle.
    public func databases(circle: Circle.ID? = nil) async throws -> [String] {
        try await later { [native] in try await native.databases(circle: circle) }
    }

    /// Makes an invite: for one new writer, open for a day, if nothing else is said.
    ///
    /// They meet at the relay; without one, request and welcome go by hand, see
    /// ``askToJoin(at:invite:key:profile:)``. With `autoApprove` whoever asks is admitted at once, while this device
    /// is connected, or when it takes the request in. With `sameUser` it is for another device of this user, instead
    /// of for another user. A new user comes into the circles with the same role. It is open for at most 30 days.
    ///
    /// - Throws: ``TidelogError``: `notAuthorized` unless this user may admit the role, `network`.
    public func invite(
        relay: String? = nil, role: Role? = nil, expires: Duration? = nil, autoApprove: Bool = false,
        uses: Int? = nil, sameUser: Bool = false, circles: [Circle.ID] = []
    ) async throws -> Invite {
        let options = InviteOptions(
            relay: relay, role: role?.rawValue, expiresInMs: milliseconds(expires), autoApprove: autoApprove,
            uses: try uses.map { try count("uses", $0) }, sameUser: sameUser, circles: circles)
        return try Invite(await later { [native] in try await native.invite(options: options) })
    }

    /// The invites that hold.
    public func invites() async throws -> [Invite] {
        try await later { [native] in try await native.invites() }.map(Invite.init)
    }

    /// Takes an invite back.
    ///
    /// - Throws: ``TidelogError/notFound(_:)`` if this device has no such invite.
    public func withdraw(_ invite: Invite.ID) async throws {
        try await later { [native] in try await native.withdraw(invite: invite) }
    }

    /// The devices that ask to join with an invite of this device.
    public func requests() async throws -> [JoinRequest] {
        try await later { [native] in try await native.requests() }.map(JoinRequest.init)
    }

    /// Admits a device that asks.
    ///
    /// - Throws: ``TidelogError/notFound(_:)`` if there is no such request.
    public func approve(_ request: JoinRequest.ID) async throws {
        try await later { [native] in try await native.approve(request: request) }
    }

    /// Gives this user a name that other members see.
    public func setProfile(_ name: String) async throws {
        try await later { [native] in try await native.setProfile(name: name) }
    }

    /// Its users.
    public func members() async throws -> [Member] {
        try await later { [native] in try await native.members() }.map(Member.init)
    }

    /// Its devices.
    public func devices() async throws -> [Device] {
        try await later { [native] in try await native.devices() }.map(Device.init)
    }

    /// Makes this replica and a relay equal, once.
    ///
    /// - Throws: ``TidelogError``: `network`, `relayRefused`, `protocol`.
    @discardableResult
    public func sync(_ relay: String) async throws -> SyncReport {
        SyncReport(try await later { [native] in try await native.sync(url: relay) })
    }

    /// Makes this replica and another one in this process equal, once.
    @discardableResult
    public func syncWith(_ other: Workspace) async throws -> SyncReport {
        SyncReport(try await later { [native] in try await native.syncWith(other: other.native) })
    }

    /// Keeps this replica and a relay equal from now on. Whether the relay answers is told by the link.
    ///
    /// - Throws: ``TidelogError/invalidArgument(_:)`` for what is not an address.
    public func connect(_ relay: String) throws -> Link {
        Link(try now { try native.connect(url: relay) })
    }

    /// Changes of items in databases whose names match a pattern, such as `chat/**`, or in all; with `initial`, first
    /// what is there. Values are as they are stored.
    public func watch(_ pattern: String? = nil, initial: Bool = false) throws -> EventStream<Event<Value>> {
        let options = WatchOptions(pattern: pattern, initial: initial)
        return .watch(try now { try native.watch(options: options) })
    }

    /// Its figures.
    public func stats() async throws -> Stats {
        Stats(try await later { [native] in try await native.stats() })
    }

    /// What is wrong now and worth telling a person; empty if all is well. Links tell new ones.
    public func warnings() async throws -> [Warning] {
        try await later { [native] in try await native.warnings() }.map(Warning.init)
    }

    /// Reads everything on disk and checks it. Progress counts entries.
    public func verify(progress: Progressing? = nil) async throws -> VerifyReport {
        VerifyReport(try await metered(progress) { [native] in try await native.verify(meter: $0) })
    }

    /// Ends links and streams, finishes what was begun and releases the folder. A second shutdown does nothing.
    public func shutdown() async throws {
        try await later { [native] in try await native.shutdown() }
    }
}
