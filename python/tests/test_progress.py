"""Long calls tell how far they have come and can be ended; the engine's log reaches Python's."""

import asyncio
import logging
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tidelog
from conftest import KEY
from tidelog import aio

Python = Callable[[str], "subprocess.CompletedProcess[str]"]
MANY = {f"{number:06}": {"number": number} for number in range(3_000)}


class StopError(Exception):
    """Raised by whoever has seen enough."""


def test_progress_ends_at_the_total(database: tidelog.Database) -> None:
    told: list[tuple[int, int]] = []
    database.collection("many").put_many(MANY, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (3_000, 3_000)
    assert told == sorted(told)


def test_verify_tells_how_many_entries_it_read(workspace: tidelog.Workspace) -> None:
    workspace.database("main").collection("many").put("a", 1)
    told: list[tuple[int, int]] = []
    report = workspace.verify(progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (report.entries, report.entries)
    assert report.problems == []


def test_what_progress_raises_ends_the_call(workspace: tidelog.Workspace) -> None:
    def stop(done: int, total: int) -> None:
        raise StopError

    with pytest.raises(StopError):
        workspace.verify(progress=stop)
    assert workspace.verify().damaged == 0


async def test_asyncio_tells_progress_and_can_be_cancelled(tmp_path: Path) -> None:
    async with aio.open(tmp_path / "a.tide", key=KEY, create="A") as workspace:
        many = workspace.database("main").collection("many")
        told: list[tuple[int, int]] = []
        await many.put_many(MANY, progress=lambda done, total: told.append((done, total)))
        assert told[-1] == (3_000, 3_000)
        task = asyncio.create_task(workspace.verify(progress=lambda done, total: None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await workspace.verify()).damaged == 0
        assert await many.count() == 3_000


def test_the_log_is_silent_until_asked_and_never_holds_data(python: Python) -> None:
    done = python("""
import logging, threading
lines, opened = [], threading.Event()
class Keep(logging.Handler):
    def emit(self, record):
        lines.append((record.name, record.getMessage()))
        if "log opened" in record.getMessage():
            opened.set()
logging.getLogger("tidelog").addHandler(Keep())
logging.getLogger("tidelog").setLevel(logging.DEBUG)
with tidelog.create(folder, "Plainname", passphrase="plainsecret") as workspace:
    pass
assert lines == [], lines
tidelog.log_to_python(logging.DEBUG)
tidelog.log_to_python(logging.DEBUG)
with tidelog.open(folder, passphrase="plainsecret") as workspace:
    workspace.database("plainbase").collection("plainlist").put("plainkey", {"plainfield": "plaintext"})
assert opened.wait(20)
assert all(name.startswith("tidelog.engine") for name, _ in lines)
assert not any("plain" in text.lower() for _, text in lines), lines
print("ok")
""")
    assert (done.returncode, done.stdout.strip()) == (0, "ok"), done.stderr
    assert logging.getLogger("tidelog.engine").handlers == []
