package io.tidelog

import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.boolean
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** Entries, directories, beacons and frames of the golden vectors, read and written by the tables of `Layouts.kt`. */
internal class FormatTest {
    private fun JsonObject.cases(field: String): List<JsonObject> =
        getValue(field).jsonArray.map(JsonElement::jsonObject).also { assertFalse(it.isEmpty()) }

    /** Bytes are their fields, and fields their bytes. */
    private fun same(layout: Layout, data: String, fields: JsonElement, name: String) {
        assertEquals(fields, layout.decode(hex(data)), name)
        assertEquals(data, hex(layout.write(fields)), name)
    }

    private fun refuses(layout: Layout, cases: List<JsonObject>) {
        for (case in cases) assertThrows(Refused::class.java, { layout.decode(case.bytes("bytes")) }, case.text("name"))
    }

    @Test
    fun `directory bodies are their operations and fields`() {
        val directory = vectors("directory.json")
        val fields = directory.group("fields")
        assertEquals(16, fields.size)
        assertEquals(fields.keys, directory.group("bodies").keys)
        for ((name, value) in fields) same(BODY, directory.group("bodies").text(name), value, name)
    }

    @Test
    fun `a certificate is signed by its device for its user`() {
        val case = vectors("directory.json").group("certificate")
        same(CERTIFICATE, case.text("bytes"), case.group("fields"), "certificate")
        val device = case.group("fields").bytes("sign_pk")
        val signature = case.group("fields").bytes("self_sig")
        val user = sha256(tag("TIDE1 user") + case.bytes("workspace") + device).copyOf(16)
        assertEquals(case.text("user"), hex(user))
        val signed = tag("TIDE1 device crt") + case.bytes("workspace") + user + case.bytes("bytes").copyOf(73)
        assertTrue(verifies(device, signed, signature))
        assertFalse(verifies(device, signed + 0, signature))
    }

    @Test
    fun `frames are their fields and others are refused`() {
        val file = vectors("frames.json")
        val frames = file.cases("frames")
        assertEquals(20, frames.map { it.group("fields").text("frame") }.toSet().size)
        for (case in frames) same(FRAME, case.text("bytes"), case.group("fields"), case.text("name"))
        refuses(FRAME, file.cases("refused"))
    }

    @Test
    fun `beacons are their heads and tips and others are refused`() {
        val file = vectors("beacon.json")
        for (case in file.cases("cases")) {
            val fields = case.filterKeys { it == "heads" || it == "tips" } + ("version" to JsonPrimitive(1))
            same(BEACON, case.text("bytes"), JsonObject(fields), case.text("name"))
        }
        refuses(BEACON, file.cases("refused"))
    }

    /** Whether this is an entry that its author signed. */
    private fun isProven(data: ByteArray): Boolean {
        val entry = try {
            ENTRY.decode(data).jsonObject
        } catch (_: Refused) {
            return false
        }
        val signed = tag("TIDE1 entry sig") + data.copyOf(208)
        return hex(sha256(tag("TIDE1 payload") + entry.bytes("payload"))) == entry.text("payload_hash") &&
            verifies(entry.bytes("author"), signed, entry.bytes("signature"))
    }

    @Test
    fun `entries have their fields and ids and are proven only if their author signed them`() {
        val file = vectors("entry.json")
        for (case in listOf("signed", "covered").map(file::group)) {
            val data = case.bytes("bytes")
            val entry = ENTRY.decode(data).jsonObject
            val others = setOf("bytes", "id", "prunable", "covered")
            for (field in case.keys - others) assertEquals(case.text(field), entry.text(field), field)
            val (prunable, covered) = listOf("prunable", "covered").map { case.getValue(it).jsonPrimitive.boolean }
            assertEquals((if (prunable) 1 else 0) + (if (covered) 2 else 0), entry.text("flags").toInt())
            assertEquals(case.text("id"), hex(sha256(tag("TIDE1 entry id") + data.copyOf(272))))
            assertEquals(!covered, isProven(data))
        }
        for (case in file.cases("refused")) assertFalse(isProven(case.bytes("bytes")), case.text("name"))
    }
}
