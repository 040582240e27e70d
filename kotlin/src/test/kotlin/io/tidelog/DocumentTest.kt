package io.tidelog

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.flow.first
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

internal class DocumentTest : WorkspaceTest() {
    private val page get() = database.items<Value>("pages", Policy.DOCUMENT).document("welcome")

    @Test
    fun `edits of every kind are read back`() = test {
        page.set("title", "Welcome")
        page.set("tasks", listOf("a", "c"))
        page.insert("tasks", 1, mapOf("title" to "b"))
        page.increment("visits")
        page.increment("visits", 4)
        page.set("body", "Hello")
        page.spliceText("body", 5, 0, ", you")
        page.set("gone", true)
        page.delete("gone")
        assertEquals(Value.Text("Welcome"), page.get("title"))
        assertEquals(Value.of(listOf("a", mapOf("title" to "b"), "c")), page.get("tasks"))
        assertEquals(Value.Text("b"), page.get("tasks.1.title"))
        assertEquals(Value.Int(5), page.get("visits"))
        assertEquals("Hello, you", page.text("body"))
        assertNull(page.get("gone"))
        assertNull(page.text("nothing"))
        assertEquals(Value.Text("Welcome"), page.get()?.get("title"))
        throws<TidelogException.InvalidArgument> { page.insert("tasks", -1, "x") }
    }

    @Test
    fun `positions in text are those of strings`() = test {
        page.set("body", "\ud83d\udc0e \u00e9!")
        val body = checkNotNull(page.text("body"))
        page.spliceText("body", body.indexOf('!'), 1, "?")
        page.spliceText("body", 0, 2, "horse")
        assertEquals("horse \u00e9?", page.text("body"))
    }

    @Test
    fun `a change is one entry or none`() = test {
        page.change {
            set("a", 1)
            set("b", 2)
        }
        assertEquals(1, page.history().size)
        val heads = page.heads()
        throws<TidelogException.InvalidArgument> {
            page.change {
                set("a", 3)
                spliceText("b", 0, 0, "no text is here")
            }
        }
        throws<IllegalStateException> {
            page.change {
                set("a", 4)
                error("no")
            }
        }
        assertEquals(Value.Int(1), page.get("a"))
        assertEquals(heads, page.heads())
    }

    @Test
    fun `a watch tells of changes without their content`() = test {
        page.set("a", 1)
        val event = async(start = CoroutineStart.UNDISPATCHED) { page.watch().first() }
        page.set("a", 2)
        val change = event.await() as Change
        assertEquals("merge", change.kind)
        assertNull(change.new)
    }

    @Test
    fun `a log lists, gives and takes entries`() = test {
        val log = database.log()
        database.items<Int>("n").put("a", 1)
        val ids = log.entryIds()
        val entries = log.entries(ids + "0".repeat(64))
        assertEquals(ids.size, entries.entries.size)
        assertEquals(listOf("0".repeat(64)), entries.missing)
        assertEquals(emptyList<String>(), log.missing(ids))
        assertEquals(false, log.append(entries.entries.first()))
        val changes = log.changesSince()
        assertEquals(listOf("a"), changes.items.map { it.key })
        database.items<Int>("n").delete("a")
        val later = log.changesSince(changes.cursor, limit = 10)
        assertEquals(listOf("delete"), later.items.map { it.kind })
        assertTrue(later.items.single().arrival > changes.items.single().arrival)
        val broken = entries.entries.first().copyOf().also { it[300] = (it[300] + 1).toByte() }
        throws<TidelogException.InvalidArgument> { log.append(broken) }
        throws<TidelogException.InvalidArgument> { log.missing(listOf("no id")) }
    }
}
