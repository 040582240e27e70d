"""What happens to the folders of a workspace from outside: the steps of the role `runner`.

* `write`: makes a file at `path`, with `text`; `remove`: removes it.
* `copy`: copies the folder `path`, whose workspace is shut down, to `to`; `lose` removes the folder `path`.
* `flip`: inverts the byte at `at`, negative from the end, of the file `path`.
* `small_disk`: puts a file system of `bytes` at the folder `path`; `fill` leaves no room on it, `free` makes some.
* `freeze`: makes the folder `path` read-only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

MOUNTED = "mounted"
FILLER = "filler"


def do(command: dict[str, Any], known: dict[str, Any]) -> None:
    """Does one step. What has to be undone is remembered in `known`."""
    path = Path(command["path"])
    match command["op"]:
        case "copy":
            shutil.copytree(path, command["to"])
        case "lose":
            shutil.rmtree(path)
        case "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(command["text"])
        case "remove":
            path.unlink()
        case "flip":
            content = bytearray(path.read_bytes())
            content[command["at"]] ^= 0xFF
            path.write_bytes(content)
        case "fill":
            with contextlib.suppress(OSError), (path / FILLER).open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        case "free":
            (path / FILLER).unlink()
        case "small_disk":
            path.mkdir(parents=True)
            mount(known, path, "-t", "tmpfs", "-o", f"size={command['bytes']}", "tmpfs", str(path))
        case "freeze" if os.name == "posix" and os.geteuid() != 0:
            for file in [path, *path.rglob("*")]:
                file.chmod(file.stat().st_mode & ~0o222)
        case "freeze":
            mount(known, path, "--bind", str(path), str(path))
            subprocess.run(["mount", "-o", "remount,bind,ro", str(path)], check=True)
        case other:
            raise ValueError(f"the runner has no word {other}")


def mount(known: dict[str, Any], path: Path, *arguments: str) -> None:
    """Mounts, where that is allowed; elsewhere the scenario is skipped, and says so."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only the administrator of a Linux machine can mount a file system")
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"this machine mounts no file systems: {done.stderr.strip()}")
    known.setdefault(MOUNTED, []).append(str(path))


def undo(known: dict[str, Any]) -> None:
    """Takes back what would outlive the run."""
    for path in reversed(known.get(MOUNTED, [])):
        subprocess.run(["umount", "--lazy", path], check=True)
