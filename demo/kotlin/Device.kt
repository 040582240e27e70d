/** A device of the demo in Kotlin: reads one JSON command a line, answers with one JSON line. */
package io.tidelog.demo

import io.tidelog.Change
import io.tidelog.Link
import io.tidelog.Policy
import io.tidelog.TidelogException
import io.tidelog.Value
import io.tidelog.Workspace
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.encodeToJsonElement
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.nio.file.Path
import java.util.concurrent.atomic.AtomicInteger

lateinit var workspace: Workspace
lateinit var link: Link

val database get() = workspace.database("main")
val packages get() = database.items<Value>("packages")
val document get() = database.items<Value>("pages", Policy.DOCUMENT).document("readme")

/** How often a watch told of a change. */
val seen = AtomicInteger()

suspend fun listen() = workspace.database("main").watch().collect { event ->
    if (event is Change && event.collection == "pages") seen.incrementAndGet()
}

suspend fun answer(command: JsonObject): Map<String, JsonElement> {
    fun text(name: String) = command.getValue(name).jsonPrimitive.content
    return when (text("op")) {
        "join" -> {
            workspace = Workspace.join(Path.of(text("path")), text("invite"), text("passphrase"), profile = "Kotlin")
            link = workspace.connect(text("relay"))
            link.waitLive()
            mapOf("name" to JsonPrimitive(workspace.name))
        }
        "count" -> mapOf("count" to JsonPrimitive(packages.count()))
        "query" -> {
            val found = packages.query {
                where("name" eq text("name"))
                sort("name")
            }
            mapOf("keys" to Json.encodeToJsonElement(found.map { it.key }))
        }
        "note" -> {
            command.getValue("keys").jsonArray.forEach { packages.patch(it.jsonPrimitive.content, "note" to text("text")) }
            emptyMap()
        }
        "append" -> {
            val before = document.text("text").orEmpty()
            document.spliceText("text", before.length, 0, text("text"))
            emptyMap()
        }
        "text" -> mapOf("text" to JsonPrimitive(document.text("text")))
        "seen" -> mapOf("seen" to JsonPrimitive(seen.get()))
        "pending" -> mapOf("pending" to JsonPrimitive(link.pending))
        "root" -> mapOf("root" to JsonPrimitive(workspace.stats().root))
        "view" -> mapOf("items" to Json.encodeToJsonElement(packages.all().associate { it.key to it.value }))
        else -> {
            workspace.shutdown()
            emptyMap()
        }
    }
}

fun main(): Unit = runBlocking(Dispatchers.Default) {
    var watching: Job? = null
    for (line in generateSequence(::readLine)) {
        val command = Json.parseToJsonElement(line).jsonObject
        val said = try {
            mapOf("ok" to JsonPrimitive(true)) + answer(command)
        } catch (error: TidelogException) {
            mapOf("ok" to JsonPrimitive(false), "code" to JsonPrimitive(error.code), "message" to JsonPrimitive(error.message))
        }
        // Begun before the answer is given: no change that follows is missed.
        if (command["op"] == JsonPrimitive("join")) watching = launch(start = CoroutineStart.UNDISPATCHED) { listen() }
        println(JsonObject(said))
    }
    watching?.cancel()
}
