"""The types that a type checker sees: right programs pass `mypy --strict`, wrong ones do not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

mypy = pytest.importorskip("mypy.api")

HEAD = """
from dataclasses import dataclass
import tidelog
from tidelog import aio

@dataclass
class Todo:
    title: str
    id: str = ""
    done: bool = False

@dataclass
class Note:
    text: str

def sync(database: tidelog.Database) -> None:
    todos = database.collection("todos", Todo)
    notes = database.collection("notes", Note)
    {sync}

async def later(database: aio.Database) -> None:
    todos = database.collection("todos", Todo)
    notes = database.collection("notes", Note)
    {later}
"""

RIGHT = [
    'todo: Todo = todos.insert(Todo("a"))',
    'found: Todo | None = todos.get("a")',
    'everything: list[Todo] = todos.query({"done": False}, sort=["title"])',
    'item: tidelog.Item[Note] = notes.insert(Note("a"))',
    'notes.put("a", Note("a"))',
    'keyed: list[Note] = database.collection("n", Note, key="text").all()',
    'plain: dict[str, object] | None = database.collection("d", key="id").get("a")',
    "for lists in todos.live(): first: Todo = lists[0]",
    'todos.update("a", lambda todo: todo)',
]
WRONG = [
    "todos.insert(Note('a'))",
    'number: int = todos.get("a")',
    "note: list[Note] = notes.query()",
    "todos.put(1, Todo('a'))",
    'todos.watch(initial="yes")',
    'database.collection("todos", Todo, policy="newest")',
]


def check(folder: Path, sync: list[str], later: list[str]) -> tuple[str, int]:
    program = folder / "program.py"
    program.write_text(HEAD.format(sync="\n    ".join(sync or ["pass"]), later="\n    ".join(later or ["pass"])))
    source = Path(__file__).parents[1]
    arguments = ["--strict", "--config-file", str(source / "pyproject.toml"), "--cache-dir", str(folder / "cache")]
    output, _, status = mypy.run([*arguments, str(program)])
    return output, status


def test_the_stub_says_what_the_native_module_has() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "tidelog._tidelog", "--ignore-missing-stub", "--concise"],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "MYPYPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def awaited(line: str) -> str:
    for call in ("todos.", "notes.", "database.collection"):
        if call in line and "watch" not in line:
            begin = line.index(call)
            return line[:begin] + "await " + line[begin:]
    return line


def test_right_programs_pass(tmp_path: Path) -> None:
    later = ["async " + line if line.startswith("for ") else awaited(line) for line in RIGHT]
    output, status = check(tmp_path, RIGHT, later)
    assert status == 0, output


def test_every_wrong_line_is_refused(tmp_path: Path) -> None:
    output, _ = check(tmp_path, WRONG, [])
    refused = {int(line.split(":")[1]) for line in output.splitlines() if ": error:" in line}
    first = HEAD.splitlines().index("    {sync}") + 1
    assert refused == set(range(first, first + len(WRONG))), output
