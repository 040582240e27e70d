"""Scenarios in JSON, played by the published packages of every language against a real relay process.

Each scenario names roles; each role is a process of one language (tests/drivers, core/examples/scenario_driver.rs).
A scenario runs with all roles in one language, and with the languages mixed in every rotation. A step is a command
for a role; `is` is what it must answer, `error` the code it must fail with, `save` keeps the answer as `$name`.
After the last step every role must show the same root.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
SCENARIOS = sorted((ROOT / "tests" / "scenarios").glob("*.json"))
PATIENCE_S = 60.0
CONTROL = ("by", "is", "error", "save", "eventually")

DRIVERS = {
    "rust": [str(TARGET / "examples" / "scenario_driver")],
    "python": [sys.executable, str(ROOT / "tests" / "drivers" / "driver.py")],
}
if (ROOT / "node" / "dist" / "index.js").exists():
    DRIVERS["node"] = ["node", str(ROOT / "tests" / "drivers" / "driver.mjs")]


class Role:
    """One process that plays one role."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.process = subprocess.Popen(
            DRIVERS[language], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps(command), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        assert line, f"the {self.language} driver ended at {command}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("relay")
    command = [str(TARGET / "tidelog-relay"), "--data", str(folder), "--listen", "127.0.0.1:0", "--open"]
    process = subprocess.Popen([*command, "--log-level", "error"], stdout=subprocess.PIPE, encoding="utf-8")
    assert process.stdout is not None
    words = process.stdout.readline().split()
    assert words[:2] == ["listening", "on"], words
    yield words[2]
    process.terminate()
    assert process.wait(timeout=30) == 0
    process.stdout.close()


def casts(roles: list[str]) -> Iterator[dict[str, str]]:
    """Each language alone, then mixed in every rotation."""
    languages = sorted(DRIVERS)
    for language in languages:
        yield dict.fromkeys(roles, language)
    if len(languages) == 1:
        return
    if len(roles) > 1:
        for start in range(len(languages)):
            rotation = itertools.islice(itertools.cycle(languages), start, start + len(roles))
            yield dict(zip(roles, rotation, strict=True))


def plays() -> Iterator[Any]:
    for path in SCENARIOS:
        scenario = json.loads(path.read_text(encoding="utf-8"))
        for cast in casts(scenario["roles"]):
            name = "-".join(cast.values())
            yield pytest.param(scenario, cast, id=f"{path.stem}-{name}")


def filled(value: Any, known: dict[str, Any]) -> Any:
    if isinstance(value, str) and value.startswith("$"):
        return known[value[1:]]
    if isinstance(value, dict):
        return {key: filled(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, known) for inner in value]
    return value


def play_step(step: dict[str, Any], role: Role, known: dict[str, Any]) -> None:
    command = filled(
        {key: value for key, value in step.items() if key not in ("by", "is", "error", "save", "eventually")}, known
    )
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = role.ask(command)
        if "error" in step:
            assert answer.get("error") == step["error"], (role.language, command, answer)
            return
        assert "ok" in answer, (role.language, command, answer)
        if "is" not in step or answer["ok"] == filled(step["is"], known):
            break
        # A live link needs a moment; everything else is right at once.
        waits = step.get("eventually") and time.monotonic() < deadline
        assert waits, (role.language, command, answer["ok"], filled(step["is"], known))
        time.sleep(0.02)
    if "save" in step:
        known[step["save"]] = answer["ok"]


@pytest.mark.parametrize(("scenario", "cast"), list(plays()))
def test_scenario(scenario: dict[str, Any], cast: dict[str, str], relay: str, tmp_path: Path) -> None:
    roles = {name: Role(language) for name, language in cast.items()}
    known: dict[str, Any] = {"relay": relay, **{f"path_{name}": str(tmp_path / name) for name in roles}}
    try:
        for step in scenario["steps"]:
            play_step(step, roles[step["by"]], known)
        if scenario.get("converges", True):
            roots = {name: role.ask({"op": "root"})["ok"] for name, role in roles.items()}
            assert len(set(roots.values())) == 1, roots
    finally:
        for role in roles.values():
            role.end()
