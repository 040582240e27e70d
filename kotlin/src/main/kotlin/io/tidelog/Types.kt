package io.tidelog

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import java.nio.file.Path
import kotlin.time.Instant

/** What merges concurrent writes to the items of a collection; part of the collection's identity. */
@Serializable
public enum class Policy {
    /** An item is one value; the last write wins. */
    @SerialName("lww")
    LWW,

    /** An item is a document whose concurrent edits merge. */
    @SerialName("document")
    DOCUMENT,
}

/** An item with its key. */
@Serializable
public data class Item<out T>(
    /** Its key. */
    val key: String,

    /** Its value. */
    val value: T,
)

/** The results of a query; [cursor] is where the next query goes on, if the limit left items out. */
public class Page<out R> internal constructor(
    private val results: List<R>,
    /** Where the next query goes on, if the limit left items out. */
    public val cursor: String?,
) : List<R> by results {
    /** As lists are. */
    override fun equals(other: Any?): Boolean = results == other

    /** As that of a list. */
    override fun hashCode(): Int = results.hashCode()

    /** The items. */
    override fun toString(): String = results.toString()
}

/** What writing many items did. */
@Serializable
public data class Summary(
    /** Items written. */
    val items: Long,

    /** Entries they were written in. */
    val entries: Long,
)

/** One entry in the history of an item. */
@Serializable
public data class Version(
    /** The entry. */
    val entry: String,

    /** The device that wrote it. */
    val author: String,

    /** The user of that device, if it is known. */
    val user: String?,

    /** When, by the author's clock. */
    val time: Instant,

    /** `put`, `delete`, or `change` of a document. */
    val kind: String,

    /** The value it put. */
    val value: Value?,

    /** Whether this device wrote it. */
    val local: Boolean,
)

/** An event of a watch. */
public sealed interface Event<out T>

/** A change of one item. Changes of documents carry no values: read what is needed. */
@Serializable
public data class Change<out T>(
    /** `current` (it is there already), `put`, `delete`, `merge` or `unreadable`. */
    val kind: String,

    /** The database, if this device knows its name. */
    val database: String?,

    /** The circle whose database it is; null if all members share it. Several circles may use one name. */
    val circle: String?,

    /** The collection; empty for an unreadable entry. */
    val collection: String,

    /** The user whose own item it is. */
    val owner: String?,

    /** The item; empty for an unreadable entry. */
    val key: String,

    /** The value before; null if there was none or it does not fit the type. */
    val old: T?,

    /** The value now; null if there is none or it does not fit the type. */
    val new: T?,

    /** The device that wrote the entry. */
    val author: String,

    /** When, by the author's clock. */
    val time: Instant,

    /** Whether this device wrote it. */
    val local: Boolean,

    /** The entry. */
    val entry: String,
) : Event<T>

/** The reader was too slow, and so many events were dropped: read the state again. */
@Serializable
public data class Lagged(
    /** How many events were dropped. */
    val lost: Long,
) : Event<Nothing>, LinkEvent

/** What a sync did. */
@Serializable
public data class SyncReport(
    /** Entries sent. */
    val sent: Long,

    /** Entries received. */
    val received: Long,

    /** Bytes sent. */
    val bytesSent: Long,

    /** Bytes received. */
    val bytesReceived: Long,

    /** Times the protocol waited for the peer. */
    val roundTrips: Long,

    /** Chains of entries that this device cannot advance until it is upgraded. */
    val held: Long,

    /** Whether the peer leaves entries of this device out until it is upgraded, or because a chain forked too often. */
    val heldThere: Boolean,
)

/** An event of a link. */
public sealed interface LinkEvent

/**
 * Something that is wrong now; it goes when its cause is gone. [kind] is `upgrade_needed`, `clock_behind`, `fork`,
 * `key_mismatch` or `withheld`.
 */
@Serializable
public data class Warning(
    /** What it is about. */
    val kind: String,

    /** The device concerned, if it is one. */
    val device: String?,

    /** The user whose device it is, if known. */
    val user: String?,

    /** Name of the database concerned, if it is one whose name is known; empty for the directory. */
    val database: String?,

    /** The entry that shows it, if one does. */
    val entry: String?,

    /** What it means and what to do about it. */
    val text: String,
) : LinkEvent

/** How a link stands. */
@Serializable
public enum class LinkState : LinkEvent {
    /** Not connected; it will try again. */
    @SerialName("offline")
    OFFLINE,

    /** Connecting. */
    @SerialName("connecting")
    CONNECTING,

    /** Connected, and not yet equal. */
    @SerialName("catching-up")
    CATCHING_UP,

    /** Equal; changes pass as they are made. */
    @SerialName("live")
    LIVE,
}

/** How far the present connection of a link has come; totals as far as they are known. */
@Serializable
public data class Progress(
    /** Entries received. */
    val received: Long,

    /** Entries received and still expected. */
    val receivedTotal: Long,

    /** Entries sent. */
    val sent: Long,

    /** Entries sent and still to send. */
    val sentTotal: Long,

    /** Bytes received in messages. */
    val bytesReceived: Long,

    /** Bytes sent in messages. */
    val bytesSent: Long,
) : LinkEvent

/** Something failed; the link goes on by itself. */
@Serializable
public data class LinkFailure(
    /** The code of the error. */
    val code: String,

    /** The error in words. */
    val reason: String,
) : LinkEvent

/** Figures of a workspace. Two replicas hold the same exactly if their roots are equal. */
@Serializable
public data class Stats(
    /** Entries held. */
    val entries: Long,

    /** Bytes of the log on disk, preallocated space included. */
    val logBytes: Long,

    /** Streams that have entries. */
    val streams: Long,

    /** Chains, one for each device and stream it wrote to. */
    val chains: Long,

    /** Users. */
    val users: Long,

    /** Devices. */
    val devices: Long,

    /** Stands for everything held. */
    val root: String,
)

/** What a verification found; the first problems in words. */
@Serializable
public data class VerifyReport(
    /** Entries checked. */
    val entries: Long,

    /** Bytes checked. */
    val bytes: Long,

    /** Signatures checked; one vouches for all entries before it in its chain. */
    val signatures: Long,

    /** Number of problems. */
    val damaged: Long,

    /** The first problems, in words. */
    val problems: List<String>,
)

/** What a backup holds, what was copied this time, and what opens it: its `own` key, or that of the `workspace`. */
@Serializable
public data class BackupReport(
    /** Entries in the backup. */
    val entries: Long,

    /** Bytes of its log. */
    val bytes: Long,

    /** Bytes that were copied this time. */
    val copied: Long,

    /** What opens it: `own`, `workspace` or `recovery_words`. */
    val key: String,
)

/** What is in a backup, and what is wrong with it: nothing if [problems] is empty. */
@Serializable
public data class BackupInfo(
    /** The workspace that it is of. */
    val workspace: String,

    /** When it was made, by the clock of the device. */
    val made: Instant,

    /** Entries found in it. */
    val entries: Long,

    /** Bytes of its log. */
    val bytes: Long,

    /** What opens it: `own`, `workspace` or `recovery_words`. */
    val key: String,

    /** What is damaged. */
    val problems: List<String>,
)

/** Where a lost workspace still is. */
public sealed interface RecoverFrom {
    /** A backup, or the folder of another member's workspace. */
    public data class Folder(
        /** The folder. */
        val path: Path,
    ) : RecoverFrom

    /** A relay, and the id of the workspace there. */
    public data class Relay(
        /** The address of the relay. */
        val url: String,

        /** The id of the workspace; no secret. */
        val workspace: String,
    ) : RecoverFrom
}

/** Entries asked of a log, and the ids of those it lacks. */
@Serializable
public data class Entries(
    /** Those the log has, in the order asked for. */
    val entries: List<ByteArray>,

    /** The ids of those it lacks. */
    val missing: List<String>,
)

/** One item at its latest change, or one entry that cannot be shown: then [collection] and [key] are empty. */
@Serializable
public data class LogChange(
    /** `put`, `delete`, or for an entry `missing_key` or `invalid`. */
    val kind: String,

    /** The collection. */
    val collection: String,

    /** The user whose own item it is. */
    val owner: String?,

    /** The item. */
    val key: String,

    /** The entry with the item's highest version, or the entry itself. */
    val entry: String,

    /** The device that wrote the entry that made the change. */
    val author: String,

    /** The number of the change in this replica's order of arrival. */
    val arrival: Long,
)

/** Changes after a cursor, and where to go on. */
@Serializable
public data class Changes(
    /** The changes, the earliest first. */
    val items: List<LogChange>,

    /** Where to go on. */
    val cursor: String,
)

/** Entries that were new here, and there. */
@Serializable
public data class Transfer(
    /** Entries that were new here. */
    val received: Long,

    /** Entries that were new there. */
    val sent: Long,
)
