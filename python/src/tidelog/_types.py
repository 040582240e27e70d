"""What calls give back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")

Role = Literal["reader", "writer", "admin", "owner"]
Policy = Literal["lww", "document"]
LinkState = Literal["offline", "connecting", "catching-up", "live"]


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
    """

    kind: Literal["current", "put", "delete", "merge", "unreadable"]
    database: str | None
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
    """An invite. The link is a secret for whom it is meant."""

    id: str
    uri: str
    expires: datetime

    def __repr__(self) -> str:
        return f"Invite(id={self.id!r}, expires={self.expires!r})"


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A device that asks to join. Nothing vouches for its profile."""

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
class SyncReport:
    """What a sync did."""

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
    """Something that is wrong now; it goes when its cause is gone."""

    kind: str
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
