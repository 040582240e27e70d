package io.tidelog

import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.MethodSource
import java.nio.file.Path
import io.tidelog.internal.ErrorKind

/** The query grammar and the errors: the vectors of all languages. */
internal class VectorsTest {
    private suspend fun ask(case: JsonObject): List<String> = items.query {
        @Suppress("UNCHECKED_CAST")
        (case["where"] as? JsonObject)?.let { where(plain(it) as Map<String, Any?>) }
        sort(*case.list("sort").toTypedArray())
        limit = case["limit"]?.jsonPrimitive?.int
        offset = case["offset"]?.jsonPrimitive?.int ?: 0
        ids = case["ids"]?.let { case.list("ids") }
    }.map { it.key }

    private fun JsonObject.list(field: String): List<String> =
        get(field)?.jsonArray?.map { it.jsonPrimitive.content }.orEmpty()

    @ParameterizedTest
    @MethodSource("queries")
    fun `a query gives its keys in order`(case: JsonObject) = runBlocking {
        assertEquals(case.list("keys"), ask(case))
    }

    @ParameterizedTest
    @MethodSource("refused")
    fun `a query that makes no sense says where`(case: JsonObject) = runBlocking {
        val error = throws<TidelogException.InvalidArgument> { ask(case) }
        assertTrue(case.text("says") in error.message!!, error.message)
    }

    @Test
    fun `values come back as the vectors say`() = runBlocking {
        val values = workspace.database("main").items<Value>("values")
        for (case in cases(vectors("values.json"), "values")) {
            values.put("it", value(Json.parseToJsonElement(case.text("json"))))
            assertEquals(value(Json.parseToJsonElement(case.text("canonical"))), values.get("it"), case.text("name"))
        }
    }

    @Test
    fun `CBOR is its value and other bytes are refused`() {
        val file = vectors("values.json")
        for (case in cases(file, "values")) {
            val expected = value(Json.parseToJsonElement(case.text("canonical")))
            assertEquals(expected, decodeCbor(case.bytes("cbor")), case.text("name"))
        }
        for (case in cases(file, "refused_cbor")) {
            assertThrows(Refused::class.java, { decodeCbor(case.bytes("cbor")) }, case.text("name"))
        }
        val types = vectors("types.json")
        for (case in listOf("date_times", "decimals", "uuids").flatMap { cases(types, it) }) {
            assertEquals(Value.Text(case.text("text")), decodeCbor(case.group("stored").bytes("cbor")))
        }
        for (case in cases(types, "int64")) assertEquals(Value.Int(case.text("text").toLong()), decodeCbor(case.bytes("cbor")))
        for (case in cases(types, "bytes")) assertEquals(Value.Bytes(case.bytes("hex")), decodeCbor(case.bytes("cbor")))
    }

    @ParameterizedTest
    @MethodSource("errors")
    fun `the exception of a code is its class and carries it`(case: JsonObject) {
        val kind = ErrorKind.valueOf(case.text("code").uppercase())
        val error = exception(kind, "why")
        assertEquals(case.text("code"), error.code)
        assertEquals("why", error.message)
        assertEquals("io.tidelog.${case.text("kotlin").replace('.', '$')}", error.javaClass.name)
    }

    @Test
    fun `the engine has exactly the codes of the vectors`() {
        assertEquals(errors().map { it.text("code").uppercase() }.sorted(), ErrorKind.entries.map { it.name }.sorted())
        assertEquals(ErrorKind.entries.size, TidelogException::class.java.declaredClasses.count(::isError))
    }

    private fun isError(type: Class<*>) = TidelogException::class.java.isAssignableFrom(type)

    companion object {
        private val queries = vectors("query.json")
        private lateinit var workspace: Workspace
        private lateinit var items: Collection<Value, Item<Value>>

        private fun cases(from: JsonObject, name: String) = from.getValue(name).jsonArray.map(JsonElement::jsonObject)

        @JvmStatic
        fun queries() = cases(queries, "queries")

        /** Conditions that are no map do not compile here. */
        @JvmStatic
        fun refused() = cases(queries, "refused").filter { it["where"] is JsonObject? }

        @JvmStatic
        fun errors() = cases(vectors("errors.json"), "errors")

        @JvmStatic
        @BeforeAll
        fun open(@TempDir folder: Path) = runBlocking {
            workspace = Workspace.create(folder.resolve("notes.tide"), "Notes", KEY)
            items = workspace.database("main").items("items")
            items.putMany(queries.getValue("items").jsonObject.mapValues { Value.of(plain(it.value)) })
            Unit
        }

        @JvmStatic
        @AfterAll
        fun close() = workspace.close()
    }
}
