import Foundation
import Testing

@testable import Tidelog

let root = URL(filePath: #filePath).appending(path: "../../../..").standardized
let testKey = Key.raw(Data(repeating: 7, count: 32))
let patience = Duration.seconds(20)

struct Todo: Codable, Identifiable, Sendable, Hashable {
    var id = ""
    var title: String
    var due: Date?
    var done = false
}

/// A vector file of all languages.
func vectors(_ name: String) throws -> Value {
    let file = root.appending(path: "tests/vectors/\(name)")
    return try JSONDecoder().decode(Value.self, from: Data(contentsOf: file))
}

extension Value {
    var text: String? { if case .text(let text) = self { text } else { nil } }
    var int: Int? { if case .int(let int) = self { Int(int) } else { nil } }
    var list: [Value] { if case .list(let list) = self { list } else { [] } }
    var map: [String: Value] { if case .map(let map) = self { map } else { [:] } }
}

/// Does something with a folder that goes afterwards.
func withFolder<R: Sendable>(isolation: isolated (any Actor)? = #isolation, _ body: (URL) async throws -> R) async throws -> R {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tidelog-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    do {
        let result = try await body(folder)
        try FileManager.default.removeItem(at: folder)
        return result
    } catch {
        try? FileManager.default.removeItem(at: folder)
        throw error
    }
}

/// Does something with a new workspace, which is shut down afterwards.
func withWorkspace<R: Sendable>(isolation: isolated (any Actor)? = #isolation, _ body: (Workspace) async throws -> R) async throws -> R {
    try await withFolder { folder in
        let workspace = try await Workspace.create(
            at: folder.appending(path: "notes.tide"), name: "Field notes", key: testKey)
        do {
            let result = try await body(workspace)
            try await workspace.shutdown()
            return result
        } catch {
            try? await workspace.shutdown()
            throw error
        }
    }
}

/// Does something with two devices of one workspace and the address of a relay that both know.
func withTwo(_ body: (Workspace, Workspace, String) async throws -> Void) async throws {
    try await withRelay { relay in
        try await withWorkspace { first in
            let link = try first.connect(relay)
            try await link.waitLive(timeout: patience)
            let invite = try await first.invite(relay: relay, autoApprove: true)
            try await withFolder { folder in
                let second = try await Workspace.join(
                    at: folder.appending(path: "phone.tide"), invite: invite.uri, key: testKey, profile: "phone",
                    timeout: patience)
                let back = try second.connect(relay)
                try await back.waitLive(timeout: patience)
                try await body(first, second, relay)
                try await second.shutdown()
            }
        }
    }
}

/// Does something with the address of a relay that takes any workspace, a process of its own.
func withRelay(_ body: (String) async throws -> Void) async throws {
    try await withFolder { folder in
        let relay = try await Relay.start(in: folder)
        do {
            try await body(relay.address)
            await relay.stop()
        } catch {
            await relay.stop()
            throw error
        }
    }
}

/// A relay process, on a thread of its own: `Process` blocks, and tasks share as many threads as there are cores.
private final class Relay: Sendable {
    let address: String
    private let stopping = DispatchSemaphore(value: 0)
    private let ended: AsyncStream<Void>

    private init(address: String, ended: AsyncStream<Void>) {
        (self.address, self.ended) = (address, ended)
    }

    static func start(in folder: URL) async throws -> Relay {
        let target = ProcessInfo.processInfo.environment["CARGO_TARGET_DIR"].map { URL(filePath: $0) }
        let program = (target ?? root.appending(path: "target")).appending(path: "debug/tidelog-relay")
        return try await withCheckedThrowingContinuation { started in
            Thread.detachNewThread {
                let process = Process()
                process.executableURL = program
                process.arguments = ["--listen", "127.0.0.1:0", "--data", folder.path(), "--open"]
                let output = Pipe()
                process.standardOutput = output
                process.standardError = FileHandle.nullDevice
                do {
                    try process.run()
                } catch {
                    return started.resume(throwing: error)
                }
                // `listening on ADDRESS key KEY`
                let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
                let words = line.split(whereSeparator: \.isWhitespace)
                let (ended, end) = AsyncStream<Void>.makeStream()
                let relay = Relay(address: "\(words[2])#\(words[4])", ended: ended)
                started.resume(returning: relay)
                relay.stopping.wait()
                // Threads of a Swift program block the signals that end a process, and what they start inherits it.
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
                end.finish()
            }
        }
    }

    func stop() async {
        stopping.signal()
        for await _ in ended {}
    }
}

/// Fails unless an error with this code, and these words in its reason, is thrown.
func refused<R>(
    _ code: String, saying words: String = "", at location: SourceLocation = #_sourceLocation,
    _ call: () async throws -> R
) async {
    do {
        _ = try await call()
        Issue.record("nothing was thrown", sourceLocation: location)
    } catch let error as TidelogError {
        #expect(error.code == code, "\(error)", sourceLocation: location)
        #expect(words.isEmpty || error.reason.contains(words), "\(error)", sourceLocation: location)
    } catch {
        Issue.record("\(error)", sourceLocation: location)
    }
}

/// The first event of a stream, or an issue after a while.
func first<Element>(_ stream: EventStream<Element>) async throws -> Element {
    let watchdog = Task {
        try await Task.sleep(for: patience)
        stream.stop()
    }
    defer { watchdog.cancel() }
    return try #require(await stream.next())
}
