/** What JSON and the words of tests/words.json make of objects, and back. */
package io.tidelog.scenarios

import io.tidelog.Key
import io.tidelog.KeyStore
import io.tidelog.Lagged
import io.tidelog.LinkFailure
import io.tidelog.LinkState
import io.tidelog.Policy
import io.tidelog.Progress
import io.tidelog.Progressing
import io.tidelog.Query
import io.tidelog.Value
import io.tidelog.Warning
import kotlinx.serialization.Contextual
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.double
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import java.lang.reflect.Modifier
import java.math.BigDecimal
import java.nio.file.Files
import java.nio.file.Path
import java.util.Base64
import java.util.UUID
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Instant

@Serializable
class Record(
    val id: String,
    val title: String,
    val `when`: Instant?,
    @Contextual val uid: UUID,
    @Contextual val price: BigDecimal,
    val big: Long,
    val data: ByteArray,
    val done: Boolean = false,
)

class KeyFile(private val file: Path) : KeyStore {
    override fun load(): ByteArray? = if (Files.exists(file)) Files.readAllBytes(file) else null

    override fun store(key: ByteArray) {
        Files.write(file, key)
    }
}

/** A command, with its fields by type. */
class Command(private val all: Map<String, JsonElement>) {
    val player get() = players.getOrPut(text("by") ?: "", ::Player)
    val workspace get() = player.workspace!!
    val link get() = player.link!!
    val database get() = workspace.database(need("database"), text("circle"))
    val policy get() = Policy.valueOf(need("policy").uppercase())

    fun other() = Command(all + ("by" to all.getValue("other")))
    fun text(name: String) = all[name]?.jsonPrimitive?.contentOrNull
    fun need(name: String) = checkNotNull(text(name)) { "no $name" }
    fun path(name: String): Path = Path.of(need(name))
    fun long(name: String) = text(name)?.toLong()
    fun int(name: String) = text(name)?.toInt()
    fun time(name: String) = long(name)?.milliseconds
    fun flag(name: String) = all[name]?.jsonPrimitive?.boolean ?: false
    fun texts(name: String) = all[name]?.jsonArray?.map { it.jsonPrimitive.content }
    fun list(name: String) = all.getValue(name).jsonArray.map { Command(it.jsonObject) }
    fun inner(name: String) = Command(all.getValue(name).jsonObject)
    fun value(name: String) = plain(all.getValue(name))

    @Suppress("UNCHECKED_CAST")
    fun map(name: String) = all[name]?.let { plain(it) as Map<String, Any?> }

    fun key(which: String = ""): Key? = text(which + "passphrase")?.let(Key::passphrase)
        ?: text("key_file")?.let { Key.fromStore(KeyFile(Path.of(it))) }
        ?: int(which + "key_byte")?.let { byte -> Key.raw(ByteArray(32) { byte.toByte() }) }

    fun record() = Record(
        need("id"), need("title"), text("when")?.let(Instant::parse), UUID.fromString(need("uid")),
        BigDecimal(need("price")), need("big").toLong(), value("data") as ByteArray, flag("done"),
    )

    fun query(): Query.() -> Unit = {
        map("where")?.let { where(it) }
        sort(*texts("sort").orEmpty().toTypedArray())
        limit = int("limit")
        offset = int("offset") ?: 0
        cursor = text("cursor")
        ids = texts("ids")
    }
}

/** What JSON says, in plain objects. */
fun plain(json: JsonElement): Any? = when (json) {
    JsonNull -> null
    is JsonArray -> json.map(::plain)
    is JsonPrimitive -> if (json.isString) json.content else json.booleanOrNull ?: json.content.toLongOrNull() ?: json.double
    is JsonObject -> when (val bytes = json["\$bytes"]) {
        null -> json.mapValues { plain(it.value) }
        else -> Base64.getDecoder().decode(bytes.jsonPrimitive.content)
    }
}

/** What the package gave, in the words. */
fun json(given: Any?): JsonElement = when (given) {
    null, Unit, Value.Null -> JsonNull
    is JsonElement -> given
    is String, is Instant -> JsonPrimitive("$given")
    is Number -> JsonPrimitive(given)
    is Boolean -> JsonPrimitive(given)
    is ByteArray -> json(mapOf("\$bytes" to Base64.getEncoder().encodeToString(given)))
    is LinkState -> JsonPrimitive(given.name.lowercase().replace('_', '-'))
    is Enum<*> -> JsonPrimitive(given.name.lowercase())
    is Iterable<*> -> JsonArray(given.map(::json))
    is Map<*, *> -> JsonObject(given.entries.associate { "${it.key}" to json(it.value) })
    is Value -> json(fields(given).values.single())
    else -> json(fields(given).mapKeys { (name) -> name.replace(Regex("[A-Z]")) { "_" + it.value.lowercase() } })
}

private fun fields(record: Any): Map<String, Any?> =
    record.javaClass.declaredFields.filter { it.modifiers and Modifier.STATIC == 0 }.associate {
        it.isAccessible = true
        it.name to it.get(record)
    }

/** What an event of a stream is in answers. */
fun told(event: Any?): Any? = when (event) {
    is Progress -> "progress"
    is LinkFailure -> "failed"
    is Warning -> "warned"
    is Lagged -> mapOf("lost" to event.lost)
    else -> event
}

/** What a call gives that tells its progress, and the last it told. */
suspend fun measured(call: suspend (Progressing) -> Any): Any {
    var told = mapOf("done" to 0L, "total" to 0L)
    return fields(call { done, total -> told = mapOf("done" to done, "total" to total) }) + told
}
