"""What calls give back."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")

Role = Literal["reader", "writer", "admin", "owner"]
"""What a user may do.

- `reader`: reads.
- `writer`: reads and writes.
- `admin`: also admits and removes others.
- `owner`: also makes admins.
"""

Policy = Literal["lww", "document"]
"""What merges concurrent writes to the items of a collection; part of the collection's identity.

- `lww`: an item is one value; the last write wins.
- `document`: an item is a document whose concurrent edits merge.
"""

LinkState = Literal["offline", "connecting", "catching-up", "live"]
"""How a link stands.

- `offline`: not connected; it will try again.
- `connecting`: connecting.
- `catching-up`: connected, and not yet equal.
- `live`: equal; changes pass as they are made.
"""

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
"""Why an entry is held and not shown.

- `removed`: its device was removed, and it is after the last entry that counts.
- `demoted`: its user may not write any more, and it is after the last entry that counts.
- `left_circle`: its user was taken out of the circle, and it is after the last entry that counts.
- `fork`: its device wrote twice in one place, and this is not the one that counts.
- `not_member`: its device is none of the workspace.
- `not_writer`: its user may only read.
- `not_in_circle`: its user is not in the circle.
- `void`: it is of the directory, and has no effect.
- `deferred`: it is from the future, and is shown when its time has come.
- `missing_key`: this device lacks the key that it is sealed with.
- `invalid`: what it holds is no valid operation.
- `upgrade_needed`: a newer version wrote it.
"""

WarningKind = Literal["upgrade_needed", "clock_behind", "fork", "key_mismatch", "withheld"]
"""What a warning is about.

- `upgrade_needed`: a member uses a newer version, and what it wrote since is held back.
- `clock_behind`: entries of two other users are in the future here.
- `fork`: a device wrote twice in one place.
- `key_mismatch`: a member published other keys than it committed to.
- `withheld`: a device claims entries that no peer gives out.
"""


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """An item of a collection whose values do not hold their key."""

    key: str
    """The key."""

    value: T
    """The value."""


class Page(list[T]):
    """The items of a query, and where the next page begins if a limit left items out."""

    def __init__(self, items: Iterable[T], cursor: str | None) -> None:
        super().__init__(items)
        self.cursor = cursor
        """Where the next query goes on, if the limit left items out."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What writing many items did."""

    items: int
    """Items written."""

    entries: int
    """Entries they were written in."""


@dataclass(frozen=True, slots=True)
class Version:
    """One entry in the history of an item, with the value as it was stored."""

    entry: str
    """The id of the entry."""

    author: str
    """The device that wrote it."""

    user: str | None
    """The user of that device, if it is known."""

    time: datetime
    """When, by the author's clock; in UTC."""

    kind: Literal["put", "delete", "change"]
    """What it did: `put`, `delete`, or `change` of a document."""

    value: Any
    """The value it put, as it was stored; None for the other kinds."""

    local: bool
    """Whether this device wrote it."""


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """A change of an item. Changes of documents carry no values: read what is needed."""

    kind: Literal["current", "put", "delete", "merge", "unreadable"]
    """What happened.

    - `current`: the item is there already.
    - `put`: it was put.
    - `delete`: it was deleted.
    - `merge`: a document took up changes.
    - `unreadable`: an entry cannot be shown: its key is missing, or it is invalid.
    """

    database: str | None
    """The database, if this device knows its name."""

    circle: str | None
    """The circle whose database it is; None if all members share it. Several circles may use one name."""

    collection: str
    """The collection; empty for an unreadable entry."""

    owner: str | None
    """The user whose own item it is, if it is one."""

    key: str
    """The item; empty for an unreadable entry."""

    old: T | None
    """The value before; None if there was none, it does not fit the model, or it is a document."""

    new: T | None
    """The value now; None if there is none, it does not fit the model, or it is a document."""

    author: str
    """The device that wrote the entry."""

    time: datetime
    """When, by the author's clock; in UTC."""

    local: bool
    """Whether this device wrote it."""

    entry: str
    """The id of the entry."""


@dataclass(frozen=True, slots=True)
class Lagged:
    """The reader was too slow, and so many events were dropped: read the state again."""

    lost: int
    """How many events were dropped."""


@dataclass(frozen=True, slots=True)
class Me:
    """This device in its workspace."""

    user: str
    """The id of the user."""

    device: str
    """The id of the device."""

    role: Role
    """What the user may do."""

    profile: str | None
    """The user's name, if it gave one."""


@dataclass(frozen=True, slots=True)
class Invite:
    """An invite. The link is a secret for whom it is meant."""

    id: str
    """Its name."""

    uri: str = field(repr=False)
    """The link: a secret for whom it is meant."""

    expires: datetime
    """When it ends, in UTC."""

    role: Role
    """The role that it grants."""

    relay: str | None
    """The relay to meet at; None if request and welcome go from hand to hand."""

    uses_left: int
    """How often it can still be used."""

    auto_approve: bool
    """Whether whoever asks is admitted at once."""

    same_user: bool
    """Whether it is for another device of this user."""

    circles: list[str]
    """The ids of the circles that the new user comes into."""


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A device that asks to join. Nothing vouches for its profile."""

    id: str
    """What to approve."""

    profile: str
    """The name it gave itself."""

    device: str
    """The id of the device."""

    role: Role
    """The role it will have."""

    same_user: bool
    """Whether it is to be another device of this user."""

    circles: list[str]
    """The ids of the circles that the invite leads into."""

    requested: datetime
    """When it asked, by its clock; in UTC."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user of the workspace."""

    user: str
    """The id of the user."""

    role: Role
    """What the user may do."""

    profile: str | None
    """The user's name, if it gave one."""

    devices: list[str]
    """The ids of the user's devices."""

    me: bool
    """Whether this device is one of them."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the workspace."""

    device: str
    """The id of the device."""

    user: str
    """The id of its user."""

    added_by: str
    """The device, or root key, that admitted it."""

    me: bool
    """Whether it is this one."""


@dataclass(frozen=True, slots=True)
class RemovalReport:
    """What a removal did."""

    cuts: int
    """Chains of the removed devices, each with the last entry that counts."""

    claimed: int
    """Of these, how many end at an entry that this device does not hold: the removed device claimed it."""

    entries: int
    """Entries of the directory that were written for it, those of new keys not included."""

    keys_renewed: bool
    """Whether new keys are there already. If not, the next writer makes them first."""

    advice: str | None
    """What remains to be done, in words: the removed device is of the same user and as senior as this one."""


@dataclass(frozen=True, slots=True)
class ExcludedEntry:
    """An entry that is held and not shown."""

    entry: str
    """The id of the entry."""

    device: str
    """The device that wrote it."""

    user: str | None
    """The user of that device, if it is known."""

    database: str | None
    """The database, if this device knows its name; empty for the catalogue and the directory."""

    seq: int
    """Its place in the chain of its device."""

    reason: ExclusionReason
    """Why it is not shown."""

    due: datetime | None
    """For a deferred one: when it is shown, in UTC."""


@dataclass(frozen=True, slots=True)
class CircleMember:
    """A member of a circle, and what it may do there."""

    user: str
    """The id of the user."""

    role: Role
    """What the user may do in the circle."""


@dataclass(frozen=True, slots=True)
class Circle:
    """Some of the members, with keys and databases of their own. The others carry it, and see that it is there."""

    id: str
    """The id of the circle."""

    name: str | None
    """Its name, if this device can read it."""

    history: History
    """What newcomers may read."""

    recoverable: bool
    """Whether the recovery words recover its data too."""

    members: list[CircleMember]
    """Its members, by user."""

    readable: bool
    """Whether this device reads what is written in it."""


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """When members make new keys without another reason. Zero is never."""

    rotate_days: int
    """Days after which a key is replaced, from when a device first saw it used; at most 65,535."""

    rotate_entries: int
    """Entries after which a key is replaced; less than 2^32."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did."""

    sent: int
    """Entries sent."""

    received: int
    """Entries received."""

    bytes_sent: int
    """Bytes sent."""

    bytes_received: int
    """Bytes received."""

    round_trips: int
    """Times the protocol waited for the peer."""

    held: int
    """Chains of entries that this device cannot advance until it is upgraded."""

    held_there: bool
    """Whether the peer leaves entries of this device out until it is upgraded, or because a chain forked too often."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the present connection of a link has come."""

    received: int
    """Entries received."""

    received_total: int
    """Entries received and still expected, as far as is known."""

    sent: int
    """Entries sent."""

    sent_total: int
    """Entries sent and still to send."""

    bytes_received: int
    """Bytes received."""

    bytes_sent: int
    """Bytes sent."""


@dataclass(frozen=True, slots=True)
class LinkFailure:
    """Something failed on a link, which goes on by itself."""

    code: str
    """The code of the error, as `TidelogError.code`."""

    reason: str
    """What happened, in words."""


@dataclass(frozen=True, slots=True)
class WorkspaceWarning:
    """Something that is wrong now. It goes when its cause is gone."""

    kind: WarningKind
    """What it is about."""

    device: str | None
    """The device concerned, if it is one."""

    user: str | None
    """The user whose device it is, if known."""

    database: str | None
    """The database concerned, if its name is known; empty for the directory and the catalogue."""

    entry: str | None
    """The entry that shows it, if one does."""

    text: str
    """What it means and what to do about it."""


LinkEvent = LinkState | Progress | LinkFailure | WorkspaceWarning | Lagged
"""An event of a link: it has another state, got on, failed and goes on by itself, has a warning, or lost events."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of a workspace. The root is equal on two replicas exactly if they hold the same entries."""

    entries: int
    """Entries held."""

    log_bytes: int
    """Bytes of the log on disk, preallocated space included."""

    streams: int
    """Streams that have entries."""

    chains: int
    """Chains, one for each device and stream it wrote to."""

    users: int
    """Users."""

    devices: int
    """Devices."""

    root: str
    """Stands for everything held: equal on two replicas exactly if they hold the same."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a verification found; no problems is good."""

    entries: int
    """Entries checked."""

    bytes: int
    """Bytes checked."""

    signatures: int
    """Signatures checked; one vouches for all entries before it in its chain."""

    damaged: int
    """Number of problems."""

    problems: list[str]
    """The first problems, in words."""


BackupKey = Literal["own", "workspace", "recovery_words"]
"""What opens a backup.

- `own`: the key that was given for it.
- `workspace`: the passphrase that the workspace had then.
- `recovery_words`: nothing in it: the workspace comes back with recovery words only, as another device.
"""


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup copied."""

    entries: int
    """Entries in the backup."""

    bytes: int
    """Bytes of its log."""

    copied: int
    """Bytes that were copied this time."""

    key: BackupKey
    """What opens it."""


@dataclass(frozen=True, slots=True)
class BackupInfo:
    """What is in a backup; no problems is good."""

    workspace: str
    """The id of the workspace that it is of."""

    made: datetime
    """When it was made, by the clock of the device; in UTC."""

    entries: int
    """Entries found in it."""

    bytes: int
    """Bytes of its log."""

    key: BackupKey
    """What opens it."""

    problems: list[str]
    """What is damaged, in words; empty if it is sound."""


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries asked of a log, and the ids of those it lacks."""

    entries: list[bytes]
    """Those it has, in the order asked for."""

    missing: list[str]
    """The ids of those it lacks."""


@dataclass(frozen=True, slots=True)
class LogChange:
    """One item at its latest change, or one entry that cannot be shown, without collection and key."""

    kind: Literal["put", "delete", "missing_key", "invalid"]
    """What became of the item: `put` or `delete`; or why an entry cannot be shown: `missing_key` or `invalid`."""

    collection: str
    """The collection; empty for an entry."""

    owner: str | None
    """The user whose own item it is, if it is one."""

    key: str
    """The item; empty for an entry."""

    entry: str
    """The entry with the item's highest version, or the entry itself."""

    author: str
    """The device that wrote the entry that made the change."""

    arrival: int
    """The number of that entry in this replica's order of arrival."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes after a cursor, and the cursor to go on from."""

    items: list[LogChange]
    """The changes, the earliest first."""

    cursor: str
    """Where to go on."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """How many entries were new here, and how many there."""

    received: int
    """Entries that were new here."""

    sent: int
    """Entries that were new there."""
