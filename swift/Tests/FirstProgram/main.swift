import Foundation
import Tidelog

struct Todo: Codable, Identifiable, Sendable {
    var id = ""
    var title: String
    var done = false
}

let key = Key.passphrase("correct horse")                        // on Apple platforms also .keychain
let ws = try await Workspace.open(at: URL(filePath: "notes.tide"), key: key, create: "Field notes")
let todos = try ws.database("main").collection("todos", of: Todo.self)
let todo = try await todos.insert(Todo(title: "Calibrate sensor"))        // returned with its id
try await todos.patch(todo.id, ["done": true])
for todo in try await todos.query(where: ["done": true], sort: ["title"]) {
    print(todo.id, todo.title)
}
try await ws.shutdown()
