package io.tidelog

import kotlinx.coroutines.flow.Flow
import kotlinx.serialization.KSerializer
import kotlinx.serialization.serializer
import io.tidelog.internal.Database as NativeDatabase
import io.tidelog.internal.Transaction as NativeTransaction

/** A database: collections that are synced, or not, as a whole. */
public class Database internal constructor(private val handle: NativeDatabase) {
    /** Its name. */
    public val name: String get() = native { handle.name() }

    /**
     * A collection of values that hold their key in the field `id`, or the one named by [key]; it need not exist yet.
     *
     * ```
     * @Serializable
     * data class Todo(val id: String = "", val title: String, val done: Boolean = false)
     *
     * val todos = database.collection<Todo>("todos")
     * ```
     *
     * @throws TidelogException.InvalidArgument if [T] has no such field
     */
    public inline fun <reified T : Any> collection(
        name: String,
        key: String = "id",
        policy: Policy = Policy.LWW,
    ): Collection<T, T> = collection(name, serializer<T>(), key, policy)

    /** [collection] with a serializer. */
    public fun <T : Any> collection(
        name: String,
        serializer: KSerializer<T>,
        key: String = KEY_FIELD,
        policy: Policy = Policy.LWW,
    ): Collection<T, T> = collection(Shape.keyed(name, serializer, key, policy))

    /**
     * A collection of values whose key is beside them, in an [Item]; it need not exist yet.
     *
     * ```
     * val counters = database.items<Int>("counters")
     * counters.put("visits", 1)
     * ```
     */
    public inline fun <reified T : Any> items(name: String, policy: Policy = Policy.LWW): Collection<T, Item<T>> =
        items(name, serializer<T>(), policy)

    /** [items] with a serializer. */
    public fun <T : Any> items(
        name: String,
        serializer: KSerializer<T>,
        policy: Policy = Policy.LWW,
    ): Collection<T, Item<T>> = collection(Shape.beside(name, serializer, policy))

    private fun <T, R> collection(shape: Shape<T, R>): Collection<T, R> =
        Collection(native { handle.collection(shape.name, shape.options) }, shape)

    /** The names of its collections. */
    public suspend fun collections(): List<String> = native { handle.collections() }

    /**
     * Writes that take effect together, or not at all: committed as one entry at the end of [block], and rolled back
     * if it throws or is cancelled.
     *
     * ```
     * database.transaction { transaction ->
     *     transaction.collection(accounts).put(payer.copy(balance = payer.balance - 10))
     *     transaction.collection(accounts).put(payee.copy(balance = payee.balance + 10))
     * }
     * ```
     */
    public suspend fun <R> transaction(block: suspend (Transaction) -> R): R {
        val transaction = Transaction(native { handle.transaction() })
        try {
            val result = block(transaction)
            if (!transaction.ended) transaction.commit()
            return result
        } finally {
            if (!transaction.ended) transaction.rollBack()
        }
    }

    /** Changes of its items from when the flow is collected. */
    public fun watch(): Flow<Event<Value>> =
        stream({ handle.watch() }, { it.next() }) { event -> event.toEvent { _, value -> value.toValue() } }

    /** The entries under it. */
    public fun log(): Log = Log(native { handle.log() })
}

/** Writes to collections of one database that take effect together. Reads its own writes. */
public class Transaction internal constructor(private val handle: NativeTransaction) {
    /** A collection of this database within the transaction. */
    public fun <T, R> collection(collection: Collection<T, R>): TransactionCollection<T, R> = collection.within(handle)

    /** Whether nothing is left for the end of the block to do. */
    @Volatile
    internal var ended = false
        private set

    /**
     * Writes all of it before the end of the block, durable on return, and gives the id of the entry; null if there
     * was nothing to write.
     */
    public suspend fun commit(): String? {
        ended = true
        return native { handle.commit() }
    }

    /** Forgets its writes. Does nothing after its end. */
    public fun rollBack() {
        ended = true
        native { handle.rollBack() }
    }
}
