// The words of members, invites and circles.
import Foundation
import Tidelog

extension Command {
    var role: Role? { self["role"].flatMap { Role(rawValue: $0.text) } }
}

extension Player {
    func member(_ c: Command) async throws -> Any? {
        let (id, user, device) = (c["id"]?.text ?? "", c["user"]?.text ?? "", c["device"]?.text ?? "")
        switch c["op"]!.text {
        case "me": return try workspace.me
        case "set_profile": try await workspace.setProfile(c["name"]!.text)
        case "members": return try await workspace.members()
        case "devices": return try await workspace.devices()
        case "set_role": try await workspace.setRole(user, c.role!)
        case "remove_user": return try await workspace.removeUser(user)
        case "remove_device": return try await workspace.removeDevice(device)
        case "excluded": return try await workspace.excluded()
        case "accept_excluded": return try await workspace.acceptExcluded(device)
        case "invite":
            return try await workspace.invite(
                relay: c["relay"]?.text, role: c.role, expires: c.duration("expires_in_ms"),
                autoApprove: c["auto_approve"] == true, uses: c["uses"]?.int, sameUser: c["same_user"] == true,
                circles: c["circles"]?.texts ?? [])
        case "invites": return try await workspace.invites()
        case "withdraw": try await workspace.withdraw(id)
        case "requests": return try await workspace.requests()
        case "approve": try await workspace.approve(id)
        case "ask_to_join":
            return try await Workspace.askToJoin(
                at: c.path, invite: c["invite"]!.text, key: c.secret, profile: c["profile"]?.text ?? "")
        case "receive_request": return try await workspace.receiveRequest(c["request"]!.bytes)
        case "welcome": return try await workspace.welcome(id)
        case "finish_joining":
            workspace = try await .finishJoining(at: c.path, welcome: c["welcome"]!.bytes, key: c.secret)
        case "databases": return try await workspace.databases(circle: c["circle"]?.text)
        case "create_circle":
            let history = c["history"].flatMap { Workspace.Circle.History(rawValue: $0.text) } ?? .full
            return try await workspace.createCircle(
                c["name"]!.text, history: history, recoverable: c["recoverable"] != false)
        case "circles": return try await workspace.circles()
        case "add_to_circle": try await workspace.addToCircle(c["circle"]!.text, user, as: c.role!)
        case "remove_from_circle": try await workspace.removeFromCircle(c["circle"]!.text, user)
        case "policy": return try workspace.policy
        case "set_policy":
            try await workspace.setPolicy(rotateDays: c["rotate_days"]!.int, rotateEntries: c["rotate_entries"]!.int)
        default: return try await item(c)
        }
        return nil
    }
}
