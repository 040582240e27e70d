/** Plays roles of the cross-language scenarios in Kotlin; the words are in tests/words.json. */
@file:Suppress("UNCHECKED_CAST")

package io.tidelog.scenarios

import io.tidelog.*
import io.tidelog.internal.advance
import kotlinx.coroutines.*
import kotlinx.coroutines.channels.Channel
import kotlinx.serialization.*
import kotlinx.serialization.json.*
import java.math.BigDecimal
import java.nio.file.*
import java.util.*
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Instant

@Serializable
class Record(
    val id: String, val title: String, val `when`: Instant?, @Contextual val uid: UUID, @Contextual val price: BigDecimal,
    val big: Long, val data: ByteArray, val done: Boolean = false,
)
class Role(var workspace: Workspace? = null, var link: Link? = null, val streams: HashMap<String, Pair<Job, Channel<Any?>>> = HashMap())
class KeyFile(val file: Path) : KeyStore {
    override fun load(): ByteArray? = if (Files.exists(file)) Files.readAllBytes(file) else null
    override fun store(key: ByteArray) { Files.write(file, key) }
}

const val STATIC = java.lang.reflect.Modifier.STATIC
val roles = HashMap<String, Role>()
val readers = CoroutineScope(Dispatchers.Default + SupervisorJob())

/** A command, with its fields by type. */
class Command(val all: Map<String, JsonElement>) {
    val role get() = roles.getOrPut(text("by") ?: "") { Role() }
    val workspace get() = role.workspace!!; val link get() = role.link!!
    val database get() = workspace.database(need("database"))
    val document get() = database.items<Value>(need("in"), Policy.DOCUMENT).let { of(it) }.document(need("key"))
    fun get(name: String) = all[name].takeIf { it !is JsonNull }; fun text(name: String) = get(name)?.jsonPrimitive?.content
    fun need(name: String) = checkNotNull(text(name)) { "no $name" }; fun long(name: String) = get(name)?.jsonPrimitive?.long
    fun int(name: String) = long(name)?.toInt(); fun time(name: String) = long(name)?.milliseconds; fun flag(name: String) = get(name)?.jsonPrimitive?.boolean ?: false
    fun texts(name: String) = get(name)?.let { if (it is JsonArray) it.map { it.jsonPrimitive.content } else listOf(text(name)!!) }
    fun list(name: String) = get(name)!!.jsonArray.map { Command(it.jsonObject) }; fun value(name: String) = plain(all.getValue(name))
    val log get() = database.log(); val otherLog get() = other().log; val items get() = collection(); val given get() = Value.of(value("value"))
    val item get() = need("key"); val stream get() = role.streams.getValue(need("stream")); fun other() = Command(all + ("by" to get("other")!!))
    fun key(which: String = "") = text(which + "passphrase")?.let(Key::passphrase)
        ?: text("key_file")?.let { Key.fromStore(KeyFile(Path.of(it))) }
        ?: int(which + "key_byte")?.let { byte -> Key.raw(ByteArray(32) { byte.toByte() }) }
    fun <T, R> of(found: io.tidelog.Collection<T, R>) = text("of")?.let { if (it == "me") found.own() else found.of(it) } ?: found
    val policy get() = Policy.valueOf(need("policy").uppercase())
    fun collection(from: Database = database): io.tidelog.Collection<Value, *> =
        text("key_field")?.let { of(from.collection<Value>(need("in"), it, policy)) } ?: of(from.items<Value>(need("in"), policy))
    fun records() = of(database.collection<Record>(need("in")))
    fun query(): Query.() -> Unit = {
        get("where")?.let { where(plain(it) as Map<String, Any?>) }
        sort(*texts("sort").orEmpty().toTypedArray()); limit = int("limit"); offset = int("offset") ?: 0; cursor = text("cursor"); ids = texts("ids")
    }
}

fun plain(json: JsonElement): Any? = when (json) {
    JsonNull -> null; is JsonArray -> json.map(::plain)
    is JsonPrimitive -> if (json.isString) json.content else json.booleanOrNull ?: json.content.toLongOrNull() ?: json.double
    is JsonObject -> if (json.keys == setOf("\$bytes")) Base64.getDecoder().decode(json.getValue("\$bytes").jsonPrimitive.content) else json.mapValues { plain(it.value) }
}
fun base64(bytes: ByteArray) = Base64.getEncoder().encodeToString(bytes)!!; fun snake(name: String) = name.replace(Regex("[A-Z]")) { "_" + it.value.lowercase() }
fun json(given: Any?): JsonElement = when (given) {
    null, Unit, Value.Null -> JsonNull; is JsonElement -> given
    is ByteArray -> json(mapOf("\$bytes" to base64(given)))
    is String, is Instant -> JsonPrimitive("$given"); is Number -> JsonPrimitive(given); is Boolean -> JsonPrimitive(given)
    is Enum<*> -> JsonPrimitive(given.name.lowercase().replace('_', '-')); is Iterable<*> -> JsonArray(given.map(::json))
    is Map<*, *> -> JsonObject(given.entries.associate { it.key as String to json(it.value) })
    is Value -> json(given.javaClass.declaredFields.first { it.modifiers and STATIC == 0 }.also { it.isAccessible = true }.get(given))
    else -> json(fields(given))
}
fun fields(given: Any) = given.javaClass.declaredFields.filter { it.modifiers and STATIC == 0 }
    .associate { it.isAccessible = true; snake(it.name) to it.get(given) }
suspend fun measured(call: suspend (Progressing) -> Any): Any = mutableMapOf("done" to 0L, "total" to 0L).let { told ->
    fields(call { done, total -> told["done"] = done; told["total"] = total }) + told
}
fun units(text: String, scalars: Int) = if (scalars > text.codePointCount(0, text.length)) text.length + 1 else text.offsetByCodePoints(0, scalars)
suspend fun begin(c: Command, flow: kotlinx.coroutines.flow.Flow<Any?>) {
    val channel = Channel<Any?>()
    val job = readers.launch(start = CoroutineStart.UNDISPATCHED) {
        try { flow.collect(channel::send) } catch (error: TidelogException) { channel.close(error) } finally { channel.close() }
    }
    if (job.isCompleted) channel.receiveCatching().exceptionOrNull()?.let { throw it }
    c.role.streams[c.need("stream")] = job to channel
}
suspend fun next(c: Command): Any? = c.stream.second.receiveCatching().let { event ->
    event.exceptionOrNull()?.let { throw it }
    when (val found = event.getOrNull()) { is Progress -> "progress"; is LinkFailure -> "failed"; is Lagged -> mapOf("lost" to found.lost); else -> found }
}
fun Edits.edit(e: Command, text: String) = when (e.need("kind")) {
    "set" -> set(e.need("at"), e.value("value")); "delete" -> delete(e.need("at"))
    "insert" -> insert(e.need("at"), e.int("position")!!, e.value("value")); "increment" -> increment(e.need("at"), e.long("by") ?: 1)
    else -> units(text, e.int("position")!!).let { start ->
        spliceText(e.need("at"), start, units(text, e.int("position")!! + e.int("delete")!!) - start, e.need("text"))
    }
}
suspend fun transaction(c: Command): Any {
    val answers = ArrayList<Any?>()
    val entry = c.database.transaction { batch ->
        for (w in c.list("writes")) {
            val inner = batch.collection(w.collection(c.database))
            answers += when (w.need("op")) {
                "put" -> w.text("key")?.let { inner.put(it, w.given) } ?: inner.put(w.given); "insert" -> inner.insert(w.given)
                "patch" -> inner.patch(w.need("key"), map(w)); "delete" -> inner.delete(w.need("key")); else -> inner.get(w.need("key"))
            }
        }
        if (c.flag("roll_back")) batch.rollBack().let { null } else batch.commit()
    }
    return mapOf("answers" to answers, "committed" to (entry != null))
}
fun map(c: Command) = c.value("value") as Map<String, Any?>
suspend fun putMany(c: Command, told: Progressing) = (c.items as io.tidelog.Collection<Value, Any>)
    .putMany(c.list("items").map { i -> i.text("key")?.let { Item(it, i.given) } ?: i.given }, told)
suspend fun Command.answer(): Any? = when (val op = need("op")) {
    "reset" -> { roles.values.forEach { it.workspace?.shutdown() }; roles.clear() }; "advance" -> advance(long("ms")!!.toULong())
    "create" -> role.workspace = Workspace.create(Path.of(need("path")), need("name"), key()!!)
    "open" -> role.workspace = Workspace.open(Path.of(need("path")), key()!!, text("create"))
    "join" -> role.workspace = Workspace.join(Path.of(need("path")), need("invite"), key()!!, text("profile") ?: "", time("timeout_ms"))
    "shutdown" -> workspace.shutdown(); "identity" -> mapOf("id" to workspace.id, "name" to workspace.name); "me" -> workspace.me
    "set_profile" -> workspace.setProfile(need("name")); "members" -> workspace.members(); "devices" -> workspace.devices()
    "invite" -> workspace.invite(need("relay"), text("role")?.let { io.tidelog.Role.valueOf(it.uppercase()) }, time("expires_in_ms"), flag("auto_approve"), int("uses"), flag("same_user"))
    "invites" -> workspace.invites(); "withdraw" -> workspace.withdraw(need("id")); "requests" -> workspace.requests()
    "approve" -> workspace.approve(need("id")); "databases" -> workspace.databases(); "stats" -> workspace.stats()
    "verify" -> measured { workspace.verify(it) }; "sync" -> workspace.sync(need("relay")); "sync_with" -> workspace.syncWith(other().workspace)
    "connect" -> role.link = workspace.connect(need("relay")); "wait_live" -> link.waitLive(time("timeout_ms"))
    "link_state" -> link.run { mapOf("state" to state, "pending" to pending, "last_error" to lastError?.code, "progress" to progress) }
    "stop" -> role.link?.stop(); "names" -> listOf(database.name, items.name); "collections" -> database.collections(); "transaction" -> transaction(this)
    "put" -> given.let { value -> text("key")?.let { items.put(it, value) } ?: items.put(value) }; "put_many" -> measured { putMany(this, it) }
    "insert" -> items.insert(given); "get" -> items.get(item); "get_raw" -> records().getRaw(item)
    "get_record" -> records().get(item)?.let { Value.of(it) }
    "patch" -> items.patch(item, map(this)); "update" -> items.update(item) { now -> long("add")?.let { Value.Int(((now as? Value.Int)?.value ?: 0) + it) } }
    "delete" -> items.delete(item); "first" -> items.first(query()); "all" -> items.all()
    "query" -> items.query(query()).let { mapOf("items" to it, "cursor" to it.cursor) }; "count" -> items.count(query()); "history" -> items.history(item)
    "doc_get" -> document.get(text("at")); "doc_text" -> document.text(need("at")); "doc_heads" -> document.heads(); "doc_history" -> document.history()
    "entry_ids" -> log.entryIds(); "missing" -> log.missing(texts("ids")!!); "entries" -> log.entries(texts("ids")!!); "append" -> log.append(value("entry") as ByteArray)
    "changes_since" -> log.changesSince(text("cursor"), int("limit")); "pull_from" -> log.pullFrom(otherLog); "push_to" -> log.pushTo(otherLog)
    "pull_from_relay" -> log.pullFrom(need("relay")); "push_to_relay" -> log.pushTo(need("relay")); "log_sync_with_relay" -> log.syncWith(need("relay"))
    "log_sync_with" -> log.syncWith(otherLog); "watch_workspace" -> begin(this, workspace.watch(text("pattern"), flag("initial")))
    "watch_database" -> begin(this, database.watch()); "watch" -> begin(this, items.watch(text("key"), flag("initial")))
    "doc_watch" -> begin(this, document.watch()); "live" -> begin(this, items.live(query())); "link_events" -> begin(this, link.events())
    "change_passphrase" -> workspace.changePassphrase(key()!!, key("old_"))
    "recovery_words" -> workspace.recoveryWords(); "confirm_recovery_words" -> workspace.confirmRecoveryWords(need("words"))
    "add_recovery_device" -> workspace.addRecoveryDevice(); "restored" -> workspace.restored; "confirm_only_copy" -> workspace.confirmOnlyCopy()
    "backup" -> measured { workspace.backup(Path.of(need("to")), key(), it) }
    "verify_backup" -> Workspace.verifyBackup(Path.of(need("from")), key())
    "restore" -> role.workspace = Workspace.restore(Path.of(need("from")), Path.of(need("path")), key("backup_")!!, key())
    "recover" -> role.workspace = Workspace.recover(Path.of(need("path")), need("words"), key()!!, text("folder")?.let { RecoverFrom.Folder(Path.of(it)) }
        ?: RecoverFrom.Relay(need("relay"), need("workspace")))
    "next" -> next(this); "end" -> stream.first.cancelAndJoin()
    "put_record" -> Command(get("record")!!.jsonObject).let { r ->
        records().put(Record(r.need("id"), r.need("title"), r.text("when")?.let(Instant::parse), UUID.fromString(r.need("uid")),
            BigDecimal(r.need("price")), r.need("big").toLong(), r.value("data") as ByteArray, r.flag("done")))
    }
    "doc_edit" -> list("edits").map { e -> e to (if (e.need("kind") == "splice_text") document.text(e.need("at")) ?: "" else "") }
        .let { edits -> document.change { edits.forEach { (e, text) -> edit(e, text) } } }
    else -> error("no word $op")
}

fun main(): Unit = runBlocking {
    for (line in generateSequence(::readLine)) println(json(
        try { mapOf("ok" to Command(Json.parseToJsonElement(line).jsonObject).answer()) }
        catch (error: TidelogException) { mapOf("error" to error.code, "reason" to error.message) },
    ))
}
