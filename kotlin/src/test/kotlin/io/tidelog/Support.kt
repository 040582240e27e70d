package io.tidelog

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.doubleOrNull
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.longOrNull
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.io.TempDir
import java.nio.file.Files
import java.nio.file.Path
import kotlin.time.Duration.Companion.seconds

internal val KEY = Key.raw(ByteArray(32) { it.toByte() })

/** The repository. */
internal val ROOT: Path = Path.of("").toAbsolutePath().parent

/** A file of golden vectors. */
internal fun vectors(name: String): JsonObject =
    Json.parseToJsonElement(Files.readString(ROOT.resolve("tests/vectors/$name"))).jsonObject

internal fun JsonObject.text(field: String): String = getValue(field).jsonPrimitive.content

/** A plain object of JSON. */
internal fun plain(json: JsonElement): Any? = when (json) {
    JsonNull -> null
    is JsonPrimitive ->
        if (json.isString) json.content else json.longOrNull ?: json.doubleOrNull ?: json.content.toBooleanStrict()
    is JsonArray -> json.map(::plain)
    is JsonObject -> json.mapValues { plain(it.value) }
}

@Serializable
internal data class Film(val id: String = "", val title: String, val year: Int)

internal val FILMS =
    listOf(Film("alien", "Alien", 1979), Film("blade", "Blade Runner", 1982), Film("cube", "Cube", 1997))

/** Tests over one workspace on disk. */
internal abstract class WorkspaceTest {
    @TempDir
    lateinit var folder: Path

    private var opened: Workspace? = null

    val workspace: Workspace
        get() = opened ?: runBlocking { Workspace.create(path("notes.tide"), "Field notes", KEY) }.also { opened = it }

    val database: Database get() = workspace.database("main")

    val films: Collection<Film, Film>
        get() = database.collection("films")

    fun path(name: String): Path = folder.resolve(name)

    /** A test that hangs fails instead. */
    fun test(block: suspend CoroutineScope.() -> Unit): Unit = runBlocking { withTimeout(60.seconds, block) }

    fun testWithFilms(block: suspend CoroutineScope.() -> Unit): Unit = test {
        films.putMany(FILMS)
        block()
    }

    @AfterEach
    fun shutDown() {
        opened?.close()
    }
}

/** Fails unless the block throws this. */
internal suspend inline fun <reified E : Throwable> throws(crossinline block: suspend () -> Unit): E {
    try {
        block()
    } catch (error: Throwable) {
        if (error is E) return error
        throw error
    }
    throw AssertionError("nothing was thrown, not ${E::class.simpleName}")
}

/** A relay that takes any workspace: a process of its own. */
internal class Relay(folder: Path) : AutoCloseable {
    private val process: Process =
        ProcessBuilder(program(), "--listen", "127.0.0.1:0", "--data", folder.toString(), "--open")
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start()

    /** Its address, with its key. */
    val address: String = process.inputReader().readLine().split(" ").let { words ->
        check(words.take(2) == listOf("listening", "on")) { words }
        "${words[2]}#${words[4]}"
    }

    override fun close() {
        process.destroy()
        process.waitFor()
    }

    private fun program(): String {
        val target = Path.of(System.getProperty("jna.library.path"))
        return listOf("tidelog-relay", "tidelog-relay.exe").map(target::resolve).first(Files::exists).toString()
    }
}
