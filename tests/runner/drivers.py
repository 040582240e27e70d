"""Driver processes: started when they are needed, and used again by one run after another."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
ANSWER_SECONDS_MAX = 60.0
"""A driver that does not answer for so long hangs."""


def commands() -> dict[str, list[str]]:
    """How the driver of each language is started, as far as it is there."""
    drivers = ROOT / "tests" / "drivers"
    found = {
        "rust": [str(TARGET / "examples" / "scenario_driver")],
        "python": [sys.executable, str(drivers / "driver.py")],
    }
    if (ROOT / "node" / "dist" / "index.js").exists():
        found["node"] = ["node", str(drivers / "driver.mjs")]
    kotlin = ROOT / "kotlin" / "target"
    if (kotlin / "test-classes" / "io" / "tidelog" / "scenarios").exists():
        parts = [kotlin / "test-classes", kotlin / "classes", kotlin / "libs" / "*"]
        java = ["java", "-Xshare:auto", "-XX:+UseSerialGC", "-cp", os.pathsep.join(map(str, parts))]
        found["kotlin"] = [*java, f"-Djna.library.path={TARGET}", "io.tidelog.scenarios.DriverKt"]
    if (swift := ROOT / "swift" / ".build" / "scenario-driver").exists():
        found["swift"] = [str(swift)]
    return found


class DriverError(AssertionError):
    """A driver that ended, hung or did not speak the words."""


class Driver:
    """A process that plays roles in one language."""

    def __init__(self, language: str, command: list[str]) -> None:
        self.language = language
        self.ahead_ms = 0
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
        )
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.errors: list[str] = []
        self.readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)]
        for reader in self.readers:
            reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)

    def say(self, command: dict[str, Any]) -> None:
        """Gives a command, whose answer is to be heard."""
        assert self.process.stdin is not None
        try:
            print(json.dumps(command), file=self.process.stdin, flush=True)
        except OSError as error:
            raise self._failed("ended") from error

    def hear(self) -> dict[str, Any]:
        """The answer to the command that was said."""
        try:
            line = self.lines.get(timeout=ANSWER_SECONDS_MAX)
        except queue.Empty:
            raise self._failed(f"did not answer within {ANSWER_SECONDS_MAX} s") from None
        if not line:
            raise self._failed("ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        self.say(command)
        return self.hear()

    def kill(self) -> None:
        """Ends it in the middle of whatever it does."""
        self.process.kill()
        self.process.wait()
        for thread in self.readers:
            thread.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()

    def _failed(self, how: str) -> DriverError:
        self.kill()
        return DriverError(f"the {self.language} driver {how}: {''.join(self.errors)[-2000:]}")

    def end(self) -> None:
        """Lets it end by itself."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        self.kill()


class Pool:
    """Drivers that wait for their next run."""

    def __init__(self, start: dict[str, list[str]]) -> None:
        self.start = start
        self.idle: dict[str, list[Driver]] = {language: [] for language in start}
        self.lock = threading.Lock()

    def take(self, languages: list[str]) -> list[Driver]:
        """A driver for each of the languages, all at the same time by the clock of tests."""
        with self.lock:
            taken = [self.idle[language].pop() if self.idle[language] else None for language in languages]
        drivers = [
            driver or Driver(language, self.start[language]) for driver, language in zip(taken, languages, strict=True)
        ]
        latest = max(driver.ahead_ms for driver in drivers)
        for driver in drivers:
            self.advance(driver, latest - driver.ahead_ms)
        return drivers

    @staticmethod
    def advance(driver: Driver, ms: int) -> None:
        if ms > 0:
            assert driver.ask({"op": "advance", "ms": ms}) == {"ok": None}
            driver.ahead_ms += ms

    def give_back(self, driver: Driver) -> None:
        """Keeps a driver for the next run. What it played is over."""
        assert driver.ask({"op": "reset"}) == {"ok": None}
        with self.lock:
            self.idle[driver.language].append(driver)

    def end(self) -> None:
        for drivers in self.idle.values():
            for driver in drivers:
                driver.end()
