"""Databases, collections, documents and logs, for asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Generic, TypeVar, overload

from .. import _shape, _tidelog
from .._data import HasId
from .._lifecycle import Handle
from .._shape import Edits, Progressing, Shape, Sort
from .._types import Changes, Entries, Event, Item, Lagged, Page, Policy, Summary, Transfer, Version
from ._loop import here, metered
from ._stream import Stream

T = TypeVar("T")
R = TypeVar("R")


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

    async def collections(self) -> list[str]:
        """The names of its collections."""
        return await self._native.collections(here())

    def transaction(self) -> Transaction:
        """Writes that take effect together: `async with database.transaction() as transaction: ..`"""
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
    async def put(self, value: T, /) -> None: ...
    @overload
    async def put(self, key: str, value: T, /) -> None: ...
    async def put(self, *key_and_value: Any) -> None:
        """Writes an item: `put(value)` if it holds its key, or `put(key, value)`. Durable on return."""
        await self._native.put(*self._shape.put(key_and_value), here())

    async def put_many(self, items: Mapping[str, T] | Iterable[R], *, progress: Progressing | None = None) -> Summary:
        """Writes many items in as few entries as they fit into.

        `progress(done, total)` hears now and then how many are written. If it raises, or the task is cancelled, the
        rest is not written, and what is written stays.
        """
        meter = _tidelog.Meter()
        call = self._native.put_many(self._shape.put_many(items), meter, None, here())
        return Summary(**(await metered(call, meter, progress)))

    async def insert(self, value: T) -> R:
        """Writes a new item and returns it with its key, which is made if it has none."""
        return self._shape.inserted(await self._native.insert(self._shape.insert(value), here()))

    async def get(self, key: str) -> T | None:
        """The item of a key, or None."""
        return self._shape.value(key, await self._native.get(key, here()))

    async def get_raw(self, key: str) -> Any:
        """The plain value of a key, whatever the model says, or None."""
        return await self._native.get(key, here())

    async def first(
        self, where: Mapping[str, Any] | None = None, *, sort: Sort = (), ids: Iterable[str] | None = None
    ) -> R | None:
        """The first item that matches, or None."""
        page = await self.query(where, sort=sort, limit=1, ids=ids)
        while not page and page.cursor is not None:
            page = await self.query(where, sort=sort, limit=1, cursor=page.cursor, ids=ids)
        return page[0] if page else None

    async def all(self) -> list[R]:
        """All items, by key."""
        return await self.query()

    async def query(
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
        asked = _shape.query(where, sort, limit, offset, cursor, ids)
        return self._shape.page(await self._native.query(asked, here()))

    async def count(self, where: Mapping[str, Any] | None = None) -> int:
        """How many items match."""
        return await self._native.count(_shape.query(where, (), None, 0, None, None), here())

    async def patch(self, key: str, fields: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Replaces some fields of an item that is there: `patch(key, done=True)`."""
        current = await self._native.get(key, here())
        await self._native.patch(key, self._shape.patch(current, fields, named), here())

    async def update(self, key: str, change: Callable[[T | None], T | None]) -> T | None:
        """Replaces an item by what `change` makes of it; None deletes.

        If another write comes in between, `change` is called again with what is there then.
        """
        while True:
            before = await self._native.get(key, here())
            after = change(self._shape.copy(key, before))
            replacement = self._shape.replacement(key, after)
            # Null is an item, and reads as if there were none.
            if await self._native.replace(key, ... if before is None else before, replacement, here()) or (
                before is None and await self._native.replace(key, None, replacement, here())
            ):
                return self._shape.value(key, replacement)

    async def delete(self, key: str) -> bool:
        """Removes an item; False if there was none."""
        return await self._native.delete(key, here())

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

    async def history(self, key: str) -> list[Version]:
        """The entries behind an item, the oldest first."""
        return _shape.versions(await self._native.history(key, here()))

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

    Leaving the `async with` block commits; an exception in it rolls back.
    """

    def __init__(self, native: _tidelog.Transaction) -> None:
        self._native = native

    def collection(self, collection: Collection[T, R]) -> TransactionCollection[T, R]:
        """A collection within the transaction."""
        shape = collection._shape
        return TransactionCollection(self._native.collection(shape.name, shape.policy, shape.key_field), shape)

    async def commit(self) -> str | None:
        """Writes all of it as one entry, durable on return, and gives its id; None if there was nothing to write."""
        return await self._native.commit(here())

    def roll_back(self) -> None:
        """Forgets its writes. Does nothing after its end."""
        self._native.roll_back()

    async def __aenter__(self) -> Transaction:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.commit()
        else:
            self.roll_back()


class TransactionCollection(Generic[T, R]):
    """A collection within a transaction; it reads what the transaction wrote."""

    def __init__(self, native: _tidelog.TransactionCollection, shape: Shape[T, R]) -> None:
        self._native = native
        self._shape = shape

    @overload
    async def put(self, value: T, /) -> None: ...
    @overload
    async def put(self, key: str, value: T, /) -> None: ...
    async def put(self, *key_and_value: Any) -> None:
        """Adds a write of an item: `put(value)` if it holds its key, or `put(key, value)`."""
        await self._native.put(*self._shape.put(key_and_value), here())

    async def insert(self, value: T) -> R:
        """Adds a write of a new item and returns it with its key, which is made if it has none."""
        return self._shape.inserted(await self._native.insert(self._shape.insert(value), here()))

    async def get(self, key: str) -> T | None:
        """The item as it would be after the commit, or None."""
        return self._shape.value(key, await self._native.get(key, here()))

    async def patch(self, key: str, fields: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        """Adds a replacement of some fields of an item that is there."""
        current = await self._native.get(key, here())
        await self._native.patch(key, self._shape.patch(current, fields, named), here())

    async def delete(self, key: str) -> bool:
        """Adds a removal; False if there is no item."""
        return await self._native.delete(key, here())


class Document:
    """A document: an item whose concurrent edits merge.

    Paths are fields and positions joined by dots: `tasks.0.title`. Positions in text count as Python does.
    """

    def __init__(self, native: _tidelog.Document, handle: Handle) -> None:
        self._native = native
        self._handle = handle

    async def get(self, path: str | None = None) -> Any:
        """What a path leads to, or the whole document."""
        return await self._native.get(path, here())

    async def text(self, path: str) -> str | None:
        """The text that a path leads to."""
        return await self._native.text(path, here())

    async def set(self, path: str, value: Any) -> None:
        """Replaces what the path leads to."""
        async with self.change() as edits:
            edits.set(path, value)

    async def delete(self, path: str) -> None:
        """Removes what the path leads to."""
        async with self.change() as edits:
            edits.delete(path)

    async def insert(self, path: str, position: int, value: Any) -> None:
        """Inserts into the list at the path."""
        async with self.change() as edits:
            edits.insert(path, position, value)

    async def splice_text(self, path: str, position: int, delete: int, text: str) -> None:
        """Replaces `delete` characters of the text at the path, from `position` on."""
        async with self.change() as edits:
            edits.splice_text(path, position, delete, text)

    async def increment(self, path: str, by: int = 1) -> None:
        """Adds to the counter at the path."""
        async with self.change() as edits:
            edits.increment(path, by)

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Edits]:
        """Several edits as one change: `async with document.change() as edits: ..`. An exception drops them."""
        edits = Edits()
        yield edits
        await self._native.change(edits.edits, here())

    async def heads(self) -> list[str]:
        """The latest changes, which name the whole content."""
        return await self._native.heads(here())

    async def history(self) -> list[Version]:
        """The entries behind the document, the oldest first."""
        return _shape.versions(await self._native.history(here()))

    def watch(self) -> Stream[Event[Any] | Lagged]:
        """Its changes from now on, without values: read what is needed."""
        return Stream(self._native.watch(), _shape.plain_event, self._handle)


class _Entries:
    """What the log of a database and that at a relay have in common."""

    def __init__(self, native: _tidelog.Log | _tidelog.RemoteLog, handle: Handle) -> None:
        self._entries = native
        self._handle = handle

    async def entry_ids(self) -> list[str]:
        """The ids of all entries held."""
        return await self._entries.entry_ids(here())

    async def missing(self, ids: Iterable[str]) -> list[str]:
        """Which of these entries this log lacks."""
        return await self._entries.missing(list(ids), here())

    async def entries(self, ids: Iterable[str]) -> Entries:
        """These entries as bytes, as far as this log has them."""
        return Entries(**(await self._entries.entries(list(ids), here())))

    async def append(self, entry: bytes) -> bool:
        """Verifies an entry and stores it; False if it was there already."""
        return await self._entries.append(entry, here())

    async def changes_since(self, cursor: str | None = None, *, limit: int | None = None) -> Changes:
        """What changed after a cursor, one item for each key at its latest change; from the beginning without one."""
        return _shape.changes(await self._entries.changes_since(cursor, limit, here()))


class Log(_Entries):
    """The entries under a database: pull and offer, as between two stores."""

    def __init__(self, native: _tidelog.Log, handle: Handle) -> None:
        super().__init__(native, handle)
        self._native = native

    def at(self, url: str) -> RemoteLog:
        """The same log as a relay holds it, to be read and written there."""
        return RemoteLog(self._native.at(url), self._handle)

    async def pull_from(self, other: Log | str) -> Transfer:
        """Takes over what another log has and this one lacks, or what the relay at an address has of this database."""
        if isinstance(other, str):
            return Transfer(**(await self._native.pull_from_relay(other, here())))
        return Transfer(**(await self._native.pull_from(other._native, here())))

    async def push_to(self, other: Log | str) -> Transfer:
        """Gives another log, or the relay at an address, what this one has and it lacks."""
        if isinstance(other, str):
            return Transfer(**(await self._native.push_to_relay(other, here())))
        return Transfer(**(await self._native.push_to(other._native, here())))

    async def sync_with(self, other: Log | str) -> Transfer:
        """Both."""
        if isinstance(other, str):
            return Transfer(**(await self._native.sync_with_relay(other, here())))
        return Transfer(**(await self._native.sync_with(other._native, here())))


class RemoteLog(_Entries):
    """The entries under a database as a relay holds them. Every call meets the relay once; nothing is synced."""
