internal import TidelogFFI

/// Why a call failed: a case for programs, a reason for people.
///
/// Every case has a ``code`` that is the same in every language. Reasons hold no key, no data of the application and
/// no path.
///
/// ```swift
/// do {
///     try await todos.patch("missing", ["done": true])
/// } catch TidelogError.notFound {
///     print("it is gone")
/// }
/// ```
public enum TidelogError: Error, Sendable, Hashable {
    /// What was named does not exist, such as an item, a user, a circle or an invite.
    case notFound(_ reason: String)
    /// What was to be made is there already.
    case alreadyExists(_ reason: String)
    /// Another process, or another handle, holds the workspace open.
    case alreadyOpen(_ reason: String)
    /// The passphrase, key or recovery words are wrong or missing.
    case wrongKey(_ reason: String)
    /// The folder holds no workspace, or no complete backup.
    case notAWorkspace(_ reason: String)
    /// The workspace, backup or welcome was written by a newer version.
    case newerFormat(_ reason: String)
    /// A peer's entry needs a newer version of this library.
    case upgradeNeeded(_ reason: String)
    /// The workspace can be read but not written.
    case readOnly(_ reason: String)
    /// This is a copy of a device, and can only be read until it has met a peer.
    case restored(_ reason: String)
    /// The disk is full.
    case diskFull(_ reason: String)
    /// The operating system refused a file operation.
    case io(_ reason: String)
    /// Bytes that were stored or handed over are not what was written.
    case corrupt(_ reason: String)
    /// A value, transaction or message exceeds its limit, or there are too many of something.
    case tooLarge(_ reason: String)
    /// An argument makes no sense, whatever the state.
    case invalidArgument(_ reason: String)
    /// A value cannot be stored, or does not fit its type or model.
    case invalidValue(_ reason: String)
    /// The collection exists with another merge policy.
    case policyConflict(_ reason: String)
    /// This user or device may not do it: its role does not allow it, or it is not in the circle.
    case notAuthorized(_ reason: String)
    /// The device is no member of the workspace: not admitted yet, or removed.
    case notAdmitted(_ reason: String)
    /// The invite link, request or welcome is malformed, or not meant for this device.
    case inviteInvalid(_ reason: String)
    /// The invite was withdrawn, is used up or has expired.
    case inviteExpired(_ reason: String)
    /// It took longer than allowed.
    case timeout(_ reason: String)
    /// The relay refuses to serve, or nothing vouches for its key.
    case relayRefused(_ reason: String)
    /// The peer cannot be reached, or the connection broke.
    case network(_ reason: String)
    /// The peer does not keep to the protocol.
    case `protocol`(_ reason: String)
    /// A quota of the relay is used up.
    case quotaExceeded(_ reason: String)
    /// The workspace was shut down, or the link, transaction or call was ended.
    case closed(_ reason: String)
    /// A bug in this library.
    case `internal`(_ reason: String)
    /// The process was forked after the engine had started; only the parent can go on.
    case forked(_ reason: String)

    /// The stable name, the same in every language.
    public var code: String { parts.code }

    /// What was attempted, and why it failed.
    public var reason: String { parts.reason }

    private var parts: (code: String, reason: String) {
        switch self {
        case .notFound(let reason): ("not_found", reason)
        case .alreadyExists(let reason): ("already_exists", reason)
        case .alreadyOpen(let reason): ("already_open", reason)
        case .wrongKey(let reason): ("wrong_key", reason)
        case .notAWorkspace(let reason): ("not_a_workspace", reason)
        case .newerFormat(let reason): ("newer_format", reason)
        case .upgradeNeeded(let reason): ("upgrade_needed", reason)
        case .readOnly(let reason): ("read_only", reason)
        case .restored(let reason): ("restored", reason)
        case .diskFull(let reason): ("disk_full", reason)
        case .io(let reason): ("io", reason)
        case .corrupt(let reason): ("corrupt", reason)
        case .tooLarge(let reason): ("too_large", reason)
        case .invalidArgument(let reason): ("invalid_argument", reason)
        case .invalidValue(let reason): ("invalid_value", reason)
        case .policyConflict(let reason): ("policy_conflict", reason)
        case .notAuthorized(let reason): ("not_authorized", reason)
        case .notAdmitted(let reason): ("not_admitted", reason)
        case .inviteInvalid(let reason): ("invite_invalid", reason)
        case .inviteExpired(let reason): ("invite_expired", reason)
        case .timeout(let reason): ("timeout", reason)
        case .relayRefused(let reason): ("relay_refused", reason)
        case .network(let reason): ("network", reason)
        case .protocol(let reason): ("protocol", reason)
        case .quotaExceeded(let reason): ("quota_exceeded", reason)
        case .closed(let reason): ("closed", reason)
        case .internal(let reason): ("internal", reason)
        case .forked(let reason): ("forked", reason)
        }
    }
}

extension TidelogError: CustomStringConvertible {
    /// The code and the reason.
    public var description: String { "\(code): \(reason)" }
}

extension TidelogError {
    init(kind: ErrorKind, reason: String) {
        self = Self.make(of: kind)(reason)
    }

    /// The case that a kind of the engine becomes. Exhaustive: a kind that is missing here does not compile.
    static func make(of kind: ErrorKind) -> (String) -> TidelogError {
        switch kind {
        case .notFound: notFound
        case .alreadyExists: alreadyExists
        case .alreadyOpen: alreadyOpen
        case .wrongKey: wrongKey
        case .notAWorkspace: notAWorkspace
        case .newerFormat: newerFormat
        case .upgradeNeeded: upgradeNeeded
        case .readOnly: readOnly
        case .restored: restored
        case .diskFull: diskFull
        case .io: io
        case .corrupt: corrupt
        case .tooLarge: tooLarge
        case .invalidArgument: invalidArgument
        case .invalidValue: invalidValue
        case .policyConflict: policyConflict
        case .notAuthorized: notAuthorized
        case .notAdmitted: notAdmitted
        case .inviteInvalid: inviteInvalid
        case .inviteExpired: inviteExpired
        case .timeout: timeout
        case .relayRefused: relayRefused
        case .network: network
        case .protocol: `protocol`
        case .quotaExceeded: quotaExceeded
        case .closed: closed
        case .internal: `internal`
        case .forked: forked
        }
    }

    /// The kind of the engine with the same name.
    var kind: ErrorKind {
        switch self {
        case .notFound: .notFound
        case .alreadyExists: .alreadyExists
        case .alreadyOpen: .alreadyOpen
        case .wrongKey: .wrongKey
        case .notAWorkspace: .notAWorkspace
        case .newerFormat: .newerFormat
        case .upgradeNeeded: .upgradeNeeded
        case .readOnly: .readOnly
        case .restored: .restored
        case .diskFull: .diskFull
        case .io: .io
        case .corrupt: .corrupt
        case .tooLarge: .tooLarge
        case .invalidArgument: .invalidArgument
        case .invalidValue: .invalidValue
        case .policyConflict: .policyConflict
        case .notAuthorized: .notAuthorized
        case .notAdmitted: .notAdmitted
        case .inviteInvalid: .inviteInvalid
        case .inviteExpired: .inviteExpired
        case .timeout: .timeout
        case .relayRefused: .relayRefused
        case .network: .network
        case .protocol: .protocol
        case .quotaExceeded: .quotaExceeded
        case .closed: .closed
        case .internal: .internal
        case .forked: .forked
        }
    }

    /// The error that a call of the generated module threw.
    static func known(_ error: any Error) -> any Error {
        switch error {
        case Failure.Failed(let kind, let reason): TidelogError(kind: kind, reason: reason)
        case is TidelogError, is CancellationError: error
        // What is left is a broken promise of the generated module, such as a panic outside the engine's guard.
        default: TidelogError.internal("a bug in the engine stopped this call; please report it")
        }
    }
}
