"""Tidelog at work: every language and the command line share one workspace through a relay that sees nothing.

Usage: main.py [records.json | records.json.gz]. Exits non-zero if anything it claims is not so.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tidelog

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "target" / "demo"
PROGRAMS = ROOT / "target" / "release"
PASSPHRASE = "a passphrase for the demo"
NAME = "Workspace of the demo"
"""Long enough not to be in random bytes by chance."""
PATIENCE_S = 60.0
DEVICES = ROOT / "target" / "demo-devices.json"
"""How the devices in other languages are started; scripts/demo_build.py says which of them there are, and why not."""


class Failure(Exception):
    """The demo does not show what it claims."""


def say(text: str) -> None:
    print(text, flush=True)


def check(holds: bool, claim: str) -> None:
    if not holds:
        raise Failure(claim)
    say(f"   ok: {claim}")


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    say(f"   {what}: {time.perf_counter() - started:.2f} s")


def wait_until(holds: Callable[[], bool], claim: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise Failure(f"not within {PATIENCE_S:.0f} s: {claim}")
        time.sleep(0.05)


def folder_size(folder: Path) -> str:
    return f"{sum(file.stat().st_size for file in folder.rglob('*') if file.is_file()) / 1_000_000:.1f} MB"


class Relay:
    """A real relay process that can be killed and started again on the same port."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = HOME / "relay"
        self.url = f"ws://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [PROGRAMS / "tidelog-relay", "--data", self.folder, "--listen", f"127.0.0.1:{self.port}", "--open"]
        self.process = subprocess.Popen(
            [*map(str, command), "--log-level", "error"], stdout=subprocess.PIPE, encoding="utf-8"
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("listening on"):
            raise Failure("the relay did not start")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        check(self.process.wait(timeout=30) == 0, "the relay ends in order when told to")


class Device:
    """A device of its own: a process in another language, which takes commands as JSON lines."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.folder = HOME / f"{name.lower()}.tide"
        self.story = f"[{name} was here]"
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")

    def send(self, op: str, **fields: Any) -> None:
        assert self.process.stdin is not None
        print(json.dumps({"op": op, **fields}), file=self.process.stdin, flush=True)

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"the {self.name} device ended")
        result: dict[str, Any] = json.loads(line)
        if not result.pop("ok"):
            raise Failure(f"the {self.name} device says {result['code']}: {result['message']}")
        return result

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        self.send(op, **fields)
        return self.answer()

    def until(self, op: str, holds: Callable[[Any], bool], claim: str) -> None:
        """Asks until the answer is as claimed."""
        wait_until(lambda: holds(self.ask(op)[op]), f"{self.name} {claim}")


def shell(*arguments: str | Path, allowed: tuple[int, ...] = (0,)) -> str:
    """The last device: the command line."""
    command = [str(PROGRAMS / "tidelog"), "--json", *map(str, arguments)]
    run = subprocess.run(
        command,
        env={**os.environ, "TIDELOG_PASSPHRASE": PASSPHRASE},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
    )
    if run.returncode not in allowed:
        raise Failure(f"tidelog {arguments[0]} ended with {run.returncode}: {run.stderr.strip()}")
    return run.stdout


def package_graph() -> list[dict[str, Any]]:
    """The packages of this very build, as cargo knows them."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    graph = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    return [
        {
            "id": f"{package['name']}@{package['version']}",
            "name": package["name"],
            "version": package["version"],
            "license": package["license"],
            "description": package["description"],
            "authors": package["authors"],
            "dependencies": sorted({dependency["name"] for dependency in package["dependencies"]}),
        }
        for package in graph["packages"]
    ]


def records(path: Path | None) -> list[dict[str, Any]]:
    if path is None:
        return package_graph()
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows = json.loads(data)
    except (OSError, EOFError, ValueError) as error:
        raise Failure(f"cannot read {path}: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not rows:
        raise Failure(f"{path} is not a JSON array of objects")
    for number, row in enumerate(rows):
        row.setdefault("name", row.get("title", ""))
        row["id"] = str(row.get("id") or f"{number:06}")
    if len({row["id"] for row in rows}) < len(rows):
        raise Failure(f"{path} has records with the same id")
    return rows


def words_of(rows: list[dict[str, Any]]) -> list[bytes]:
    """Plaintext that would show if it leaked."""
    texts = sorted({text for row in rows for text in row.values() if isinstance(text, str) and len(text) > 12})
    return [text.encode() for text in texts[:: max(1, len(texts) // 200)]]


def comparable(value: Any) -> Any:
    """A value as all devices tell it: numbers beyond the integers of JavaScript are compared as text."""
    if isinstance(value, dict):
        return {name: comparable(part) for name, part in value.items()}
    if isinstance(value, list):
        return [comparable(part) for part in value]
    if isinstance(value, (int, float)) and abs(value) >= 2**53:
        return str(int(value))
    return value


def python_view(packages: Any) -> dict[str, Any]:
    return {item.key: comparable(item.value) for item in packages.all()}


def shell_view(path: Path) -> dict[str, Any]:
    items = map(json.loads, shell("export", path, "main/packages").split("\n")[:-1])
    return {item["key"]: comparable(item["value"]) for item in items}


def listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def main() -> None:
    rows = records(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    there: dict[str, Any] = json.loads(DEVICES.read_text(encoding="utf-8"))
    for name, reason in there["missing"].items():
        say(f"Without a device in {name}: {reason}")
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    processes: list[Relay | Device] = []
    try:
        relay = Relay()
        processes.append(relay)
        devices = []
        for name, command in there["commands"].items():
            devices.append(Device(name, command))
            processes.append(devices[-1])
        say(f"\n1. A relay runs at {relay.url}. It holds no keys.")
        run(rows, relay, devices)
    finally:
        for one in processes:
            one.process.kill()
            one.process.wait()


def run(rows: list[dict[str, Any]], relay: Relay, devices: list[Device]) -> None:
    names = listed([device.name for device in devices])
    say(f"\n2. Python makes a workspace and imports {len(rows)} real records.")
    with tidelog.open(HOME / "python.tide", passphrase=PASSPHRASE, create=NAME) as workspace:
        database = workspace.database("main")
        packages = database.collection("packages")
        with timed("imported, durable"):
            packages.put_many({row["id"]: row for row in rows})
        check(packages.count() == len(rows), f"{packages.count()} records are there")

        say(f"\n3. {names} join with an invite and catch up.")
        invite = workspace.invite(relay.url, auto_approve=True, uses=1 + len(devices))
        link = workspace.connect(relay.url)
        link.wait_live(PATIENCE_S)
        name = rows[len(rows) // 2]["name"]
        expected = {row["id"] for row in rows if row["name"] == name}
        for device in devices:
            with timed(f"{device.name} joined and caught up"):
                joined = device.ask(
                    "join", path=str(device.folder), passphrase=PASSPHRASE, invite=invite.uri, relay=relay.url
                )
                device.until("count", lambda count: count >= len(rows), "has the records")
            check(device.ask("count")["count"] == len(rows), f"{device.name} has all records of `{joined['name']}`")
            found = device.ask("query", name=name)["keys"]
            check(set(found) == expected, f"{device.name} answers a query: {len(found)} named {name!r}")

        text = (ROOT / "README.md").read_text(encoding="utf-8")
        say(f"\n4. Python writes a text by small edits, each an entry of its own; {names} receive them live.")
        document = database.collection("pages", policy="document").document("readme")
        pieces = [text[at : at + 2] for at in range(0, len(text), 2)]
        with timed(f"{len(pieces)} edits, each durable"):
            position = 0
            for piece in pieces:
                document.splice_text("text", position, 0, piece)
                position += len(piece)
        check(document.text("text") == text, "the document reads as the file does")
        with timed("until the last edit was everywhere"):
            for device in devices:
                device.until("text", lambda shown: shown == text, "has the document")
        for device in devices:
            device.until("seen", lambda seen: seen >= len(pieces), "was told of every edit")
        say(f"   ok: {names} were told of {len(pieces)} changes as they came")

        say("\n5. The command line joins as another device, and goes offline.")
        last = HOME / "shell.tide"
        shell("join", last, invite.uri, "--profile", "Shell")
        check(len(shell_view(last)) == len(rows), "the command line has all records too")

        say("\n6. All edit at the same time; the relay is killed with -9 in the middle.")
        keys = [row["id"] for row in rows[:200]]
        mine, *others = (keys[first :: 1 + len(devices)] for first in range(1 + len(devices)))
        for device, share in zip(devices, others, strict=True):
            device.send("note", keys=share, text=f"from {device.name}")
        for key in mine[: len(mine) // 2]:
            packages.patch(key, {"note": "from Python"})
        relay.kill()
        say("   the relay is dead")
        for key in mine[len(mine) // 2 :]:
            packages.patch(key, {"note": "from Python"})
        for number in range(5):
            value = json.dumps({"name": f"made offline {number}", "note": "from the shell"})
            shell("put", last, "main/packages", f"offline-{number}", value)
        document.splice_text("text", 0, 0, "[Python was here] ")
        for device in devices:
            device.answer()
            device.ask("append", text=device.story)
        say(f"   {link.pending} entries of Python wait for a relay")
        relay.start()
        say("   the relay runs again")
        with timed("until nothing waited any more"):
            wait_until(lambda: link.pending == 0, "Python's entries reach the relay")
            for device in devices:
                device.until("pending", lambda pending: pending == 0, "has nothing left to send")
        shell("sync", last, relay.url)

        say("\n7. All end up with the same.")
        total = len(rows) + 5
        wait_until(lambda: packages.count() == total, "Python hears of the shell's records")
        for device in devices:
            device.until("count", lambda count: count == total, "hears of the shell's records")
        shell("sync", last, relay.url)
        for device in devices:
            device.until("root", lambda root: root == workspace.stats().root, "is equal")
        roots = {workspace.stats().root, json.loads(shell("stats", last))["root"]}
        roots |= {device.ask("root")["root"] for device in devices}
        check(len(roots) == 1, f"equal roots on {2 + len(devices)} devices: {roots.pop()[:16]}..")
        view = python_view(packages)
        check(len(view) == total, f"Python shows {total} records")
        for device in devices:
            check(view == comparable(device.ask("view")["items"]), f"{device.name} shows the same, value by value")
        check(view == shell_view(last), "and so does the command line")
        final = document.text("text") or ""
        texts = {final, json.loads(shell("get", last, "main/pages", "readme"))["text"]}
        texts |= {device.ask("text")["text"] for device in devices}
        check(len(texts) == 1, "the same document everywhere")
        stories = [device.story for device in devices]
        check(
            final.startswith("[Python was here]") and all(story in final for story in stories), "with everybody's edits"
        )
        shares = {"Python": len(mine)} | {one.name: len(share) for one, share in zip(devices, others, strict=True)}
        notes = {name: packages.count({"note": f"from {name}"}) for name in shares}
        check(notes == shares, "nothing is lost of what was written around the kill")

        say("\n8. What the relay has.")
        link.stop()
        for device in devices:
            device.ask("close")
        relay.stop()
        content = b"".join(file.read_bytes() for file in sorted(relay.folder.rglob("*")) if file.is_file())
        secrets = [*words_of(rows), text.encode()[200:240], b"from Python", b"packages", b"made offline"]
        secrets += [NAME.encode(), PASSPHRASE.encode()]
        leaks = [secret for secret in secrets if secret in content]
        check(not leaks, f"none of {len(secrets)} known plaintexts is in the relay's folder")
        own = b"".join(file.read_bytes() for file in sorted((HOME / "python.tide").rglob("*")) if file.is_file())
        check(not [secret for secret in secrets if secret in own], "nor in the device's own folder")
        say(f"   {workspace.stats().entries} entries; on disk: relay {folder_size(relay.folder)},")
        for folder in (HOME / "python.tide", *(device.folder for device in devices), last):
            say(f"     {folder.stem} {folder_size(folder)}")
    report = json.loads(shell("verify", last))
    check(report["damaged"] == 0, f"verify finds all {report['entries']} entries of the shell's log sound")
    say("\nDone. The folders are in target/demo; look inside.")


if __name__ == "__main__":
    try:
        main()
    except (Failure, tidelog.TidelogError) as failure:
        sys.exit(f"\nFAILED: {failure}")
    except KeyboardInterrupt:
        sys.exit("\nended before its end")
