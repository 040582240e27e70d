/** The words of collections, transactions, documents and logs. */
package io.tidelog.scenarios

import io.tidelog.Collection
import io.tidelog.Database
import io.tidelog.Document
import io.tidelog.Edits
import io.tidelog.Item
import io.tidelog.Progressing
import io.tidelog.Value

private fun <T, R> Command.owned(found: Collection<T, R>): Collection<T, R> = when (val user = text("of")) {
    null -> found
    "me" -> found.own()
    else -> found.of(user)
}

private fun Command.items(from: Database = database): Collection<Value, *> =
    text("key_field")?.let { owned(from.collection<Value>(need("in"), it, policy)) }
        ?: owned(from.items<Value>(need("in"), policy))

private fun Command.records(): Collection<Record, Record> = owned(database.collection<Record>(need("in")))

private fun Command.given(): Value = Value.of(value("value"))

@Suppress("UNCHECKED_CAST")
private suspend fun Command.putMany(told: Progressing) = (items() as Collection<Value, Any>).putMany(
    list("items").map { new -> new.text("key")?.let { Item(it, new.given()) } ?: new.given() },
    told,
)

suspend fun Command.item(): Any? = when (val word = need("op")) {
    "names" -> listOf(database.name, items().name)
    "collections" -> database.collections()
    "transaction" -> transaction()
    "put" -> text("key")?.let { items().put(it, given()) } ?: items().put(given())
    "put_many" -> measured(::putMany)
    "insert" -> items().insert(given())
    "get" -> items().get(need("key"))
    "get_raw" -> records().getRaw(need("key"))
    "put_record" -> records().put(inner("record").record())
    "get_record" -> records().get(need("key"))?.let(Value::of)
    "patch" -> items().patch(need("key"), map("value")!!)
    "update" -> items().update(need("key")) { now ->
        long("add")?.let { Value.Int(((now as? Value.Int)?.value ?: 0) + it) }
    }
    "delete" -> items().delete(need("key"))
    "first" -> items().first(query())
    "all" -> items().all()
    "query" -> items().query(query()).let { mapOf("items" to it, "cursor" to it.cursor) }
    "count" -> items().count(query())
    "history" -> items().history(need("key"))
    "watch_database" -> hear(database.watch())
    "watch" -> hear(items().watch(text("key"), flag("initial")))
    "live" -> hear(items().live(query()))
    else -> if (word.startsWith("doc_")) document(items().document(need("key"))) else log()
}

private suspend fun Command.transaction(): Any {
    val answers = ArrayList<Any?>()
    val entry = database.transaction { batch ->
        for (write in list("writes")) {
            val inner = batch.collection(write.items(database))
            answers += when (write.need("op")) {
                "put" -> write.text("key")?.let { inner.put(it, write.given()) } ?: inner.put(write.given())
                "insert" -> inner.insert(write.given())
                "patch" -> inner.patch(write.need("key"), write.map("value")!!)
                "delete" -> inner.delete(write.need("key"))
                else -> inner.get(write.need("key"))
            }
        }
        if (flag("roll_back")) batch.rollBack().let { null } else batch.commit()
    }
    return mapOf("answers" to answers, "committed" to (entry != null))
}

private suspend fun Command.document(document: Document): Any? = when (need("op")) {
    "doc_get" -> document.get(text("at"))
    "doc_text" -> document.text(need("at"))
    "doc_heads" -> document.heads()
    "doc_history" -> document.history()
    "doc_watch" -> hear(document.watch())
    else -> {
        // Positions count Unicode scalars here, and UTF-16 units in Kotlin.
        val edits = list("edits").map { it to if (it.need("kind") == "splice_text") document.text(it.need("at")) else null }
        document.change { edits.forEach { (edit, text) -> edit(edit, text ?: "") } }
    }
}

private fun Edits.edit(e: Command, text: String) {
    fun units(scalars: Int) =
        if (scalars > text.codePointCount(0, text.length)) text.length + 1 else text.offsetByCodePoints(0, scalars)
    val (at, position) = e.need("at") to (e.int("position") ?: 0)
    when (e.need("kind")) {
        "set" -> set(at, e.value("value"))
        "delete" -> delete(at)
        "insert" -> insert(at, position, e.value("value"))
        "increment" -> increment(at, e.long("by") ?: 1)
        else -> units(position).let { spliceText(at, it, units(position + e.int("delete")!!) - it, e.need("text")) }
    }
}

private suspend fun Command.log(): Any? {
    val log = database.log()
    fun there() = log.at(need("relay"))
    return when (val word = need("op")) {
        "entry_ids" -> log.entryIds()
        "missing" -> log.missing(texts("ids")!!)
        "entries" -> log.entries(texts("ids")!!)
        "append" -> log.append(value("entry") as ByteArray)
        "changes_since" -> log.changesSince(text("cursor"), int("limit"))
        "pull_from" -> log.pullFrom(other().database.log())
        "push_to" -> log.pushTo(other().database.log())
        "log_sync_with" -> log.syncWith(other().database.log())
        "pull_from_relay" -> log.pullFrom(need("relay"))
        "push_to_relay" -> log.pushTo(need("relay"))
        "log_sync_with_relay" -> log.syncWith(need("relay"))
        "relay_entry_ids" -> there().entryIds()
        "relay_missing" -> there().missing(texts("ids")!!)
        "relay_entries" -> there().entries(texts("ids")!!)
        "relay_append" -> there().append(value("entry") as ByteArray)
        "relay_changes_since" -> there().changesSince(text("cursor"), int("limit"))
        else -> error("no word $word")
    }
}
