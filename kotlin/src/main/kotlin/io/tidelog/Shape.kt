package io.tidelog

import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.KSerializer
import java.util.logging.Level
import java.util.logging.Logger
import io.tidelog.internal.CollectionOptions
import io.tidelog.internal.Field as NativeField
import io.tidelog.internal.Item as NativeItem
import io.tidelog.internal.NewItem
import io.tidelog.internal.Policy as NativePolicy
import io.tidelog.internal.Value as NativeValue

private val logger = Logger.getLogger("tidelog")

/** The field that is the key, if nothing else is said. */
internal const val KEY_FIELD = "id"

/**
 * How the items of one collection look to the application. [T] is the type of values, [R] that of results: values
 * that hold their key, or else `Item<T>`.
 */
internal class Shape<T, R> private constructor(
    val name: String,
    private val serializer: KSerializer<T>,
    val options: CollectionOptions,
    private val pack: (String, T) -> R,
    private val unpack: (R) -> Pair<String?, T>,
) {
    private val keyField: String? get() = options.keyField

    /** The stored form of a value, with the key it is written under filled in. */
    fun stored(value: T, key: String?): NativeValue {
        val stored = encode(serializer, value)
        val field = keyField
        if (key == null || field == null || stored !is NativeValue.Map) return stored
        val present = stored.v1.find { it.name == field }?.value
        val empty = present == null || present == NativeValue.Null || present == NativeValue.Text("")
        return if (empty) stored.with(listOf(NativeField(field, NativeValue.Text(key)))) else stored
    }

    fun newItem(result: R): NewItem {
        val (key, value) = unpack(result)
        return NewItem(key, stored(value, key))
    }

    fun newItem(key: String, value: T): NewItem = NewItem(key, stored(value, key))

    fun inserted(item: NativeItem): R = pack(item.key, decode(serializer, item.value))

    /** The value of an item, or null if it does not fit the type. */
    fun value(key: String, stored: NativeValue): T? = try {
        decode(serializer, stored)
    } catch (misfit: TidelogException.InvalidValue) {
        // What the type says may quote the value.
        logger.log(Level.WARNING, "item `{0}` of collection `{1}` is left out: the type refuses it", arrayOf(key, name))
        null
    }

    /** Those of many items that fit the type. */
    fun results(items: List<NativeItem>): List<R> =
        items.mapNotNull { item -> value(item.key, item.value)?.let { pack(item.key, it) } }

    /** Fields in stored form, checked in the item that they will be part of. */
    fun patch(before: NativeValue?, fields: Map<String, Any?>): NativeValue {
        val stored = stored(fields) as NativeValue.Map
        if (before is NativeValue.Map) decode(serializer, before.with(stored.v1))
        return stored
    }

    /** This map with some fields added, or others in their place. */
    private fun NativeValue.Map.with(fields: List<NativeField>) =
        NativeValue.Map(v1.filter { old -> fields.none { it.name == old.name } } + fields)

    companion object {
        /** Values that hold their key in a field. */
        @OptIn(ExperimentalSerializationApi::class)
        fun <T> keyed(name: String, serializer: KSerializer<T>, key: String, policy: Policy): Shape<T, T> {
            val names = (0 until serializer.descriptor.elementsCount).map(serializer.descriptor::getElementName)
            if (key !in names && serializer !== Value.serializer()) {
                val hint = "name its key, or use items<..>(`$name`) for items whose key is beside them"
                throw TidelogException.InvalidArgument(
                    "${serializer.descriptor.serialName} has no field `$key`: $hint",
                )
            }
            return Shape(name, serializer, options(policy, key), { _, value -> value }, { null to it })
        }

        /** Values beside their key. */
        fun <T> beside(name: String, serializer: KSerializer<T>, policy: Policy): Shape<T, Item<T>> =
            Shape(name, serializer, options(policy, null), ::Item) { it.key to it.value }

        private fun options(policy: Policy, key: String?) = CollectionOptions(
            when (policy) {
                Policy.LWW -> NativePolicy.LWW
                Policy.DOCUMENT -> NativePolicy.DOCUMENT
            },
            key,
        )
    }
}
