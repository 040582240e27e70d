import Foundation
import Testing
import Tidelog

/// What lasts and what goes: memory, folders, processes.
@Suite(.serialized) struct ProcessTests {
    @Test func aWorkspaceThatNobodyHoldsLetsGoOfItsFolder() async throws {
        try await withFolder { folder in
            let place = folder.appending(path: "notes.tide")
            _ = try await Workspace.create(at: place, name: "Notes", key: testKey)
            let deadline = ContinuousClock.now + patience
            while true {
                do {
                    return try await Workspace.open(at: place, key: testKey).shutdown()
                } catch TidelogError.alreadyOpen where ContinuousClock.now < deadline {
                    try await Task.sleep(for: .milliseconds(10))
                }
            }
        }
    }

    @Test func aThousandCallsAtOnceAllEnd() async throws {
        try await withWorkspace { workspace in
            let notes = try workspace.database("main").collection("notes")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<1000 {
                    group.addTask { try await notes.put("\(number % 100)", .int(Int64(number))) }
                }
                try await group.waitForAll()
            }
            #expect(try await notes.count() == 100)
        }
    }

    /// `TIDELOG_CYCLES` sets how often; the memory of the second half must be that of the first.
    @Test(.enabled(if: residentBytes() != nil, "memory is read from /proc"))
    func openingAndClosingLeavesNothingBehind() async throws {
        let cycles = Int(ProcessInfo.processInfo.environment["TIDELOG_CYCLES"] ?? "") ?? 1000
        try await withFolder { folder in
            let place = folder.appending(path: "notes.tide")
            try await Workspace.create(at: place, name: "Notes", key: testKey).shutdown()
            func cycle(_ number: Int) async throws {
                let workspace = try await Workspace.open(at: place, key: testKey)
                let notes = try workspace.database("main").collection("notes")
                let (watch, live) = (try notes.watch(), try notes.live(limit: 1))
                if number % 100 == 0 { try await notes.put("a", .int(Int64(number))) }
                _ = try await live.next()
                let reader = Task { try await watch.next() }
                _ = try await notes.get("a")
                reader.cancel()
                try await workspace.shutdown()
            }
            for number in 0..<(cycles / 2) { try await cycle(number) }
            let before = try #require(residentBytes())
            for number in (cycles / 2)..<cycles { try await cycle(number) }
            let grown = try #require(residentBytes()) - before
            print("memory after \(cycles) cycles: \(before) bytes and \(grown) more")
            #expect(grown < 8 << 20)
        }
    }
}

/// The memory of this process that is in use.
private func residentBytes() -> Int? {
    guard let pages = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ") else {
        return nil
    }
    return Int(pages[1]).map { $0 * 4096 }
}
