package io.tidelog

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long

/** Bytes that are not laid out so. */
internal class Refused : Exception()

internal fun need(holds: Boolean) {
    if (!holds) throw Refused()
}

internal class Reader(private var data: ByteArray) {
    val left: Int get() = data.size

    fun take(length: Int): ByteArray {
        need(length in 0..left)
        val taken = data.copyOf(length)
        data = data.copyOfRange(length, data.size)
        return taken
    }
}

/**
 * Bytes as the tables of `docs/format.md` and `docs/protocol.md` lay them out, without a line of Tidelog.
 *
 * A layout reads bytes into what JSON holds, with bytes as hexadecimal and 64-bit numbers as text, and writes it back.
 */
internal class Layout(val read: (Reader) -> JsonElement, val write: (JsonElement) -> ByteArray) {
    /** Whatever decodes encodes to the same bytes. */
    fun decode(data: ByteArray): JsonElement {
        val reader = Reader(data)
        val value = read(reader)
        need(reader.left == 0 && write(value).contentEquals(data))
        return value
    }

    fun where(rule: (JsonElement) -> Boolean) = Layout({ reader -> read(reader).also { need(rule(it)) } }, write)
}

private val JsonElement.content: String get() = jsonPrimitive.content

private fun JsonElement.at(field: String): String = jsonObject.getValue(field).content

private fun joined(parts: Iterable<ByteArray>): ByteArray = parts.fold(ByteArray(0), ByteArray::plus)

private fun little(value: ULong, size: Int) = ByteArray(size) { (value shr (8 * it)).toByte() }

private fun little(bytes: ByteArray): ULong = bytes.foldRight(0UL) { byte, value -> value shl 8 or byte.toUByte().toULong() }

private fun number(size: Int, range: LongRange = 0L..0xffff_ffffL) = Layout(
    { JsonPrimitive(little(it.take(size)).toLong()) },
    { little(it.jsonPrimitive.long.toULong(), size) },
).where { it.jsonPrimitive.long in range }

private fun raw(size: Int) = Layout({ JsonPrimitive(hex(it.take(size))) }, { hex(it.content) })

private fun rest(sizes: IntRange) =
    Layout({ JsonPrimitive(hex(it.take(it.left))) }, { hex(it.content) }).where { it.content.length / 2 in sizes }

private fun text(sizes: IntRange) = Layout(
    { JsonPrimitive(hex(rest(sizes).read(it).content).decodeToString()) },
    { it.content.encodeToByteArray() },
).where { text -> text.content.none(Char::isISOControl) }

private fun items(count: Layout, item: Layout) = Layout(
    { reader -> JsonArray(List(count.read(reader).jsonPrimitive.long.toInt()) { item.read(reader) }) },
    { value -> count.write(JsonPrimitive(value.jsonArray.size)) + joined(value.jsonArray.map(item.write)) },
)

/** One after the other to the end, at least one. */
private fun runs(item: Layout) = Layout(
    { reader ->
        JsonArray(
            buildList {
                do add(item.read(reader)) while (reader.left > 0)
            },
        )
    },
    { value -> joined(value.jsonArray.map(item.write)) },
)

private fun fields(vararg named: Pair<String, Layout>) = Layout(
    { reader -> JsonObject(named.associate { (name, layout) -> name to layout.read(reader) }) },
    { value -> joined(named.map { (name, layout) -> layout.write(value.jsonObject.getValue(name)) }) },
)

/** A number that says what follows; with its length as u32, if it is sized. */
private fun choice(label: String, sized: Boolean, vararg kinds: Pair<Int, Pair<String, Layout>>) = Layout(
    { reader ->
        val tag = U8.read(reader).jsonPrimitive.long.toInt()
        val (name, layout) = kinds.toMap()[tag] ?: throw Refused()
        val length = if (sized) U32.read(reader).jsonPrimitive.long else 0
        need(length <= reader.left)
        val content = if (sized) layout.decode(reader.take(length.toInt())) else layout.read(reader)
        JsonObject(mapOf(label to JsonPrimitive(name)) + content.jsonObject)
    },
    { value ->
        val (tag, kind) = kinds.single { it.second.first == value.at(label) }
        val content = kind.second.write(value)
        byteArrayOf(tag.toByte()) + (if (sized) little(content.size.toULong(), 4) else ByteArray(0)) + content
    },
)

private val U8 = number(1)
private val U16 = number(2)
private val U32 = number(4)
private val U64 = Layout({ JsonPrimitive(little(it.take(8)).toString()) }, { little(it.content.toULong(), 8) })
private val ID = raw(32)
private val PUBLIC_KEY = raw(32)
private val STREAM = raw(16)
private val SIGNATURE = raw(64)
private val POINT = arrayOf("seq" to U64, "id" to ID)
private val ZERO_ID = "00".repeat(32)

/** docs/format.md, "Entries". */
internal val ENTRY = fields(
    "version" to number(1, 1L..1), "suite" to number(1, 1L..1), "kind" to number(1, 0L..3), "flags" to number(1, 0L..3),
    "payload_len" to number(4, 0L..1_049_656), "seq" to U64.where { it.content != "0" }, "workspace" to ID, "author" to PUBLIC_KEY,
    "prev" to ID, "auth" to ID, "stream" to STREAM, "key_id" to raw(16), "payload_hash" to raw(32),
    "signature" to SIGNATURE, "payload" to rest(0..1_049_656),
).where {
    it.at("payload").length == 2 * it.at("payload_len").toInt() &&
        (it.at("prev") == ZERO_ID) == (it.at("seq") == "1") &&
        (it.at("signature") == "00".repeat(64)) == (it.at("flags").toInt() and 2 != 0)
}

internal val CERTIFICATE = fields(
    "sign_pk" to PUBLIC_KEY, "kem_pk" to PUBLIC_KEY, "caps" to U8, "cert_version" to U64, "self_sig" to SIGNATURE,
)
private val ROLE = "role" to number(1, 0L..3)
private val CUTS = "cuts" to items(U16, fields("device" to PUBLIC_KEY, "stream" to STREAM, *POINT))
private val WRAPS = "wraps" to items(U16, fields("device" to PUBLIC_KEY, "enc" to raw(32), "ct" to raw(48)))
private val USER = "user" to raw(16)
private val CIRCLE = "circle" to raw(16)
private val KEY_ID = "key_id" to raw(16)
private val EPOCH = fields(
    CIRCLE, "epoch" to U32, KEY_ID, "commit" to raw(32), "name_wrap" to raw(104),
    "previous" to items(U8, fields(KEY_ID, "prev_wrap" to raw(104))), WRAPS,
)
private val GENESIS = fields(
    "root_pk" to PUBLIC_KEY, "root_kem_pk" to PUBLIC_KEY, "name_commit" to raw(32), "policy" to rest(0..256),
)
private val OPERATION = choice(
    "operation",
    true,
    0 to ("Genesis" to GENESIS),
    1 to ("AddUser" to fields(USER, ROLE, "certificates" to items(number(1, 0L..16), CERTIFICATE))),
    2 to ("AddDevice" to fields(USER, "certificate" to CERTIFICATE)),
    3 to ("SetRole" to fields(USER, ROLE, CUTS)),
    4 to ("RemoveDevice" to fields("device" to PUBLIC_KEY, CUTS)),
    5 to ("RemoveUser" to fields(USER, CUTS)),
    6 to ("AmendCut" to fields(CUTS)),
    7 to ("CircleNew" to fields(CIRCLE, "settings" to number(1, 0L..3), "name_commit" to raw(32))),
    8 to ("CircleAdd" to fields(CIRCLE, USER, ROLE)),
    9 to ("CircleRemove" to fields(CIRCLE, USER, CUTS)),
    10 to ("KeyEpoch" to EPOCH),
    11 to ("KeyGrant" to fields(CIRCLE, KEY_ID, WRAPS)),
    12 to ("RelaySet" to fields("relay_pk" to PUBLIC_KEY, "url" to text(1..1024))),
    13 to ("RelayUnset" to fields("relay_pk" to PUBLIC_KEY)),
    14 to ("Policy" to fields("rotate_days" to U16, "rotate_entries" to U32)),
    15 to ("Purge" to fields("stream" to STREAM, "entries" to items(U16, fields("device" to PUBLIC_KEY, *POINT)))),
)

/** docs/format.md, "Directory bodies". */
internal val BODY = fields(
    "version" to number(1, 1L..1), "parents" to items(number(1, 0L..16), ID), "ops" to items(number(2, 0L..256), OPERATION),
)

private fun ascending(names: List<String>) = names.zipWithNext().all { (one, next) -> one < next }

private val TIP = fields("stream" to STREAM, *POINT).where { it.at("seq") != "0" }

/** docs/format.md, "Beacons". */
internal val BEACON = fields(
    "version" to number(1, 1L..1),
    "heads" to items(number(2, 0L..256), ID).where { heads -> ascending(heads.jsonArray.map { it.content }) },
    "tips" to items(number(2, 0L..4096), TIP).where { tips -> ascending(tips.jsonArray.map { it.at("stream") }) },
)

private val ALL = JsonPrimitive("all")
private val SOME_STREAMS = items(number(2, 1L..128), STREAM)
private val STREAMS = Layout(
    { reader ->
        val count = reader.take(2)
        if (little(count) == 0xffffUL) ALL else SOME_STREAMS.read(Reader(count + reader.take(16 * little(count).toInt())))
    },
    { if (it == ALL) little(0xffffUL, 2) else SOME_STREAMS.write(it) },
)

/** `nibbles` are hexadecimal digits, and there is a `stream` in the trie over its devices. */
private val PATH = Layout(
    { reader ->
        val inner = Reader(reader.take(U8.read(reader).jsonPrimitive.long.toInt()))
        val stream = if (number(1, 0L..1).read(inner).content == "1") mapOf("stream" to STREAM.read(inner)) else emptyMap()
        val count = number(1, 0L..64).read(inner).jsonPrimitive.long.toInt()
        val nibbles = hex(inner.take((count + 1) / 2)).take(count)
        need(inner.left == 0)
        JsonObject(stream + ("nibbles" to JsonPrimitive(nibbles)))
    },
    { value ->
        val nibbles = value.at("nibbles")
        val start = value.jsonObject["stream"]?.let { byteArrayOf(1) + hex(it.content) } ?: byteArrayOf(0)
        val inner = start + nibbles.length.toByte() + hex(nibbles + "0".repeat(nibbles.length % 2))
        byteArrayOf(inner.size.toByte()) + inner
    },
)

/** The hash of each child present, by its number. */
private val CHILDREN = Layout(
    { reader ->
        val present = number(2, 1L..0xffff).read(reader).jsonPrimitive.long
        JsonObject((0..15).filter { present shr it and 1L == 1L }.associate { "$it" to raw(32).read(reader) })
    },
    { value ->
        val present = value.jsonObject.keys.sumOf { 1 shl it.toInt() }
        little(present.toULong(), 2) + joined(value.jsonObject.values.map { hex(it.content) })
    },
)

private fun chains(chain: Layout) = "runs" to runs(fields("stream" to STREAM, "chains" to items(number(1, 1L..64), chain)))

private val CHAIN_TIPS = fields("device" to PUBLIC_KEY, "tips" to items(number(1, 1L..32), fields(*POINT)))
private val ZERO_OR_POINT =
    fields("device" to PUBLIC_KEY, *POINT).where { (it.at("seq") == "0") == (it.at("id") == ZERO_ID) }
private val CONTENT = choice(
    "kind",
    false,
    0 to ("empty" to fields()),
    1 to ("branch" to fields("children" to CHILDREN)),
    2 to ("stream" to fields("stream" to STREAM)),
    3 to ("leaves" to fields(chains(CHAIN_TIPS))),
)
private val SELECT = choice(
    "by",
    false,
    0 to ("stream" to fields("stream" to STREAM, "after" to U64)),
    1 to ("ids" to fields("ids" to items(number(2, 1L..4096), ID))),
)
private val HELLO = fields(
    "role" to number(1, 0L..1), "workspace" to ID, "device" to PUBLIC_KEY, "signature" to SIGNATURE, "epoch" to raw(16),
    "arrivals" to U64, "cursor_epoch" to raw(16), "cursor_arrival" to U64, "streams" to STREAMS,
)
private val POINTS = items(number(1, 1L..64), fields(*POINT))
private val ENTRIES = number(2, 0L..8192)
private val BATCH = "batch" to rest(0..(1 shl 20) + (1 shl 16))
private val BOX = "box" to raw(16)
private val TOKEN = "token" to raw(32)
private val MESSAGE = "message" to rest(1..4096)
private val REASON = text(0..200).where { text -> text.content.all { it in ' '..'~' } }

/** docs/protocol.md, "Frames". */
internal val FRAME = choice(
    "frame",
    true,
    1 to ("Hello" to HELLO),
    2 to ("Resume" to fields("arrival" to U64)),
    3 to ("Root" to fields("root" to raw(32), "arrivals" to U64, "seen" to U32)),
    4 to ("Walk" to fields("paths" to items(number(2, 1L..4096), PATH))),
    5 to ("Node" to fields("path" to PATH, "content" to CONTENT)),
    6 to ("Want" to fields(chains(ZERO_OR_POINT))),
    7 to ("Branch" to fields("stream" to STREAM, "device" to PUBLIC_KEY, "points" to POINTS)),
    8 to ("Entries" to fields("arrival" to U64, BATCH)),
    9 to ("Ack" to fields("batches" to U32, "taken" to number(1, 0L..2))),
    10 to ("Signal" to fields(MESSAGE)),
    11 to ("MailOpen" to fields(BOX, "token_hash" to raw(32), "expires_ms" to U64)),
    12 to ("MailPut" to fields(BOX, TOKEN, MESSAGE)),
    13 to ("MailGet" to fields(BOX, TOKEN, "after" to U32)),
    14 to ("Mail" to fields(BOX, "slot" to U32, MESSAGE)),
    15 to ("MailResult" to fields(BOX, "slot" to U32, "code" to number(1, 0L..3))),
    16 to ("Error" to fields("code" to number(1, 1L..13), "retry_after_s" to U32, "reason" to REASON)),
    17 to ("Bye" to fields()),
    18 to ("Ask" to fields("form" to number(1, 0L..1), "select" to SELECT)),
    19 to ("Listed" to fields("through" to U64, "ids" to items(ENTRIES, fields("arrival" to U64, "id" to ID)))),
    20 to ("Given" to fields("through" to U64, "arrivals" to items(ENTRIES, U64), BATCH)),
)
