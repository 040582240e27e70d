import Foundation
import Testing

@testable import Tidelog

/// Long calls tell how far they have come, and end when they are cancelled; the engine's log can be heard.
@Suite struct ProgressTests {
    private let many = Dictionary(uniqueKeysWithValues: (0..<20_000).map { ("\($0)", Value.int(Int64($0))) })

    @Test func progressGrowsToItsEnd() async throws {
        try await withWorkspace { workspace in
            let notes = try workspace.database("main").collection("notes")
            let told = Locked<[(Int, Int)]>([])
            try await notes.putMany(many) { done, total in told.with { $0.append((done, total)) } }
            let steps = told.with { $0 }
            #expect(steps.last.map { $0 == (many.count, many.count) } == true)
            #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.0 < $1.0 })

            let checked = Locked((0, 0))
            let report = try await workspace.verify { done, total in checked.with { $0 = (done, total) } }
            #expect(checked.with { $0 } == (report.entries, report.entries))
        }
    }

    @Test func aCancelledCallWritesNoMoreAndKeepsWhatItWrote() async throws {
        try await withWorkspace { workspace in
            let notes = try workspace.database("main").collection("notes")
            let begun = AsyncStream<Void>.makeStream()
            let many = Dictionary(uniqueKeysWithValues: (0..<200_000).map { ("\($0)", Value.int(Int64($0))) })
            let writer = Task {
                try await notes.putMany(many) { done, _ in if done > 0 { begun.continuation.finish() } }
            }
            for await _ in begun.stream {}
            writer.cancel()
            let result = await writer.result
            if case .failure(let error) = result { #expect(error is CancellationError) }
            // The call ends at the next entry; then the count stands still.
            var (before, count) = (-1, 0)
            while count == 0 || before != count {
                before = count
                try await Task.sleep(for: .milliseconds(300))
                count = try await notes.count()
            }
            #expect(count > 0)
            if case .failure = result { #expect(count < many.count) }
        }
    }

    @Test func theEngineLogsOnRequest() async throws {
        let lines = try engineLog(.trace)
        try await withWorkspace { workspace in
            let link = try workspace.connect("ws://127.0.0.1:9#" + String(repeating: "0", count: 64))
            let line = try await first(lines)
            #expect(!line.target.isEmpty && !line.text.isEmpty)
            try await link.stop()
        }
        lines.stop()
    }
}
