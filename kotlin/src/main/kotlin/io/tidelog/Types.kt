package io.tidelog

import java.nio.file.Path
import kotlin.time.Instant

/** What merges concurrent writes to the items of a collection; part of the collection's identity. */
public enum class Policy {
    /** An item is one value; the last write wins. */
    LWW,

    /** An item is a document whose concurrent edits merge. */
    DOCUMENT,
}

/** What a user may do. */
public enum class Role {
    /** Reads. */
    READER,

    /** Reads and writes. */
    WRITER,

    /** Admits and removes others. */
    ADMIN,

    /** Made the workspace. */
    OWNER,
}

/** An item with its key. */
public data class Item<out T>(val key: String, val value: T)

/** The results of a query; [cursor] is where the next query goes on, if the limit left items out. */
public class Page<out R> internal constructor(private val results: List<R>, public val cursor: String?) :
    List<R> by results {
    override fun equals(other: Any?): Boolean = results == other

    override fun hashCode(): Int = results.hashCode()

    override fun toString(): String = results.toString()
}

/** What writing many items did. */
public data class Summary(val items: Long, val entries: Long)

/** One entry in the history of an item. */
public data class Version(
    val entry: String,
    /** The device that wrote it. */
    val author: String,
    val user: String?,
    /** When, by the author's clock. */
    val time: Instant,
    /** `put`, `delete`, or `change` of a document. */
    val kind: String,
    val value: Value?,
    /** Whether this device wrote it. */
    val local: Boolean,
)

/** An event of a watch. */
public sealed interface Event<out T>

/** A change of one item. Changes of documents carry no values: read what is needed. */
public data class Change<out T>(
    /** `current` (it is there already), `put`, `delete`, `merge` or `unreadable`. */
    val kind: String,
    /** The database, if this device knows its name. */
    val database: String?,
    val collection: String,
    /** The user whose own item it is. */
    val owner: String?,
    val key: String,
    val old: T?,
    val new: T?,
    /** The device that wrote the entry. */
    val author: String,
    /** When, by the author's clock. */
    val time: Instant,
    val local: Boolean,
    val entry: String,
) : Event<T>

/** The reader was too slow, and so many events were dropped: read the state again. */
public data class Lagged(val lost: Long) : Event<Nothing>, LinkEvent

/** This device in its workspace. */
public data class Me(val user: String, val device: String, val role: Role, val profile: String?)

/** An invite. The link is a secret for whom it is meant. */
public data class Invite(val id: String, val uri: String, val expires: Instant) {
    override fun toString(): String = "Invite(id=$id, expires=$expires)"
}

/** A device that asks to join. Nothing vouches for its profile. */
public data class JoinRequest(
    val id: String,
    val profile: String,
    val device: String,
    val role: Role,
    val requested: Instant,
)

/** A user of the workspace. */
public data class Member(
    val user: String,
    val role: Role,
    val profile: String?,
    val devices: List<String>,
    /** Whether this device is one of them. */
    val me: Boolean,
)

/** A device of the workspace. */
public data class Device(
    val device: String,
    val user: String,
    /** The device, or root key, that admitted it. */
    val addedBy: String,
    /** Whether it is this one. */
    val me: Boolean,
)

/** What a sync did. */
public data class SyncReport(
    val sent: Long,
    val received: Long,
    val bytesSent: Long,
    val bytesReceived: Long,
    val roundTrips: Long,
)

/** An event of a link. */
public sealed interface LinkEvent

/** How a link stands. */
public enum class LinkState : LinkEvent {
    /** Not connected; it will try again. */
    OFFLINE,

    /** Connecting. */
    CONNECTING,

    /** Connected, and not yet equal. */
    CATCHING_UP,

    /** Equal; changes pass as they are made. */
    LIVE,
}

/** How far the present connection of a link has come; totals as far as they are known. */
public data class Progress(
    val received: Long,
    val receivedTotal: Long,
    val sent: Long,
    val sentTotal: Long,
    val bytesReceived: Long,
    val bytesSent: Long,
) : LinkEvent

/** Something failed; the link goes on by itself. */
public data class LinkFailure(val code: String, val reason: String) : LinkEvent

/** Figures of a workspace. Two replicas hold the same exactly if their roots are equal. */
public data class Stats(
    val entries: Long,
    val logBytes: Long,
    val streams: Long,
    val chains: Long,
    val users: Long,
    val devices: Long,
    val root: String,
)

/** What a verification found; the first problems in words. */
public data class VerifyReport(
    val entries: Long,
    val bytes: Long,
    val signatures: Long,
    val damaged: Long,
    val problems: List<String>,
)

/** What a backup holds, what was copied this time, and what opens it: its `own` key, or that of the `workspace`. */
public data class BackupReport(val entries: Long, val bytes: Long, val copied: Long, val key: String)

/** What is in a backup, and what is wrong with it: nothing if [problems] is empty. */
public data class BackupInfo(
    val workspace: String,
    val made: Instant,
    val entries: Long,
    val bytes: Long,
    val key: String,
    val problems: List<String>,
)

/** Where a lost workspace still is. */
public sealed interface RecoverFrom {
    /** A backup, or the folder of another member's workspace. */
    public data class Folder(val path: Path) : RecoverFrom

    /** A relay, and the id of the workspace there. */
    public data class Relay(val url: String, val workspace: String) : RecoverFrom
}

/** Entries asked of a log, and the ids of those it lacks. */
public data class Entries(val entries: List<ByteArray>, val missing: List<String>)

/** One item at its latest change, or one entry that cannot be shown: then [collection] and [key] are empty. */
public data class LogChange(
    /** `put`, `delete`, or for an entry `missing_key` or `invalid`. */
    val kind: String,
    val collection: String,
    val owner: String?,
    val key: String,
    val entry: String,
    val author: String,
    /** The number of the change in this replica's order of arrival. */
    val arrival: Long,
)

/** Changes after a cursor, and where to go on. */
public data class Changes(val items: List<LogChange>, val cursor: String)

/** Entries that were new here, and there. */
public data class Transfer(val received: Long, val sent: Long)
