/** What a call from Kotlin costs, beside the same calls from Rust (`bindings/api/benches/calls.rs`). */
package io.tidelog.benches

import io.tidelog.Collection
import io.tidelog.Item
import io.tidelog.Key
import io.tidelog.Workspace
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.Serializable
import java.nio.file.Files
import kotlin.system.measureNanoTime

private const val CALLS = 20_000
private const val IN_FLIGHT = 1_000
private const val RECORDS = 10_000

@Serializable
data class Film(val title: String, val year: Int)

private val FILM = Film("Alien", 1979)

private fun report(name: String, nanoseconds: Long, calls: Int, target: String) {
    println("bench: Kotlin: $name | %.2f us | $target".format(nanoseconds / 1e3 / calls))
}

private suspend fun inFlight(items: Collection<Film, Item<Film>>): Unit = coroutineScope {
    List(IN_FLIGHT) { async { items.get("alien") } }.awaitAll()
}

fun main(): Unit = runBlocking {
    val folder = Files.createTempDirectory("tidelog-calls")
    Workspace.create(folder.resolve("calls.tide"), "Calls", Key.raw(ByteArray(32) { it.toByte() })).use { workspace ->
        val items = workspace.database("main").items<Film>("items")
        items.put("alien", FILM)
        // The compiler of the JVM learns what is called often.
        repeat(CALLS) {
            workspace.id
            items.get("alien")
        }
        repeat(CALLS / IN_FLIGHT) { inFlight(items) }

        report("id, synchronous", measureNanoTime { repeat(CALLS) { workspace.id } }, CALLS, "<= Rust + 5 us")
        report("get, awaited", measureNanoTime { repeat(CALLS) { items.get("alien") } }, CALLS, "<= 60 us")
        val many = measureNanoTime { repeat(CALLS / IN_FLIGHT) { inFlight(items) } }
        report("get, 1,000 in flight", many, CALLS, "<= Rust + 5 us")
        val records = (0 until RECORDS).associate { "$it" to FILM }
        report("put_many, per item", measureNanoTime { items.putMany(records) }, RECORDS, "-")
        report("all, per item", measureNanoTime { items.all() }, RECORDS, "-")
    }
    folder.toFile().deleteRecursively()
}
