import Foundation
internal import TidelogFFI

/// Joining by hand, without a relay: a request and a welcome go as bytes.
///
/// ```swift
/// let request = try await Workspace.askToJoin(at: phone, invite: invite.uri, key: key, profile: "phone")
/// // Brought to whoever made the invite:
/// let asked = try await workspace.receiveRequest(request)
/// try await workspace.approve(asked.id)
/// let welcome = try await workspace.welcome(asked.id)
/// // And back:
/// let joined = try await Workspace.finishJoining(at: phone, welcome: welcome, key: key)
/// ```
extension Workspace {
    /// Begins to join by hand: makes the device's keys in the folder and gives its request, at most 4 KiB, to be
    /// brought to whoever made the invite, who alone can read it.
    ///
    /// May be repeated, also with another invite to the same workspace.
    ///
    /// - Throws: ``TidelogError``: `inviteInvalid`, and `alreadyExists` if the folder holds another workspace, or
    ///   this one complete.
    public static func askToJoin(
        at folder: URL, invite: String, key: Key, profile: String = ""
    ) async throws -> Data {
        let path = try path(folder)
        let key = try now { try key.crossing() }
        return try await later {
            try await TidelogFFI.askToJoin(path: path, key: key, invite: invite, profile: profile)
        }
    }

    /// Ends what ``askToJoin(at:invite:key:profile:)`` began in a folder, with the welcome that came back. After an
    /// error the folder still waits for a welcome.
    ///
    /// - Throws: ``TidelogError``: `inviteInvalid` for what is no welcome for this device, `corrupt` if it is
    ///   damaged, `alreadyExists` if the workspace is complete.
    public static func finishJoining(at folder: URL, welcome: Data, key: Key) async throws -> Workspace {
        let path = try path(folder)
        let key = try now { try key.crossing() }
        return Workspace(try await later { try await .finishJoining(path: path, key: key, welcome: welcome) })
    }

    /// Takes in a request that came by hand. From then on it can be approved and welcomed until this workspace is
    /// shut down. If the invite says so, it is approved at once.
    ///
    /// - Throws: ``TidelogError``: `inviteInvalid` for what is no request with an invite of this device,
    ///   `inviteExpired`.
    public func receiveRequest(_ request: Data) async throws -> JoinRequest {
        try JoinRequest(await later { [native] in try await native.receiveRequest(request: request) })
    }

    /// What a device whose request was approved needs to begin, at most 64 MiB, to be brought to it: members, keys
    /// and names, and of the data what fits. Only that device can use it.
    ///
    /// - Throws: ``TidelogError``: `notFound` if there is no such request, `notAdmitted` if it was not approved.
    public func welcome(_ request: JoinRequest.ID) async throws -> Data {
        try await later { [native] in try await native.welcome(request: request) }
    }
}
