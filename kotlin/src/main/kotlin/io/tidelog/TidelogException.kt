package io.tidelog

import io.tidelog.internal.ErrorKind
import io.tidelog.internal.Failure
import io.tidelog.internal.InternalException
import java.nio.charset.CharacterCodingException

/**
 * Why a call failed. [code] is the same in every language; [message] is for people.
 *
 * ```
 * try {
 *     todos.patch(id, "done" to true)
 * } catch (missing: TidelogException.NotFound) {
 *     println(missing.code) // not_found
 * }
 * ```
 */
public sealed class TidelogException(
    /** What went wrong, such as `not_found`. */
    public val code: String,
    message: String,
    cause: Throwable? = null,
) : Exception(message, cause) {
    /** What was named does not exist, such as an item, a user, a circle or an invite. */
    public class NotFound internal constructor(message: String) : TidelogException("not_found", message)

    /** What was to be made is there already. */
    public class AlreadyExists internal constructor(message: String) : TidelogException("already_exists", message)

    /** Another process, or another handle, holds the workspace open. */
    public class AlreadyOpen internal constructor(message: String) : TidelogException("already_open", message)

    /** The passphrase, key or recovery words are wrong or missing. */
    public class WrongKey internal constructor(message: String) : TidelogException("wrong_key", message)

    /** The folder holds no workspace, or no complete backup. */
    public class NotAWorkspace internal constructor(message: String) : TidelogException("not_a_workspace", message)

    /** The workspace, backup or welcome was written by a newer version. */
    public class NewerFormat internal constructor(message: String) : TidelogException("newer_format", message)

    /** A peer's entry needs a newer version of this library. */
    public class UpgradeNeeded internal constructor(message: String) : TidelogException("upgrade_needed", message)

    /** The workspace can be read but not written. */
    public class ReadOnly internal constructor(message: String) : TidelogException("read_only", message)

    /** This is a copy of a device, and can only be read until it has met a peer. */
    public class Restored internal constructor(message: String) : TidelogException("restored", message)

    /** The disk is full. */
    public class DiskFull internal constructor(message: String) : TidelogException("disk_full", message)

    /** The operating system refused a file operation. */
    public class Io internal constructor(message: String, cause: Throwable? = null) :
        TidelogException("io", message, cause)

    /** Bytes that were stored or handed over are not what was written. */
    public class Corrupt internal constructor(message: String) : TidelogException("corrupt", message)

    /** A value, transaction or message exceeds its limit, or there are too many of something. */
    public class TooLarge internal constructor(message: String) : TidelogException("too_large", message)

    /** An argument makes no sense, whatever the state. */
    public class InvalidArgument internal constructor(message: String) : TidelogException("invalid_argument", message)

    /** A value cannot be stored, or does not fit its type or model. */
    public class InvalidValue internal constructor(message: String, cause: Throwable? = null) :
        TidelogException("invalid_value", message, cause)

    /** The collection exists with another merge policy. */
    public class PolicyConflict internal constructor(message: String) : TidelogException("policy_conflict", message)

    /** This user or device may not do it: its role does not allow it, or it is not in the circle. */
    public class NotAuthorized internal constructor(message: String) : TidelogException("not_authorized", message)

    /** The device is no member of the workspace: not admitted yet, or removed. */
    public class NotAdmitted internal constructor(message: String) : TidelogException("not_admitted", message)

    /** The invite link, request or welcome is malformed, or not meant for this device. */
    public class InviteInvalid internal constructor(message: String) : TidelogException("invite_invalid", message)

    /** The invite was withdrawn, is used up or has expired. */
    public class InviteExpired internal constructor(message: String) : TidelogException("invite_expired", message)

    /** It took longer than allowed. */
    public class Timeout internal constructor(message: String) : TidelogException("timeout", message)

    /** The relay refuses to serve, or nothing vouches for its key. */
    public class RelayRefused internal constructor(message: String) : TidelogException("relay_refused", message)

    /** The peer cannot be reached, or the connection broke. */
    public class Network internal constructor(message: String) : TidelogException("network", message)

    /** The peer does not keep to the protocol. */
    public class Protocol internal constructor(message: String) : TidelogException("protocol", message)

    /** A quota of the relay is used up. */
    public class QuotaExceeded internal constructor(message: String) : TidelogException("quota_exceeded", message)

    /** The workspace was shut down, or the link, transaction or call was ended. */
    public class Closed internal constructor(message: String) : TidelogException("closed", message)

    /** A bug in this library. */
    public class Internal internal constructor(message: String, cause: Throwable? = null) :
        TidelogException("internal", message, cause)

    /**
     * The process was forked after the engine had started; only the parent can go on. The JVM does not fork; the
     * code is that of all languages.
     */
    public class Forked internal constructor(message: String) : TidelogException("forked", message)
}

/** The exception of a kind. */
internal fun exception(kind: ErrorKind, reason: String): TidelogException = when (kind) {
    ErrorKind.NOT_FOUND -> TidelogException.NotFound(reason)
    ErrorKind.ALREADY_EXISTS -> TidelogException.AlreadyExists(reason)
    ErrorKind.ALREADY_OPEN -> TidelogException.AlreadyOpen(reason)
    ErrorKind.WRONG_KEY -> TidelogException.WrongKey(reason)
    ErrorKind.NOT_A_WORKSPACE -> TidelogException.NotAWorkspace(reason)
    ErrorKind.NEWER_FORMAT -> TidelogException.NewerFormat(reason)
    ErrorKind.UPGRADE_NEEDED -> TidelogException.UpgradeNeeded(reason)
    ErrorKind.READ_ONLY -> TidelogException.ReadOnly(reason)
    ErrorKind.RESTORED -> TidelogException.Restored(reason)
    ErrorKind.DISK_FULL -> TidelogException.DiskFull(reason)
    ErrorKind.IO -> TidelogException.Io(reason)
    ErrorKind.CORRUPT -> TidelogException.Corrupt(reason)
    ErrorKind.TOO_LARGE -> TidelogException.TooLarge(reason)
    ErrorKind.INVALID_ARGUMENT -> TidelogException.InvalidArgument(reason)
    ErrorKind.INVALID_VALUE -> TidelogException.InvalidValue(reason)
    ErrorKind.POLICY_CONFLICT -> TidelogException.PolicyConflict(reason)
    ErrorKind.NOT_AUTHORIZED -> TidelogException.NotAuthorized(reason)
    ErrorKind.NOT_ADMITTED -> TidelogException.NotAdmitted(reason)
    ErrorKind.INVITE_INVALID -> TidelogException.InviteInvalid(reason)
    ErrorKind.INVITE_EXPIRED -> TidelogException.InviteExpired(reason)
    ErrorKind.TIMEOUT -> TidelogException.Timeout(reason)
    ErrorKind.RELAY_REFUSED -> TidelogException.RelayRefused(reason)
    ErrorKind.NETWORK -> TidelogException.Network(reason)
    ErrorKind.PROTOCOL -> TidelogException.Protocol(reason)
    ErrorKind.QUOTA_EXCEEDED -> TidelogException.QuotaExceeded(reason)
    ErrorKind.CLOSED -> TidelogException.Closed(reason)
    ErrorKind.INTERNAL -> TidelogException.Internal(reason)
    ErrorKind.FORKED -> TidelogException.Forked(reason)
}

/** The exception of what the private module threw. */
internal fun exception(failure: Failure): TidelogException {
    val failed = failure as Failure.Failed
    return exception(failed.kind, failed.reason)
}

/** Makes a call of the private module, with its exceptions as those of this package. */
internal inline fun <R> native(call: () -> R): R = try {
    call()
} catch (failure: Failure) {
    throw exception(failure)
} catch (bug: InternalException) {
    throw TidelogException.Internal("a bug in the engine stopped this call; please report it", bug)
} catch (_: CharacterCodingException) {
    throw TidelogException.InvalidArgument("the text has lone surrogates, which are no characters")
}
