package io.tidelog

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

internal class ProgressTest : WorkspaceTest() {
    private val many = (0 until 20_000).map { Film("$it", "t", it) }

    @Test
    fun `a long call tells how far it has come`() = test {
        val told = ArrayList<Pair<Long, Long>>()
        assertEquals(many.size.toLong(), films.putMany(many) { done, total -> told += done to total }.items)
        assertEquals(many.size.toLong() to many.size.toLong(), told.last())
        assertEquals(told.sortedBy { it.first }, told)
        told.clear()
        val report = workspace.verify { done, total -> told += done to total }
        assertEquals(report.entries to report.entries, told.last())
    }

    @Test
    fun `what throws on hearing of it ends the call, and what is written stays`() = test {
        throws<IllegalStateException> { films.putMany(many) { _, _ -> error("enough") } }
        // The call ends by itself: its last entry is there before a later write.
        films.put(FILMS[0])
        assertTrue(films.count() <= many.size + 1)
        assertEquals(emptyList<String>(), workspace.verify().problems)
    }

    @Test
    fun `a cancelled call ends early`() = test {
        val writer = launch(start = CoroutineStart.UNDISPATCHED) { films.putMany(many) }
        writer.cancelAndJoin()
        films.put(FILMS[0])
        assertEquals(emptyList<String>(), workspace.verify().problems)
    }

    @Test
    fun `the log of the engine can be read`() = test {
        val lines = ArrayList<LogLine>()
        val reader = launch(start = CoroutineStart.UNDISPATCHED) { logs(LogLevel.TRACE).collect { lines += it } }
        workspace.connect("ws://127.0.0.1:9").use { link -> link.events().first { it is LinkFailure } }
        films.putMany(FILMS)
        reader.cancelAndJoin()
        assertTrue(lines.all { it.target.startsWith("tidelog") }, lines.toString())
    }
}
