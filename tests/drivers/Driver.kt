/** Plays roles of the cross-language scenarios in Kotlin, in the words of tests/words.json. Members.kt and Items.kt have more. */
package io.tidelog.scenarios

import io.tidelog.Link
import io.tidelog.RecoverFrom
import io.tidelog.TidelogException
import io.tidelog.Workspace
import io.tidelog.internal.advance // Only for the clock of tests, which no released package has.
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject
import java.nio.file.Path

/** One who takes part: a device with what it has open. */
class Player(var workspace: Workspace? = null, var link: Link? = null) {
    val streams = HashMap<String, Heard>()
}

class Heard(val job: Job, val events: Channel<Any?>)

val players = HashMap<String, Player>()
val readers = CoroutineScope(Dispatchers.Default + SupervisorJob())

/** Reads a flow from now on. What fails before its first event fails here. */
suspend fun Command.hear(flow: Flow<Any?>) {
    val channel = Channel<Any?>()
    val job = readers.launch(start = CoroutineStart.UNDISPATCHED) {
        try {
            flow.collect(channel::send)
        } catch (error: TidelogException) {
            channel.close(error)
        } finally {
            channel.close()
        }
    }
    if (job.isCompleted) channel.receiveCatching().exceptionOrNull()?.let { throw it }
    player.streams[need("stream")] = Heard(job, channel)
}

suspend fun Command.next(): Any? {
    val event = player.streams.getValue(need("stream")).events.receiveCatching()
    event.exceptionOrNull()?.let { throw it }
    return told(event.getOrNull())
}

suspend fun Command.open(): Workspace = when (need("op")) {
    "create" -> Workspace.create(path("path"), need("name"), key()!!)
    "open" -> Workspace.open(path("path"), key()!!, text("create"))
    "join" -> Workspace.join(path("path"), need("invite"), key()!!, text("profile") ?: "", time("timeout_ms"))
    "finish_joining" -> Workspace.finishJoining(path("path"), value("welcome") as ByteArray, key()!!)
    "restore" -> Workspace.restore(path("from"), path("path"), key("backup_")!!, key())
    else -> {
        val folder = text("folder")?.let { RecoverFrom.Folder(Path.of(it)) }
        val from = folder ?: RecoverFrom.Relay(need("relay"), need("workspace"))
        Workspace.recover(path("path"), need("words"), key()!!, from)
    }
}

suspend fun Command.answer(): Any? = when (need("op")) {
    "reset" -> {
        players.values.forEach { it.workspace?.shutdown() }
        players.clear()
    }
    "advance" -> advance(long("ms")!!.toULong())
    "create", "open", "join", "finish_joining", "restore", "recover" -> player.workspace = open()
    "shutdown" -> workspace.shutdown()
    "identity" -> mapOf("id" to workspace.id, "name" to workspace.name)
    "stats" -> workspace.stats()
    "warnings" -> workspace.warnings()
    "verify" -> measured { workspace.verify(it) }
    "change_passphrase" -> workspace.changePassphrase(key()!!, key("old_"))
    "recovery_words" -> workspace.recoveryWords()
    "confirm_recovery_words" -> workspace.confirmRecoveryWords(need("words"))
    "add_recovery_device" -> workspace.addRecoveryDevice()
    "backup" -> measured { workspace.backup(path("to"), key(), it) }
    "verify_backup" -> Workspace.verifyBackup(path("from"), key())
    "restored" -> workspace.restored
    "confirm_only_copy" -> workspace.confirmOnlyCopy()
    "sync" -> workspace.sync(need("relay"))
    "sync_with" -> workspace.syncWith(other().workspace)
    "connect" -> player.link = workspace.connect(need("relay"))
    "wait_live" -> link.waitLive(time("timeout_ms"))
    "link_state" -> link.run {
        mapOf("state" to state, "pending" to pending, "last_error" to lastError?.code, "progress" to progress)
    }
    "stop" -> player.link?.stop()
    "watch_workspace" -> hear(workspace.watch(text("pattern"), flag("initial")))
    "link_events" -> hear(link.events())
    "next" -> next()
    "end" -> player.streams.getValue(need("stream")).job.cancelAndJoin()
    else -> member()
}

fun main(): Unit = runBlocking {
    for (line in generateSequence(::readLine)) {
        val said = try {
            mapOf("ok" to Command(Json.parseToJsonElement(line).jsonObject).answer())
        } catch (error: TidelogException) {
            mapOf("error" to JsonPrimitive(error.code), "reason" to error.message)
        }
        println(json(said))
    }
}
