"""Workspaces on disk, and a relay that is a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tidelog

ROOT = Path(__file__).parents[2]
KEY = bytes(range(32))


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[tidelog.Workspace]:
    """An open workspace."""
    with tidelog.create(tmp_path / "notes.tide", "Field notes", key=KEY) as workspace:
        yield workspace


@pytest.fixture
def database(workspace: tidelog.Workspace) -> tidelog.Database:
    """A database of it."""
    return workspace.database("main")


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[str]:
    """The address of a relay that takes any workspace."""
    name = "tidelog-relay.exe" if os.name == "nt" else "tidelog-relay"
    program = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / name
    if not program.exists():
        pytest.skip(f"{name} is not built: cargo build -p tidelog-relay")
    command = [str(program), "--listen", "127.0.0.1:0", "--data", str(tmp_path / "relay"), "--open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            assert words[:2] == ["listening", "on"], words
            yield f"{words[2]}#{words[4]}"
        finally:
            process.terminate()


@pytest.fixture
def joined(tmp_path: Path, workspace: tidelog.Workspace, relay: str) -> Iterator[tidelog.Workspace]:
    """The workspace on a second device, of another user; both have a link to the relay."""
    workspace.connect(relay).wait_live(20)
    invite = workspace.invite(relay, auto_approve=True)
    with tidelog.join(tmp_path / "phone.tide", invite.uri, key=KEY, profile="phone", timeout=20) as other:
        other.connect(relay).wait_live(20)
        yield other


@pytest.fixture
def python(tmp_path: Path) -> Callable[[str], "subprocess.CompletedProcess[str]"]:
    """Runs a program in another interpreter, with `folder` and `key` defined."""

    def run(program: str) -> "subprocess.CompletedProcess[str]":
        head = f"import tidelog\nfolder = {str(tmp_path / 'other.tide')!r}\nkey = {KEY!r}\n"
        return subprocess.run(
            [sys.executable, "-X", "faulthandler", "-W", "ignore::DeprecationWarning", "-c", head + program],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
