package io.tidelog

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** What newcomers of a circle may read. */
@Serializable
public enum class History {
    /** Everything. */
    @SerialName("full")
    FULL,

    /** What is written after they joined, with what is there at that time written again for them. */
    @SerialName("from_join")
    FROM_JOIN,
}

/** Some of the members, with keys and databases of their own. The others carry it, and see that it is there. */
@Serializable
public data class Circle(
    /** The circle. */
    val id: String,

    /** Its name, if this device can read it. */
    val name: String?,

    /** What newcomers may read. */
    val history: History,

    /** Whether the recovery words recover its data too. */
    val recoverable: Boolean,

    /** Its members, by user. */
    val members: List<CircleMember>,

    /** Whether this device reads what is written in it. */
    val readable: Boolean,
)

/** A member of a circle. */
@Serializable
public data class CircleMember(
    /** The user. */
    val user: String,

    /** What the user may do in the circle. */
    val role: Role,
)

/** When members make new keys without another reason. Zero is never. */
@Serializable
public data class KeyPolicy(
    /** Days after which a key is replaced, from when a device first saw it used. */
    val rotateDays: Int,

    /** Entries after which a key is replaced. */
    val rotateEntries: Long,
)
