import io.tidelog.Workspace
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.Serializable
import java.nio.file.Path

@Serializable
data class Todo(val id: String = "", val title: String, val done: Boolean = false)

fun main(): Unit = runBlocking {
    Workspace.open(Path.of("notes.tide"), "correct horse", create = "Field notes").use { ws ->
        val todos = ws.database("main").collection<Todo>("todos")
        val todo = todos.insert(Todo(title = "Calibrate sensor"))      // returned with its id
        todos.patch(todo.id, "done" to true)
        todos.query { where("done" eq true); sort("title") }.forEach { println("${it.id} ${it.title}") }
    }
}
