"""Processes: forks, threads, signals, and the end of the interpreter."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import tidelog
from conftest import KEY, ROOT

Python = Callable[[str], "subprocess.CompletedProcess[str]"]

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def check(done: "subprocess.CompletedProcess[str]", output: str) -> None:
    assert (done.returncode, done.stdout.strip()) == (0, output), done.stderr
    assert done.stderr == ""


@forks
def test_a_forked_child_is_refused_at_once_and_the_parent_goes_on(python: Python) -> None:
    check(
        python("""
import os, asyncio
with tidelog.open(folder, key=key, create="A") as workspace:
    notes = workspace.database("main").collection("notes")
    notes.put("a", 1)
    watch = notes.watch()
    child = os.fork()
    if child == 0:
        calls = [lambda: notes.get("a"), lambda: notes.put("a", 2), lambda: next(watch), workspace.shutdown,
                 lambda: tidelog.open(folder + "2", key=key, create="B"),
                 lambda: asyncio.run(tidelog.aio.open(folder + "2", key=key, create="B")._open())]
        codes = []
        for call in calls:
            try:
                call()
            except tidelog.TidelogError as error:
                codes.append(error.code)
        print(*codes, flush=True)
        os._exit(0 if codes == ["forked"] * len(calls) else 1)
    _, status = os.waitpid(child, 0)
    print(status, notes.get("a"))
"""),
        "forked forked forked forked forked forked\n0 1",
    )


@forks
def test_a_fork_before_the_first_call_is_fine(python: Python) -> None:
    check(
        python("""
import os
child = os.fork()
with tidelog.open(folder + str(child == 0), key=key, create="A") as workspace:
    workspace.database("main").collection("notes").put("a", 1)
if child:
    print(os.waitpid(child, 0)[1])
"""),
        "0",
    )


def in_a_new_process(folder: str) -> object:
    with tidelog.open(folder, key=KEY) as workspace:
        return workspace.database("main").collection("notes").get("a")


def test_a_spawned_process_opens_what_this_one_has_closed(tmp_path: os.PathLike[str]) -> None:
    folder = os.path.join(tmp_path, "a.tide")
    with tidelog.create(folder, "A", key=KEY) as workspace:
        workspace.database("main").collection("notes").put("a", 1)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(in_a_new_process, (folder,)) == 1


@pytest.mark.parametrize(
    "end",
    [
        "",
        "threading.Thread(target=lambda: list(notes.watch()), daemon=True).start()",
        "threading.Thread(target=lambda: [notes.put('a', n) for n in range(10**9)], daemon=True).start()",
        "notes.watch(); notes.live(); workspace.database('x').transaction()",
        "sys.exit(0)",
        "threading.Thread(target=lambda: link.wait_live(), daemon=True).start()",
    ],
)
def test_the_interpreter_exits_cleanly_with_a_workspace_open(python: Python, end: str) -> None:
    done = python(f"""
import sys, threading
threading.excepthook = lambda _: None
workspace = tidelog.open(folder, key=key, create="A")
notes = workspace.database("main").collection("notes")
notes.put("a", 1)
link = workspace.connect("ws://127.0.0.1:9#" + "00" * 32)
print(notes.get("a"), flush=True)
{end}
""")
    check(done, "1")


def test_the_interpreter_exits_cleanly_with_calls_in_flight(python: Python) -> None:
    check(
        python("""
import asyncio
async def main():
    workspace = await tidelog.aio.open(folder, key=key, create="A")
    notes = workspace.database("main").collection("notes")
    tasks = [asyncio.ensure_future(notes.put(str(n), n)) for n in range(200)]
    waiting = asyncio.ensure_future(notes.watch().__anext__())
    await tasks[0]
    print("left")
asyncio.run(main())
"""),
        "left",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="signals of this kind are those of POSIX")
def test_ctrl_c_ends_a_wait(python: Python) -> None:
    check(
        python("""
import os, signal, threading
# A process started in the background may have inherited that Ctrl-C is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
with tidelog.open(folder, key=key, create="A") as workspace:
    watch = workspace.watch()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        next(watch)
    except KeyboardInterrupt:
        print("interrupted")
"""),
        "interrupted",
    )


def test_a_workspace_that_nobody_holds_any_more_lets_go_of_its_folder(tmp_path: os.PathLike[str]) -> None:
    folder = os.path.join(tmp_path, "a.tide")
    workspace = tidelog.create(folder, "A", key=KEY)
    notes = workspace.database("main").collection("notes")
    del workspace
    notes.put("a", 1)
    del notes
    gc.collect()
    with tidelog.open(folder, key=KEY) as again:
        assert again.database("main").collection("notes").get("a") == 1


def test_the_clock_of_tests_moves_stamps(python: Python) -> None:
    check(
        python("""
from datetime import datetime, timedelta, timezone
from tidelog import _tidelog
with tidelog.open(folder, key=key, create="A") as workspace:
    notes = workspace.database("main").collection("notes")
    _tidelog.advance(86_400_000)
    notes.put("a", 1)
    print(notes.history("a")[0].time - datetime.now(timezone.utc) > timedelta(hours=23))
"""),
        "True",
    )


def test_released_packages_have_no_clock_of_tests() -> None:
    manifest = (ROOT / "bindings" / "pyo3" / "Cargo.toml").read_text(encoding="utf-8")
    package = (ROOT / "python" / "pyproject.toml").read_text(encoding="utf-8")
    assert "\ndefault =" not in manifest
    assert "test-util" not in package


def test_many_threads_share_a_workspace(database: tidelog.Database) -> None:
    notes = database.collection("notes")

    def work(number: int) -> object:
        notes.put(str(number), number)
        return notes.get(str(number))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(200))) == list(range(200))
    assert notes.count() == 200


def test_other_threads_run_while_a_call_waits(workspace: tidelog.Workspace) -> None:
    watch = workspace.watch()
    waiting = threading.Thread(target=lambda: next(watch, None))
    waiting.start()
    notes = workspace.database("main").collection("notes")
    notes.put("a", 1)
    waiting.join(20)
    assert not waiting.is_alive()


def test_an_acknowledged_write_survives_a_kill(tmp_path: os.PathLike[str]) -> None:
    folder = os.path.join(tmp_path, "a.tide")
    program = f"""
import tidelog
workspace = tidelog.open({folder!r}, key=bytes(range(32)), create="A")
notes = workspace.database("main").collection("notes")
for number in range(10**9):
    notes.put(str(number), number)
    print(number, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(20):
            last = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    with tidelog.open(folder, key=KEY) as workspace:
        notes = workspace.database("main").collection("notes")
        assert [notes.get(str(number)) for number in range(last + 1)] == list(range(last + 1))
