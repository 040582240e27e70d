"""What the synchronous and the asyncio packages share: arguments into what the native module takes, results out of it.

Nothing here waits.
"""

import copy
import logging
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike, fspath
from typing import Any, Generic, TypeVar, cast

from . import _errors, _plain, _schema
from ._keys import KeyStore
from ._types import (
    BackupInfo,
    Changes,
    Circle,
    CircleMember,
    Device,
    Event,
    ExcludedEntry,
    Invite,
    Item,
    JoinRequest,
    Lagged,
    LinkEvent,
    LinkFailure,
    LogChange,
    Member,
    Page,
    Policy,
    Progress,
    Version,
    WorkspaceWarning,
)

T = TypeVar("T")
R = TypeVar("R")

Key = bytes | Callable[[], bytes] | KeyStore
"""A raw key of 32 bytes, or a function that fetches one, or what keeps one, such as `keyring(service, user)`."""

Progressing = Callable[[int, int], object]
"""Hears how far a long call has come: how much is done, and of how much."""

COUNT_MAX = 2**32 - 1
DAYS_MAX = 2**16 - 1

Sort = str | Sequence[str]
Query = tuple[Any, list[str], int | None, int, str | None, list[str] | None]

logger = logging.getLogger("tidelog")


def secret(passphrase: str | None, key: Key | None) -> str | bytes | KeyStore:
    """What opens a workspace: exactly one of the two."""
    if (passphrase is None) == (key is None):
        raise _errors.InvalidArgumentError("give either a passphrase or a key")
    if passphrase is not None:
        if not isinstance(passphrase, str):
            raise _errors.InvalidArgumentError(f"a passphrase is text, not {type(passphrase).__name__}")
        return passphrase
    if isinstance(key, KeyStore):
        return key
    found = key() if callable(key) else key
    if not isinstance(found, (bytes, bytearray, memoryview)):
        raise _errors.InvalidArgumentError(f"a key is 32 bytes, or what fetches them, not {type(found).__name__}")
    return bytes(found)


def secret_if_any(passphrase: str | None, key: Key | None) -> str | bytes | KeyStore | None:
    """What opens something, if it is given."""
    return None if passphrase is None and key is None else secret(passphrase, key)


def text_path(path: str | PathLike[str]) -> str:
    """A path as text."""
    return fspath(path)


def timeout_ms(timeout: float | None) -> int | None:
    """Seconds as milliseconds."""
    return None if timeout is None else max(0, round(timeout * 1000))


def named(what: Invite | JoinRequest | Circle | str) -> str:
    """The id of what is given itself or by its id."""
    return what if isinstance(what, str) else what.id


def user_id(user: Member | CircleMember | str) -> str:
    """The id of a user."""
    return user if isinstance(user, str) else user.user


def device_id(device: Device | str) -> str:
    """The id of a device."""
    return device if isinstance(device, str) else device.device


def circle_id(circle: Circle | str | None) -> str | None:
    """The id of a circle, or none for what all members share."""
    return None if circle is None else named(circle)


def circle_ids(circles: Iterable[Circle | str]) -> list[str]:
    """The ids of circles. Text would be a series of letters."""
    if isinstance(circles, str):
        raise _errors.InvalidArgumentError("circles are given as a list")
    return [named(circle) for circle in circles]


def query(
    where: Mapping[str, Any] | None,
    sort: Sort,
    limit: int | None,
    offset: int,
    cursor: str | None,
    ids: Iterable[str] | None,
) -> Query:
    """The arguments of a query in the order of the native module."""
    fields = [sort] if isinstance(sort, str) else list(sort)
    if not all(isinstance(field, str) for field in fields):
        raise _errors.InvalidArgumentError("`sort` is a field or a list of fields, as text")
    keys = None if ids is None else list(ids)
    return where, fields, limit if limit is None else whole("limit", limit), whole("offset", offset), cursor, keys


def whole(name: str, value: int, most: int = COUNT_MAX) -> int:
    """A count or position."""
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number <= most:
        raise _errors.InvalidArgumentError(f"`{name}` is a whole number from 0 to {most}, not {value!r}")
    return number


class Shape(Generic[T, R]):
    """How the items of one collection look to the application.

    `T` is the type of values; `R` is that of results: values that hold their key, or else `Item[T]`.
    """

    def __init__(self, name: str, model: Any, key: str | None, policy: Policy) -> None:
        self.name = name
        self.policy = policy
        self.schema: _schema.Schema[T] = _schema.schema(model, key)

    @property
    def key_field(self) -> str | None:
        return self.schema.key_field

    def put(self, key_and_value: tuple[Any, ...]) -> tuple[str | None, Any]:
        """The key, if it is given, and the plain value of `put(value)` or `put(key, value)`."""
        if len(key_and_value) == 2:
            key, value = key_and_value
            return key, self._with_key(key, self.schema.plain(value))
        if len(key_and_value) == 1:
            return None, self.schema.plain(key_and_value[0])
        raise TypeError("put takes a value that holds its key, or a key and a value")

    def put_many(self, items: Mapping[str, T] | Iterable[R]) -> list[tuple[str | None, Any]]:
        """The keys and plain values of many items."""
        if isinstance(items, Mapping):
            return [self.put((key, value)) for key, value in items.items()]
        return [self.put((item.key, item.value) if isinstance(item, Item) else (item,)) for item in items]

    def insert(self, value: T) -> Any:
        """The plain value of an item that gets its key when it is written."""
        return self.schema.plain(value)

    def inserted(self, pair: tuple[str, Any]) -> R:
        """The item that was inserted."""
        key, plain = pair
        value = self.schema.typed(plain)
        return cast("R", value if self.key_field is not None else Item(key, value))

    def copy(self, key: str, plain: Any) -> T | None:
        """The value of an item, of which the application may change every part."""
        return self.value(key, copy.deepcopy(plain))

    def patch(self, current: Any, fields: Mapping[str, Any] | None, named: Mapping[str, Any]) -> dict[str, Any]:
        """Plain fields, checked in the item that they will be part of."""
        changes = self.schema.fields({**(fields or {}), **named})
        if isinstance(current, dict):
            self.schema.typed({**current, **changes})
        return changes

    def replacement(self, key: str, value: T | None) -> Any:
        """The plain value that an update wants; None deletes."""
        return None if value is None else self._with_key(key, self.schema.plain(value))

    def value(self, key: str, plain: Any) -> T | None:
        """The value of an item, or None if it is not there or does not fit the model."""
        return next(iter(self._fitting(key, plain)), None) if plain is not None else None

    def results(self, pairs: Iterable[tuple[str, Any]]) -> list[R]:
        """Those of many items that fit the model, as calls give them. Without a model that is also null."""
        fitting = ((key, value) for key, plain in pairs for value in self._fitting(key, plain))
        return [cast("R", value if self.key_field is not None else Item(key, value)) for key, value in fitting]

    def _fitting(self, key: str, plain: Any) -> Iterable[T]:
        """The value of an item, if it fits the model."""
        try:
            return (self.schema.typed(plain),)
        except _errors.InvalidValueError:
            # What the model says may quote the value.
            logger.warning("item `%s` of collection `%s` is left out: the model refuses it", key, self.name)
            return ()

    def page(self, page: tuple[list[tuple[str, Any]], str | None]) -> Page[R]:
        """A page of a query."""
        pairs, cursor = page
        return Page(self.results(pairs), cursor)

    def event(self, tagged: tuple[str, Any]) -> Event[T] | Lagged:
        """A change, with values that do not fit the model left out."""
        return event(tagged, lambda change, plain: self.value(change["key"], plain))

    def _with_key(self, key: str, stored: Any) -> Any:
        """Fills the key into the field that is to hold it, if it is missing or empty."""
        if self.key_field is not None and isinstance(stored, dict) and stored.get(self.key_field) in (None, ""):
            stored[self.key_field] = key
        return stored


def event(tagged: tuple[str, Any], value: Callable[[dict[str, Any], Any], Any]) -> Event[Any] | Lagged:
    """An event of a watch."""
    tag, content = tagged
    if tag == "lagged":
        return Lagged(content)
    change = dict(content)
    change["old"], change["new"] = value(content, change["old"]), value(content, change["new"])
    return Event(time=_plain.from_ms(change.pop("hlc_ms")), **change)


def plain_event(tagged: tuple[str, Any]) -> Event[Any] | Lagged:
    """An event of a watch over collections of any model."""
    return event(tagged, lambda _, plain: plain)


def versions(records: list[dict[str, Any]]) -> list[Version]:
    """The history of an item."""
    return [Version(time=_plain.from_ms(record.pop("hlc_ms")), **record) for record in records]


def link_event(tagged: tuple[str, Any]) -> LinkEvent:
    """An event of a link."""
    tag, content = tagged
    if tag == "progress":
        return Progress(**content)
    if tag == "failed":
        return LinkFailure(*content)
    if tag == "warned":
        return WorkspaceWarning(**content)
    return Lagged(content) if tag == "lagged" else cast("LinkEvent", content)


def invite(record: dict[str, Any]) -> Invite:
    """An invite."""
    return Invite(expires=_plain.from_ms(record.pop("expires_ms")), **record)


def backup_info(record: dict[str, Any]) -> BackupInfo:
    """What is in a backup."""
    return BackupInfo(made=_plain.from_ms(record.pop("made_ms")), **record)


def join_request(record: dict[str, Any]) -> JoinRequest:
    """A request to join."""
    return JoinRequest(requested=_plain.from_ms(record.pop("requested_ms")), **record)


def circle(record: dict[str, Any]) -> Circle:
    """A circle."""
    members = [CircleMember(**member) for member in record.pop("members")]
    return Circle(members=members, **record)


def excluded_entry(record: dict[str, Any]) -> ExcludedEntry:
    """An entry that is held and not shown."""
    due_ms = record.pop("due_ms")
    return ExcludedEntry(due=None if due_ms is None else _plain.from_ms(due_ms), **record)


def changes(record: dict[str, Any]) -> Changes:
    """Changes after a cursor."""
    return Changes([LogChange(**change) for change in record["items"]], record["cursor"])


class Edits:
    """Edits of a document that become one change.

    Paths are fields and positions joined by dots: `tasks.0.title`.
    """

    def __init__(self) -> None:
        self.edits: list[tuple[Any, ...]] = []
        """The edits so far, as the engine takes them."""

    def set(self, path: str, value: Any) -> None:
        """Replaces what the path leads to."""
        self.edits.append(("set", path, _plain.deep(value)))

    def delete(self, path: str) -> None:
        """Removes what the path leads to."""
        self.edits.append(("delete", path))

    def insert(self, path: str, position: int, value: Any) -> None:
        """Inserts into the list at the path."""
        self.edits.append(("insert", path, whole("position", position), _plain.deep(value)))

    def splice_text(self, path: str, position: int, delete: int, text: str) -> None:
        """Replaces `delete` characters of the text at the path, from `position` on."""
        self.edits.append(("splice_text", path, whole("position", position), whole("delete", delete), text))

    def increment(self, path: str, by: int = 1) -> None:
        """Adds to the counter at the path."""
        self.edits.append(("increment", path, by))
