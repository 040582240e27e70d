"""Keys that stores of the platform keep."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import tidelog
from tidelog import aio


class Memory:
    """Keeps the key as long as the test lasts."""

    def __init__(self) -> None:
        self.key: bytes | None = None

    def load(self) -> bytes | None:
        return self.key

    def store(self, key: bytes) -> None:
        self.key = key


class KeyFile:
    """Keeps the key in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> bytes | None:
        return self.path.read_bytes() if self.path.exists() else None

    def store(self, key: bytes) -> None:
        self.path.write_bytes(key)


def test_a_store_keeps_the_key_that_a_new_workspace_gets(tmp_path: Path) -> None:
    key = KeyFile(tmp_path / "key")
    with tidelog.open(tmp_path / "notes", key=key, create="Notes") as workspace:
        workspace.database("main").collection("notes").put("a", 1)
    assert len(key.path.read_bytes()) == 32
    with tidelog.open(tmp_path / "notes", key=key) as workspace:
        assert workspace.database("main").collection("notes").get("a") == 1


def test_a_store_that_lost_the_key_does_not_get_another_one(tmp_path: Path) -> None:
    tidelog.create(tmp_path / "notes", "Notes", key=Memory()).shutdown()
    empty = Memory()
    with pytest.raises(tidelog.WrongKeyError):
        tidelog.open(tmp_path / "notes", key=empty, create="Notes")
    assert empty.key is None


async def test_asyncio_asks_a_store_too(tmp_path: Path) -> None:
    key = Memory()
    async with aio.open(tmp_path / "notes", key=key, create="Notes"):
        assert key.key is not None


def test_what_a_store_raises_is_the_error_of_the_call(tmp_path: Path) -> None:
    class Locked(Memory):
        def load(self) -> bytes | None:
            raise OSError("the keychain is locked")

    class Wrong(Memory):
        def load(self) -> bytes | None:
            raise tidelog.WrongKeyError("not this one")

    with pytest.raises(tidelog.IoError, match="OSError: the keychain is locked"):
        tidelog.create(tmp_path / "notes", "Notes", key=Locked())
    with pytest.raises(tidelog.WrongKeyError, match="not this one"):
        tidelog.create(tmp_path / "notes", "Notes", key=Wrong())


def test_the_keyring_of_the_system_keeps_keys_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[tuple[str, str], str] = {}
    package = SimpleNamespace(
        get_password=lambda service, user: kept.get((service, user)),
        set_password=lambda service, user, text: kept.update({(service, user): text}),
    )
    monkeypatch.setitem(sys.modules, "keyring", package)
    tidelog.create(tmp_path / "notes", "Notes", key=tidelog.keyring("notes", "ada")).shutdown()
    assert list(kept) == [("notes", "ada")]
    tidelog.open(tmp_path / "notes", key=tidelog.keyring("notes", "ada")).shutdown()
    kept["notes", "ada"] = "no key!"
    with pytest.raises(tidelog.CorruptError):
        tidelog.open(tmp_path / "notes", key=tidelog.keyring("notes", "ada"))


def test_without_the_package_keyring_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(tidelog.InvalidArgumentError, match="install the package `keyring`"):
        tidelog.keyring("notes", "ada")
