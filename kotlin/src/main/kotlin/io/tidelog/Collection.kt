package io.tidelog

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.withContext
import io.tidelog.internal.Collection as NativeCollection
import io.tidelog.internal.NewItem
import io.tidelog.internal.Transaction as NativeTransaction
import io.tidelog.internal.TransactionCollection as NativeTransactionCollection

/**
 * Items by key. [T] is the type of values, [R] that of results: [T] if it holds its key, else `Item<T>`.
 *
 * Items that another application wrote and [T] cannot hold are left out of results, with a warning in the logger
 * `tidelog`; [getRaw] reads them.
 *
 * ```
 * val todos = workspace.database("main").collection<Todo>("todos")
 * val todo = todos.insert(Todo(title = "Calibrate sensor"))
 * todos.patch(todo.id, "done" to true)
 * val open = todos.query { where("done" eq false); sort("title") }
 * ```
 */
public class Collection<T, R> internal constructor(
    private val handle: NativeCollection,
    private val shape: Shape<T, R>,
    private val owned: Boolean = false,
) {
    /** Its name. */
    public val name: String get() = shape.name

    /** Writes an item under the key in its key field. It is durable on return. */
    public suspend fun put(value: T): Unit = native { handle.put(null, shape.stored(value, null)) }

    /** Writes an item under a key. It is durable on return. */
    public suspend fun put(key: String, value: T): Unit = native { handle.put(key, shape.stored(value, key)) }

    /**
     * Writes many items in as few entries as they fit into.
     *
     * [progress] hears now and then how many are written, and of how many. If it throws, or the coroutine is
     * cancelled, the rest is not written, and what is written stays.
     */
    public suspend fun putMany(items: Iterable<R>, progress: Progressing? = null): Summary =
        putAll(progress) { items.map { shape.newItem(it) } }

    /** [putMany] of values by key. */
    public suspend fun putMany(items: Map<String, T>, progress: Progressing? = null): Summary =
        putAll(progress) { items.map { (key, value) -> shape.newItem(key, value) } }

    private suspend fun putAll(progress: Progressing?, items: () -> List<NewItem>): Summary =
        metered(progress) { meter ->
            withContext(Dispatchers.Default) { handle.putMany(items(), meter) }
        }.let { Summary(it.items.toLong(), it.entries.toLong()) }

    /** Writes a new item and returns it with its key, which is made if it has none. */
    public suspend fun insert(value: T): R = shape.inserted(native { handle.insert(shape.stored(value, null)) })

    /** The item of a key, or null. */
    public suspend fun get(key: String): T? = native { handle.get(key) }?.let { shape.value(key, it) }

    /** The stored value of a key, whatever [T] is, or null. */
    public suspend fun getRaw(key: String): Value? = native { handle.get(key) }?.toValue()

    /** The first item that matches, or null. */
    public suspend fun first(query: Query.() -> Unit = {}): R? {
        var page = query {
            query()
            limit = 1
        }
        while (page.isEmpty() && page.cursor != null) {
            val next = page.cursor
            page = query {
                query()
                limit = 1
                offset = 0
                cursor = next
            }
        }
        return page.firstOrNull()
    }

    /** All items, by key. */
    public suspend fun all(): List<R> = query()

    /** The items that match, such as `query { where("year" ge 1999); sort("-year"); limit = 10 }`. */
    public suspend fun query(query: Query.() -> Unit = {}): Page<R> {
        val asked = asked(query)
        return withContext(Dispatchers.Default) {
            val page = native { handle.query(asked) }
            Page(shape.results(page.items), page.cursor)
        }
    }

    /** How many items match. */
    public suspend fun count(query: Query.() -> Unit = {}): Long = native { handle.count(asked(query)) }.toLong()

    /** Replaces some fields of an item that is there: `patch(id, "done" to true)`. */
    public suspend fun patch(key: String, vararg fields: Pair<String, Any?>): Unit = patch(key, mapOf(*fields))

    /** Replaces some fields of an item that is there. */
    public suspend fun patch(key: String, fields: Map<String, Any?>): Unit =
        native { handle.patch(key, shape.patch(handle.get(key), fields)) }

    /**
     * Replaces an item by what [change] makes of it; null deletes it. If another write comes in between, [change] is
     * called again with what is there then.
     */
    public suspend fun update(key: String, change: suspend (T?) -> T?): T? {
        while (true) {
            val before = native { handle.get(key) }
            val after = change(before?.let { shape.value(key, it) })?.let { shape.stored(it, key) }
            if (native { handle.replace(key, before, after) }) return after?.let { shape.value(key, it) }
        }
    }

    /** Removes an item; false if there was none. */
    public suspend fun delete(key: String): Boolean = native { handle.delete(key) }

    /** The result of a query: first as it is when the flow is collected, then again after every change of it. */
    public fun live(query: Query.() -> Unit = {}): Flow<List<R>> {
        val asked = asked(query)
        return stream({ handle.live(asked) }, { it.next() }) { items ->
            withContext(Dispatchers.Default) { shape.results(items) }
        }
    }

    /** Changes of one item, or of all, from when the flow is collected; with [initial], first what is there. */
    public fun watch(key: String? = null, initial: Boolean = false): Flow<Event<T>> =
        stream({ handle.watch(key, initial) }, { it.next() }) { it.toEvent(shape::value) }

    /** The entries behind an item, the oldest first. */
    public suspend fun history(key: String): List<Version> = native { handle.history(key) }.map { it.toVersion() }

    /** The items that only this user can write. */
    public fun own(): Collection<T, R> = Collection(native { handle.own() }, shape, owned = true)

    /** The items that only the given user can write. */
    public fun of(user: String): Collection<T, R> = Collection(native { handle.of(user) }, shape, owned = true)

    /** A document of a collection with the policy [Policy.DOCUMENT]. */
    public fun document(key: String): Document = Document(native { handle.document(key) })

    internal fun within(transaction: NativeTransaction): TransactionCollection<T, R> {
        if (owned) {
            throw TidelogException.InvalidArgument("items that belong to a user cannot be written in a transaction")
        }
        return TransactionCollection(native { transaction.collection(shape.name, shape.options) }, shape)
    }
}

/** A collection within a transaction; it reads what the transaction wrote. */
public class TransactionCollection<T, R> internal constructor(
    private val handle: NativeTransactionCollection,
    private val shape: Shape<T, R>,
) {
    /** Adds a write of an item under the key in its key field. */
    public suspend fun put(value: T): Unit = native { handle.put(null, shape.stored(value, null)) }

    /** Adds a write of an item under a key. */
    public suspend fun put(key: String, value: T): Unit = native { handle.put(key, shape.stored(value, key)) }

    /** Adds a write of a new item and returns it with its key, which is made if it has none. */
    public suspend fun insert(value: T): R = shape.inserted(native { handle.insert(shape.stored(value, null)) })

    /** The item as it would be after the commit, or null. */
    public suspend fun get(key: String): T? = native { handle.get(key) }?.let { shape.value(key, it) }

    /** Adds a replacement of some fields of an item that is there. */
    public suspend fun patch(key: String, vararg fields: Pair<String, Any?>): Unit = patch(key, mapOf(*fields))

    /** Adds a replacement of some fields of an item that is there. */
    public suspend fun patch(key: String, fields: Map<String, Any?>): Unit =
        native { handle.patch(key, shape.patch(handle.get(key), fields)) }

    /** Adds a removal; false if there is no item. */
    public suspend fun delete(key: String): Boolean = native { handle.delete(key) }
}
