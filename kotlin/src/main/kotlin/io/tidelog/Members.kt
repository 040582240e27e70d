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

    /** Also admits and removes others. */
    @SerialName("admin")
    ADMIN,

    /** Also makes admins. */
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

/** Why an entry is not shown. */
@Serializable
public enum class ExclusionReason {
    /** Its device was removed, and it is after the last entry that counts. */
    @SerialName("removed")
    REMOVED,

    /** Its user may not write any more, and it is after the last entry that counts. */
    @SerialName("demoted")
    DEMOTED,

    /** Its user was taken out of the circle, and it is after the last entry that counts. */
    @SerialName("left_circle")
    LEFT_CIRCLE,

    /** Its device wrote twice in one place, and this is not the one that counts. */
    @SerialName("fork")
    FORK,

    /** Its device is none of the workspace. */
    @SerialName("not_member")
    NOT_MEMBER,

    /** Its user may only read. */
    @SerialName("not_writer")
    NOT_WRITER,

    /** Its user is not in the circle. */
    @SerialName("not_in_circle")
    NOT_IN_CIRCLE,

    /** It is of the directory, and has no effect. */
    @SerialName("void")
    VOID,

    /** It is from the future, and is shown when its time has come. */
    @SerialName("deferred")
    DEFERRED,

    /** This device lacks the key that it is sealed with. */
    @SerialName("missing_key")
    MISSING_KEY,

    /** What it holds is no valid operation. */
    @SerialName("invalid")
    INVALID,

    /** A newer version wrote it. */
    @SerialName("upgrade_needed")
    UPGRADE_NEEDED,
}

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

    /** Why. */
    val reason: ExclusionReason,

    /** For a deferred one: when it is shown. */
    val due: Instant?,
)
