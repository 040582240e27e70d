"""Passphrases, backups and recovery for asyncio; the synchronous words are played by the scenarios."""

from pathlib import Path

import pytest
import tidelog
from conftest import KEY


async def test_what_is_backed_up_and_what_words_stand_for_comes_back(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    async with tidelog.aio.open(tmp_path / "a", key=KEY, create="Notes") as workspace:
        await workspace.database("main").collection("t").put("1", {"n": 1})
        await workspace.change_passphrase(passphrase="second", old=KEY)
        words = await workspace.recovery_words()
        await workspace.confirm_recovery_words(words)
        with pytest.raises(tidelog.NotFoundError):
            await workspace.recovery_words()
        paper = await workspace.add_recovery_device()
        report = await workspace.backup(tmp_path / "b", progress=lambda *step: heard.append(step))
        assert report.key == "workspace"
        assert heard[-1] == (report.bytes, report.bytes)
    info = await tidelog.aio.verify_backup(tmp_path / "b", passphrase="second")
    assert info.problems == []
    async with tidelog.aio.restore(tmp_path / "b", tmp_path / "c", backup_passphrase="second", key=KEY) as copy:
        assert copy.restored
        with pytest.raises(tidelog.RestoredError):
            await copy.database("main").collection("t").put("2", {"n": 2})
        await copy.confirm_only_copy()
        assert not copy.restored
        await copy.database("main").collection("t").put("2", {"n": 2})
    for number, recovered in enumerate((words, paper)):
        path = tmp_path / f"d{number}"
        async with tidelog.aio.recover(path, recovered, key=KEY, folder=tmp_path / "b") as workspace:
            assert await workspace.database("main").collection("t").get("1") == {"n": 1}
            assert workspace.me.role == "owner"


def test_whoever_hears_of_progress_can_end_a_backup(tmp_path: Path) -> None:
    def stop(_done: int, _total: int) -> None:
        raise LookupError

    with tidelog.open(tmp_path / "a", key=KEY, create="Notes") as workspace:
        with pytest.raises(LookupError):
            workspace.backup(tmp_path / "b", progress=stop)
        workspace.backup(tmp_path / "b", passphrase="shelf")
    assert tidelog.verify_backup(tmp_path / "b", passphrase="shelf").problems == []


async def test_what_progress_raises_in_asyncio_comes_once_the_backup_has_ended(tmp_path: Path) -> None:
    def stop(_done: int, _total: int) -> None:
        raise LookupError

    async with tidelog.aio.open(tmp_path / "a", key=KEY, create="Notes") as workspace:
        with pytest.raises(LookupError):
            await workspace.backup(tmp_path / "b", progress=stop)
        await workspace.backup(tmp_path / "b", passphrase="shelf")
    assert (await tidelog.aio.verify_backup(tmp_path / "b", passphrase="shelf")).problems == []


def test_a_place_to_recover_from_is_a_folder_or_a_relay(tmp_path: Path) -> None:
    words = " ".join(["abandon"] * 23 + ["art"])
    with pytest.raises(tidelog.InvalidArgumentError):
        tidelog.recover(tmp_path / "a", words, key=KEY)
    with pytest.raises(tidelog.InvalidArgumentError):
        tidelog.recover(tmp_path / "a", words, key=KEY, folder=tmp_path, relay="ws://127.0.0.1:1")
    with pytest.raises(tidelog.NotAWorkspaceError):
        tidelog.recover(tmp_path / "a", words, key=KEY, folder=tmp_path)
