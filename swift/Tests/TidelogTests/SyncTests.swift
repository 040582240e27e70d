import Foundation
import Testing
import Tidelog

/// Two devices: through a relay that is a process of its own, in one program, and log by log.
@Suite struct SyncTests {
    private let nowhere = "ws://127.0.0.1:9#" + String(repeating: "0", count: 64)

    @Test func devicesSeeEachOthersWritesAsTheyAreMade() async throws {
        try await withTwo { first, second, relay in
            #expect(try (second.id, second.name) == (first.id, "Field notes"))
            #expect(try second.me.role == .writer)
            #expect(try await second.members().first(where: \.me)?.profile == "phone")
            #expect(try await first.devices().count == 2)
            let mine = try first.database("main").collection("todos", of: Todo.self)
            let theirs = try second.database("main").collection("todos", of: Todo.self)
            let watch = try theirs.watch()
            let todo = try await mine.insert(Todo(title: "Calibrate sensor"))
            let change = try #require(try await TidelogTests.first(watch).change)
            #expect(change.new == todo && !change.local)
            #expect(try change.author == first.me.device)
            let list = try mine.live()
            #expect(try await TidelogTests.first(list) == [todo])
            try await theirs.patch(todo.id, ["done": true])
            #expect(try await TidelogTests.first(list).first?.done == true)
        }
    }

    @Test func whoAsksToJoinIsAdmittedByHand() async throws {
        try await withRelay { relay in
            try await withWorkspace { workspace in
                try await withFolder { folder in
                    let place = folder.appending(path: "phone.tide")
                    let invite = try await workspace.invite(relay: relay, role: .reader, expires: .seconds(3600), uses: 1)
                    #expect(abs(invite.expires.timeIntervalSinceNow - 3600) < 3600 * 24 * 400)
                    await refused("timeout") {
                        try await Workspace.join(
                            at: place, invite: invite.uri, key: testKey, profile: "phone",
                            timeout: .milliseconds(500))
                    }
                    let request = try #require(try await workspace.requests().first)
                    #expect((request.profile, request.role) == ("phone", .reader))
                    try await workspace.approve(request.id)
                    let phone = try await Workspace.join(
                        at: place, invite: invite.uri, key: testKey, profile: "phone", timeout: patience)
                    #expect(try phone.id == workspace.id)
                    await refused("not_authorized") { try await phone.database("main").collection("notes").put("a", 1) }
                    try await phone.shutdown()

                    let second = try await workspace.invite(relay: relay)
                    #expect(try await workspace.invites().contains { $0.id == second.id })
                    try await workspace.withdraw(second.id)
                    #expect(try await !workspace.invites().contains { $0.id == second.id })
                    await refused("not_found") { try await workspace.withdraw("nothing") }
                    await refused("not_found") { try await workspace.approve("nothing") }
                    for damaged in ["", "tidelog:join?nothing"] {
                        await refused("invite_invalid") {
                            try await Workspace.join(
                                at: folder.appending(path: "other.tide"), invite: damaged, key: testKey)
                        }
                    }
                }
            }
        }
    }

    @Test func aLinkTellsHowItStands() async throws {
        try await withRelay { relay in
            try await withWorkspace { workspace in
                let link = try workspace.connect(relay)
                let events = try link.events()
                try await link.waitLive(timeout: patience)
                #expect(try link.state == .live)
                #expect(try link.lastError == nil)
                #expect(try link.progress.received >= 0)
                var seen: [Workspace.Link.State] = []
                while seen.last != .live {
                    if case .state(let state) = try await first(events) { seen.append(state) }
                }
                #expect(seen == [.connecting, .catchingUp, .live] || seen == [.catchingUp, .live] || seen == [.live])
                try await workspace.database("main").collection("notes").put("a", 1)
                while try link.pending > 0 { _ = try await first(events) }
                try await link.stop()
                try await link.stop()
                await refused("closed") { try await link.waitLive(timeout: patience) }
            }
        }
    }

    @Test func aRelayThatIsNotThereIsANetworkError() async throws {
        try await withWorkspace { workspace in
            await refused("network") { try await workspace.sync(nowhere) }
            let link = try workspace.connect(nowhere)
            let events = try link.events()
            await refused("timeout") { try await link.waitLive(timeout: .milliseconds(100)) }
            var code: String?
            while code == nil {
                if case .failed(let failed, _) = try await first(events) { code = failed }
            }
            #expect(code == "network")
            #expect(try link.lastError?.code == "network")
            try await link.stop()
            await refused("invalid_argument") { try workspace.connect("http://example.org") }
        }
    }

    @Test func aSyncBringsEverythingAndSaysHowMuch() async throws {
        try await withTwo { first, second, relay in
            let mine = try first.database("apart").collection("notes")
            try await mine.put("a", 1)
            try await first.sync(relay)
            let report = try await second.sync(relay)
            #expect(report.roundTrips > 0)
            #expect(try await second.database("apart").collection("notes").get("a") == 1)
            #expect(try await first.stats().root == second.stats().root)
        }
    }

    @Test func logsPullFromARelayAndPushToIt() async throws {
        try await withTwo { first, second, relay in
            let (mine, theirs) = (try first.database("apart").log(), try second.database("apart").log())
            try await first.database("apart").collection("notes").put("a", 1)
            try await mine.pushTo(relay)
            try await theirs.pullFrom(relay)
            #expect(try await theirs.missing(mine.entryIds()).isEmpty)
            try await second.database("apart").collection("notes").put("a", 2)
            try await theirs.syncWith(relay)
            try await mine.syncWith(relay)
            #expect(try await first.database("apart").collection("notes").get("a") == 2)
            await refused("network") { try await mine.pullFrom(nowhere) }
        }
    }

    @Test func theLogAtARelayIsReadAndWrittenThere() async throws {
        try await withTwo { first, _, relay in
            let notes = try first.database("apart").collection("notes")
            try await notes.put("a", 1)
            let here = try first.database("apart").log()
            let there = try here.at(relay)
            try await here.pushTo(relay)
            #expect(try await there.entryIds() == here.entryIds())
            #expect(try await there.append(here.entries(here.entryIds()).entries[0]) == false)
            let start = try await there.changesSince(limit: 10)
            #expect(start.items.map { "\($0.kind) \($0.key)" } == ["put a"])
            #expect(try await there.changesSince(start.cursor).items.isEmpty)
            let zeros = String(repeating: "0", count: 64)
            #expect(try await there.missing([zeros]) == [zeros])
            #expect(try await there.entries([zeros]).missing == [zeros])
            await refused("invalid_argument") { try await there.append(Data("no entry".utf8)) }
            await refused("invalid_argument") { try await there.changesSince(limit: -1) }
            await refused("invalid_argument") { try here.at("http://example.org") }
            await refused("network") { try await here.at(nowhere).entryIds() }
        }
    }

    @Test func replicasInOneProgramAndLogsBecomeEqual() async throws {
        try await withTwo { first, second, _ in
            let (mine, theirs) = (try first.database("apart").log(), try second.database("apart").log())
            let notes = try first.database("apart").collection("notes")
            try await notes.put("a", 1)
            try await notes.put("b", 1)
            let start = try await mine.changesSince()
            try await notes.put("a", 2)
            try await notes.delete("b")
            let later = try await mine.changesSince(start.cursor)
            #expect(Set(later.items.map { "\($0.kind) \($0.key)" }) == ["put a", "delete b"])
            #expect(try await mine.changesSince(later.cursor, limit: 10).items.isEmpty)
            let ids = try await mine.entryIds()
            try await theirs.pullFrom(mine)
            try await mine.pushTo(theirs)
            try await mine.syncWith(theirs)
            try await first.syncWith(second)
            #expect(try await theirs.missing(ids).isEmpty)
            #expect(try await second.database("apart").collection("notes").get("a") == 2)
            let zeros = String(repeating: "0", count: 64)
            let found = try await mine.entries([ids[0], zeros])
            #expect((found.entries.count, found.missing) == (1, [zeros]))
            #expect(try await theirs.append(found.entries[0]) == false)
            for bad in [Data(), Data("no entry".utf8), found.entries[0].dropLast()] {
                await refused("invalid_argument") { try await theirs.append(bad) }
            }
            await refused("invalid_argument") { try await mine.missing(["no id"]) }
            await refused("invalid_argument") { try await mine.changesSince("no cursor") }
        }
    }
}
