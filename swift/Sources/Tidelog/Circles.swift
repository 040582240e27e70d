internal import TidelogFFI

/// When members make new keys without another reason. Zero is never.
public struct KeyPolicy: Codable, Sendable, Hashable {
    /// Days after which a key is replaced, from when a device first saw it used.
    public let rotateDays: Int
    /// Entries after which a key is replaced.
    public let rotateEntries: Int
}

/// Circles, and when keys are replaced.
///
/// ```swift
/// let board = try await workspace.createCircle("Board")
/// try await workspace.addToCircle(board.id, treasurer, as: .writer)
/// let minutes = try workspace.database("minutes", circle: board.id)
/// ```
extension Workspace {
    /// Some of the members, with keys and databases of their own. The others carry it, and see that it is there.
    public struct Circle: Codable, Sendable, Hashable, Identifiable {
        /// What newcomers may read.
        public enum History: String, Codable, Sendable {
            /// Everything.
            case full
            /// What is written after they joined, with what is there at that time written again for them.
            case fromJoin = "from_join"
        }

        /// A member of a circle.
        public struct Member: Codable, Sendable, Hashable {
            /// The user.
            public let user: String
            /// What it may do in the circle.
            public let role: Role
        }

        /// The circle.
        public let id: String
        /// Its name, if this device can read it.
        public let name: String?
        /// What newcomers may read.
        public let history: History
        /// Whether the recovery words recover its data too.
        public let recoverable: Bool
        /// Its members, by user.
        public let members: [Member]
        /// Whether this device reads what is written in it.
        public let readable: Bool
    }

    /// Makes a circle of this user alone, who may add others.
    ///
    /// Its name, the names of its databases and all that is in them are sealed for its members. What newcomers may
    /// read, and whether the recovery words recover its data too, stays that way.
    ///
    /// - Throws: ``TidelogError/notAuthorized(_:)`` unless this user is an admin or owner.
    public func createCircle(
        _ name: String, history: Circle.History = .full, recoverable: Bool = true
    ) async throws -> Circle {
        let options = CircleOptions(history: history.rawValue, recoverable: recoverable)
        return try Circle(await later { [native] in try await native.createCircle(name: name, options: options) })
    }

    /// The circles, also those that this device is not in.
    public func circles() async throws -> [Circle] {
        try await later { [native] in try await native.circles() }.map(Circle.init)
    }

    /// Takes a user into a circle as reader, writer or admin, or gives one who is in it another role there. Repeat
    /// the call if it was interrupted.
    ///
    /// - Throws: ``TidelogError``: `notFound`, and `notAuthorized` unless this device is in the circle and may write
    ///   there, and its user is above the role.
    public func addToCircle(_ circle: Circle.ID, _ user: String, as role: Role) async throws {
        try await later { [native] in try await native.addToCircle(circle: circle, user: user, role: role.rawValue) }
    }

    /// Takes a user out of a circle: what it has it keeps, and what it writes there from now on counts nowhere.
    ///
    /// - Throws: ``TidelogError``: `notFound`, and `notAuthorized` unless the user is this one or of a lower role.
    public func removeFromCircle(_ circle: Circle.ID, _ user: String) async throws {
        try await later { [native] in try await native.removeFromCircle(circle: circle, user: user) }
    }

    /// When members make new keys without another reason.
    public var policy: KeyPolicy {
        get throws {
            let given = try now { try native.policy() }
            return KeyPolicy(rotateDays: Int(given.rotateDays), rotateEntries: Int(given.rotateEntries))
        }
    }

    /// Sets when members make new keys without another reason: at the first write so many days (at most 65,535) after
    /// a device first saw a key used, or after so many entries (less than 2^32). Zero is never.
    ///
    /// - Throws: ``TidelogError/notAuthorized(_:)`` unless this user is an owner.
    public func setPolicy(rotateDays: Int, rotateEntries: Int) async throws {
        guard let days = UInt16(exactly: rotateDays) else {
            throw TidelogError.invalidArgument("`rotateDays` is a whole number from 0 to 65535, not \(rotateDays)")
        }
        let entries = try count("rotateEntries", rotateEntries)
        try await later { [native] in try await native.setPolicy(rotateDays: days, rotateEntries: entries) }
    }
}

extension Workspace.Circle {
    init(_ given: TidelogFFI.Circle) throws {
        self.init(
            id: given.id, name: given.name, history: try known(given.history), recoverable: given.recoverable,
            members: try given.members.map { Member(user: $0.user, role: try known($0.role)) },
            readable: given.readable)
    }
}
