"""Tidelog at work: Python, Node and the command line share one workspace through a relay that sees nothing.

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
STORY = "[the second device was here]"


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


class NodeDevice:
    """The second device: a Node process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["node", str(ROOT / "demo" / "node_device.mjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def send(self, op: str, **fields: Any) -> None:
        assert self.process.stdin is not None
        print(json.dumps({"op": op, **fields}), file=self.process.stdin, flush=True)

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Failure("the Node device ended")
        result: dict[str, Any] = json.loads(line)
        if not result.pop("ok"):
            raise Failure(f"the Node device says {result['code']}: {result['message']}")
        return result

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        self.send(op, **fields)
        return self.answer()


def shell(*arguments: str | Path, allowed: tuple[int, ...] = (0,)) -> str:
    """The third device: the command line."""
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
    """A value as all three devices tell it: numbers beyond the integers of JavaScript are compared as text."""
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


def main() -> None:
    rows = records(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    relay = Relay()
    node = NodeDevice()
    say(f"\n1. A relay runs at {relay.url}. It holds no keys.")
    try:
        run(rows, relay, node)
    finally:
        node.process.kill()
        relay.process.kill()


def run(rows: list[dict[str, Any]], relay: Relay, node: NodeDevice) -> None:
    say(f"\n2. Python makes a workspace and imports {len(rows)} real records.")
    with tidelog.open(HOME / "python.tide", passphrase=PASSPHRASE, create=NAME) as workspace:
        database = workspace.database("main")
        packages = database.collection("packages")
        with timed("imported, durable"):
            packages.put_many({row["id"]: row for row in rows})
        check(packages.count() == len(rows), f"{packages.count()} records are there")

        say("\n3. A Node process joins with an invite and catches up.")
        invite = workspace.invite(relay.url, auto_approve=True, uses=2)
        link = workspace.connect(relay.url)
        link.wait_live(PATIENCE_S)
        with timed("joined and caught up"):
            joined = node.ask(
                "join", path=str(HOME / "node.tide"), passphrase=PASSPHRASE, invite=invite.uri, relay=relay.url
            )
            wait_until(lambda: node.ask("count")["count"] >= len(rows), "Node has the records")
        check(node.ask("count")["count"] == len(rows), f"Node has all {len(rows)} records of `{joined['name']}`")
        name = rows[len(rows) // 2]["name"]
        expected = {row["id"] for row in rows if row["name"] == name}
        found = node.ask("query", where={"name": {"eq": name}})["keys"]
        check(set(found) == expected, f"Node answers a query: {len(found)} named {name!r}")

        text = (ROOT / "README.md").read_text(encoding="utf-8")
        say("\n4. Python writes a text by small edits, each an entry of its own; Node receives them live.")
        document = database.collection("pages", policy="document").document("readme")
        pieces = [text[at : at + 2] for at in range(0, len(text), 2)]
        with timed(f"{len(pieces)} edits, each durable"):
            position = 0
            for piece in pieces:
                document.splice_text("text", position, 0, piece)
                position += len(piece)
        check(document.text("text") == text, "the document reads as the file does")
        with timed("until the last edit was in Node"):
            wait_until(lambda: node.ask("text")["text"] == text, "Node has the document")
        wait_until(lambda: node.ask("seen")["seen"] >= len(pieces), "Node was told of every edit")
        say(f"   ok: Node was told of {len(pieces)} changes as they came")

        say("\n5. The command line joins as a third device, and goes offline.")
        third = HOME / "shell.tide"
        shell("join", third, invite.uri, "--profile", "Shell")
        check(len(shell_view(third)) == len(rows), "the command line has all records too")

        say("\n6. All three edit at the same time; the relay is killed with -9 in the middle.")
        keys = [row["id"] for row in rows[:200]]
        mine, others = keys[: (len(keys) + 1) // 2], keys[(len(keys) + 1) // 2 :]
        node.send("note", keys=others, text="from Node")
        for key in mine[: len(mine) // 2]:
            packages.patch(key, {"note": "from Python"})
        relay.kill()
        say("   the relay is dead")
        for key in mine[len(mine) // 2 :]:
            packages.patch(key, {"note": "from Python"})
        for number in range(5):
            value = json.dumps({"name": f"made offline {number}", "note": "from the shell"})
            shell("put", third, "main/packages", f"offline-{number}", value)
        document.splice_text("text", 0, 0, "[the first device was here] ")
        node.answer()
        node.ask("append", text=STORY)
        say(f"   {link.pending} entries of Python wait for a relay")
        relay.start()
        say("   the relay runs again")
        with timed("until nothing waited any more"):
            wait_until(lambda: link.pending == 0, "Python's entries reach the relay")
            wait_until(lambda: node.ask("pending")["pending"] == 0, "Node's entries reach the relay")
        shell("sync", third, relay.url)

        say("\n7. All end up with the same.")
        total = len(rows) + 5
        wait_until(lambda: packages.count() == total, "Python hears of the shell's records")
        wait_until(lambda: node.ask("count")["count"] == total, "Node hears of the shell's records")
        shell("sync", third, relay.url)
        wait_until(lambda: str(workspace.stats().root) == node.ask("root")["root"], "Python and Node are equal")
        roots = {str(workspace.stats().root), node.ask("root")["root"], json.loads(shell("stats", third))["root"]}
        check(len(roots) == 1, f"equal roots: {roots.pop()[:16]}..")
        view = python_view(packages)
        check(len(view) == total and view == comparable(node.ask("view")["items"]), f"equal views of {total} records")
        check(view == shell_view(third), "and the command line's is the same, value by value")
        final = document.text("text") or ""
        third_text = json.loads(shell("get", third, "main/pages", "readme"))["text"]
        check(final == node.ask("text")["text"] == third_text, "the same document on all three")
        check(final.startswith("[the first device was here]") and STORY in final, "with the edits of both")
        notes = packages.count({"note": "from Python"}), packages.count({"note": "from Node"})
        check(notes == (len(mine), len(others)), "nothing is lost of what was written around the kill")

        say("\n8. What the relay has.")
        link.stop()
        node.ask("close")
        relay.stop()
        content = b"".join(file.read_bytes() for file in sorted(relay.folder.rglob("*")) if file.is_file())
        secrets = [*words_of(rows), text.encode()[200:240], b"from Python", b"packages", b"made offline"]
        secrets += [NAME.encode(), PASSPHRASE.encode()]
        leaks = [secret for secret in secrets if secret in content]
        check(not leaks, f"none of {len(secrets)} known plaintexts is in the relay's folder")
        own = b"".join(file.read_bytes() for file in sorted((HOME / "python.tide").rglob("*")) if file.is_file())
        check(not [secret for secret in secrets if secret in own], "nor in the device's own folder")
        say(f"   {workspace.stats().entries} entries; on disk: relay {folder_size(relay.folder)},")
        for device in ("python", "node", "shell"):
            say(f"     {device} {folder_size(HOME / f'{device}.tide')}")
    report = json.loads(shell("verify", third))
    check(report["damaged"] == 0, f"verify finds all {report['entries']} entries of the shell's log sound")
    say("\nDone. The folders are in target/demo; look inside.")


if __name__ == "__main__":
    try:
        main()
    except (Failure, tidelog.TidelogError) as failure:
        sys.exit(f"\nFAILED: {failure}")
