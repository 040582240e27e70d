package io.tidelog

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.nio.file.Files
import java.nio.file.Path
import io.tidelog.internal.advance

internal class LifecycleTest : WorkspaceTest() {
    @Test
    fun `a folder without a workspace, a wrong key and a second opener are told apart`() = test {
        throws<TidelogException.NotAWorkspace> { Workspace.open(path("nothing.tide"), KEY) }
        workspace.shutdown()
        throws<TidelogException.WrongKey> { Workspace.open(path("notes.tide"), Key.raw(ByteArray(32))) }
        throws<TidelogException.WrongKey> { Workspace.open(path("notes.tide"), "a passphrase") }
        Workspace.open(path("notes.tide"), KEY).use {
            throws<TidelogException.AlreadyOpen> { Workspace.open(path("notes.tide"), KEY) }
        }
        throws<TidelogException.AlreadyExists> { Workspace.create(path("notes.tide"), "Notes", KEY) }
    }

    @Test
    fun `a passphrase opens what it made`() = test {
        Workspace.create(path("a.tide"), "A", "correct horse").close()
        Workspace.open(path("a.tide"), "correct horse").use { assertEquals("A", it.name) }
        throws<TidelogException.InvalidArgument> { Workspace.create(path("b.tide"), "B", "") }
        throws<TidelogException.InvalidArgument> { Workspace.create(path("b.tide"), "B", Key.raw(ByteArray(31))) }
        assertEquals("Key(..)", Key.passphrase("secret").toString())
    }

    @Test
    fun `after shutdown every call says closed`() = testWithFilms {
        val link = workspace.connect("ws://127.0.0.1:9")
        val films = films
        val database = database
        workspace.shutdown()
        workspace.shutdown()
        workspace.close()
        throws<TidelogException.Closed> { films.put(FILMS[0]) }
        throws<TidelogException.Closed> { films.get("alien") }
        throws<TidelogException.Closed> { films.all() }
        throws<TidelogException.Closed> { films.live().first() }
        throws<TidelogException.Closed> { workspace.id }
        throws<TidelogException.Closed> { workspace.me }
        throws<TidelogException.Closed> { workspace.databases() }
        throws<TidelogException.Closed> { workspace.stats() }
        throws<TidelogException.Closed> { workspace.connect("ws://127.0.0.1:9") }
        throws<TidelogException.Closed> { database.collections() }
        throws<TidelogException.Closed> { database.transaction { it.collection(films).put(FILMS[0]) } }
        assertEquals(LinkState.OFFLINE, link.state)
        assertEquals(emptyList<Event<Film>>(), films.watch().toList())
        Workspace.open(path("notes.tide"), KEY).close()
    }

    @Test
    fun `an open that was given up releases the folder`() = test {
        workspace.shutdown()
        repeat(20) {
            val opening = launch(start = CoroutineStart.UNDISPATCHED) {
                try {
                    Workspace.open(path("notes.tide"), KEY)
                } catch (_: TidelogException.AlreadyOpen) {
                    // The one that was given up before goes on to its end.
                }
            }
            opening.cancel()
            opening.join()
        }
        var opened: Workspace? = null
        while (opened == null) {
            opened = try {
                Workspace.open(path("notes.tide"), KEY)
            } catch (_: TidelogException.AlreadyOpen) {
                null
            }
        }
        opened.close()
    }

    @Test
    fun `stamps follow the clock of tests`() = testWithFilms {
        val before = films.history("alien").last().time
        advance(3_600_000u)
        films.patch("alien", "year" to 1980)
        assertTrue((films.history("alien").last().time - before).inWholeMinutes >= 60)
    }

    private class MemoryKeyStore : KeyStore {
        var key: ByteArray? = null

        override fun load(): ByteArray? = key

        override fun store(key: ByteArray) {
            check(this.key == null) { "a key is stored once" }
            this.key = key
        }
    }

    private class FileKeyStore(private val file: Path) : KeyStore {
        override fun load(): ByteArray? = if (Files.exists(file)) Files.readAllBytes(file) else null

        override fun store(key: ByteArray) {
            Files.write(file, key)
        }
    }

    @Test
    fun `a key store keeps the key that the first open makes`() = test {
        val store = MemoryKeyStore()
        Workspace.open(path("a.tide"), Key.fromStore(store), create = "A").close()
        val made = checkNotNull(store.key)
        assertEquals(32, made.size)
        Workspace.open(path("a.tide"), Key.fromStore(store), create = "A").use { assertEquals("A", it.name) }
        assertArrayEquals(made, store.key)
        Workspace.open(path("a.tide"), Key.raw(made)).close()
    }

    @Test
    fun `a file can be a key store, and its loss is told`() = test {
        val key = Key.fromStore(FileKeyStore(path("key")))
        throws<TidelogException.NotAWorkspace> { Workspace.open(path("a.tide"), key) }
        assertFalse(Files.exists(path("key")))
        Workspace.create(path("a.tide"), "A", key).close()
        Workspace.open(path("a.tide"), key).close()
        Files.delete(path("key"))
        val lost = throws<TidelogException.WrongKey> { Workspace.open(path("a.tide"), key, create = "A") }
        assertTrue("key store" in lost.message!!)
        assertFalse(Files.exists(path("key")))
    }

    @Test
    fun `what a key store throws fails the call and is not quoted`() = test {
        val broken = object : KeyStore {
            override fun load(): ByteArray? = throw SecurityException("the PIN is 1234")

            override fun store(key: ByteArray) = Unit
        }
        val failed = throws<TidelogException.Io> { Workspace.create(path("a.tide"), "A", Key.fromStore(broken)) }
        assertTrue("SecurityException" in failed.message!!)
        assertFalse("1234" in failed.message!!)
        assertNull(path("a.tide").resolve("vault").takeIf(Files::exists))
    }
}
