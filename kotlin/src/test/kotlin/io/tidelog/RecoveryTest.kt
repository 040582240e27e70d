package io.tidelog

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

internal class RecoveryTest : WorkspaceTest() {
    @Test
    fun `what is backed up and what words stand for comes back`() = testWithFilms {
        val second = Key.passphrase("second")
        throws<TidelogException.WrongKey> { workspace.changePassphrase("second", old = "no") }
        workspace.changePassphrase(second, old = KEY)
        val words = workspace.recoveryWords()
        workspace.confirmRecoveryWords(words)
        throws<TidelogException.NotFound> { workspace.recoveryWords() }
        val paper = workspace.addRecoveryDevice()
        val told = ArrayList<Pair<Long, Long>>()
        val report = workspace.backup(path("backup")) { done, total -> told += done to total }
        assertEquals("workspace", report.key)
        assertEquals(report.bytes to report.bytes, told.last())
        val info = Workspace.verifyBackup(path("backup"), second)
        assertEquals(emptyList<String>(), info.problems)
        assertEquals(workspace.id, info.workspace)

        Workspace.restore(path("backup"), path("copy"), second, KEY).use { copy ->
            val there = copy.database("main").collection<Film>("films")
            assertTrue(copy.restored)
            throws<TidelogException.Restored> { there.put(FILMS[0]) }
            copy.confirmOnlyCopy()
            assertFalse(copy.restored)
            there.put(FILMS[0])
        }
        for ((number, recovered) in listOf(words, paper).withIndex()) {
            val from = RecoverFrom.Folder(path("backup"))
            Workspace.recover(path("recovered$number"), recovered, KEY, from).use { found ->
                assertEquals(FILMS, found.database("main").collection<Film>("films").all())
                assertEquals(Role.OWNER, found.me.role)
            }
        }
    }

    @Test
    fun `a backup may have a key of its own, and ends with whoever hears of it`() = testWithFilms {
        throws<IllegalStateException> { workspace.backup(path("backup")) { _, _ -> error("enough") } }
        assertEquals("own", workspace.backup(path("backup"), Key.passphrase("shelf")).key)
        assertEquals(emptyList<String>(), Workspace.verifyBackup(path("backup"), Key.passphrase("shelf")).problems)
        throws<TidelogException.WrongKey> { Workspace.verifyBackup(path("backup"), Key.passphrase("other")) }
        throws<TidelogException.NotAWorkspace> {
            val words = List(23) { "abandon" }.joinToString(" ") + " art"
            Workspace.recover(path("a"), words, KEY, RecoverFrom.Folder(path("nothing")))
        }
    }
}
