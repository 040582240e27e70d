package io.tidelog

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlin.time.Instant

/** What a user may do. */
@Serializable
public enum class Role {
    /** Reads. */
    @SerialName("reader")
    READER,

    /** Reads and writes. */
    @SerialName("writer")
    WRITER,

    /** Admits and removes others. */
    @SerialName("admin")
    ADMIN,

    /** Made the workspace. */
    @SerialName("owner")
    OWNER,
}

/** This device in its workspace. */
@Serializable
public data class Me(
    /** The user. */
    val user: String,

    /** The device. */
    val device: String,

    /** What the user may do. */
    val role: Role,

    /** The user's name, if it gave one. */
    val profile: String?,
)

/** An invite. The link is a secret for whom it is meant. */
@Serializable
public data class Invite(
    /** Its name. */
    val id: String,

    /** The link: a secret for whom it is meant. */
    val uri: String,

    /** When it ends. */
    val expires: Instant,

    /** The role that it grants. */
    val role: Role,

    /** The relay to meet at; null if request and welcome go by hand. */
    val relay: String?,

    /** How often it can still be used. */
    val usesLeft: Int,

    /** Whether whoever asks is admitted at once. */
    val autoApprove: Boolean,

    /** Whether it is for another device of this user. */
    val sameUser: Boolean,

    /** The ids of the circles that the new user comes into. */
    val circles: List<String>,
) {
    /** Without the link, which is a secret. */
    override fun toString(): String = "Invite(id=$id, expires=$expires)"
}

/** A device that asks to join. Nothing vouches for its profile. */
@Serializable
public data class JoinRequest(
    /** What to approve. */
    val id: String,

    /** The name it gave itself. */
    val profile: String,

    /** The device. */
    val device: String,

    /** The role it will have. */
    val role: Role,

    /** Whether it is to be another device of this user. */
    val sameUser: Boolean,

    /** The ids of the circles that the invite leads into. */
    val circles: List<String>,

    /** When it asked, by its clock. */
    val requested: Instant,
)

/** A user of the workspace. */
@Serializable
public data class Member(
    /** The user. */
    val user: String,

    /** What the user may do. */
    val role: Role,

    /** The user's name, if it gave one. */
    val profile: String?,

    /** The user's devices. */
    val devices: List<String>,

    /** Whether this device is one of them. */
    val me: Boolean,
)

/** A device of the workspace. */
@Serializable
public data class Device(
    /** The device. */
    val device: String,

    /** Its user. */
    val user: String,

    /** The device, or root key, that admitted it. */
    val addedBy: String,

    /** Whether it is this one. */
    val me: Boolean,
)

/** What a removal did. */
@Serializable
public data class RemovalReport(
    /** Chains of the removed devices, each with the last entry that counts. */
    val cuts: Long,

    /** Of these, how many end at an entry that this device does not hold: the removed device claimed it. */
    val claimed: Long,

    /** Entries of the directory that were written for it, those of new keys not included. */
    val entries: Long,

    /** Whether new keys are there already. If not, the next writer makes them first. */
    val keysRenewed: Boolean,

    /** What remains to be done, in words: the removed device is of the same user and as senior as this one. */
    val advice: String?,
)

/** An entry that is held and not shown. */
@Serializable
public data class ExcludedEntry(
    /** The entry. */
    val entry: String,

    /** The device that wrote it. */
    val device: String,

    /** The user of that device, if it is known. */
    val user: String?,

    /** The database, if this device knows its name; empty for the catalogue and the directory. */
    val database: String?,

    /** Its place in the chain of its device. */
    val seq: Long,

    /**
     * Why: `removed`, `demoted`, `left_circle`, `fork`, `not_member`, `not_writer`, `not_in_circle`, `void`,
     * `deferred`, `missing_key`, `invalid` or `upgrade_needed`.
     */
    val reason: String,

    /** For a deferred one: when it is shown. */
    val due: Instant?,
)
