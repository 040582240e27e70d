import Foundation
import Testing
import Tidelog

/// Joining by hand, removals, circles and key policies, without a relay.
@Suite struct MembersTests {
    /// Does something with a workspace and a second user that joined it by hand.
    private func withPhone(
        circles: (Workspace) async throws -> [String] = { _ in [] }, _ body: (Workspace, Workspace) async throws -> Void
    ) async throws {
        try await withWorkspace { workspace in
            try await withFolder { folder in
                let place = folder.appending(path: "phone.tide")
                let invite = try await workspace.invite(autoApprove: true, circles: circles(workspace))
                let request = try await Workspace.askToJoin(
                    at: place, invite: invite.uri, key: testKey, profile: "phone")
                let asked = try await workspace.receiveRequest(request)
                let phone = try await Workspace.finishJoining(
                    at: place, welcome: workspace.welcome(asked.id), key: testKey)
                try await body(workspace, phone)
                try await phone.shutdown()
            }
        }
    }

    @Test func aRequestAndAWelcomeGoFromHandToHand() async throws {
        try await withWorkspace { workspace in
            try await withFolder { folder in
                let place = folder.appending(path: "phone.tide")
                try await workspace.database("main").collection("notes").put("a", 1)
                let invite = try await workspace.invite(role: .reader, uses: 2)
                #expect((invite.role, invite.relay, invite.usesLeft) == (.reader, nil, 2))
                #expect(!invite.autoApprove && !invite.sameUser && invite.circles.isEmpty)
                #expect(try JSONDecoder().decode(Invite.self, from: JSONEncoder().encode(invite)) == invite)
                let request = try await Workspace.askToJoin(
                    at: place, invite: invite.uri, key: testKey, profile: "phone")
                await refused("not_admitted") { try await Workspace.open(at: place, key: testKey) }
                await refused("invite_invalid") { try await workspace.receiveRequest(request.dropLast()) }
                let asked = try await workspace.receiveRequest(request)
                #expect(try await workspace.requests() == [asked])
                #expect(asked.profile == "phone" && asked.role == .reader && !asked.sameUser)
                await refused("not_admitted") { try await workspace.welcome(asked.id) }
                try await workspace.approve(asked.id)
                let welcome = try await workspace.welcome(asked.id)
                await refused("invite_invalid") {
                    try await Workspace.finishJoining(at: place, welcome: request, key: testKey)
                }
                let phone = try await Workspace.finishJoining(at: place, welcome: welcome, key: testKey)
                #expect(try phone.me.role == .reader)
                #expect(try await phone.database("main").collection("notes").get("a") == 1)
                #expect(try await workspace.invites().map(\.usesLeft) == [1])
                try await phone.shutdown()
            }
        }
    }

    @Test func aReaderWritesNoMoreAndNothingOfItIsLeftToAccept() async throws {
        try await withPhone { workspace, phone in
            try await phone.syncWith(workspace)
            try await workspace.setRole(phone.me.user, .reader)
            try await phone.syncWith(workspace)
            await refused("not_authorized") { try await phone.database("main").collection("notes").put("refused", 3) }
            #expect(try await workspace.excluded().isEmpty)
            await refused("not_found") { try await workspace.acceptExcluded(phone.me.device) }
            #expect(try await workspace.warnings().isEmpty)
        }
    }

    @Test func whoeverIsRemovedIsGoneWithItsDevices() async throws {
        try await withPhone { workspace, phone in
            try await phone.syncWith(workspace)
            await refused("not_authorized") { try await phone.removeUser(workspace.me.user) }
            let report = try await workspace.removeUser(phone.me.user)
            #expect(report.keysRenewed && report.cuts > 0 && report.claimed == 0 && report.advice == nil)
            await refused("not_found") { try await workspace.removeDevice(phone.me.device) }
            #expect(try await (workspace.members().count, workspace.devices().count) == (1, 1))
        }
    }

    @Test func aCircleIsReadByWhoIsInIt() async throws {
        try await withPhone { workspace, phone in
            let board = try await workspace.createCircle("Board", history: .fromJoin, recoverable: false)
            #expect(try await workspace.circles() == [board])
            #expect(try JSONDecoder().decode(Workspace.Circle.self, from: JSONEncoder().encode(board)) == board)
            let mine = try workspace.database("minutes", circle: board.id).collection("pages")
            let theirs = try phone.database("minutes", circle: board.id).collection("pages")
            try await mine.put("1", 1)
            #expect(try await workspace.databases(circle: board.id) == ["minutes"])
            #expect(try await workspace.databases().isEmpty)
            await refused("invalid_argument") { try workspace.database("minutes", circle: "Board") }
            try await phone.syncWith(workspace)
            #expect(try await phone.circles().map(\.readable) == [false])
            await refused("not_authorized") { try await theirs.get("1") }
            let user = try phone.me.user
            try await workspace.addToCircle(board.id, user, as: .writer)
            try await phone.syncWith(workspace)
            let seen = try #require(try await phone.circles().first)
            #expect(seen.readable && seen.name == "Board" && seen.history == .fromJoin && !seen.recoverable)
            #expect(seen.members.contains { $0.user == user && $0.role == .writer })
            #expect(try await theirs.get("1") == 1)
            try await workspace.removeFromCircle(board.id, user)
            try await phone.syncWith(workspace)
            await refused("not_authorized") { try await theirs.put("2", 2) }
        }
    }

    @Test func anInviteLeadsIntoCircles() async throws {
        try await withPhone(circles: { workspace in
            let board = try await workspace.createCircle("Board")
            try await workspace.database("minutes", circle: board.id).collection("pages").put("1", 1)
            return [board.id]
        }) { workspace, phone in
            let board = try #require(try await workspace.circles().first)
            #expect(try await phone.database("minutes", circle: board.id).collection("pages").get("1") == 1)
        }
    }

    @Test func newKeysAreMadeByAPolicy() async throws {
        try await withWorkspace { workspace in
            #expect(try (workspace.policy.rotateDays, workspace.policy.rotateEntries) == (90, 1 << 20))
            try await workspace.setPolicy(rotateDays: 65_535, rotateEntries: 4_294_967_295)
            #expect(try (workspace.policy.rotateDays, workspace.policy.rotateEntries) == (65_535, 4_294_967_295))
            await refused("invalid_argument") { try await workspace.setPolicy(rotateDays: 65_536, rotateEntries: 0) }
            await refused("invalid_argument") { try await workspace.setPolicy(rotateDays: 0, rotateEntries: -1) }
        }
    }
}
