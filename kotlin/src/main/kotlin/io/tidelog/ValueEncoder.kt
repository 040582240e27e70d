package io.tidelog

import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.InternalSerializationApi
import kotlinx.serialization.SerializationException
import kotlinx.serialization.SerializationStrategy
import kotlinx.serialization.builtins.ByteArraySerializer
import kotlinx.serialization.descriptors.SerialDescriptor
import kotlinx.serialization.descriptors.StructureKind
import kotlinx.serialization.encoding.AbstractEncoder
import kotlinx.serialization.encoding.CompositeEncoder
import kotlinx.serialization.encoding.Encoder
import kotlinx.serialization.internal.AbstractPolymorphicSerializer
import kotlinx.serialization.modules.SerializersModule
import kotlin.time.Instant
import io.tidelog.internal.Field as NativeField
import io.tidelog.internal.Value as NativeValue

/** The field that names the class of an object whose declared type is sealed or open. */
internal const val CLASS_FIELD = "type"

/** Ends the walk through a structure that holds itself. The engine's own limit is lower. */
internal const val DEPTH_MAX = 100

private val UNSIGNED = setOf("kotlin.UByte", "kotlin.UShort", "kotlin.UInt", "kotlin.ULong")

/** The stored form of an object. */
internal fun <T> encode(serializer: SerializationStrategy<T>, value: T, place: Place = Place.Top): NativeValue {
    val root = RootEncoder(place)
    try {
        root.encodeSerializableValue(serializer, value)
    } catch (error: SerializationException) {
        throw TidelogException.InvalidValue(error.message ?: "the value cannot be stored", error)
    }
    return root.value ?: place.refuse("the serializer wrote nothing")
}

/** Builds the stored form; one for each container that is open. */
@OptIn(ExperimentalSerializationApi::class, InternalSerializationApi::class)
internal abstract class ValueEncoder(private val depth: Int) : AbstractEncoder() {
    override val serializersModule: SerializersModule get() = javaTypes

    /** Takes the next value. */
    abstract fun add(value: NativeValue)

    /** Where the next value goes. */
    abstract fun place(): Place

    override fun encodeNull(): Unit = add(NativeValue.Null)

    override fun encodeBoolean(value: Boolean): Unit = add(NativeValue.Bool(value))

    override fun encodeByte(value: Byte): Unit = add(NativeValue.Int(value.toLong()))

    override fun encodeShort(value: Short): Unit = add(NativeValue.Int(value.toLong()))

    override fun encodeInt(value: Int): Unit = add(NativeValue.Int(value.toLong()))

    override fun encodeLong(value: Long): Unit = add(NativeValue.Int(value))

    override fun encodeFloat(value: Float): Unit = add(float(value.toDouble(), place()))

    override fun encodeDouble(value: Double): Unit = add(float(value, place()))

    override fun encodeChar(value: Char): Unit = encodeString(value.toString())

    override fun encodeString(value: String): Unit = add(text(value, place()))

    override fun encodeEnum(enumDescriptor: SerialDescriptor, index: Int): Unit =
        encodeString(enumDescriptor.getElementName(index))

    override fun encodeInline(descriptor: SerialDescriptor): Encoder =
        if (descriptor.serialName in UNSIGNED) UnsignedEncoder(this) else this

    override fun shouldEncodeElementDefault(descriptor: SerialDescriptor, index: Int): Boolean = true

    override fun <T> encodeSerializableValue(serializer: SerializationStrategy<T>, value: T) {
        when {
            value is ByteArray && serializer.descriptor == ByteArraySerializer().descriptor ->
                add(NativeValue.Bytes(value))
            value is Instant -> encodeString(dateTime(value.toEpochMilliseconds(), place()))
            serializer is AbstractPolymorphicSerializer<*> -> encodePolymorphic(serializer, value as Any)
            else -> super.encodeSerializableValue(serializer, value)
        }
    }

    private fun encodePolymorphic(serializer: AbstractPolymorphicSerializer<*>, value: Any) {
        @Suppress("UNCHECKED_CAST")
        val actual = (serializer as AbstractPolymorphicSerializer<Any>).findPolymorphicSerializerOrNull(this, value)
            ?: place().refuse("no serializer is registered for ${value.javaClass.name}")
        val encoded = encode(actual, value, place()) as? NativeValue.Map
            ?: place().refuse("a ${actual.descriptor.serialName} has no fields that could say its class")
        val name = NativeField(CLASS_FIELD, NativeValue.Text(actual.descriptor.serialName))
        add(NativeValue.Map(listOf(name) + encoded.v1))
    }

    override fun beginStructure(descriptor: SerialDescriptor): CompositeEncoder {
        if (depth == DEPTH_MAX) throw TidelogException.InvalidValue("it nests too deep, or holds itself")
        return when (descriptor.kind) {
            StructureKind.LIST -> ListEncoder(this, depth + 1)
            StructureKind.MAP -> MapEncoder(this, depth + 1)
            StructureKind.CLASS, StructureKind.OBJECT -> ClassEncoder(this, depth + 1)
            else -> place().refuse("${descriptor.serialName} cannot be stored")
        }
    }
}

private class RootEncoder(private val place: Place) : ValueEncoder(0) {
    var value: NativeValue? = null

    override fun add(value: NativeValue) {
        this.value = value
    }

    override fun place(): Place = place
}

private class ListEncoder(private val parent: ValueEncoder, depth: Int) : ValueEncoder(depth) {
    private val items = ArrayList<NativeValue>()

    override fun add(value: NativeValue) {
        items.add(value)
    }

    override fun place(): Place = parent.place().item(items.size)

    override fun endStructure(descriptor: SerialDescriptor): Unit = parent.add(NativeValue.Items(items))
}

@OptIn(ExperimentalSerializationApi::class)
private class ClassEncoder(private val parent: ValueEncoder, depth: Int) : ValueEncoder(depth) {
    private val fields = ArrayList<NativeField>()
    private var name = ""

    override fun encodeElement(descriptor: SerialDescriptor, index: Int): Boolean {
        name = descriptor.getElementName(index)
        return true
    }

    override fun add(value: NativeValue) {
        fields += NativeField(name, value)
    }

    override fun place(): Place = parent.place().field(name)

    override fun endStructure(descriptor: SerialDescriptor): Unit = parent.add(NativeValue.Map(fields))
}

private class MapEncoder(private val parent: ValueEncoder, depth: Int) : ValueEncoder(depth) {
    private val fields = ArrayList<NativeField>()
    private var name: String? = null

    /** Keys and values come in turn. */
    override fun add(value: NativeValue) {
        val name = name
        if (name == null) {
            val key = value as? NativeValue.Text ?: parent.place().refuse("the name of a field must be text")
            this.name = key.v1
        } else {
            fields += NativeField(name, value)
            this.name = null
        }
    }

    override fun place(): Place = name?.let { parent.place().field(it) } ?: parent.place()

    override fun endStructure(descriptor: SerialDescriptor): Unit = parent.add(NativeValue.Map(fields))
}

/** Numbers without sign arrive in types with sign. */
private class UnsignedEncoder(private val parent: ValueEncoder) : AbstractEncoder() {
    override val serializersModule: SerializersModule get() = javaTypes

    override fun encodeByte(value: Byte): Unit = parent.add(NativeValue.Int(value.toUByte().toLong()))

    override fun encodeShort(value: Short): Unit = parent.add(NativeValue.Int(value.toUShort().toLong()))

    override fun encodeInt(value: Int): Unit = parent.add(NativeValue.Int(value.toUInt().toLong()))

    override fun encodeLong(value: Long): Unit = parent.add(unsigned(value, parent.place()))
}
