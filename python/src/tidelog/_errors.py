"""The exceptions: one class for each code of `tests/vectors/errors.json`."""

import builtins
from typing import ClassVar


class TidelogError(Exception):
    """Something went wrong; `code` says what, and is the same in every language."""

    code: ClassVar[str] = "internal"
    """What went wrong, such as `not_found`; the same in every language."""


class NotFoundError(TidelogError, LookupError):
    """What was named does not exist, such as an item, a user, a circle or an invite."""

    code = "not_found"


class AlreadyExistsError(TidelogError):
    """What was to be made is there already."""

    code = "already_exists"


class AlreadyOpenError(TidelogError):
    """Another process, or another handle, holds the workspace open."""

    code = "already_open"


class WrongKeyError(TidelogError):
    """The passphrase, key or recovery words are wrong or missing."""

    code = "wrong_key"


class NotAWorkspaceError(TidelogError):
    """The folder holds no workspace, or no complete backup."""

    code = "not_a_workspace"


class NewerFormatError(TidelogError):
    """The workspace, backup or welcome was written by a newer version."""

    code = "newer_format"


class UpgradeNeededError(TidelogError):
    """A peer's entry needs a newer version of this library."""

    code = "upgrade_needed"


class ReadOnlyError(TidelogError):
    """The workspace can be read but not written."""

    code = "read_only"


class RestoredError(TidelogError):
    """This is a copy of a device, and can only be read until it has met a peer."""

    code = "restored"


class DiskFullError(TidelogError):
    """The disk is full."""

    code = "disk_full"


class IoError(TidelogError):
    """The operating system refused a file operation."""

    code = "io"


class CorruptError(TidelogError):
    """Bytes that were stored or handed over are not what was written."""

    code = "corrupt"


class TooLargeError(TidelogError):
    """A value, transaction or message exceeds its limit, or there are too many of something."""

    code = "too_large"


class InvalidArgumentError(TidelogError, ValueError):
    """An argument makes no sense, whatever the state."""

    code = "invalid_argument"


class InvalidValueError(TidelogError, ValueError):
    """A value cannot be stored, or does not fit its type or model."""

    code = "invalid_value"


class PolicyConflictError(TidelogError):
    """The collection exists with another merge policy."""

    code = "policy_conflict"


class NotAuthorizedError(TidelogError):
    """This user or device may not do it: its role does not allow it, or it is not in the circle."""

    code = "not_authorized"


class NotAdmittedError(TidelogError):
    """The device is no member of the workspace: not admitted yet, or removed."""

    code = "not_admitted"


class InviteInvalidError(TidelogError):
    """The invite link, request or welcome is malformed, or not meant for this device."""

    code = "invite_invalid"


class InviteExpiredError(TidelogError):
    """The invite was withdrawn, is used up or has expired."""

    code = "invite_expired"


class TimeoutError(TidelogError, builtins.TimeoutError):
    """It took longer than allowed."""

    code = "timeout"


class RelayRefusedError(TidelogError):
    """The relay refuses to serve, or nothing vouches for its key."""

    code = "relay_refused"


class NetworkError(TidelogError):
    """The peer cannot be reached, or the connection broke."""

    code = "network"


class ProtocolError(TidelogError):
    """The peer does not keep to the protocol."""

    code = "protocol"


class QuotaExceededError(TidelogError):
    """A quota of the relay is used up."""

    code = "quota_exceeded"


class ClosedError(TidelogError):
    """The workspace was shut down, or the link, transaction or call was ended."""

    code = "closed"


class InternalError(TidelogError):
    """A bug in this library."""

    code = "internal"


class ForkedError(TidelogError):
    """The process was forked after the engine had started; only the parent can go on."""

    code = "forked"


_CLASSES = {kind.code: kind for kind in TidelogError.__subclasses__()}


def exception(code: str, reason: str) -> TidelogError:
    """The exception of an error of the engine."""
    return _CLASSES.get(code, InternalError)(reason)
