// What a call from Swift costs, beside the same calls from Rust (bindings/api/benches/calls.rs).
import Foundation
import Tidelog

struct Film: Codable, Sendable {
    var title = "Alien"
    var year = 1979
}

let calls = 20_000
let inFlight = 1_000
let records = 10_000

func report(_ name: String, calls: Int, target: String = "-", _ work: () async throws -> Void) async rethrows {
    let time = try await ContinuousClock().measure(work)
    let microseconds: Double = time / .microseconds(1)
    let cost = microseconds / Double(calls)
    print("bench: Swift: \(name) | \(String(format: "%.2f", cost)) us | \(target)")
}

let folder = FileManager.default.temporaryDirectory.appending(path: "tidelog-\(UUID())")
let workspace = try await Workspace.create(at: folder, name: "Calls", key: .raw(Data(0..<32)))
let films = try workspace.database("main").collection("films", of: Film.self)
try await films.put("alien", Film())

try await report("id, synchronous", calls: calls, target: "<= Rust + 5 us") {
    for _ in 0..<calls { _ = try workspace.id }
}
try await report("get, awaited", calls: calls / 10, target: "<= 60 us") {
    for _ in 0..<(calls / 10) { _ = try await films.get("alien") }
}
try await report("get, 1,000 in flight", calls: calls, target: "<= Rust + 5 us") {
    for _ in 0..<(calls / inFlight) {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<inFlight { group.addTask { _ = try await films.get("alien") } }
            try await group.waitForAll()
        }
    }
}
try await report("put, 1,000 in flight", calls: inFlight) {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<inFlight { group.addTask { try await films.put("alien", Film()) } }
        try await group.waitForAll()
    }
}
try await report("put_many, per item", calls: records) {
    try await films.putMany((0..<records).map { Item(key: "\($0)", value: Film()) })
}
try await report("all, per item", calls: records) { _ = try await films.all() }

try await workspace.shutdown()
try FileManager.default.removeItem(at: folder)
