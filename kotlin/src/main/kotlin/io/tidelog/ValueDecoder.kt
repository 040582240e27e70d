package io.tidelog

import kotlinx.serialization.DeserializationStrategy
import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.InternalSerializationApi
import kotlinx.serialization.builtins.ByteArraySerializer
import kotlinx.serialization.descriptors.SerialDescriptor
import kotlinx.serialization.descriptors.StructureKind
import kotlinx.serialization.encoding.AbstractDecoder
import kotlinx.serialization.encoding.CompositeDecoder
import kotlinx.serialization.encoding.Decoder
import kotlinx.serialization.internal.AbstractPolymorphicSerializer
import kotlinx.serialization.modules.SerializersModule
import io.tidelog.internal.Field as NativeField
import io.tidelog.internal.Value as NativeValue

/**
 * The object of a stored form. Fields that its class does not have are left out.
 *
 * @throws TidelogException.InvalidValue if it does not fit
 */
internal fun <T> decode(deserializer: DeserializationStrategy<T>, value: NativeValue): T = try {
    RootDecoder(value, Place.Top).decodeSerializableValue(deserializer)
} catch (error: IllegalArgumentException) {
    // Also what kotlinx.serialization throws, and the checks of the class itself.
    throw TidelogException.InvalidValue("not a ${deserializer.descriptor.serialName}: ${error.message}", error)
} catch (error: java.time.DateTimeException) {
    throw TidelogException.InvalidValue("not a ${deserializer.descriptor.serialName}: ${error.message}", error)
}

/** Reads the stored form; one for each container that is open. */
@OptIn(ExperimentalSerializationApi::class, InternalSerializationApi::class)
internal abstract class ValueDecoder : AbstractDecoder() {
    override val serializersModule: SerializersModule get() = javaTypes

    /** The value that is read next. */
    abstract fun current(): NativeValue

    /** Where it is. */
    abstract fun place(): Place

    override fun decodeNotNullMark(): Boolean = current() != NativeValue.Null

    override fun decodeNull(): Nothing? = null

    override fun decodeBoolean(): Boolean = (current() as? NativeValue.Bool)?.v1 ?: misfit("a boolean")

    override fun decodeByte(): Byte = whole(Byte.MIN_VALUE.toLong(), Byte.MAX_VALUE.toLong()).toByte()

    override fun decodeShort(): Short = whole(Short.MIN_VALUE.toLong(), Short.MAX_VALUE.toLong()).toShort()

    override fun decodeInt(): Int = whole(Int.MIN_VALUE.toLong(), Int.MAX_VALUE.toLong()).toInt()

    override fun decodeLong(): Long = whole(Long.MIN_VALUE, Long.MAX_VALUE)

    override fun decodeFloat(): Float = decodeDouble().toFloat()

    override fun decodeDouble(): Double = when (val value = current()) {
        is NativeValue.Int -> value.v1.toDouble()
        is NativeValue.Float -> value.v1
        else -> misfit("a number")
    }

    override fun decodeChar(): Char = decodeString().singleOrNull() ?: misfit("one character")

    override fun decodeString(): String = (current() as? NativeValue.Text)?.v1 ?: misfit("text")

    override fun decodeEnum(enumDescriptor: SerialDescriptor): Int {
        val index = enumDescriptor.getElementIndex(decodeString())
        return if (index >= 0) index else misfit("one of the names of ${enumDescriptor.serialName}")
    }

    override fun decodeInline(descriptor: SerialDescriptor): Decoder = when (descriptor.serialName) {
        "kotlin.UByte" -> UnsignedDecoder(whole(0, UByte.MAX_VALUE.toLong()))
        "kotlin.UShort" -> UnsignedDecoder(whole(0, UShort.MAX_VALUE.toLong()))
        "kotlin.UInt" -> UnsignedDecoder(whole(0, UInt.MAX_VALUE.toLong()))
        "kotlin.ULong" -> UnsignedDecoder(whole(0, Long.MAX_VALUE))
        else -> this
    }

    override fun <T> decodeSerializableValue(deserializer: DeserializationStrategy<T>): T {
        if (deserializer is AbstractPolymorphicSerializer<*>) return decodePolymorphic(deserializer)
        if (deserializer.descriptor == ByteArraySerializer().descriptor) {
            @Suppress("UNCHECKED_CAST")
            (current() as? NativeValue.Bytes)?.let { return it.v1 as T }
        }
        return super.decodeSerializableValue(deserializer)
    }

    private fun <T> decodePolymorphic(deserializer: AbstractPolymorphicSerializer<*>): T {
        val map = current() as? NativeValue.Map ?: misfit("a map")
        val field = map.v1.find { it.name == CLASS_FIELD }?.value
        val name = (field as? NativeValue.Text)?.v1 ?: misfit("a map with the field `$CLASS_FIELD`")
        val actual = deserializer.findPolymorphicSerializerOrNull(this, name) ?: misfit("a class that is known here")
        @Suppress("UNCHECKED_CAST")
        return RootDecoder(map, place()).decodeSerializableValue(actual) as T
    }

    override fun beginStructure(descriptor: SerialDescriptor): CompositeDecoder = when (descriptor.kind) {
        StructureKind.LIST -> ListDecoder((current() as? NativeValue.Items)?.v1 ?: misfit("a list"), place())
        StructureKind.MAP -> MapDecoder(map(), place())
        StructureKind.CLASS, StructureKind.OBJECT -> ClassDecoder(map(), place())
        else -> misfit("a type that can be read")
    }

    private fun map(): List<NativeField> = (current() as? NativeValue.Map)?.v1 ?: misfit("a map")

    private fun whole(least: Long, most: Long): Long {
        val number = (current() as? NativeValue.Int)?.v1
        return if (number != null && number in least..most) number else misfit("an integer from $least to $most")
    }

    private fun misfit(expected: String): Nothing = place().refuse("expected $expected")
}

private class RootDecoder(private val value: NativeValue, private val place: Place) : ValueDecoder() {
    override fun current(): NativeValue = value

    override fun place(): Place = place

    override fun decodeElementIndex(descriptor: SerialDescriptor): Int = CompositeDecoder.DECODE_DONE
}

private class ListDecoder(private val items: List<NativeValue>, private val parent: Place) : ValueDecoder() {
    private var next = 0

    override fun decodeElementIndex(descriptor: SerialDescriptor): Int =
        if (next < items.size) next++ else CompositeDecoder.DECODE_DONE

    override fun decodeCollectionSize(descriptor: SerialDescriptor): Int = items.size

    override fun current(): NativeValue = items[next - 1]

    override fun place(): Place = parent.item(next - 1)
}

@OptIn(ExperimentalSerializationApi::class)
private class ClassDecoder(fields: List<NativeField>, private val parent: Place) : ValueDecoder() {
    private val fields = fields.iterator()
    private var field: NativeField? = null

    override fun decodeElementIndex(descriptor: SerialDescriptor): Int {
        while (fields.hasNext()) {
            val field = fields.next()
            val index = descriptor.getElementIndex(field.name)
            if (index >= 0) {
                this.field = field
                return index
            }
        }
        return CompositeDecoder.DECODE_DONE
    }

    override fun current(): NativeValue = checkNotNull(field) { "a field is read after its index" }.value

    override fun place(): Place = field?.let { parent.field(it.name) } ?: parent
}

private class MapDecoder(private val fields: List<NativeField>, private val parent: Place) : ValueDecoder() {
    private var next = 0

    /** Keys and values come in turn. */
    override fun decodeElementIndex(descriptor: SerialDescriptor): Int =
        if (next < fields.size * 2) next++ else CompositeDecoder.DECODE_DONE

    override fun decodeCollectionSize(descriptor: SerialDescriptor): Int = fields.size

    override fun current(): NativeValue {
        val field = fields[(next - 1) / 2]
        return if (next % 2 == 1) NativeValue.Text(field.name) else field.value
    }

    override fun place(): Place = parent.field(fields[(next - 1) / 2].name)
}

/** Numbers without sign are wanted in types with sign. */
private class UnsignedDecoder(private val number: Long) : AbstractDecoder() {
    override val serializersModule: SerializersModule get() = javaTypes

    override fun decodeElementIndex(descriptor: SerialDescriptor): Int = CompositeDecoder.DECODE_DONE

    override fun decodeByte(): Byte = number.toByte()

    override fun decodeShort(): Short = number.toShort()

    override fun decodeInt(): Int = number.toInt()

    override fun decodeLong(): Long = number
}
