package io.tidelog

import kotlinx.serialization.Contextual
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.encodeToString
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.encodeToJsonElement
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.MethodSource
import java.math.BigDecimal
import java.time.LocalDate
import java.time.OffsetDateTime
import java.util.UUID
import kotlin.time.Instant

/** What a value may be, and that it comes back as it was: checked against the vectors of all languages. */
internal class ValuesTest : WorkspaceTest() {
    private val things get() = database.items<Value>("things")

    private suspend fun stored(value: Any?): Value {
        things.put("key", Value.of(mapOf("value" to value)))
        return checkNotNull(things.get("key")?.get("value"))
    }

    @Serializable
    enum class Colour {
        @SerialName("red")
        RED,
    }

    @Serializable
    sealed interface Shape {
        @Serializable
        @SerialName("circle")
        data class Circle(val radius: Double) : Shape

        @Serializable
        @SerialName("nothing")
        data object Nothing : Shape
    }

    @JvmInline
    @Serializable
    value class Metres(val number: Double)

    @Serializable
    data class Inner(val pair: Pair<Int, String>, val colours: List<Colour>)

    @Serializable
    class Everything(
        val id: String,
        val flag: Boolean,
        val byte: Byte,
        val short: Short,
        val int: Int,
        val long: Long,
        val float: Float,
        val double: Double,
        val char: Char,
        val text: String?,
        val bytes: ByteArray,
        val unsigned: ULong,
        val small: UByte,
        val height: Metres,
        val colour: Colour,
        val shapes: List<Shape>,
        val inner: Map<String, Inner>,
        val at: Instant,
        val raw: Value,
        @Contextual val moment: java.time.Instant,
        @Contextual val day: LocalDate,
        @Contextual val uuid: UUID,
        @Contextual val price: BigDecimal,
        val defaulted: Int = 5,
    )

    @Test
    fun `an object of every type comes back as it was`() = test {
        val all = database.collection<Everything>("everything")
        val given = Everything(
            id = "a", flag = true, byte = -1, short = 300, int = -70_000, long = Long.MIN_VALUE, float = 1.5f,
            double = 2.0, char = '\u00e9', text = null, bytes = byteArrayOf(0, -1), unsigned = 1uL shl 62, small = 255u,
            height = Metres(1.25), colour = Colour.RED, shapes = listOf(Shape.Circle(0.5), Shape.Nothing),
            inner = mapOf("x" to Inner(1 to "one", listOf(Colour.RED))), at = Instant.parse("2024-02-29T12:34:56.789Z"),
            raw = Value.of(listOf(1, "two")), moment = java.time.Instant.ofEpochMilli(1), day = LocalDate.of(2024, 2, 29),
            uuid = UUID(1, 2), price = BigDecimal("19.90"),
        )
        all.put(given)
        val found = checkNotNull(all.get("a"))
        assertTrue(found.bytes.contentEquals(given.bytes))
        val fields = checkNotNull(all.getRaw("a"))
        assertEquals(Value.of(given), fields)
        assertEquals(Value.of(found), fields)
        assertEquals(Value.Int(2), fields["double"])
        assertEquals(Value.Text("red"), fields["colour"])
        assertEquals(Value.of(listOf(mapOf("type" to "circle", "radius" to 0.5), mapOf("type" to "nothing"))), fields["shapes"])
        assertEquals(Value.Text("2024-02-29T12:34:56.789Z"), fields["at"])
        assertEquals(Value.Text("1970-01-01T00:00:00.001Z"), fields["moment"])
        assertEquals(Value.Text("19.90"), fields["price"])
        assertEquals(Value.Bytes(byteArrayOf(0, -1)), fields["bytes"])
        assertEquals(Value.Int(5), fields["defaulted"])
    }

    @Test
    fun `a plain value comes back as it was`() = test {
        val values = listOf(
            null, true, false, 0, -1, 1.5, "", "text with \u00e9 and \ud83c\udf0a", byteArrayOf(), byteArrayOf(0, -1),
            emptyList<Any>(), emptyMap<String, Any>(), listOf(1, listOf(2, mapOf("a" to null))),
        )
        for (value in values) assertEquals(Value.of(value), stored(value))
    }

    @Test
    fun `types that stand for plain ones are stored as these`() = test {
        assertEquals(Value.Text("red"), stored(Colour.RED))
        assertEquals(Value.of(mapOf("radius" to 1.5)), stored(Shape.Circle(1.5)))
        assertEquals(Value.Text("2024-02-29"), stored(LocalDate.of(2024, 2, 29)))
        assertEquals(Value.of(listOf(1, 2)), stored(arrayOf(1, 2)))
        assertEquals(Value.of(listOf(1, 2)), stored(sortedSetOf(2, 1)))
        assertEquals(Value.Text("x"), stored('x'))
        assertEquals(Value.Int(7), stored(7u))
    }

    @ParameterizedTest
    @MethodSource("int64")
    fun `an integer keeps all 64 bits`(case: JsonObject) = test {
        val number = case.text("text").toLong()
        assertEquals(Value.Int(number), stored(number))
        val numbers = database.items<Long>("numbers")
        numbers.put("n", number)
        assertEquals(number, numbers.get("n"))
    }

    @Test
    fun `an integer that does not fit the type is refused`() = test {
        database.items<Long>("n").put("big", 1L shl 40)
        assertEquals(null, database.items<Int>("n").get("big"))
        val refused = throws<TidelogException.InvalidValue> { stored(ULong.MAX_VALUE) }
        assertTrue("64 bits" in refused.message!!)
    }

    @Test
    fun `a number that cannot be stored is refused with its place`() = test {
        for (number in listOf(Double.NaN, Double.POSITIVE_INFINITY)) {
            val refused = throws<TidelogException.InvalidValue> { Value.of(mapOf("list" to listOf(0, number))) }
            assertTrue("`list.1`" in refused.message!!)
            val inObject = throws<TidelogException.InvalidValue> {
                database.items<Map<String, List<Double>>>("n").put("a", mapOf("list" to listOf(0.0, number)))
            }
            assertTrue("`list.1`" in inObject.message!!)
        }
    }

    @Test
    fun `numbers are canonical`() = test {
        assertEquals(Value.Int(1), stored(1.0))
        assertEquals(Value.Int(0), stored(-0.0))
        assertEquals(Value.Int((1L shl 53) - 1), stored(9007199254740991.0))
        assertEquals(Value.Float(9007199254740992.0), stored(9007199254740992.0))
    }

    @ParameterizedTest
    @MethodSource("dateTimes")
    fun `a date-time is RFC 3339 in UTC with milliseconds`(case: JsonObject) = test {
        val ms = case.getValue("unix_ms").jsonPrimitive.long
        assertEquals(Value.Text(case.text("text")), stored(Instant.fromEpochMilliseconds(ms)))
        assertEquals(Value.Text(case.text("text")), stored(java.time.Instant.ofEpochMilli(ms)))
        val times = database.items<Instant>("times")
        times.put("t", Instant.fromEpochMilliseconds(ms))
        assertEquals(ms, times.get("t")?.toEpochMilliseconds())
    }

    @ParameterizedTest
    @MethodSource("dateTimesGivenOtherwise")
    fun `a date-time of any zone is stored in UTC`(case: JsonObject) = test {
        val given = OffsetDateTime.parse(case.text("given")).toInstant()
        assertEquals(Value.Text(case.text("text")), stored(given))
        things.put("other", Value.Text(case.text("given")))
        val read = checkNotNull(database.items<Instant>("things").get("other"))
        assertEquals(Value.Text(case.text("text")), stored(read))
    }

    @Test
    fun `a date-time beyond four digits of a year is refused`() = test {
        throws<TidelogException.InvalidValue> { stored(Instant.fromEpochMilliseconds(253402300800000)) }
    }

    @ParameterizedTest
    @MethodSource("uuids")
    fun `a UUID is lower-case text`(case: JsonObject) = test {
        assertEquals(Value.Text(case.text("text")), stored(UUID.fromString(case.text("given"))))
    }

    @ParameterizedTest
    @MethodSource("decimals")
    fun `a decimal is text with all its digits`(case: JsonObject) = test {
        assertEquals(Value.Text(case.text("text")), stored(BigDecimal(case.text("text"))))
    }

    @Test
    fun `a decimal has no exponent`() = test {
        assertEquals(Value.Text("1000"), stored(BigDecimal("1E+3")))
    }

    @Test
    fun `what cannot be stored is refused`() = test {
        for (value in listOf(Any(), mapOf(1 to "key that is no text"), "\ud800", mapOf("\udc00" to 1), "a\udc00\ud800")) {
            throws<TidelogException.InvalidValue> { Value.of(value) }
        }
        throws<TidelogException.InvalidArgument> { things.put("\ud800", Value.Null) }
        throws<TidelogException.InvalidValue> { database.items<Map<Int, String>>("n").put("a", mapOf(1 to "x")) }
        val itself = ArrayList<Any>()
        itself.add(itself)
        throws<TidelogException.InvalidValue> { things.put("key", Value.of(itself)) }
    }

    @Test
    fun `what does not fit a type says where and what was expected`() = test {
        things.put("key", Value.of(mapOf("pair" to mapOf("first" to "x", "second" to "y"), "colours" to listOf("red"))))
        val misfit = throws<TidelogException.InvalidValue> {
            decode(Inner.serializer(), checkNotNull(things.getRaw("key")).toNative())
        }
        assertTrue("`pair.first`" in misfit.message!! && "integer" in misfit.message!!, misfit.message)
        val missing = throws<TidelogException.InvalidValue> { decode(Inner.serializer(), stored(emptyMap<String, Int>()).toNative()) }
        assertTrue("pair" in missing.message!!)
        val unknown = throws<TidelogException.InvalidValue> { decode(Colour.serializer(), stored("blue").toNative()) }
        assertTrue("Colour" in unknown.message!!)
    }

    @Test
    fun `records become json with their values as they are`() = test {
        things.put("key", Value.of(mapOf("n" to 1.5, "bytes" to byteArrayOf(1), "list" to listOf(null, true))))
        val version = Json.encodeToJsonElement(things.history("key").single()).jsonObject
        assertEquals("""{"n":1.5,"bytes":{"${'$'}bytes":"AQ=="},"list":[null,true]}""", plainOrder(version["value"]))
        assertEquals("\"writer\"", Json.encodeToString(Role.WRITER))
        assertEquals("\"catching-up\"", Json.encodeToString(LinkState.CATCHING_UP))
        assertEquals(workspace.stats(), Json.decodeFromString<Stats>(Json.encodeToString(workspace.stats())))
    }

    /** JSON with the fields in the order of the test: the engine orders them its own way. */
    private fun plainOrder(json: JsonElement?): String =
        JsonObject(listOf("n", "bytes", "list").associateWith { json!!.jsonObject.getValue(it) }).toString()

    @Test
    fun `names that differ only in how characters are composed are two fields`() = test {
        val both = Value.of(mapOf("\u00e9" to 1, "e\u0301" to 2))
        things.put("key", both)
        assertEquals(both, things.get("key"))
    }

    companion object {
        private val types = vectors("types.json")

        private fun cases(name: String): List<JsonObject> = types.getValue(name).jsonArray.map { it.jsonObject }

        @JvmStatic
        fun int64() = cases("int64")

        @JvmStatic
        fun dateTimes() = cases("date_times")

        @JvmStatic
        fun dateTimesGivenOtherwise() = cases("date_times_given_otherwise")

        @JvmStatic
        fun uuids() = cases("uuids")

        @JvmStatic
        fun decimals() = cases("decimals")
    }
}
