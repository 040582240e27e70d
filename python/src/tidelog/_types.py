"""What calls give back."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")

Role = Literal["reader", "writer", "admin", "owner"]
Policy = Literal["lww", "document"]
LinkState = Literal["offline", "connecting", "catching-up", "live"]
History = Literal["full", "from_join"]
"""What newcomers to a circle may read: everything, or what is there when they join and what comes."""
ExclusionReason = Literal[
    "removed",
    "demoted",
    "left_circle",
    "fork",
    "not_member",
    "not_writer",
    "not_in_circle",
    "void",
    "deferred",
    "missing_key",
    "invalid",
    "upgrade_needed",
]
WarningKind = Literal["upgrade_needed", "clock_behind", "fork", "key_mismatch", "withheld"]


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """An item of a collection whose values do not hold their key."""

    key: str
    value: T


class Page(list[T]):
    """The items of a query, and where the next page begins if a limit left items out."""

    def __init__(self, items: Iterable[T], cursor: str | None) -> None:
        super().__init__(items)
        self.cursor = cursor


@dataclass(frozen=True, slots=True)
class Summary:
    """What writing many items did."""

    items: int
    entries: int


@dataclass(frozen=True, slots=True)
class Version:
    """One entry in the history of an item, with the value as it was stored."""

    entry: str
    author: str
    user: str | None
    time: datetime
    kind: Literal["put", "delete", "change"]
    value: Any
    local: bool


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """A change of an item.

    `current` is an item that was there already. `merge` is a document that took up changes; documents carry no
    values. `unreadable` is an entry whose key is missing or that is invalid: it has no collection and no key.
    `circle` is the circle whose database it is, or None if all members share it: databases of several circles may
    have one name.
    """

    kind: Literal["current", "put", "delete", "merge", "unreadable"]
    database: str | None
    circle: str | None
    collection: str
    owner: str | None
    key: str
    old: T | None
    new: T | None
    author: str
    time: datetime
    local: bool
    entry: str


@dataclass(frozen=True, slots=True)
class Lagged:
    """The reader was too slow, and so many events were dropped: read the state again."""

    lost: int


@dataclass(frozen=True, slots=True)
class Me:
    """This device in its workspace."""

    user: str
    device: str
    role: Role
    profile: str | None


@dataclass(frozen=True, slots=True)
class Invite:
    """An invite that can be used `uses_left` times. The link is a secret for whom it is meant.

    Without a `relay` request and welcome go from hand to hand. With `same_user` it is for another device of this user.
    Whoever joins with it comes into the `circles`, which are ids.
    """

    id: str
    uri: str = field(repr=False)
    expires: datetime
    role: Role
    relay: str | None
    uses_left: int
    auto_approve: bool
    same_user: bool
    circles: list[str]


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A device that asks to join. Nothing vouches for its profile.

    With `same_user` it is to be another device of this user. The invite leads into the `circles`, which are ids.
    """

    id: str
    profile: str
    device: str
    role: Role
    same_user: bool
    circles: list[str]
    requested: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """A user of the workspace."""

    user: str
    role: Role
    profile: str | None
    devices: list[str]
    me: bool


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the workspace."""

    device: str
    user: str
    added_by: str
    me: bool


@dataclass(frozen=True, slots=True)
class RemovalReport:
    """What a removal did.

    So many chains of the removed devices were cut; of these, `claimed` end at an entry that this device does not hold
    and the removed one said it had. `entries` of the directory were written. If the keys are not renewed yet, the next
    writer does it first. `advice` says what remains to be done, if anything.
    """

    cuts: int
    claimed: int
    entries: int
    keys_renewed: bool
    advice: str | None


@dataclass(frozen=True, slots=True)
class ExcludedEntry:
    """An entry that is held and not shown: of which device, and why.

    `database` is empty for the directory, and None if this device does not know its name. `seq` is the place in the
    chain of the device. A deferred entry is shown when it is `due`.
    """

    entry: str
    device: str
    user: str | None
    database: str | None
    seq: int
    reason: ExclusionReason
    due: datetime | None


@dataclass(frozen=True, slots=True)
class CircleMember:
    """A member of a circle, and what it may do there."""

    user: str
    role: Role


@dataclass(frozen=True, slots=True)
class Circle:
    """Some of the members, with keys and databases of their own.

    This device knows the name if it may read in the circle, and reads what is written there if it is `readable`. If it
    is `recoverable`, the recovery words recover its data too.
    """

    id: str
    name: str | None
    history: History
    recoverable: bool
    members: list[CircleMember]
    readable: bool


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """When members make new keys without another reason: after so many days, or so many entries. Zero is never."""

    rotate_days: int
    rotate_entries: int


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did.

    `held` chains of entries wait for an upgrade of this device; with `held_there` some of its entries are left out at
    the peer until that is upgraded, or because a chain forked too often.
    """

    sent: int
    received: int
    bytes_sent: int
    bytes_received: int
    round_trips: int
    held: int
    held_there: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the present connection of a link has come: entries, with those still expected in the totals."""

    received: int
    received_total: int
    sent: int
    sent_total: int
    bytes_received: int
    bytes_sent: int


@dataclass(frozen=True, slots=True)
class LinkFailure:
    """Something failed on a link, which goes on by itself."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class WorkspaceWarning:
    """Something that is wrong now; it goes when its cause is gone. `text` says what it means and what to do.

    `upgrade_needed`: a member uses a newer version, and what it wrote since is held back. `clock_behind`: entries of
    two other users are in the future here. `fork`: a device wrote twice in one place. `key_mismatch`: a member
    published other keys than it committed to. `withheld`: a device claims entries that no peer gives out.
    `database` is empty for the directory.
    """

    kind: WarningKind
    device: str | None
    user: str | None
    database: str | None
    entry: str | None
    text: str


LinkEvent = LinkState | Progress | LinkFailure | WorkspaceWarning | Lagged


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of a workspace. The root is equal on two replicas exactly if they hold the same entries."""

    entries: int
    log_bytes: int
    streams: int
    chains: int
    users: int
    devices: int
    root: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a verification found; no problems is good."""

    entries: int
    bytes: int
    signatures: int
    damaged: int
    problems: list[str]


BackupKey = Literal["own", "workspace", "recovery_words"]
"""What opens a backup: its own key, the passphrase that the workspace had then, or nothing in it."""


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup copied; `copied` of the bytes this time."""

    entries: int
    bytes: int
    copied: int
    key: BackupKey


@dataclass(frozen=True, slots=True)
class BackupInfo:
    """What is in a backup; no problems is good."""

    workspace: str
    made: datetime
    entries: int
    bytes: int
    key: BackupKey
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries asked of a log, and the ids of those it lacks."""

    entries: list[bytes]
    missing: list[str]


@dataclass(frozen=True, slots=True)
class LogChange:
    """One item at its latest change, or one entry that cannot be shown, without collection and key."""

    kind: Literal["put", "delete", "missing_key", "invalid"]
    collection: str
    owner: str | None
    key: str
    entry: str
    author: str
    arrival: int


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes after a cursor, and the cursor to go on from."""

    items: list[LogChange]
    cursor: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """How many entries were new here, and how many there."""

    received: int
    sent: int
