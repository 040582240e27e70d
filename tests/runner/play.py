"""Plays one scenario with one cast.

A scenario is JSON: `about`, `roles`, and `steps`. Of the roles in `joined` the first has made a workspace and the
others have joined it. With `"together": true` one driver plays all roles, so that words can name another one's
workspace. A `cast` gives each role a language in which it is played, besides each language alone. After the last step
all roles sync, and must show the same root and the same items, unless it says `"converges": false`.

A step is a command for the role `by`, in the words of tests/words.json, with these fields for the runner:

* `is`: what it must answer, or `at_most`: a number that it must not exceed; `error`: the code that it must fail with.
* `save`: keeps the answer as `$name`.
* `pick`: the part of the answer that counts, as `items.*.key`, `0.role,me` or `length`; `sorted`: in sorted order.
* `eventually`: it is asked again until it answers so; `later`: its answer is heard by a step that says `finish`.

`{"all": word, ..}` is a command for every role. Steps of the role `runner` are in outside.py. In every text `$name`
stands for what was saved, `$path_ROLE` for a role's folder, `$relay` and the like for the addresses of peers.py;
`{"$repeat": [text, times]}` is a long text, `{"$random": length}` one that cannot be compressed, `{"$nest": depth}`
lists within lists, `{"$numbers": count}` a list of so many, and `{"$tamper": bytes}` those with one bit inverted.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from . import outside
from .drivers import Driver, Pool
from .peers import Peers

JOIN_MS_MAX = 30_000
EVENTUALLY_SECONDS_MAX = 30.0
EVENTUALLY_STEP_SECONDS = 0.02
CONTROL = ("by", "all", "is", "at_most", "error", "save", "pick", "sorted", "eventually", "later", "finish")
NEED_KEY = ("create", "open", "join", "ask_to_join", "finish_joining", "restore", "recover")
KEYS = {"key_byte", "passphrase", "key_file"}
KEY_BYTE = 7
TIMES = ("time", "hlc_ms", "expires", "expires_ms", "requested", "requested_ms", "made", "made_ms", "due", "due_ms")
NAME = re.compile(r"\$(\w+)")


def nest(depth: int) -> Any:
    return [nest(depth - 1)] if depth > 0 else []


def tamper(given: dict[str, str]) -> dict[str, str]:
    content = bytearray(base64.b64decode(given["$bytes"]))
    content[len(content) // 2] ^= 1
    return {"$bytes": base64.b64encode(content).decode()}


MADE: dict[str, Callable[[Any], Any]] = {
    "$repeat": lambda given: given[0] * given[1],
    "$random": lambda length: Random(length).randbytes(length // 2).hex(),
    "$nest": nest,
    "$numbers": lambda count: list(range(count)),
    "$tamper": tamper,
}


class Play:
    """One run of a scenario."""

    def __init__(self, scenario: dict[str, Any], cast: dict[str, str], peers: Peers, folder: Path) -> None:
        self.scenario, self.cast, self.peers, self.folder = scenario, cast, peers, folder
        self.known: dict[str, Any] = {f"path_{name}": str(folder / name) for name in cast}
        self.drivers: dict[str, Driver] = {}

    def run(self, pool: Pool) -> None:
        roles = list(self.cast)
        if self.scenario.get("together"):
            self.drivers = dict.fromkeys(roles, pool.take([self.cast[roles[0]]])[0])
        else:
            self.drivers = dict(zip(roles, pool.take(list(self.cast.values())), strict=True))
        try:
            for step in [*self.given(), *self.scenario["steps"]]:
                self.step(step)
            if self.scenario.get("converges", True):
                self.converge(roles)
        except BaseException:
            for driver in self.drivers.values():
                driver.kill()
            raise
        finally:
            outside.undo(self.known)
        for driver in dict.fromkeys(self.drivers.values()):
            pool.give_back(driver)

    def given(self) -> list[dict[str, Any]]:
        """The steps before the first."""
        if "joined" not in self.scenario:
            return []
        first, *others = self.scenario["joined"]
        invite = {"op": "invite", "relay": "$relay", "auto_approve": True, "uses": len(others), "save": "given"}
        join = {"op": "join", "invite": "$given", "timeout_ms": JOIN_MS_MAX}
        return [
            {"by": first, "op": "create", "path": f"$path_{first}", "name": "Scenario"},
            {"by": first, **invite, "pick": "uri"},
            {"by": first, "op": "connect", "relay": "$relay"},
            *({"by": role, **join, "path": f"$path_{role}", "profile": role.upper()} for role in others),
            {"by": first, "op": "stop"},
            # A joiner is done once the relay holds its name; whether the link brought it to the first before it was
            # stopped is chance, and steps count entries.
            {"by": first, "op": "sync", "relay": "$relay"},
            {"by": others[-1], "op": "stats", "pick": "root", "save": "given_root"},
            {"by": first, "op": "stats", "pick": "root", "is": "$given_root"},
        ]

    def step(self, step: dict[str, Any]) -> None:
        if "all" in step:
            for role in self.cast:
                self.step({"by": role, "op": step["all"]} | {key: step[key] for key in step if key != "all"})
            return
        command = {key: self.filled(value) for key, value in step.items() if key not in CONTROL}
        if step["by"] == "runner":
            outside.do(command, self.known)
            return
        command = completed(command | {"by": step["by"]})
        driver = self.drivers[step["by"]]
        if command.get("op") == "advance":
            for one in dict.fromkeys(self.drivers.values()):
                Pool.advance(one, command["ms"])
            return
        if not step.get("finish"):
            driver.say(command)
        if not step.get("later"):
            self.judge(step, command, driver)

    def judge(self, step: dict[str, Any], command: dict[str, Any], driver: Driver) -> None:
        deadline = time.monotonic() + EVENTUALLY_SECONDS_MAX
        while True:
            answer = driver.hear()
            said = (driver.language, command, answer)
            if "error" in step:
                assert answer.get("error") == step["error"], said
                return
            assert "ok" in answer, said
            found = picked(timeless(answer["ok"]), step.get("pick", ""))
            if step.get("sorted"):
                found = sorted(found, key=json.dumps)
            if "at_most" in step:
                assert found <= step["at_most"], (driver.language, command, "answered", found)
            if "is" not in step or same(found, self.filled(step["is"])):
                break
            again = step.get("eventually") and time.monotonic() < deadline
            assert again, (driver.language, command, "answered", found, "not", self.filled(step["is"]))
            time.sleep(EVENTUALLY_STEP_SECONDS)
            driver.say(command)
        if "save" in step:
            self.known[step["save"]] = found

    def converge(self, roles: list[str]) -> None:
        """Whatever happened, everybody ends with the same entries and shows the same items."""
        for word in ("stop", "sync", "sync", "sync")[: None if len(roles) > 1 else 1]:
            for role in roles:
                self.step({"by": role, "op": word, "relay": "$relay"})
        roots = {role: self.ask(role, op="stats")["root"] for role in roles}
        assert len(set(roots.values())) == 1, roots
        views = {role: self.view(role) for role in roles}
        assert all(view == views[roles[0]] for view in views.values()), views

    def view(self, role: str) -> dict[str, Any]:
        """All items that a role shows."""
        shown = {}
        for database in self.ask(role, op="databases"):
            for name in self.ask(role, op="collections", database=database):
                for policy in ("lww", "document"):
                    command = {"by": role, "op": "all", "database": database, "in": name, "policy": policy}
                    answer = self.drivers[role].ask(command)
                    if answer.get("error") != "policy_conflict":
                        shown[f"{database}/{name}"] = answer["ok"]
        return shown

    def ask(self, role: str, **command: Any) -> Any:
        answer = self.drivers[role].ask(completed({"by": role, **command}))
        assert "ok" in answer, (self.drivers[role].language, command, answer)
        return answer["ok"]

    def filled(self, value: Any) -> Any:
        """A value of a scenario with what its names stand for."""
        if isinstance(value, str):
            whole = NAME.fullmatch(value)
            return self.meaning(whole[1]) if whole else NAME.sub(lambda name: str(self.meaning(name[1])), value)
        if isinstance(value, dict):
            if len(value) == 1 and (made := MADE.get(next(iter(value)))):
                return made(self.filled(*value.values()))
            return {key: self.filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(inner) for inner in value]
        return value

    def meaning(self, name: str) -> Any:
        return self.peers.address(name) if name in self.peers else self.known[name]


def completed(command: dict[str, Any]) -> dict[str, Any]:
    """A command with what is meant where nothing is said, so that no driver has to know it."""
    word = command.get("op", "")
    meant: dict[str, Any] = {"database": "main", "policy": "document" if word.startswith("doc_") else "lww"}
    if word in NEED_KEY and not KEYS & command.keys():
        meant["key_byte"] = KEY_BYTE
    command = meant | command
    if "writes" in command:
        command["writes"] = [meant | {"database": command["database"]} | write for write in command["writes"]]
    return command


def timeless(answer: Any) -> Any:
    """An answer without what is a time, which no scenario can know."""
    if isinstance(answer, dict):
        return {name: timeless(inner) for name, inner in answer.items() if name not in TIMES}
    return [timeless(inner) for inner in answer] if isinstance(answer, list) else answer


def picked(value: Any, path: str) -> Any:
    """The part of an answer that a path names."""
    head, _, rest = path.partition(".")
    if not head:
        return value
    if head == "*":
        return [picked(inner, rest) for inner in value]
    if head == "length":
        return len(value)
    if "," in head:
        return [picked(value[name], rest) for name in head.split(",")]
    return picked(value[int(head) if head.lstrip("-").isdigit() else head], rest)


def same(found: Any, expected: Any) -> bool:
    """Equal, and of the same types: 1 is not true, and 1 is 1.0 only for who counts so."""
    return bool(found == expected) and isinstance(found, bool) == isinstance(expected, bool)
