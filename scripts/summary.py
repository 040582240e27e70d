"""Counts of a test run, read from what each test runner prints.

Pure functions over the printed lines; they know nothing of processes. Each returns the tests counted, and `settle`
turns a bad exit without a counted failure into a failure.
"""

import re
from dataclasses import dataclass


@dataclass
class Tally:
    """How many tests passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


CARGO_TARGET = re.compile(r"^\s*(Running (unittests |tests/|benches/|`)|Doc-tests )")
CARGO_RESULT = re.compile(r"^test result: \S+ (\d+) passed; (\d+) failed; (\d+) ignored;")


def cargo(lines: list[str]) -> Tally:
    """`cargo test`: one result line or more for each target; a target without any died on the way and failed."""
    tally, open_target = Tally(), False
    for line in lines:
        if CARGO_TARGET.match(line):
            tally.failed += open_target
            open_target = True
        elif match := CARGO_RESULT.match(line):
            tally += Tally(*map(int, match.groups()))
            open_target = False
    tally.failed += open_target
    return tally


PYTEST_WORDS = {
    "passed": "passed", "xpassed": "passed", "failed": "failed", "error": "failed", "errors": "failed",
    "skipped": "skipped", "xfailed": "skipped",
}  # fmt: skip


def pytest(lines: list[str]) -> Tally:
    """`pytest`: the last line that ends in `in 1.23s`."""
    tally = Tally()
    for line in reversed(lines):
        if re.search(r" in \d+\.\d+s", line):
            for count, word in re.findall(r"(\d+) (\w+)", line.split(" in ")[0]):
                if word in PYTEST_WORDS:
                    field = PYTEST_WORDS[word]
                    setattr(tally, field, getattr(tally, field) + int(count))
            break
    return tally


def unittest(lines: list[str]) -> Tally:
    """`python -m unittest`: `Ran N tests`, then `OK` or `FAILED`, with what did not pass in brackets."""
    ran = bad = skipped = 0
    for line in lines:
        if match := re.match(r"Ran (\d+) tests? in ", line):
            ran = int(match[1])
        elif re.match(r"(OK|FAILED)\b", line):
            counts = {word: int(count) for word, count in re.findall(r"(\w+)=(\d+)", line)}
            bad = counts.get("failures", 0) + counts.get("errors", 0)
            skipped = counts.get("skipped", 0)
    return Tally(max(ran - bad - skipped, 0), bad, skipped)


def node(lines: list[str]) -> Tally:
    """`node --test`: a closing block of `pass 3`, `fail 0` and so on, each after a one-character mark."""
    counts = {}
    for line in lines:
        if match := re.match(r"^\S+ (pass|fail|cancelled|skipped|todo) (\d+)$", line):
            counts[match[1]] = int(match[2])
    return Tally(
        counts.get("pass", 0),
        counts.get("fail", 0) + counts.get("cancelled", 0),
        counts.get("skipped", 0) + counts.get("todo", 0),
    )


SWIFT_TEST = re.compile(r"^\S+ +Test (?!run with )\S.* (passed|failed) after [\d.]+ seconds")
SWIFT_SKIPPED = re.compile(r"^\S+ +Test (?!run with )\S.* skipped(:|\.)")


def swift(lines: list[str]) -> Tally:
    """`swift test`: a line for each test that ended. Suites and the whole run have lines of the same form."""
    tally = Tally()
    for line in lines:
        if match := SWIFT_TEST.match(line):
            tally += Tally(match[1] == "passed", match[1] == "failed")
        elif SWIFT_SKIPPED.match(line):
            tally.skipped += 1
    return tally


SUREFIRE_SUM = re.compile(r"^\[\w+\] Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)$")


def surefire(lines: list[str]) -> Tally:
    """`mvn test`: a line without a time is the sum of one run; those of the classes name a time and the class."""
    tally = Tally()
    for line in lines:
        if match := SUREFIRE_SUM.match(line):
            ran, failures, errors, skipped = map(int, match.groups())
            tally += Tally(ran - failures - errors - skipped, failures + errors, skipped)
    return tally


def settle(tally: Tally, exit_code: int) -> Tally:
    """A bad exit that counted no failure is a crash; a good exit that counted no test ran nothing: both fail."""
    if tally.failed == 0 and (exit_code != 0 or tally == Tally()):
        return tally + Tally(failed=1)
    return tally
