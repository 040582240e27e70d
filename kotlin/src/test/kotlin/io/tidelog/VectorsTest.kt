package io.tidelog

import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.double
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.MethodSource
import java.nio.file.Path
import java.util.Base64
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

    /** JSON as the vectors mean it: `$bytes` is base64, and what `$value` holds is a map whatever its names. */
    private fun value(json: JsonElement): Value = when (json) {
        is JsonNull -> Value.Null
        is JsonPrimitive ->
            if (json.isString) Value.Text(json.content)
            else json.booleanOrNull?.let(Value::Bool)
                ?: json.content.toLongOrNull()?.let(Value::Int)
                ?: Value.Float(json.double)
        is JsonArray -> Value.List(json.map(::value))
        is JsonObject -> {
            val only = json.entries.singleOrNull()
            val inner = only?.value
            when {
                only?.key == "\$bytes" && inner is JsonPrimitive && inner.isString ->
                    Value.Bytes(Base64.getDecoder().decode(inner.content))
                only?.key == "\$value" && inner is JsonObject -> Value.Map(inner.mapValues { value(it.value) })
                else -> Value.Map(json.mapValues { value(it.value) })
            }
        }
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
