package io.tidelog

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.double
import java.math.BigInteger
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.util.Base64
import kotlin.math.abs
import kotlin.math.pow

// Values of the vectors, from JSON and from CBOR: `docs/format.md`, "Values", without the engine.

/** JSON as the vectors mean it: `$bytes` is base64, and what `$value` holds is a map whatever its names. */
internal fun value(json: JsonElement): Value = when (json) {
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

private const val DEPTH_MAX = 60
private const val SAFE = 9_007_199_254_740_991.0

/** The value that these bytes are the one encoding of. */
internal fun decodeCbor(data: ByteArray): Value {
    val reader = Reader(data)
    return readValue(reader, 0).also { need(reader.left == 0) }
}

private fun readValue(reader: Reader, depth: Int): Value {
    val first = reader.take(1)[0].toInt() and 0xff
    val (major, info) = (first shr 5) to (first and 31)
    if (major == 7) return readSimple(reader, info)
    val count = readCount(reader, info)
    if (major < 2) return Value.Int(if (major == 0) count else -1 - count)
    need(major < 6 && count <= reader.left)
    need(major < 4 || depth < DEPTH_MAX)
    return when (major) {
        2 -> Value.Bytes(reader.take(count.toInt()))
        3 -> Value.Text(readText(reader.take(count.toInt())))
        4 -> Value.List(List(count.toInt()) { readValue(reader, depth + 1) })
        else -> Value.Map(readMap(reader, count.toInt(), depth + 1))
    }
}

private fun readMap(reader: Reader, count: Int, depth: Int): Map<String, Value> {
    val fields = LinkedHashMap<String, Value>()
    var last = ""
    repeat(count) {
        val first = reader.take(1)[0].toInt() and 0xff
        need(first shr 5 == 3)
        val length = readCount(reader, first and 31)
        need(length <= reader.left)
        val key = reader.take(length.toInt())
        // By length, then by bytes: hexadecimal digits of one length have the order of their bytes.
        val place = hex(ByteBuffer.allocate(4).putInt(key.size).array() + key)
        need(last < place)
        last = place
        fields[readText(key)] = readValue(reader, depth)
    }
    return fields
}

/** A number or a length of 63 bits, with the shortest head. */
private fun readCount(reader: Reader, info: Int): Long {
    if (info < 24) return info.toLong()
    need(info < 28)
    val size = 1 shl (info - 24)
    val count = BigInteger(1, reader.take(size))
    need(count >= if (size == 1) BigInteger.valueOf(24) else BigInteger.ONE.shiftLeft(4 * size))
    need(count.bitLength() < 64)
    return count.toLong()
}

private fun readText(data: ByteArray): String = try {
    data.decodeToString(throwOnInvalidSequence = true)
} catch (_: CharacterCodingException) {
    throw Refused()
}

/** A double of half precision, from its bits. */
private fun half(bits: Int): Double {
    val (exponent, fraction) = (bits shr 10 and 31) to (bits and 1023)
    val size = if (exponent == 0) fraction * 2.0.pow(-24) else (1024 + fraction) * 2.0.pow(exponent - 25)
    return if (exponent == 31) Double.NaN else if (bits and 0x8000 == 0) size else -size
}

private val HALVES = (0..0xffff).map(::half).toSet()

/** A boolean, null, or a double in the least precision that keeps it; integral ones that are integers are none. */
private fun readSimple(reader: Reader, info: Int): Value {
    val number = when (info) {
        20, 21 -> return Value.Bool(info == 21)
        22 -> return Value.Null
        25 -> half(ByteBuffer.wrap(reader.take(2)).getShort().toInt() and 0xffff)
        26 -> ByteBuffer.wrap(reader.take(4)).getFloat().toDouble()
        27 -> ByteBuffer.wrap(reader.take(8)).getDouble()
        else -> throw Refused()
    }
    need(number.isFinite() && !(number % 1.0 == 0.0 && abs(number) <= SAFE))
    need(info == 25 || number !in HALVES)
    need(info < 27 || number.toFloat().toDouble() != number)
    return Value.Float(number)
}
