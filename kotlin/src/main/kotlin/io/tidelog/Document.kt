package io.tidelog

import kotlinx.coroutines.flow.Flow
import io.tidelog.internal.Document as NativeDocument
import io.tidelog.internal.Edit as NativeEdit

/**
 * A document: an item whose concurrent edits merge.
 *
 * Paths are fields and positions joined by dots: `tasks.0.title`. Positions in text count as those of a `String`.
 *
 * ```
 * val page = database.items<Value>("pages", Policy.DOCUMENT).document("welcome")
 * page.change {
 *     set("title", "Welcome")
 *     spliceText("body", position = 0, delete = 0, text = "Hello")
 * }
 * ```
 */
public class Document internal constructor(private val handle: NativeDocument) {
    /** What a path leads to, or the whole document; null if there is nothing. */
    public suspend fun get(path: String? = null): Value? = native { handle.get(path) }?.toValue()

    /** The text that a path leads to. */
    public suspend fun text(path: String): String? = native { handle.text(path) }

    /** Replaces what the path leads to. */
    public suspend fun set(path: String, value: Any?): Unit = change { set(path, value) }

    /** Removes what the path leads to. */
    public suspend fun delete(path: String): Unit = change { delete(path) }

    /** Inserts into the list at the path. */
    public suspend fun insert(path: String, position: Int, value: Any?): Unit = change { insert(path, position, value) }

    /** Replaces [delete] characters of the text at the path, from [position] on. */
    public suspend fun spliceText(path: String, position: Int, delete: Int, text: String): Unit =
        change { spliceText(path, position, delete, text) }

    /** Adds to the counter at the path. */
    public suspend fun increment(path: String, by: Long = 1): Unit = change { increment(path, by) }

    /** Several edits as one change: all or none. */
    public suspend fun change(edits: Edits.() -> Unit): Unit =
        native { handle.change(Edits().apply(edits).edits) }

    /** The latest changes, which name the whole content. */
    public suspend fun heads(): List<String> = native { handle.heads() }

    /** The entries behind the document, the oldest first. */
    public suspend fun history(): List<Version> = native { handle.history() }.map { it.toVersion() }

    /** Its changes from when the flow is collected, without values: read what is needed. */
    public fun watch(): Flow<Event<Value>> =
        stream({ handle.watch() }, { it.next() }) { event -> event.toEvent { _, value -> value.toValue() } }
}

/** Edits of a document that become one change. */
public class Edits internal constructor() {
    internal val edits = ArrayList<NativeEdit>()

    /** Replaces what the path leads to. */
    public fun set(path: String, value: Any?) {
        edits += NativeEdit.Set(path, stored(value))
    }

    /** Removes what the path leads to. */
    public fun delete(path: String) {
        edits += NativeEdit.Delete(path)
    }

    /** Inserts into the list at the path. */
    public fun insert(path: String, position: Int, value: Any?) {
        edits += NativeEdit.Insert(path, whole(position), stored(value))
    }

    /** Replaces [delete] characters of the text at the path, from [position] on. */
    public fun spliceText(path: String, position: Int, delete: Int, text: String) {
        edits += NativeEdit.SpliceText(path, whole(position), whole(delete), text)
    }

    /** Adds to the counter at the path. */
    public fun increment(path: String, by: Long = 1) {
        edits += NativeEdit.Increment(path, by)
    }

    private fun whole(number: Int): ULong {
        if (number < 0) throw TidelogException.InvalidArgument("positions and lengths are not negative: $number")
        return number.toULong()
    }
}
