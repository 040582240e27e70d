"""Workspaces, for asyncio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable
from os import PathLike
from types import TracebackType
from typing import Any

from .. import _shape, _tidelog
from .._keys import KeyStore
from .._lifecycle import Handle
from .._shape import Key, Progressing
from .._types import (
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
from ._data import Database
from ._link import Link
from ._loop import here, metered
from ._stream import Stream


def open(
    path: str | PathLike[str],
    *,
    passphrase: str | None = None,
    key: Key | None = None,
    create: str | None = None,
) -> Opening:
    """Opens a workspace; with `create`, makes it under this name if there is none.

    The key is a passphrase, or 32 random bytes, or a function that fetches them.
    """
    secret = _shape.secret(passphrase, key)
    return Opening(lambda: _tidelog.open(_shape.text_path(path), secret, create, here()))


def create(path: str | PathLike[str], name: str, *, passphrase: str | None = None, key: Key | None = None) -> Opening:
    """Makes a workspace; there must be none."""
    secret = _shape.secret(passphrase, key)
    return Opening(lambda: _tidelog.create(_shape.text_path(path), secret, name, here()))


def join(
    path: str | PathLike[str],
    invite: str,
    *,
    passphrase: str | None = None,
    key: Key | None = None,
    profile: str = "",
    timeout: float | None = None,
) -> Opening:
    """Joins the workspace of an invite, under the name `profile`. After an interruption it may be called again.

    Without a timeout, in seconds, it waits until somebody approves.
    """
    secret = _shape.secret(passphrase, key)
    timeout_ms = _shape.timeout_ms(timeout)
    return Opening(lambda: _tidelog.join(_shape.text_path(path), secret, invite, profile, timeout_ms, here()))


async def ask_to_join(
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
    secret = _shape.secret(passphrase, key)
    return await _tidelog.ask_to_join(_shape.text_path(path), secret, invite, profile, here())


def finish_joining(
    path: str | PathLike[str], welcome: bytes, *, passphrase: str | None = None, key: Key | None = None
) -> Opening:
    """Ends what `ask_to_join` began in a folder, with the welcome that came back."""
    secret = _shape.secret(passphrase, key)
    return Opening(lambda: _tidelog.finish_joining(_shape.text_path(path), secret, welcome, here()))


async def verify_backup(
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
    meter = _tidelog.Meter()
    call = _tidelog.verify_backup(_shape.text_path(path), secret, meter, None, here())
    return _shape.backup_info(await metered(call, meter, progress))


def restore(
    backup: str | PathLike[str],
    path: str | PathLike[str],
    *,
    backup_passphrase: str | None = None,
    backup_key: Key | None = None,
    passphrase: str | None = None,
    key: Key | None = None,
    progress: Progressing | None = None,
) -> Opening:
    """Makes the workspace of a backup anew in an empty folder.

    `backup_passphrase` or `backup_key` opens the backup, `passphrase` or `key` the workspace from then on, the same if
    nothing is said. It can only be read until it has met a peer: see `Workspace.restored`.
    """
    opening, secret = _shape.secret(backup_passphrase, backup_key), _shape.secret_if_any(passphrase, key)
    folder, place = _shape.text_path(backup), _shape.text_path(path)
    meter = _tidelog.Meter()

    async def start() -> _tidelog.Workspace:
        return await metered(_tidelog.restore(folder, place, opening, secret, meter, None, here()), meter, progress)

    return Opening(start)


def recover(
    path: str | PathLike[str],
    words: str,
    *,
    passphrase: str | None = None,
    key: Key | None = None,
    folder: str | PathLike[str] | None = None,
    relay: str | None = None,
    workspace: str | None = None,
) -> Opening:
    """Gets a workspace back with recovery words, as a new device in an empty folder.

    From a `folder`, which is a backup or another member's workspace, or from a `relay` with the id of the `workspace`.
    """
    secret, place = _shape.secret(passphrase, key), None if folder is None else _shape.text_path(folder)
    return Opening(lambda: _tidelog.recover(_shape.text_path(path), secret, words, place, relay, workspace, here()))


class Opening:
    """A workspace about to be opened: `async with open(..) as workspace` or `workspace = await open(..)`."""

    def __init__(self, start: Callable[[], Awaitable[_tidelog.Workspace]]) -> None:
        self._start = start
        self._workspace: Workspace | None = None

    async def _open(self) -> Workspace:
        return Workspace(await self._start())

    def __await__(self) -> Generator[Any, None, Workspace]:
        return self._open().__await__()

    async def __aenter__(self) -> Workspace:
        self._workspace = await self._open()
        return self._workspace

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._workspace is not None:
            await self._workspace.shutdown()


class Workspace:
    """An open workspace. Leaving its `async with` block shuts it down."""

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

    async def databases(self, circle: Circle | str | None = None) -> list[str]:
        """The names of the databases that all members share, or of those of a circle."""
        return await self._native.databases(_shape.circle_id(circle), here())

    async def create_circle(self, name: str, *, history: History = "full", recoverable: bool = True) -> Circle:
        """Makes a circle of this user alone, who may add others.

        Newcomers read everything, or with the history `from_join` what is there when they join and what comes.
        The recovery words recover its data too, unless it is made not `recoverable`.
        """
        return _shape.circle(await self._native.create_circle(name, history, recoverable, here()))

    async def circles(self) -> list[Circle]:
        """The circles, also those that this device is not in."""
        return [_shape.circle(circle) for circle in await self._native.circles(here())]

    async def add_to_circle(self, circle: Circle | str, user: Member | str, role: Role) -> None:
        """Takes a user into a circle as `reader`, `writer` or `admin`, or gives one who is in it another role there.

        Where newcomers may read only what is there and what comes, what is there is written again for them; repeat the
        call if that was interrupted.
        """
        await self._native.add_to_circle(_shape.named(circle), _shape.user_id(user), role, here())

    async def remove_from_circle(self, circle: Circle | str, user: Member | CircleMember | str) -> None:
        """Takes a user out of a circle: what it has it keeps, later keys it does not get."""
        await self._native.remove_from_circle(_shape.named(circle), _shape.user_id(user), here())

    @property
    def policy(self) -> KeyPolicy:
        """When members make new keys without another reason."""
        return KeyPolicy(**self._native.policy())

    async def set_policy(self, *, rotate_days: int, rotate_entries: int) -> None:
        """Sets when members make new keys without another reason.

        At the first write so many days after a device first saw a key used, or after so many entries. Zero is never.
        """
        days = _shape.whole("rotate_days", rotate_days, _shape.DAYS_MAX)
        await self._native.set_policy(days, _shape.whole("rotate_entries", rotate_entries), here())

    async def invite(
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
        invite = await self._native.invite(
            relay,
            role,
            _shape.timeout_ms(expires),
            auto_approve,
            None if uses is None else _shape.whole("uses", uses),
            same_user,
            _shape.circle_ids(circles),
            here(),
        )
        return _shape.invite(invite)

    async def invites(self) -> list[Invite]:
        """The invites that hold."""
        return [_shape.invite(invite) for invite in await self._native.invites(here())]

    async def withdraw(self, invite: Invite | str) -> None:
        """Takes an invite back."""
        await self._native.withdraw(_shape.named(invite), here())

    async def requests(self) -> list[JoinRequest]:
        """The devices that ask to join with an invite of this device."""
        return [_shape.join_request(request) for request in await self._native.requests(here())]

    async def approve(self, request: JoinRequest | str) -> None:
        """Admits a device that asks."""
        await self._native.approve(_shape.named(request), here())

    async def receive_request(self, request: bytes) -> JoinRequest:
        """Takes in a request that came by hand, from `ask_to_join`.

        From then on it can be approved and welcomed until this workspace is shut down. If the invite says so, it is
        approved at once.
        """
        return _shape.join_request(await self._native.receive_request(request, here()))

    async def welcome(self, request: JoinRequest | str) -> bytes:
        """What a device whose request was approved needs to begin, at most 64 MiB, for its `finish_joining`.

        Members, keys and names, and of the data what fits. Only that device can use it.
        """
        return await self._native.welcome(_shape.named(request), here())

    async def set_profile(self, name: str) -> None:
        """Gives this user a name that other members see."""
        await self._native.set_profile(name, here())

    async def members(self) -> list[Member]:
        """Its users."""
        return [Member(**member) for member in await self._native.members(here())]

    async def devices(self) -> list[Device]:
        """Its devices."""
        return [Device(**device) for device in await self._native.devices(here())]

    async def set_role(self, user: Member | str, role: Role) -> None:
        """Gives a user another role. Of one that may not write any more, what it writes from now on counts nowhere."""
        await self._native.set_role(_shape.user_id(user), role, here())

    async def remove_user(self, user: Member | str) -> RemovalReport:
        """Removes a user with all devices, for good.

        What they write without knowing of it counts nowhere, and they get no later key; what they hold they keep.
        """
        return RemovalReport(**(await self._native.remove_user(_shape.user_id(user), here())))

    async def remove_device(self, device: Device | str) -> RemovalReport:
        """Removes a device, for good: it was lost, stolen or given away."""
        return RemovalReport(**(await self._native.remove_device(_shape.device_id(device), here())))

    async def excluded(self) -> list[ExcludedEntry]:
        """The entries that this device holds and does not show, in order of arrival, with the reason."""
        return [_shape.excluded_entry(entry) for entry in await self._native.excluded(here())]

    async def accept_excluded(self, device: Device | str) -> int:
        """Lets what a removed or demoted device wrote before it knew count, as far as it is held here by now.

        Gives how many entries that brought back.
        """
        return await self._native.accept_excluded(_shape.device_id(device), here())

    async def sync(self, url: str) -> SyncReport:
        """Makes this replica and a relay equal, once."""
        return SyncReport(**(await self._native.sync(url, here())))

    async def sync_with(self, other: Workspace) -> SyncReport:
        """Makes this replica and another one in this process equal, once."""
        return SyncReport(**(await self._native.sync_with(other._native, here())))

    def connect(self, url: str) -> Link:
        """Keeps this replica and a relay equal from now on."""
        return Link(self._native.connect(url), self._handle)

    def watch(self, pattern: str | None = None, *, initial: bool = False) -> Stream[Event[Any] | Lagged]:
        """Changes of items in databases whose names match, such as `chat/**`. Values are plain."""
        return Stream(self._native.watch(pattern, initial), _shape.plain_event, self._handle)

    async def stats(self) -> Stats:
        """Its figures."""
        return Stats(**(await self._native.stats(here())))

    async def warnings(self) -> list[WorkspaceWarning]:
        """What is wrong now and worth telling a person."""
        return [WorkspaceWarning(**warning) for warning in await self._native.warnings(here())]

    async def verify(self, *, progress: Progressing | None = None) -> VerifyReport:
        """Reads everything on disk and checks it.

        `progress(done, total)` hears now and then how many entries are checked. If it raises, or the task is cancelled,
        the check ends.
        """
        meter = _tidelog.Meter()
        return VerifyReport(**(await metered(self._native.verify(meter, None, here()), meter, progress)))

    async def change_passphrase(
        self, *, passphrase: str | None = None, key: Key | None = None, old: str | bytes | KeyStore | None = None
    ) -> None:
        """Makes another passphrase or key the one that opens this workspace on this device.

        `old`, if given, has to be the present one.
        """
        await self._native.change_passphrase(old, _shape.secret(passphrase, key), here())

    async def recovery_words(self) -> str:
        """The 24 words that stand for the root of this workspace, until they are confirmed."""
        return await self._native.recovery_words(here())

    async def confirm_recovery_words(self, words: str) -> None:
        """Takes the recovery words back from who wrote them down; right ones are erased from this device."""
        await self._native.confirm_recovery_words(words, here())

    async def add_recovery_device(self) -> str:
        """Makes a device of this user that exists as 24 words only. They are not shown again."""
        return await self._native.add_recovery_device(here())

    async def backup(
        self,
        to: str | PathLike[str],
        *,
        passphrase: str | None = None,
        key: Key | None = None,
        progress: Progressing | None = None,
    ) -> BackupReport:
        """Copies the workspace as it is now into a folder; into that of an earlier backup, only what is new.

        The passphrase or key is the backup's own. `progress(done, total)` hears now and then how many bytes are copied.
        If it raises, or the task is cancelled, the backup ends, and the next one goes on.
        """
        secret = _shape.secret_if_any(passphrase, key)
        meter = _tidelog.Meter()
        call = self._native.backup(_shape.text_path(to), secret, meter, None, here())
        return BackupReport(**(await metered(call, meter, progress)))

    @property
    def restored(self) -> bool:
        """Whether this is a copy of a device, which can only be read until it has met a peer."""
        return self._native.restored()

    async def confirm_only_copy(self) -> None:
        """Goes on without having met a peer: no other copy of this device is in use."""
        await self._native.confirm_only_copy(here())

    async def shutdown(self) -> None:
        """Ends links and streams and releases the folder. A second shutdown does nothing."""
        await self._native.shutdown(here())

    async def __aenter__(self) -> Workspace:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()
