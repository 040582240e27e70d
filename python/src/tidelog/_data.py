"""Databases, collections, documents and logs, synchronous."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar, overload

from . import _shape, _tidelog
from ._lifecycle import Handle
from ._shape import Edits, Progressing, Shape, Sort
from ._stream import Stream
from ._types import Changes, Entries, Event, Item, Lagged, Page, Policy, Summary, Transfer, Version

T = TypeVar("T")
R = TypeVar("R")


class HasId(Protocol):
    """A model whose field `id` is the key."""

    id: str


I = TypeVar("I", bound=HasId)  # noqa: E741


class Database:
    """A database: collections that are synced, or not, as a whole."""

    def __init__(self, native: _tidelog.Database, handle: Handle) -> None:
        self._native = native
        self._handle = handle

    @property
    def name(self) -> str:
        """Its name."""
        return self._native.name()

    @overload
    def collection(self, name: str, *, policy: Policy = ...) -> Collection[Any, Item[Any]]: ...
    @overload
    def collection(
        self, name: str, *, key: str, policy: Policy = ...
    ) -> Collection[dict[str, Any], dict[str, Any]]: ...
    @overload
    def collection(self, name: str, model: type[T], *, key: str, policy: Policy = ...) -> Collection[T, T]: ...
    @overload
    def collection(  # type: ignore[overload-overlap]  # A model with `id` is the narrower case.
        self, name: str, model: type[I], *, policy: Policy = ...
    ) -> Collection[I, I]: ...
    @overload
    def collection(self, name: str, model: type[T], *, policy: Policy = ...) -> Collection[T, Item[T]]: ...
    def collection(
        self, name: str, model: Any = None, *, key: str | None = None, policy: Policy = "lww"
    ) -> Collection[Any, Any]:
        """A collection; it need not exist yet.

        The model is a pydantic model, a dataclass or a typed dictionary: what is written must fit it, and what is
        read is one. The field `id` of a model, or the field named by `key`, is the key; results hold it. Without
        such a field results are `Item(key, value)`.
        """
        shape: Shape[Any, Any] = Shape(name, model, key, policy)
        native = self._native.collection(name, policy, shape.key_field)
        return Collection(native, shape, self._handle)

    def collections(self) -> list[str]:
        """The names of its collections."""
        return self._native.collections()

    def transaction(self) -> Transaction:
        """Writes that take effect together: `with database.transaction() as transaction: ..`"""
        return Transaction(self._native.transaction())

    def watch(self) -> Stream[Event[Any] | Lagged]:
        """Changes of its items from now on. Values are plain."""
        return Stream(self._native.watch(), _shape.plain_event, self._handle)

    def log(self) -> Log:
        """The entries under it."""
        return Log(self._native.log(), self._handle)


class Collection(Generic[T, R]):
    """Items by key. `T` is the type of values, `R` that of results: `T` if it holds its key, else `Item[T]`.

    Items that another application wrote and the model refuses are left out of results, with a warning in the log
    `tidelog`; `get_raw` reads them.
    """

    def __init__(self, native: _tidelog.Collection, shape: Shape[T, R], handle: Handle) -> None:
        self._native = native
        self._shape = shape
        self._handle = handle

    @property
    def name(self) -> str:
        """Its name."""
        return self._shape.name

    @overload
    def put(self, value: T, /) -> None: ...
    @overload
    def put(self, key: str, value: T, /) -> None: ...
    def put(self, *key_and_value: Any) -> None:
        """Writes an item: `put(value)` if it holds its key, or `put(key, value)`. Durable on return."""
        self._native.put(*self._shape.put(key_and_value))

    def put_many(self, items: Mapping[str, T] | Iterable[R], *, progress: Progressing | None = None) -> Summary:
        """Writes many items in as few entries as they fit into.

        `progress(done, total)` hears now and then how many are written. If it raises, or on Ctrl-C, the rest is not
        written, and what is written stays.
        """
        return Summary(**self._native.put_many(self._shape.put_many(items), _tidelog.Meter(), progress))

    def insert(self, value: T) -> R:
        """Writes a new item and returns it with its key, which is made if it has none."""
        return self._shape.inserted(self._native.insert(self._shape.insert(value)))

    def get(self, key: str) -> T | None:
        """The item of a key, or None."""
        return self._shape.value(key, self._native.get(key))

    def get_raw(self, key: str) -> Any:
        """The plain value of a key, whatever the model says, or None."""
        return self._native.get(key)

    def first(
        self, where: Mapping[str, Any] | None = None, *, sort: Sort = (), ids: Iterable[str] | None = None
    ) -> R | None:
        """The first item that matches, or None."""
        page = self.query(where, sort=sort, limit=1, ids=ids)
        while not page and page.cursor is not None:
            page = self.query(where, sort=sort, limit=1, cursor=page.cursor, ids=ids)
        return page[0] if page else None

    def all(self) -> list[R]:
        """All items, by key."""
        return self.query()

    def query(
        self,
        where: Mapping[str, Any] | None = None,
        *,
        sort: Sort = (),
        limit: int | None = None,
        offset: int = 0,
        cursor: str | None = None,
        ids: Iterable[str] | None = None,
    ) -> Page[R]:
        """The items that match, such as `query({"year": {"ge": 1999}}, sort=["-year", "title"], limit=10)`."""
        return self._shape.page(self._native.query(_shape.query(where, sort, limit, offset, cursor, ids)))

    def count(self, where: Mapping[str, Any] | None = None) -> int:
        """How many items match."""
        return self._native.count(_shape.query(where, (), None, 0, None, None))

    def patch(self, key: str, fields: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Replaces some fields of an item that is there: `patch(key, done=True)`."""
        self._native.patch(key, self._shape.patch(self._native.get(key), fields, named))

    def update(self, key: str, change: Callable[[T | None], T | None]) -> T | None:
        """Replaces an item by what `change` makes of it; None deletes.

        If another write comes in between, `change` is called again with what is there then.
        """
        while True:
            before = self._native.get(key)
            after = change(self._shape.copy(key, before))
            replacement = self._shape.replacement(key, after)
            # Null is an item, and reads as if there were none.
            if self._native.replace(key, ... if before is None else before, replacement) or (
                before is None and self._native.replace(key, None, replacement)
            ):
                return self._shape.value(key, replacement)

    def delete(self, key: str) -> bool:
        """Removes an item; False if there was none."""
        return self._native.delete(key)

    def live(
        self,
        where: Mapping[str, Any] | None = None,
        *,
        sort: Sort = (),
        limit: int | None = None,
        offset: int = 0,
        ids: Iterable[str] | None = None,
    ) -> Stream[list[R]]:
        """The result of a query, first as it is, then again after every change of it."""
        native = self._native.live(_shape.query(where, sort, limit, offset, None, ids))
        return Stream(native, self._shape.results, self._handle)

    def watch(self, key: str | None = None, *, initial: bool = False) -> Stream[Event[T] | Lagged]:
        """Changes of one item, or of all, from now on; with `initial`, first what is there."""
        return Stream(self._native.watch(key, initial), self._shape.event, self._handle)

    def history(self, key: str) -> list[Version]:
        """The entries behind an item, the oldest first."""
        return _shape.versions(self._native.history(key))

    def own(self) -> Collection[T, R]:
        """The items that only this user can write."""
        return Collection(self._native.own(), self._shape, self._handle)

    def of(self, user: str) -> Collection[T, R]:
        """The items that only the given user can write."""
        return Collection(self._native.of(user), self._shape, self._handle)

    def document(self, key: str) -> Document:
        """A document of a collection with the policy `document`."""
        return Document(self._native.document(key), self._handle)


class Transaction:
    """Writes to collections of one database that take effect together, or not at all.

    Leaving the `with` block commits; an exception in it rolls back.
    """

    def __init__(self, native: _tidelog.Transaction) -> None:
        self._native = native

    def collection(self, collection: Collection[T, R]) -> TransactionCollection[T, R]:
        """A collection within the transaction."""
        shape = collection._shape
        return TransactionCollection(self._native.collection(shape.name, shape.policy, shape.key_field), shape)

    def commit(self) -> str | None:
        """Writes all of it as one entry, durable on return, and gives its id; None if there was nothing to write."""
        return self._native.commit()

    def roll_back(self) -> None:
        """Forgets its writes. Does nothing after its end."""
        self._native.roll_back()

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.roll_back()


class TransactionCollection(Generic[T, R]):
    """A collection within a transaction; it reads what the transaction wrote."""

    def __init__(self, native: _tidelog.TransactionCollection, shape: Shape[T, R]) -> None:
        self._native = native
        self._shape = shape

    @overload
    def put(self, value: T, /) -> None: ...
    @overload
    def put(self, key: str, value: T, /) -> None: ...
    def put(self, *key_and_value: Any) -> None:
        """Adds a write of an item: `put(value)` if it holds its key, or `put(key, value)`."""
        self._native.put(*self._shape.put(key_and_value))

    def insert(self, value: T) -> R:
        """Adds a write of a new item and returns it with its key, which is made if it has none."""
        return self._shape.inserted(self._native.insert(self._shape.insert(value)))

    def get(self, key: str) -> T | None:
        """The item as it would be after the commit, or None."""
        return self._shape.value(key, self._native.get(key))

    def patch(self, key: str, fields: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Adds a replacement of some fields of an item that is there."""
        self._native.patch(key, self._shape.patch(self._native.get(key), fields, named))

    def delete(self, key: str) -> bool:
        """Adds a removal; False if there is no item."""
        return self._native.delete(key)


class Document:
    """A document: an item whose concurrent edits merge.

    Paths are fields and positions joined by dots: `tasks.0.title`. Positions in text count as Python does.
    """

    def __init__(self, native: _tidelog.Document, handle: Handle) -> None:
        self._native = native
        self._handle = handle

    def get(self, path: str | None = None) -> Any:
        """What a path leads to, or the whole document."""
        return self._native.get(path)

    def text(self, path: str) -> str | None:
        """The text that a path leads to."""
        return self._native.text(path)

    def set(self, path: str, value: Any) -> None:
        """Replaces what the path leads to."""
        with self.change() as edits:
            edits.set(path, value)

    def delete(self, path: str) -> None:
        """Removes what the path leads to."""
        with self.change() as edits:
            edits.delete(path)

    def insert(self, path: str, position: int, value: Any) -> None:
        """Inserts into the list at the path."""
        with self.change() as edits:
            edits.insert(path, position, value)

    def splice_text(self, path: str, position: int, delete: int, text: str) -> None:
        """Replaces `delete` characters of the text at the path, from `position` on."""
        with self.change() as edits:
            edits.splice_text(path, position, delete, text)

    def increment(self, path: str, by: int = 1) -> None:
        """Adds to the counter at the path."""
        with self.change() as edits:
            edits.increment(path, by)

    @contextmanager
    def change(self) -> Iterator[Edits]:
        """Several edits as one change: `with document.change() as edits: ..`. An exception drops them."""
        edits = Edits()
        yield edits
        self._native.change(edits.edits)

    def heads(self) -> list[str]:
        """The latest changes, which name the whole content."""
        return self._native.heads()

    def history(self) -> list[Version]:
        """The entries behind the document, the oldest first."""
        return _shape.versions(self._native.history())

    def watch(self) -> Stream[Event[Any] | Lagged]:
        """Its changes from now on, without values: read what is needed."""
        return Stream(self._native.watch(), _shape.plain_event, self._handle)


class _Entries:
    """What the log of a database and that at a relay have in common."""

    def __init__(self, native: _tidelog.Log | _tidelog.RemoteLog, handle: Handle) -> None:
        self._entries = native
        self._handle = handle

    def entry_ids(self) -> list[str]:
        """The ids of all entries held."""
        return self._entries.entry_ids()

    def missing(self, ids: Iterable[str]) -> list[str]:
        """Which of these entries this log lacks."""
        return self._entries.missing(list(ids))

    def entries(self, ids: Iterable[str]) -> Entries:
        """These entries as bytes, as far as this log has them."""
        return Entries(**self._entries.entries(list(ids)))

    def append(self, entry: bytes) -> bool:
        """Verifies an entry and stores it; False if it was there already."""
        return self._entries.append(entry)

    def changes_since(self, cursor: str | None = None, *, limit: int | None = None) -> Changes:
        """What changed after a cursor, one item for each key at its latest change; from the beginning without one."""
        return _shape.changes(self._entries.changes_since(cursor, limit))


class Log(_Entries):
    """The entries under a database: pull and offer, as between two stores."""

    def __init__(self, native: _tidelog.Log, handle: Handle) -> None:
        super().__init__(native, handle)
        self._native = native

    def at(self, url: str) -> RemoteLog:
        """The same log as a relay holds it, to be read and written there."""
        return RemoteLog(self._native.at(url), self._handle)

    def pull_from(self, other: Log | str) -> Transfer:
        """Takes over what another log has and this one lacks, or what the relay at an address has of this database."""
        if isinstance(other, str):
            return Transfer(**self._native.pull_from_relay(other))
        return Transfer(**self._native.pull_from(other._native))

    def push_to(self, other: Log | str) -> Transfer:
        """Gives another log, or the relay at an address, what this one has and it lacks."""
        if isinstance(other, str):
            return Transfer(**self._native.push_to_relay(other))
        return Transfer(**self._native.push_to(other._native))

    def sync_with(self, other: Log | str) -> Transfer:
        """Both."""
        if isinstance(other, str):
            return Transfer(**self._native.sync_with_relay(other))
        return Transfer(**self._native.sync_with(other._native))


class RemoteLog(_Entries):
    """The entries under a database as a relay holds them. Every call meets the relay once; nothing is synced."""
