"""The words for asyncio: nothing blocks the loop, cancelling loses nothing."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import tidelog
from conftest import KEY
from tidelog import aio


@dataclass
class Film:
    id: str
    title: str


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[aio.Database]:
    async with aio.open(tmp_path / "a.tide", key=KEY, create="Films") as workspace:
        yield workspace.database("main")


async def test_items_documents_and_transactions(database: aio.Database) -> None:
    films = database.collection("films", Film)
    film = await films.insert(Film("", "Alien"))
    assert await films.get(film.id) == film
    await films.patch(film.id, title="Aliens")
    assert await films.update(film.id, lambda film: film and Film(film.id, film.title + "!")) == Film(
        film.id, "Aliens!"
    )
    async with database.transaction() as transaction:
        inside = transaction.collection(films)
        await inside.put(Film("cube", "Cube"))
        assert await inside.get("cube") == Film("cube", "Cube")
    assert await films.count() == 2
    assert await films.first({"title": "Cube"}) == Film("cube", "Cube")
    document = database.collection("notes", policy="document").document("a")
    async with document.change() as edits:
        edits.set("title", "Notes")
    await document.increment("views")
    assert await document.get() == {"title": "Notes", "views": 1}
    assert len(await database.log().entry_ids()) > 0
    with pytest.raises(tidelog.NotFoundError):
        await films.patch("dune", title="Dune")


async def test_a_transaction_that_fails_changes_nothing(database: aio.Database) -> None:
    notes = database.collection("notes")
    with pytest.raises(RuntimeError):
        async with database.transaction() as transaction:
            await transaction.collection(notes).put("a", 1)
            raise RuntimeError
    assert await notes.get("a") is None


async def test_awaitables_are_coroutines(database: aio.Database) -> None:
    notes = database.collection("notes")
    for call in (notes.get("a"), notes.put("a", 1), notes.all()):
        assert inspect.iscoroutine(call)
        await call


def test_asyncio_run_takes_a_call_as_it_is(tmp_path: Path) -> None:
    async def main() -> str:
        async with aio.open(tmp_path / "a.tide", key=KEY, create="A") as workspace:
            return workspace.name

    assert asyncio.run(main()) == "A"


async def test_a_workspace_can_be_used_from_one_loop_after_another(tmp_path: Path) -> None:
    def on_a_loop_of_its_own(work: Callable[[], Any]) -> Any:
        return asyncio.to_thread(lambda: asyncio.run(work()))

    workspace = await aio.open(tmp_path / "a.tide", key=KEY, create="A")
    notes = workspace.database("main").collection("notes")
    await on_a_loop_of_its_own(lambda: notes.put("a", 1))
    assert await on_a_loop_of_its_own(lambda: notes.get("a")) == 1
    assert await notes.get("a") == 1
    await workspace.shutdown()


async def test_a_thousand_calls_at_once_all_end(database: aio.Database) -> None:
    notes = database.collection("notes")
    await asyncio.gather(*(notes.put(str(number), number) for number in range(1000)))
    values = await asyncio.gather(*(notes.get(str(number)) for number in range(1000)))
    assert values == list(range(1000))


async def test_the_loop_runs_while_calls_wait(database: aio.Database) -> None:
    """The longest pause of the loop is far below the time that the calls take together."""
    notes = database.collection("notes")
    longest, running = 0.0, True

    async def heart() -> None:
        nonlocal longest
        last = time.monotonic()
        while running:
            await asyncio.sleep(0)
            now = time.monotonic()
            longest, last = max(longest, now - last), now

    beating = asyncio.create_task(heart())
    begin = time.monotonic()
    for number in range(100):
        await notes.put(str(number), "x" * 1000)
    took = time.monotonic() - begin
    running = False
    await beating
    assert longest < max(took / 2, 0.5)


async def test_cancelling_a_write_does_not_undo_it(database: aio.Database) -> None:
    notes = database.collection("notes")
    task = asyncio.create_task(notes.put("a", 1))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with notes.watch("a", initial=True) as watch:
        assert isinstance(await anext(watch), tidelog.Event)
    assert await notes.get("a") == 1


async def test_cancelling_a_reader_loses_no_event(database: aio.Database) -> None:
    notes = database.collection("notes")
    async with notes.watch() as watch:
        for number in range(20):
            reader = asyncio.create_task(anext(watch))
            await asyncio.sleep(0)
            await notes.put("a", number)
            reader.cancel()
            outcome = (await asyncio.gather(reader, return_exceptions=True))[0]
            event = await anext(watch) if isinstance(outcome, asyncio.CancelledError) else outcome
            assert isinstance(event, tidelog.Event)
            assert event.new == number


async def test_leaving_an_iteration_and_stopping_end_it(database: aio.Database) -> None:
    notes = database.collection("notes")
    watch = notes.watch()
    await notes.put("a", 1)
    async for event in watch:
        assert isinstance(event, tidelog.Event)
        break
    reader = asyncio.create_task(anext(watch, None))
    await asyncio.sleep(0)
    watch.stop()
    assert await reader is None


async def test_a_live_list_follows_its_query(database: aio.Database) -> None:
    films = database.collection("films", Film)
    async with films.live(sort="title") as live:
        assert await anext(live) == []
        await films.put(Film("a", "Alien"))
        assert await anext(live) == [Film("a", "Alien")]


async def test_shutdown_ends_what_waits(tmp_path: Path) -> None:
    workspace = await aio.open(tmp_path / "a.tide", key=KEY, create="A")
    notes = workspace.database("main").collection("notes")
    reader = asyncio.create_task(anext(notes.watch(), None))
    await asyncio.sleep(0)
    await workspace.shutdown()
    assert await reader is None
    with pytest.raises(tidelog.ClosedError):
        await notes.get("a")


def public(kind: type) -> dict[str, Any]:
    words = {"__aenter__": "__enter__", "__aexit__": "__exit__", "__aiter__": "__iter__", "__anext__": "__next__"}
    # Words that a class has from another one count, too.
    members = {words.get(name, name): getattr(kind, name) for name in dir(kind)}
    return {name: member for name, member in members.items() if not name.startswith("_") or name in words.values()}


def parameters(member: Any) -> list[str]:
    return [str(one).split("->")[0] for one in inspect.signature(member).parameters.values()]


@pytest.mark.parametrize("name", [name for name in aio.__all__ if name not in ("Opening",)])
def test_both_packages_have_the_same_words(name: str) -> None:
    ours, theirs = getattr(aio, name), getattr(tidelog, name)
    if inspect.isclass(ours):
        assert public(ours).keys() == public(theirs).keys()
        for word, member in public(ours).items():
            if inspect.isfunction(member):
                assert parameters(member) == parameters(public(theirs)[word]), word
    else:
        assert parameters(ours) == parameters(theirs)
