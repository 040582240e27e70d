package io.tidelog

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExecutorCoroutineDispatcher
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.coroutines.CoroutineScope
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.util.concurrent.Executors
import kotlin.time.Duration.Companion.milliseconds

internal class StreamTest : WorkspaceTest() {
    /** Collects a flow in the background; by the time this returns it is observed. */
    private suspend fun <E> CoroutineScope.collected(flow: Flow<E>, events: suspend (Channel<E>) -> Unit) {
        val channel = Channel<E>(Channel.UNLIMITED)
        // Runs until the flow waits for its first event.
        val job = launch(start = CoroutineStart.UNDISPATCHED) { flow.collect(channel::send) }
        events(channel)
        job.cancelAndJoin()
    }

    @Test
    fun `watching gives one event for each change`() = testWithFilms {
        collected(films.watch()) { all ->
            collected(films.watch("alien")) { one ->
                films.put(Film("alien", "Alien", 1980))
                films.delete("cube")
                val put = all.receive() as Change
                assertEquals(listOf("put", "alien"), listOf(put.kind, put.key))
                assertEquals(FILMS[0] to Film("alien", "Alien", 1980), put.old to put.new)
                assertTrue(put.local)
                assertEquals(workspace.me.device, put.author)
                val delete = all.receive() as Change
                assertEquals(listOf("delete", "cube"), listOf(delete.kind, delete.key))
                assertEquals(FILMS[2] to null, delete.old to delete.new)
                assertEquals(put.entry, (one.receive() as Change).entry)
            }
        }
    }

    @Test
    fun `a watch can begin with what is there`() = testWithFilms {
        val events = films.watch(initial = true).take(FILMS.size).toList().map { it as Change }
        assertEquals(FILMS.map { "current" to it }, events.map { it.kind to it.new })
        val first = workspace.watch("ma*", initial = true).first() as Change
        assertEquals(listOf("main", "films", "alien"), listOf(first.database, first.collection, first.key))
        assertEquals(Value.of(FILMS[0]), first.new)
    }

    @Test
    fun `a whole database is watched in plain values`() = testWithFilms {
        collected(database.watch()) { events ->
            database.items<Int>("counters").put("n", 1)
            val change = events.receive() as Change
            assertEquals(listOf("counters", "n", Value.Int(1)), listOf(change.collection, change.key, change.new))
        }
    }

    @Test
    fun `a slow reader is told what it missed`() = testWithFilms {
        val begun = Channel<Event<Film>>()
        val reader = launch(start = CoroutineStart.UNDISPATCHED) { films.watch().collect(begun::send) }
        films.putMany((0 until 5000).map { Film("$it", "t", it) })
        val seen = listOf(begun.receive(), begun.receive())
        assertTrue(seen.any { it is Lagged && it.lost > 0 }, seen.toString())
        reader.cancelAndJoin()
    }

    @Test
    fun `a live list follows its query`() = testWithFilms {
        collected(films.live { where("year" ge 1980); sort("year") }) { lists ->
            assertEquals(FILMS.drop(1), lists.receive())
            films.put(Film("dune", "Dune", 2021))
            assertEquals(FILMS.drop(1) + Film("dune", "Dune", 2021), lists.receive())
            films.delete("blade")
            assertEquals(listOf("cube", "dune"), lists.receive().map { it.id })
        }
    }

    @Test
    fun `a live list of a query that makes no sense fails when it is collected`() = test {
        val live = films.live { where(mapOf("year" to mapOf("gte" to 1))) }
        throws<TidelogException.InvalidArgument> { live.first() }
    }

    @Test
    fun `shutdown ends flows`() = testWithFilms {
        val collector = async(start = CoroutineStart.UNDISPATCHED) { films.watch().toList() }
        workspace.shutdown()
        assertEquals(emptyList<Event<Film>>(), collector.await())
    }

    @Test
    fun `a collector that gives up leaves nothing behind`() = testWithFilms {
        repeat(200) {
            assertNull(withTimeoutOrNull(1.milliseconds) { films.watch().first() })
        }
        assertEquals(FILMS, films.live().first())
    }

    @Test
    fun `a write of a cancelled coroutine takes effect as a whole or not at all`() = testWithFilms {
        repeat(50) { round ->
            val writer = launch(Dispatchers.Default) {
                database.transaction { transaction ->
                    transaction.collection(films).put(Film("a$round", "t", round))
                    transaction.collection(films).put(Film("b$round", "t", round))
                }
            }
            delay(round.milliseconds / 10)
            writer.cancelAndJoin()
            // What was begun is done by the time a later write is.
            films.put(FILMS[0])
            assertEquals(films.get("a$round")?.year, films.get("b$round")?.year)
        }
    }

    @Test
    fun `a write that was begun is not undone by giving up`() = testWithFilms {
        val writer = launch(start = CoroutineStart.UNDISPATCHED) { films.put(Film("begun", "t", 1)) }
        writer.cancelAndJoin()
        films.put(FILMS[0])
        assertEquals(Film("begun", "t", 1), films.get("begun"))
    }

    @Test
    fun `a main dispatcher is never blocked`() = test {
        mainDispatcher { main ->
            val begun = System.nanoTime()
            val longest = withContext(main) {
                var done = false
                val ticks = async {
                    var longest = 0L
                    while (!done) {
                        val begin = System.nanoTime()
                        delay(1)
                        longest = maxOf(longest, System.nanoTime() - begin)
                    }
                    longest
                }
                Workspace.create(path("main.tide"), "Main", "a passphrase takes long to stretch").let { opened ->
                    val items = opened.database("main").collection<Film>("films")
                    items.putMany((0 until 20_000).map { Film("$it", "t", it) })
                    assertEquals(20_000, items.all().size)
                    opened.verify()
                    opened.shutdown()
                }
                done = true
                ticks.await()
            }
            // Writing is most of it: on the dispatcher, that would be one long standstill.
            val all = System.nanoTime() - begun
            assertTrue(longest < all / 4, "the dispatcher stood still for $longest of $all ns")
        }
    }

    @Test
    fun `calls may come from any thread`() = testWithFilms {
        val threads = (0 until 8).map { number ->
            Thread {
                kotlinx.coroutines.runBlocking {
                    repeat(20) { films.put(Film("$number-$it", "t", it)) }
                }
            }.apply { start() }
        }
        withContext(Dispatchers.IO) { threads.forEach { it.join() } }
        assertEquals(8L * 20 + FILMS.size, films.count())
    }

    private inline fun mainDispatcher(block: (ExecutorCoroutineDispatcher) -> Unit) {
        Executors.newSingleThreadExecutor().asCoroutineDispatcher().use(block)
    }
}
