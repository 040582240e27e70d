"""Every ability of the API and every error has a scenario, and every scenario runs in every language."""

import json
import re
import unittest

from checks.rust_source import ROOT

API = ROOT / "bindings" / "api" / "src"
DRIVERS = [
    *sorted((ROOT / "tests" / "drivers").glob("*.*")),
    *sorted((ROOT / "core" / "examples" / "scenario_driver").glob("*.rs")),
    *sorted((ROOT / "swift" / "Tests" / "ScenarioDriver").glob("*.swift")),
]
LINES_MAX = 150
"""A driver only translates; one that is longer does something else, too. Blank lines and comments do not count. Where a
language cannot call by name every word is a line, and a driver has a file for each topic: the limit is that of each."""
WIDTH_MAX = 130

NOT_SCENARIOS = {
    "Abandon.is_possible": "how hosts wait",
    "Abandon.abandon": "how hosts wait: tests of cancellation in each language",
    "Call.start": "how hosts wait",
    "Call.start_with": "how hosts wait",
    "Call.wait": "how hosts wait",
    "Call.wait_while": "how hosts wait: tests of Ctrl-C in Python",
    "Error.new": "only bindings make errors",
    "ErrorKind.code": "every scenario that fails compares it",
    "FileKeyStore.new": "only for tests of the API: bindings/api/tests/key_store.rs",
    "Key.from_store": "each platform has its own store: tests of key stores in each language",
    "Meter.stop": "how hosts give up: tests of cancellation in each language",
    "LinkState.name": "part of the words link_state and next",
    "LogLevel.name": "each host has its own log: tests of logging in each language",
    "fn.logs": "each host has its own log: tests of logging in each language",
    "fn.is_forked": "a process in the middle of a fork plays no role: python/tests/test_process.py",
    "fn.advance": "the clock of tests, not in a package",
}
"""Public functions that no scenario can be about, and why."""

UNREACHED = {
    "upgrade_needed": "no call of this version fails with it: a warning and a reason of exclusion have this name",
    "protocol": "only a peer that is a member and breaks the protocol: core/log/src/session/tests/misbehaviour.rs",
    "internal": "there would have to be a bug: bindings/api/src/call.rs",
    "forked": "a forked process plays no role: python/tests/test_process.py",
}
"""Codes that no program meets among sound peers, and where they are tested."""


def words():
    return json.loads((ROOT / "tests" / "words.json").read_text(encoding="utf-8"))["words"]


def scenarios():
    paths = sorted((ROOT / "tests" / "scenarios").glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def steps():
    return [step for scenario in scenarios().values() for step in scenario["steps"]]


def abilities():
    """The public functions of the API crate, as `Type.function`."""
    found = set()
    for path in sorted(API.rglob("*.rs")):
        kind = "fn"
        for line in path.read_text(encoding="utf-8").splitlines():
            if match := re.match(r" *impl(?:<[^>]*>)? (?:\w+(?:<[^>]*>)? for )?(\w+)", line):
                kind = match[1]
            if match := re.match(r"( *)pub (?:const )?(?:async )?fn (\w+)", line):
                found.add(f"{kind if match[1] else 'fn'}.{match[2]}")
    return found


class Scenarios(unittest.TestCase):
    def test_every_ability_of_the_api_has_a_scenario(self):
        used = {step.get("op") or step.get("all") for step in steps()}
        played = {ability for word, entry in words().items() if word in used for ability in entry["covers"]}
        self.assertEqual(sorted(abilities() - played - NOT_SCENARIOS.keys()), [])

    def test_no_exception_is_stale(self):
        self.assertEqual(sorted(NOT_SCENARIOS.keys() - abilities()), [])
        covered = {ability for entry in words().values() for ability in entry["covers"]}
        self.assertEqual(sorted(covered - abilities()), [])
        self.assertEqual(sorted(covered & NOT_SCENARIOS.keys()), [])

    def test_every_word_is_used_and_known(self):
        used = {step.get("op") or step.get("all") for step in steps() if step.get("by") != "runner"}
        # The runner itself says these.
        self.assertEqual(sorted(words().keys() - used - {"reset"}), [])
        self.assertEqual(sorted(used - words().keys()), [])

    def test_every_error_is_met_or_said_to_be_out_of_reach(self):
        errors = json.loads((ROOT / "tests" / "vectors" / "errors.json").read_text(encoding="utf-8"))
        codes = {error["code"] for error in errors["errors"]}
        met = {step["error"] for step in steps() if "error" in step}
        self.assertEqual(sorted(codes - met - UNREACHED.keys()), [])
        self.assertEqual(sorted(met & UNREACHED.keys()), [])
        self.assertEqual(sorted(met - codes), [])

    def test_every_scenario_runs_in_every_language(self):
        known = {"about", "roles", "joined", "together", "cast", "converges", "steps"}
        for name, scenario in scenarios().items():
            self.assertEqual(sorted(scenario.keys() - known), [], name)
            if "cast" in scenario:
                self.assertEqual(sorted(scenario["cast"]), sorted(scenario["roles"]), name)

    def test_drivers_are_short(self):
        for path in DRIVERS:
            lines = path.read_text(encoding="utf-8").splitlines()
            code = [line for line in lines if line.strip() and not line.lstrip().startswith(("//", "#", "/*", "*"))]
            self.assertLess(len(code), LINES_MAX, path.name)
            self.assertEqual([line for line in lines if len(line) > WIDTH_MAX], [], path.name)
