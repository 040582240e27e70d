package io.tidelog

import java.time.LocalDate
import java.time.ZoneOffset
import java.time.format.DateTimeFormatter
import java.util.UUID
import kotlinx.serialization.KSerializer
import kotlinx.serialization.descriptors.PrimitiveKind
import kotlinx.serialization.descriptors.PrimitiveSerialDescriptor
import kotlinx.serialization.descriptors.SerialDescriptor
import kotlinx.serialization.encoding.Decoder
import kotlinx.serialization.encoding.Encoder
import kotlinx.serialization.modules.SerializersModule
import java.math.BigDecimal
import kotlin.math.abs
import kotlin.math.floor
import io.tidelog.internal.Value as NativeValue

// How types that no other language has are stored, and where in a value a problem is.

/** Where in a value something is, for messages. */
internal sealed interface Place {
    /** In how many containers it is. */
    val depth: Int

    data object Top : Place {
        override val depth: Int get() = 0
    }

    class In(val parent: Place, val segment: Any) : Place {
        override val depth: Int = parent.depth + 1
    }

    fun field(name: String): Place = In(this, name)

    fun item(index: Int): Place = In(this, index)

    /** Says that what is here cannot be stored or read. */
    fun refuse(problem: String): Nothing {
        val path = generateSequence(this as? In) { it.parent as? In }.map { it.segment }.toList().asReversed()
        val at = if (path.isEmpty()) "" else "at `${path.joinToString(".")}`: "
        throw TidelogException.InvalidValue(at + problem)
    }
}

private const val YEAR_MAX = 9999

private val RFC_3339 = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC)

/** Milliseconds since 1970 as RFC 3339 text in UTC. */
internal fun dateTime(ms: Long, place: Place): String {
    val time = java.time.Instant.ofEpochMilli(ms).atOffset(ZoneOffset.UTC)
    if (time.year !in 0..YEAR_MAX) place.refuse("a date-time has a year from 0 to $YEAR_MAX")
    return RFC_3339.format(time)
}

internal fun text(text: String, place: Place): NativeValue {
    wellFormed(text, place)
    return NativeValue.Text(text)
}

internal fun wellFormed(text: String, place: Place) {
    var index = 0
    while (index < text.length) {
        val unit = text[index++]
        if (!unit.isSurrogate()) continue
        val paired = unit.isHighSurrogate() && index < text.length && text[index].isLowSurrogate()
        if (!paired) place.refuse("the text has lone surrogates, which are no characters")
        index++
    }
}

/** The greatest double below which every integer is told apart: 2^53 - 1. */
private const val SAFE_INTEGER_MAX = 9_007_199_254_740_991.0

/** A number as the engine stores it: integral ones are integers. */
internal fun float(number: Double, place: Place): NativeValue {
    if (!number.isFinite()) place.refuse("a number must be finite: $number cannot be stored")
    val integral = abs(number) <= SAFE_INTEGER_MAX && number == floor(number)
    return if (integral) NativeValue.Int(number.toLong()) else NativeValue.Float(number)
}

/** 64 bits that stand for a number without sign. */
internal fun unsigned(bits: Long, place: Place): NativeValue {
    if (bits < 0) place.refuse("an integer must fit into 64 bits with sign")
    return NativeValue.Int(bits)
}

/**
 * Serializers for types of Java that say nothing of serialization themselves. Within a model they need `@Contextual`:
 * `@Contextual val price: BigDecimal`.
 */
internal val javaTypes = SerializersModule {
    contextual(java.time.Instant::class, JavaInstant)
    contextual(LocalDate::class, textual("java.time.LocalDate", LocalDate::toString, LocalDate::parse))
    contextual(UUID::class, textual("java.util.UUID", UUID::toString, UUID::fromString))
    contextual(BigDecimal::class, textual("java.math.BigDecimal", BigDecimal::toPlainString, ::BigDecimal))
}

internal object JavaInstant : KSerializer<java.time.Instant> {
    override val descriptor: SerialDescriptor = PrimitiveSerialDescriptor("java.time.Instant", PrimitiveKind.STRING)

    override fun serialize(encoder: Encoder, value: java.time.Instant): Unit =
        encoder.encodeString(dateTime(value.toEpochMilli(), (encoder as? ValueEncoder)?.place() ?: Place.Top))

    override fun deserialize(decoder: Decoder): java.time.Instant =
        DateTimeFormatter.ISO_OFFSET_DATE_TIME.parse(decoder.decodeString(), java.time.Instant::from)
}

private fun <T> textual(name: String, write: (T) -> String, read: (String) -> T) = object : KSerializer<T> {
    override val descriptor: SerialDescriptor = PrimitiveSerialDescriptor(name, PrimitiveKind.STRING)

    override fun serialize(encoder: Encoder, value: T): Unit = encoder.encodeString(write(value))

    override fun deserialize(decoder: Decoder): T = read(decoder.decodeString())
}
