"""Workspaces, synchronous."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from types import TracebackType
from typing import Any

from . import _shape, _tidelog
from ._data import Database
from ._keys import KeyStore
from ._lifecycle import Handle
from ._link import Link
from ._shape import Key, Progressing
from ._stream import Stream
from ._types import (
    BackupInfo,
    BackupReport,
    Circle,
    CircleMember,
    Device,
    Event,
    ExcludedEntry,
    History,
    Invite,
    JoinRequest,
    KeyPolicy,
    Lagged,
    Me,
    Member,
    RemovalReport,
    Role,
    Stats,
    SyncReport,
    VerifyReport,
    WorkspaceWarning,
)


def open(
    path: str | PathLike[str],
    *,
    passphrase: str | None = None,
    key: Key | None = None,
    create: str | None = None,
) -> Workspace:
    """Opens a workspace; with `create`, makes it under this name if there is none.

    The key is a passphrase, or 32 random bytes, or a function that fetches them.
    """
    return Workspace(_tidelog.open(_shape.text_path(path), _shape.secret(passphrase, key), create))


def create(path: str | PathLike[str], name: str, *, passphrase: str | None = None, key: Key | None = None) -> Workspace:
    """Makes a workspace; there must be none."""
    return Workspace(_tidelog.create(_shape.text_path(path), _shape.secret(passphrase, key), name))


def join(
    path: str | PathLike[str],
    invite: str,
    *,
    passphrase: str | None = None,
    key: Key | None = None,
    profile: str = "",
    timeout: float | None = None,
) -> Workspace:
    """Joins the workspace of an invite, under the name `profile`. After an interruption it may be called again.

    Without a timeout, in seconds, it waits until somebody approves.
    """
    secret = _shape.secret(passphrase, key)
    native = _tidelog.join(_shape.text_path(path), secret, invite, profile, _shape.timeout_ms(timeout))
    return Workspace(native)


def ask_to_join(
    path: str | PathLike[str],
    invite: str,
    *,
    passphrase: str | None = None,
    key: Key | None = None,
    profile: str = "",
) -> bytes:
    """Begins to join by hand, under the name `profile`: gives a request, to be brought to whoever made the invite.

    It has at most 4 KiB, and only they can read it. They answer with a welcome, for `finish_joining`. May be repeated,
    also with another invite to the same workspace.
    """
    return _tidelog.ask_to_join(_shape.text_path(path), _shape.secret(passphrase, key), invite, profile)


def finish_joining(
    path: str | PathLike[str], welcome: bytes, *, passphrase: str | None = None, key: Key | None = None
) -> Workspace:
    """Ends what `ask_to_join` began in a folder, with the welcome that came back."""
    return Workspace(_tidelog.finish_joining(_shape.text_path(path), _shape.secret(passphrase, key), welcome))


def verify_backup(
    path: str | PathLike[str],
    *,
    passphrase: str | None = None,
    key: Key | None = None,
    progress: Progressing | None = None,
) -> BackupInfo:
    """Reads a backup and checks it; with a key, also that this opens it.

    `progress(done, total)` hears now and then how many bytes are checked.
    """
    secret = _shape.secret_if_any(passphrase, key)
    record = _tidelog.verify_backup(_shape.text_path(path), secret, _tidelog.Meter(), progress)
    return _shape.backup_info(record)


def restore(
    backup: str | PathLike[str],
    path: str | PathLike[str],
    *,
    backup_passphrase: str | None = None,
    backup_key: Key | None = None,
    passphrase: str | None = None,
    key: Key | None = None,
    progress: Progressing | None = None,
) -> Workspace:
    """Makes the workspace of a backup anew in an empty folder.

    `backup_passphrase` or `backup_key` opens the backup, `passphrase` or `key` the workspace from then on, the same if
    nothing is said. It can only be read until it has met a peer: see `Workspace.restored`.
    """
    opening, secret = _shape.secret(backup_passphrase, backup_key), _shape.secret_if_any(passphrase, key)
    folder, place = _shape.text_path(backup), _shape.text_path(path)
    return Workspace(_tidelog.restore(folder, place, opening, secret, _tidelog.Meter(), progress))


def recover(
    path: str | PathLike[str],
    words: str,
    *,
    passphrase: str | None = None,
    key: Key | None = None,
    folder: str | PathLike[str] | None = None,
    relay: str | None = None,
    workspace: str | None = None,
) -> Workspace:
    """Gets a workspace back with recovery words, as a new device in an empty folder.

    From a `folder`, which is a backup or another member's workspace, or from a `relay` with the id of the `workspace`.
    """
    secret, place = _shape.secret(passphrase, key), None if folder is None else _shape.text_path(folder)
    return Workspace(_tidelog.recover(_shape.text_path(path), secret, words, place, relay, workspace))


class Workspace:
    """An open workspace. Leaving its `with` block shuts it down."""

    def __init__(self, native: _tidelog.Workspace) -> None:
        self._native = native
        self._handle = Handle(native)

    @property
    def id(self) -> str:
        """Its id."""
        return self._native.id()

    @property
    def name(self) -> str:
        """Its name."""
        return self._native.name()

    @property
    def me(self) -> Me:
        """This device in it."""
        return Me(**self._native.me())

    def database(self, name: str, circle: Circle | str | None = None) -> Database:
        """A database that all members share, or one of a circle; it need not exist yet."""
        return Database(self._native.database(name, _shape.circle_id(circle)), self._handle)

    def databases(self, circle: Circle | str | None = None) -> list[str]:
        """The names of the databases that all members share, or of those of a circle."""
        return self._native.databases(_shape.circle_id(circle))

    def create_circle(self, name: str, *, history: History = "full", recoverable: bool = True) -> Circle:
        """Makes a circle of this user alone, who may add others.

        Newcomers read everything, or with the history `from_join` what is there when they join and what comes.
        The recovery words recover its data too, unless it is made not `recoverable`.
        """
        return _shape.circle(self._native.create_circle(name, history, recoverable))

    def circles(self) -> list[Circle]:
        """The circles, also those that this device is not in."""
        return [_shape.circle(circle) for circle in self._native.circles()]

    def add_to_circle(self, circle: Circle | str, user: Member | str, role: Role) -> None:
        """Takes a user into a circle as `reader`, `writer` or `admin`, or gives one who is in it another role there.

        Where newcomers may read only what is there and what comes, what is there is written again for them; repeat the
        call if that was interrupted.
        """
        self._native.add_to_circle(_shape.named(circle), _shape.user_id(user), role)

    def remove_from_circle(self, circle: Circle | str, user: Member | CircleMember | str) -> None:
        """Takes a user out of a circle: what it has it keeps, later keys it does not get."""
        self._native.remove_from_circle(_shape.named(circle), _shape.user_id(user))

    @property
    def policy(self) -> KeyPolicy:
        """When members make new keys without another reason."""
        return KeyPolicy(**self._native.policy())

    def set_policy(self, *, rotate_days: int, rotate_entries: int) -> None:
        """Sets when members make new keys without another reason.

        At the first write so many days after a device first saw a key used, or after so many entries. Zero is never.
        """
        days = _shape.whole("rotate_days", rotate_days, _shape.DAYS_MAX)
        self._native.set_policy(days, _shape.whole("rotate_entries", rotate_entries))

    def invite(
        self,
        relay: str | None = None,
        *,
        role: Role | None = None,
        expires: float | None = None,
        auto_approve: bool = False,
        uses: int | None = None,
        same_user: bool = False,
        circles: Iterable[Circle | str] = (),
    ) -> Invite:
        """Makes an invite to meet at a relay: for one new writer, open for a day, if nothing else is said.

        Without a relay request and welcome go from hand to hand: see `receive_request`. It expires after so many
        seconds. With `auto_approve` whoever asks is admitted at once, while this device is connected or when it takes
        the request in. With `same_user` it is for another device of this user, instead of for another user. Whoever
        joins with it comes into the circles, with the same role.
        """
        invite = self._native.invite(
            relay,
            role,
            _shape.timeout_ms(expires),
            auto_approve,
            None if uses is None else _shape.whole("uses", uses),
            same_user,
            _shape.circle_ids(circles),
        )
        return _shape.invite(invite)

    def invites(self) -> list[Invite]:
        """The invites that hold."""
        return [_shape.invite(invite) for invite in self._native.invites()]

    def withdraw(self, invite: Invite | str) -> None:
        """Takes an invite back."""
        self._native.withdraw(_shape.named(invite))

    def requests(self) -> list[JoinRequest]:
        """The devices that ask to join with an invite of this device."""
        return [_shape.join_request(request) for request in self._native.requests()]

    def approve(self, request: JoinRequest | str) -> None:
        """Admits a device that asks."""
        self._native.approve(_shape.named(request))

    def receive_request(self, request: bytes) -> JoinRequest:
        """Takes in a request that came by hand, from `ask_to_join`.

        From then on it can be approved and welcomed until this workspace is shut down. If the invite says so, it is
        approved at once.
        """
        return _shape.join_request(self._native.receive_request(request))

    def welcome(self, request: JoinRequest | str) -> bytes:
        """What a device whose request was approved needs to begin, at most 64 MiB, for its `finish_joining`.

        Members, keys and names, and of the data what fits. Only that device can use it.
        """
        return self._native.welcome(_shape.named(request))

    def set_profile(self, name: str) -> None:
        """Gives this user a name that other members see."""
        self._native.set_profile(name)

    def members(self) -> list[Member]:
        """Its users."""
        return [Member(**member) for member in self._native.members()]

    def devices(self) -> list[Device]:
        """Its devices."""
        return [Device(**device) for device in self._native.devices()]

    def set_role(self, user: Member | str, role: Role) -> None:
        """Gives a user another role. Of one that may not write any more, what it writes from now on counts nowhere."""
        self._native.set_role(_shape.user_id(user), role)

    def remove_user(self, user: Member | str) -> RemovalReport:
        """Removes a user with all devices, for good.

        What they write without knowing of it counts nowhere, and they get no later key; what they hold they keep.
        """
        return RemovalReport(**self._native.remove_user(_shape.user_id(user)))

    def remove_device(self, device: Device | str) -> RemovalReport:
        """Removes a device, for good: it was lost, stolen or given away."""
        return RemovalReport(**self._native.remove_device(_shape.device_id(device)))

    def excluded(self) -> list[ExcludedEntry]:
        """The entries that this device holds and does not show, in order of arrival, with the reason."""
        return [_shape.excluded_entry(entry) for entry in self._native.excluded()]

    def accept_excluded(self, device: Device | str) -> int:
        """Lets what a removed or demoted device wrote before it knew count, as far as it is held here by now.

        Gives how many entries that brought back.
        """
        return self._native.accept_excluded(_shape.device_id(device))

    def sync(self, url: str) -> SyncReport:
        """Makes this replica and a relay equal, once."""
        return SyncReport(**self._native.sync(url))

    def sync_with(self, other: Workspace) -> SyncReport:
        """Makes this replica and another one in this process equal, once."""
        return SyncReport(**self._native.sync_with(other._native))

    def connect(self, url: str) -> Link:
        """Keeps this replica and a relay equal from now on."""
        return Link(self._native.connect(url), self._handle)

    def watch(self, pattern: str | None = None, *, initial: bool = False) -> Stream[Event[Any] | Lagged]:
        """Changes of items in databases whose names match, such as `chat/**`. Values are plain."""
        return Stream(self._native.watch(pattern, initial), _shape.plain_event, self._handle)

    def stats(self) -> Stats:
        """Its figures."""
        return Stats(**self._native.stats())

    def warnings(self) -> list[WorkspaceWarning]:
        """What is wrong now and worth telling a person."""
        return [WorkspaceWarning(**warning) for warning in self._native.warnings()]

    def verify(self, *, progress: Progressing | None = None) -> VerifyReport:
        """Reads everything on disk and checks it.

        `progress(done, total)` hears now and then how many entries are checked. If it raises, or on Ctrl-C, the check
        ends.
        """
        return VerifyReport(**self._native.verify(_tidelog.Meter(), progress))

    def change_passphrase(
        self, *, passphrase: str | None = None, key: Key | None = None, old: str | bytes | KeyStore | None = None
    ) -> None:
        """Makes another passphrase or key the one that opens this workspace on this device.

        `old`, if given, has to be the present one.
        """
        self._native.change_passphrase(old, _shape.secret(passphrase, key))

    def recovery_words(self) -> str:
        """The 24 words that stand for the root of this workspace, until they are confirmed."""
        return self._native.recovery_words()

    def confirm_recovery_words(self, words: str) -> None:
        """Takes the recovery words back from who wrote them down; right ones are erased from this device."""
        self._native.confirm_recovery_words(words)

    def add_recovery_device(self) -> str:
        """Makes a device of this user that exists as 24 words only. They are not shown again."""
        return self._native.add_recovery_device()

    def backup(
        self,
        to: str | PathLike[str],
        *,
        passphrase: str | None = None,
        key: Key | None = None,
        progress: Progressing | None = None,
    ) -> BackupReport:
        """Copies the workspace as it is now into a folder; into that of an earlier backup, only what is new.

        The passphrase or key is the backup's own. `progress(done, total)` hears now and then how many bytes are copied.
        If it raises, or on Ctrl-C, the backup ends, and the next one goes on.
        """
        secret = _shape.secret_if_any(passphrase, key)
        return BackupReport(**self._native.backup(_shape.text_path(to), secret, _tidelog.Meter(), progress))

    @property
    def restored(self) -> bool:
        """Whether this is a copy of a device, which can only be read until it has met a peer."""
        return self._native.restored()

    def confirm_only_copy(self) -> None:
        """Goes on without having met a peer: no other copy of this device is in use."""
        self._native.confirm_only_copy()

    def shutdown(self) -> None:
        """Ends links and streams and releases the folder. A second shutdown does nothing."""
        self._native.shutdown()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
