package io.tidelog

import kotlinx.serialization.InternalSerializationApi
import kotlinx.serialization.KSerializer
import kotlinx.serialization.Serializable
import kotlinx.serialization.builtins.ListSerializer
import kotlinx.serialization.builtins.MapSerializer
import kotlinx.serialization.builtins.nullable
import kotlinx.serialization.builtins.serializer
import kotlinx.serialization.descriptors.PolymorphicKind
import kotlinx.serialization.descriptors.SerialDescriptor
import kotlinx.serialization.descriptors.buildSerialDescriptor
import kotlinx.serialization.encoding.Decoder
import kotlinx.serialization.encoding.Encoder
import kotlinx.serialization.serializerOrNull
import java.math.BigDecimal
import java.time.LocalDate
import java.util.Base64
import java.util.UUID
import kotlin.time.Instant
import io.tidelog.internal.Field as NativeField
import io.tidelog.internal.Value as NativeValue

/**
 * Application data without a type of its own: what `items<Value>(..)` reads and writes, and what watches of a whole
 * database show.
 *
 * ```
 * val film = Value.of(mapOf("title" to "Alien", "year" to 1979))
 * check(film["year"] == Value.Int(1979))
 * ```
 */
@Serializable(ValueSerializer::class)
public sealed interface Value {
    /** Nothing. */
    public data object Null : Value

    /** True or false. */
    public data class Bool(
        /** The boolean. */
        val value: Boolean,
    ) : Value

    /** An integer. A double that is integral, up to 2^53 - 1, is read back as one of these. */
    public data class Int(
        /** The integer. */
        val value: Long,
    ) : Value

    /** Any other finite number. */
    public data class Float(
        /** The number. */
        val value: Double,
    ) : Value

    /** Unicode text. */
    public data class Text(
        /** The text. */
        val value: String,
    ) : Value

    /** Bytes. */
    public class Bytes(
        /** The bytes. */
        public val value: ByteArray,
    ) : Value {
        /** Whether the bytes are the same. */
        override fun equals(other: Any?): Boolean = other is Bytes && value.contentEquals(other.value)

        /** A hash of the bytes. */
        override fun hashCode(): kotlin.Int = value.contentHashCode()

        /** How many bytes they are. */
        override fun toString(): String = "Bytes(${value.size})"
    }

    /** An ordered list. */
    public data class List(
        /** The elements. */
        val items: kotlin.collections.List<Value>,
    ) : Value

    /** A map from text to values. */
    public data class Map(
        /** The values by name. */
        val fields: kotlin.collections.Map<String, Value>,
    ) : Value

    /** The value of a field, if this is a map that has it. */
    public operator fun get(field: String): Value? = (this as? Map)?.fields?.get(field)

    /** Makes values. */
    public companion object {
        /**
         * The value of a plain object: null, booleans, numbers, text, byte arrays, lists, maps, date-times, UUIDs,
         * decimals, enums, and objects of `@Serializable` classes.
         *
         * @throws TidelogException.InvalidValue for what cannot be stored
         */
        public fun of(plain: Any?): Value = stored(plain).toValue()
    }
}

/** The stored form of a plain object. */
internal fun stored(plain: Any?): NativeValue = stored(plain, Place.Top)

private fun stored(plain: Any?, place: Place): NativeValue = when {
    place.depth > DEPTH_MAX -> throw TidelogException.InvalidValue("it nests too deep, or holds itself")
    else -> convert(plain, place)
}

private fun convert(plain: Any?, place: Place): NativeValue = when (plain) {
    null -> NativeValue.Null
    is Value -> plain.toNative()
    is String -> text(plain, place)
    is Boolean -> NativeValue.Bool(plain)
    is Int -> NativeValue.Int(plain.toLong())
    is Long -> NativeValue.Int(plain)
    is Double -> float(plain, place)
    is Float -> float(plain.toDouble(), place)
    is Short -> NativeValue.Int(plain.toLong())
    is Byte -> NativeValue.Int(plain.toLong())
    is UInt -> NativeValue.Int(plain.toLong())
    is ULong -> unsigned(plain.toLong(), place)
    is ByteArray -> NativeValue.Bytes(plain)
    is Char -> text(plain.toString(), place)
    is Instant -> NativeValue.Text(dateTime(plain.toEpochMilliseconds(), place))
    is java.time.Instant -> NativeValue.Text(dateTime(plain.toEpochMilli(), place))
    is LocalDate -> NativeValue.Text(plain.toString())
    is UUID -> NativeValue.Text(plain.toString())
    is BigDecimal -> NativeValue.Text(plain.toPlainString())
    is Map<*, *> -> NativeValue.Map(fields(plain, place))
    is Iterable<*> -> NativeValue.Items(plain.mapIndexed { index, item -> stored(item, place.item(index)) })
    is Array<*> -> stored(plain.asList(), place)
    else -> serialized(plain, place)
}

private fun fields(plain: Map<*, *>, place: Place): List<NativeField> = plain.map { (name, value) ->
    if (name !is String) place.refuse("the name of a field must be text")
    wellFormed(name, place)
    NativeField(name, stored(value, place.field(name)))
}

@OptIn(InternalSerializationApi::class)
private fun serialized(plain: Any, place: Place): NativeValue {
    @Suppress("UNCHECKED_CAST")
    val serializer = serializerOrNull(plain.javaClass) as KSerializer<Any>?
    return encode(serializer ?: place.refuse("a ${plain.javaClass.name} cannot be stored"), plain, place)
}

internal fun Value.toNative(): NativeValue = when (this) {
    Value.Null -> NativeValue.Null
    is Value.Bool -> NativeValue.Bool(value)
    is Value.Int -> NativeValue.Int(value)
    is Value.Float -> float(value, Place.Top)
    is Value.Text -> text(value, Place.Top)
    is Value.Bytes -> NativeValue.Bytes(value)
    is Value.List -> NativeValue.Items(items.map { it.toNative() })
    is Value.Map -> NativeValue.Map(fields.map { NativeField(it.key, it.value.toNative()) })
}

internal fun NativeValue.toValue(): Value = when (this) {
    NativeValue.Null -> Value.Null
    is NativeValue.Bool -> Value.Bool(v1)
    is NativeValue.Int -> Value.Int(v1)
    is NativeValue.Float -> Value.Float(v1)
    is NativeValue.Text -> Value.Text(v1)
    is NativeValue.Bytes -> Value.Bytes(v1)
    is NativeValue.Items -> Value.List(v1.map { it.toValue() })
    is NativeValue.Map -> Value.Map(v1.associate { it.name to it.value.toValue() })
}

private const val BYTES = "\$bytes"
private val texts = MapSerializer(String.serializer(), String.serializer())
private val nothing = String.serializer().nullable

private fun base64(bytes: ByteArray): String = Base64.getEncoder().encodeToString(bytes)

/**
 * Passes values through the encoders of this package. Other formats get the same tree, with bytes as a map of one field,
 * `bytes` behind a dollar sign, in base64: enough to log a record or to send it on, and nothing reads it back.
 */
internal object ValueSerializer : KSerializer<Value> {
    @OptIn(InternalSerializationApi::class)
    override val descriptor: SerialDescriptor = buildSerialDescriptor("io.tidelog.Value", PolymorphicKind.SEALED)

    override fun serialize(encoder: Encoder, value: Value) {
        when {
            encoder is ValueEncoder -> encoder.add(value.toNative())
            value is Value.Bool -> encoder.encodeBoolean(value.value)
            value is Value.Int -> encoder.encodeLong(value.value)
            value is Value.Float -> encoder.encodeDouble(value.value)
            value is Value.Text -> encoder.encodeString(value.value)
            value is Value.Bytes -> texts.serialize(encoder, mapOf(BYTES to base64(value.value)))
            value is Value.List -> ListSerializer(this).serialize(encoder, value.items)
            value is Value.Map -> MapSerializer(String.serializer(), this).serialize(encoder, value.fields)
            else -> nothing.serialize(encoder, null)
        }
    }

    override fun deserialize(decoder: Decoder): Value {
        require(decoder is ValueDecoder) { "a Value is read by Tidelog only" }
        return decoder.current().toValue()
    }
}
