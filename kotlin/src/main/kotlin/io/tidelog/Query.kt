package io.tidelog

import io.tidelog.internal.Field as NativeField
import io.tidelog.internal.Query as NativeQuery
import io.tidelog.internal.Value as NativeValue

/** Marks the builders of queries, so that one is not used within another by mistake. */
@DslMarker
public annotation class QueryDsl

/** A condition on the fields of an item; made within a [Query]. */
public class Condition internal constructor(internal val filter: NativeValue)

/**
 * Which items, and in which order.
 *
 * ```
 * films.query {
 *     where("year" ge 1979, "title" prefix "A")
 *     sort("-year", "title")
 *     limit = 10
 * }
 * ```
 *
 * Fields of nested objects are joined by dots: `"cast.lead" eq "Ford"`.
 */
@QueryDsl
public class Query internal constructor() {
    private val conditions = ArrayList<Condition>()
    private var sort = emptyList<String>()

    /** Most items to give. */
    public var limit: Int? = null

    /** Items to leave out at the beginning. */
    public var offset: Int = 0

    /** Where an earlier query with the same conditions and order stopped. */
    public var cursor: String? = null

    /** Only items with these keys. */
    public var ids: Iterable<String>? = null

    /** Only items that meet all of these conditions. */
    public fun where(vararg conditions: Condition) {
        this.conditions += conditions
    }

    /** Only items that meet a condition in plain form, such as `mapOf("year" to mapOf("ge" to 1999))`. */
    public fun where(plain: Map<String, Any?>) {
        conditions += Condition(stored(plain))
    }

    /** Fields to sort by, `-field` for descending; then by key. */
    public fun sort(vararg fields: String) {
        sort = fields.asList()
    }

    /** The field is equal. */
    public infix fun String.eq(value: Any?): Condition = operator(this, "eq", value)

    /** The field is another, or missing. */
    public infix fun String.ne(value: Any?): Condition = operator(this, "ne", value)

    /** The field is less. */
    public infix fun String.lt(value: Any): Condition = operator(this, "lt", value)

    /** The field is less or equal. */
    public infix fun String.le(value: Any): Condition = operator(this, "le", value)

    /** The field is greater. */
    public infix fun String.gt(value: Any): Condition = operator(this, "gt", value)

    /** The field is greater or equal. */
    public infix fun String.ge(value: Any): Condition = operator(this, "ge", value)

    /** The field is one of these. */
    public infix fun String.isIn(values: Iterable<Any?>): Condition = operator(this, "in", values)

    /** The field is a list with the element, a text with the part, or a map with the field. */
    public infix fun String.contains(value: Any?): Condition = operator(this, "contains", value)

    /** The field is a text that begins so. */
    public infix fun String.prefix(value: String): Condition = operator(this, "prefix", value)

    /** The field is there, or is not. */
    public infix fun String.exists(value: Boolean): Condition = operator(this, "exists", value)

    /** All of these. */
    public fun and(vararg conditions: Condition): Condition = group("and", conditions.asList())

    /** Any of these. */
    public fun or(vararg conditions: Condition): Condition = group("or", conditions.asList())

    /** Not this. */
    public fun not(condition: Condition): Condition = Condition(named("not", condition.filter))

    private fun operator(field: String, word: String, value: Any?) =
        Condition(named(field, named(word, stored(value))))

    private fun group(word: String, conditions: List<Condition>) =
        Condition(named(word, NativeValue.Items(conditions.map { it.filter })))

    private fun named(name: String, value: NativeValue) = NativeValue.Map(listOf(NativeField(name, value)))

    private fun filter(): NativeValue = when (conditions.size) {
        0 -> NativeValue.Null
        1 -> conditions.single().filter
        else -> group("and", conditions).filter
    }

    internal fun toNative(): NativeQuery = NativeQuery(
        filter = filter(),
        sort = sort,
        limit = limit?.let { count("limit", it) },
        offset = count("offset", offset),
        cursor = cursor,
        ids = ids?.toList(),
    )

    private fun count(name: String, number: Int): UInt {
        if (number < 0) throw TidelogException.InvalidArgument("$name is no number of items: $number")
        return number.toUInt()
    }
}

internal inline fun asked(query: Query.() -> Unit): NativeQuery = Query().apply(query).toNative()
