import Foundation
import Testing

/// The first program of the README is a target of this package, and does what it says.
@Suite struct ReadmeTests {
    @Test func theFirstProgramIsThatOfTheReadme() throws {
        let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        let program = root.appending(path: "swift/Tests/FirstProgram/main.swift")
        let block = try #require(readme.firstMatch(of: /```swift\n((?s).*?)```/)?.output.1)
        let source = try String(contentsOf: program, encoding: .utf8)
        #expect(String(block) == source)
    }

    @Test func theFirstProgramRuns() async throws {
        let program = root.appending(path: "swift/.build/debug/FirstProgram")
        try await withFolder { folder in
            let (status, output) = try await run(program, in: folder)
            #expect(status == 0)
            #expect(output.hasSuffix(" Calibrate sensor\n"))
        }
    }

    private func run(_ program: URL, in folder: URL) async throws -> (Int32, String) {
        try await withCheckedThrowingContinuation { done in
            Thread.detachNewThread {
                let (process, output) = (Process(), Pipe())
                process.executableURL = program
                process.currentDirectoryURL = folder
                process.standardOutput = output
                do {
                    try process.run()
                    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                    process.waitUntilExit()
                    done.resume(returning: (process.terminationStatus, text))
                } catch {
                    done.resume(throwing: error)
                }
            }
        }
    }
}
