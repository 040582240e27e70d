package io.tidelog

import com.sun.jna.Function
import java.nio.file.Files
import java.nio.file.Path
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.condition.EnabledOnOs
import org.junit.jupiter.api.condition.OS

/** Runs in a process of its own, see pom.xml: what other tests leave behind is not counted. */
internal class MemoryTest : WorkspaceTest() {
    /** `TIDELOG_CYCLES` asks for another number. */
    @Test
    @EnabledOnOs(OS.LINUX)
    fun `opening and closing does not grow the process`(): Unit = runBlocking {
        val cycles = System.getenv("TIDELOG_CYCLES")?.toInt() ?: 1_000
        workspace.shutdown()
        suspend fun cycle() = Workspace.open(path("notes.tide"), KEY).use { it.database("main").collection<Film>("films").get("alien") }
        repeat(cycles / 4) { cycle() }
        val before = (1..5).minOf { residentKib() }
        repeat(cycles) { cycle() }
        // What was collected is freed by a thread of its own, which takes its time; what leaks never is.
        val readings = generateSequence { residentKib() - before }.take(60)
        val grown = readings.firstOrNull { it < GROWTH_KIB_MAX } ?: (residentKib() - before)
        println("opening and closing $cycles times: resident memory $before KiB, then $grown KiB more")
        assertTrue(grown < GROWTH_KIB_MAX, "$cycles cycles grew the process by $grown KiB")
    }

    /** After a collection: what the heap and the allocator hold back is no leak. */
    private fun residentKib(): Long {
        repeat(3) {
            System.gc()
            // The JVM does not say when its cleaner is through. Nothing depends on how long this is: who reads what is
            // too much reads again.
            Thread.sleep(100)
        }
        // Handles of databases live until they are collected, and what they held then stays with glibc.
        runCatching { Function.getFunction("c", "malloc_trim").invokeInt(arrayOf(0L)) }
        val line = Files.readAllLines(Path.of("/proc/self/status")).first { it.startsWith("VmRSS:") }
        return line.filter(Char::isDigit).toLong()
    }

    private companion object {
        /** What the JVM itself may grow by, however many cycles there are; a workspace is some hundred KiB. */
        const val GROWTH_KIB_MAX = 6 * 1024L
    }
}
