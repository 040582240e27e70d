import Foundation
import Observation
import Testing
import Tidelog

/// Watches and live lists: as sequences, cancelled, and on the main actor.
@Suite struct StreamTests {
    private func withTodos(
        isolation: isolated (any Actor)? = #isolation,
        _ body: (Database.Collection<Todo, Todo>, Workspace) async throws -> Void
    ) async throws {
        try await withWorkspace { workspace in
            try await body(try workspace.database("main").collection("todos", of: Todo.self), workspace)
        }
    }

    @Test func aWatchGivesOneEventForEachChange() async throws {
        try await withTodos { todos, workspace in
            let (all, one) = (try todos.watch(), try todos.watch("b"))
            try await todos.put(Todo(id: "a", title: "A"))
            try await todos.patch("a", ["done": true])
            try await todos.put(Todo(id: "b", title: "B"))
            try await todos.delete("a")
            var changes: [Change<Todo>] = []
            for try await event in all {
                changes.append(try #require(event.change))
                if changes.count == 4 { break }
            }
            #expect(changes.map(\.kind) == [.put, .put, .put, .delete])
            #expect(changes.map(\.key) == ["a", "a", "b", "a"])
            #expect(changes[1].old?.done == false && changes[1].new?.done == true)
            #expect(changes[3].new == nil)
            #expect(changes.allSatisfy { $0.local && $0.database == "main" && $0.collection == "todos" })
            #expect(try changes[0].author == workspace.me.device)
            #expect(abs(changes[0].time.timeIntervalSinceNow) < 3600 * 24 * 400)
            #expect(try await first(one).change?.new == Todo(id: "b", title: "B"))
        }
    }

    @Test func aWatchCanBeginWithWhatIsThere() async throws {
        try await withTodos { todos, workspace in
            try await todos.put(Todo(id: "a", title: "A"))
            let change = try #require(try await first(todos.watch(initial: true)).change)
            #expect((change.kind, change.new) == (.current, Todo(id: "a", title: "A")))
            let whole = try #require(try await first(workspace.watch("ma*", initial: true)).change)
            #expect(whole.new == ["id": "a", "title": "A", "due": nil, "done": false])
            let database = try workspace.database("main").watch()
            try await todos.delete("a")
            #expect(try await first(database).change?.kind == .delete)
        }
    }

    @Test func aSlowReaderIsToldWhatItMissed() async throws {
        try await withTodos { todos, workspace in
            let notes = try workspace.database("main").collection("notes")
            let watch = try notes.watch()
            try await notes.putMany(Dictionary(uniqueKeysWithValues: (0..<5000).map { ("\($0)", Value.int($0)) }))
            var (seen, lost) = (0, 0)
            while seen + lost < 5000 {
                switch try await first(watch) {
                case .change: seen += 1
                case .lagged(let count): lost += count
                }
            }
            #expect(seen + lost == 5000)
            #expect(lost > 0)
        }
    }

    @Test func aLiveListFollowsItsQuery() async throws {
        try await withTodos { todos, _ in
            let open = try todos.live(where: ["done": false], sort: ["title"], limit: 2)
            #expect(try await first(open) == [])
            try await todos.put(Todo(id: "1", title: "B"))
            #expect(try await first(open).map(\.title) == ["B"])
            try await todos.put(Todo(id: "2", title: "A"))
            #expect(try await first(open).map(\.title) == ["A", "B"])
            try await todos.patch("2", ["done": true])
            #expect(try await first(open).map(\.title) == ["B"])
            await refused("invalid_argument") { try await todos.live(where: ["a": ["about": 1]]).next() }
        }
    }

    @Test func stoppingEndsAWait() async throws {
        try await withTodos { todos, _ in
            let watch = try todos.watch()
            let reader = Task { try await watch.next() }
            let second = Task { try await watch.next() }
            watch.stop()
            watch.stop()
            #expect(try await reader.value == nil)
            #expect(try await second.value == nil)
            #expect(try await watch.next() == nil)
        }
    }

    @Test func aCancelledReaderLosesNoEvent() async throws {
        try await withTodos { todos, _ in
            let watch = try todos.watch()
            for round in 0..<50 {
                let reader = Task { try await watch.next() }
                if round % 2 == 0 { await Task.yield() }
                reader.cancel()
                try await todos.put(Todo(id: "\(round)", title: "T"))
                // Cancelled in time, or it got the event: never both, never neither.
                switch await reader.result {
                case .success(let event): #expect(event?.change?.key == "\(round)")
                case .failure(let error):
                    #expect(error is CancellationError)
                    #expect(try await first(watch).change?.key == "\(round)")
                }
            }
        }
    }

    @Test func readersOfOneStreamShareItsEvents() async throws {
        try await withTodos { todos, _ in
            let watch = try todos.watch()
            let keys = try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<8 { group.addTask { try await watch.next()?.change?.key } }
                for number in 0..<8 { try await todos.put(Todo(id: "\(number)", title: "T")) }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(keys) == Set((0..<8).map(String.init)))
        }
    }

    @Test func aCancelledWriteIsNotLost() async throws {
        try await withTodos { todos, _ in
            var cancelled = 0
            for number in 0..<50 {
                let writer = Task {
                    try await todos.put(Todo(id: "\(number)", title: "T"))
                }
                while true {
                    // Once begun it goes on; a task that was cancelled before it began writes nothing.
                    if try await todos.count() > number - cancelled || number % 2 == 0 { break }
                }
                writer.cancel()
                do {
                    try await writer.value
                } catch is CancellationError {
                    cancelled += 1
                }
            }
            try await Task.sleep(for: .milliseconds(200))
            let count = try await todos.count()
            #expect((50 - cancelled...50).contains(count))
        }
    }

    @Test func cancellingStopsWaitingAtOnce() async throws {
        try await withWorkspace { workspace in
            let nowhere = "ws://127.0.0.1:9#" + String(repeating: "0", count: 64)
            let link = try workspace.connect(nowhere)
            let waiting = Task { try await link.waitLive() }
            try await Task.sleep(for: .milliseconds(20))
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            try await link.stop()
        }
    }

    @MainActor @Test func aLiveListIsObservedOnTheMainActor() async throws {
        try await withTodos { todos, _ in
            let open = LiveList(try todos.live(where: ["done": false], sort: ["title"]))
            #expect(open.current.isEmpty)
            try await changed(open) { open.isReady }
            try await todos.put(Todo(id: "1", title: "B"))
            try await changed(open) { open.current.map(\.title) == ["B"] }
            try await todos.put(Todo(id: "2", title: "A"))
            try await changed(open) { open.current.map(\.title) == ["A", "B"] }
            #expect(open.error == nil)
            open.stop()
            try await todos.delete("1")
            #expect(open.current.count == 2)

            let broken = LiveList(try todos.live(where: ["a": ["about": 1]]))
            try await changed(broken) { (broken.error as? TidelogError)?.code == "invalid_argument" }
        }
    }

    @MainActor @Test func aLiveListThatNobodyHoldsIsGone() async throws {
        try await withTodos { todos, _ in
            var open: LiveList? = LiveList(try todos.live())
            weak var gone = open
            try await changed(open!) { open!.isReady }
            open = nil
            for _ in 0..<1000 where gone != nil { await Task.yield() }
            #expect(gone == nil)
        }
    }

    /// Waits until what is observed says so.
    @MainActor private func changed<T>(_ list: LiveList<T>, until condition: () -> Bool) async throws {
        let deadline = ContinuousClock.now + patience
        while !condition() {
            try #require(ContinuousClock.now < deadline)
            let changes = AsyncStream<Void>.makeStream()
            let done = withObservationTracking {
                _ = (list.current.count, list.isReady, list.error == nil)
                return condition()
            } onChange: {
                changes.continuation.finish()
            }
            if done { return }
            let watchdog = Task {
                try await Task.sleep(for: patience)
                changes.continuation.finish()
            }
            for await _ in changes.stream {}
            watchdog.cancel()
        }
    }

    @MainActor @Test func theMainActorIsNeverBlocked() async throws {
        try await withFolder { folder in
            let place = folder.appending(path: "notes.tide")
            var turns = 0
            let ticker = Task { @MainActor in
                while !Task.isCancelled {
                    turns += 1
                    await Task.yield()
                }
            }
            // A passphrase is stretched for a while.
            var before = turns
            let workspace = try await Workspace.create(at: place, name: "Notes", key: .passphrase("p"))
            #expect(turns > before)
            let notes = try workspace.database("main").collection("notes")
            before = turns
            try await notes.putMany(Dictionary(uniqueKeysWithValues: (0..<2000).map { ("\($0)", ["n": .int($0)]) }))
            _ = try await notes.query(where: ["n": ["ge": 0]], sort: ["-n"])
            #expect(turns > before)
            ticker.cancel()
            try await workspace.shutdown()
        }
    }

    @Test func callsComeFromAnyThread() async throws {
        try await withTodos { todos, _ in
            let watch = try todos.watch()
            await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
                let group = DispatchGroup()
                for number in 0..<16 {
                    group.enter()
                    Thread.detachNewThread {
                        Task.detached {
                            _ = try? await todos.put(Todo(id: "\(number)", title: "T"))
                            group.leave()
                        }
                    }
                }
                group.notify(queue: .global()) { done.resume() }
            }
            var keys: Set<String> = []
            while keys.count < 16 { keys.insert(try #require(try await first(watch).change).key) }
            #expect(try await todos.count() == 16)
        }
    }
}
