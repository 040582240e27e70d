"""Two devices: through a relay that is a process of its own, in one program, and log by log."""

from pathlib import Path

import pytest
import tidelog
from tidelog import aio


def test_a_device_joins_and_both_see_what_the_other_writes(
    workspace: tidelog.Workspace, joined: tidelog.Workspace
) -> None:
    assert joined.id == workspace.id
    assert joined.name == "Field notes"
    assert joined.me.role == "writer"
    assert [member.profile for member in joined.members() if member.me] == ["phone"]
    mine = workspace.database("main").collection("notes")
    theirs = joined.database("main").collection("notes")
    with theirs.watch() as watch:
        mine.put("a", {"from": "here"})
        event = next(watch)
    assert isinstance(event, tidelog.Event)
    assert (event.new, event.local, event.author) == ({"from": "here"}, False, workspace.me.device)
    with mine.watch() as watch:
        theirs.put("a", {"from": "there"})
        event = next(watch)
    assert isinstance(event, tidelog.Event)
    assert event.new == {"from": "there"}


def test_an_invite_can_wait_for_approval_and_be_withdrawn(
    tmp_path: Path, workspace: tidelog.Workspace, relay: str
) -> None:
    invite = workspace.invite(relay)
    assert invite.uri not in repr(invite)
    with pytest.raises(tidelog.TimeoutError):
        tidelog.join(f"{tmp_path}/phone.tide", invite.uri, key=bytes(32), profile="phone", timeout=0.5)
    request = workspace.requests()[0]
    assert (request.profile, request.role) == ("phone", "writer")
    workspace.approve(request)
    with tidelog.join(f"{tmp_path}/phone.tide", invite.uri, key=bytes(32), profile="phone", timeout=20) as phone:
        assert phone.id == workspace.id
    second = workspace.invite(relay)
    workspace.withdraw(second)
    assert second not in workspace.invites()
    with pytest.raises(tidelog.NotFoundError):
        workspace.withdraw("nothing")
    for damaged in ("", "tidelog:join?nothing"):
        with pytest.raises(tidelog.InviteInvalidError):
            tidelog.join(f"{tmp_path}/other.tide", damaged, key=bytes(32))


def test_a_link_tells_its_state(workspace: tidelog.Workspace, relay: str) -> None:
    with workspace.connect(relay) as link:
        link.wait_live(20)
        assert link.state == "live"
        assert link.last_error is None
        with link.events() as events:
            workspace.database("main").collection("notes").put("a", 1)
            assert isinstance(next(events), (tidelog.Progress, str))
    with pytest.raises(tidelog.ClosedError):
        link.wait_live(20)


def test_a_relay_that_is_not_there_is_a_network_error(workspace: tidelog.Workspace) -> None:
    nowhere = f"ws://127.0.0.1:9#{'00' * 32}"
    with pytest.raises(tidelog.NetworkError):
        workspace.sync(nowhere)
    with workspace.connect(nowhere) as link, pytest.raises(tidelog.TimeoutError):
        link.wait_live(0.1)
    with pytest.raises(tidelog.InvalidArgumentError):
        workspace.connect("http://example.org")


def test_two_replicas_in_one_program_become_equal(workspace: tidelog.Workspace, joined: tidelog.Workspace) -> None:
    mine, theirs = workspace.database("apart"), joined.database("apart")
    mine.collection("notes").put("a", 1)
    report = workspace.sync_with(joined)
    assert report.sent + report.received >= 0
    assert theirs.collection("notes").get("a") == 1
    assert workspace.stats().root == joined.stats().root


def test_logs_pull_push_and_tell_changes(workspace: tidelog.Workspace, joined: tidelog.Workspace) -> None:
    mine, theirs = workspace.database("apart").log(), joined.database("apart").log()
    notes = workspace.database("apart").collection("notes")
    notes.put("a", 1)
    notes.put("b", 1)
    start = mine.changes_since()
    notes.put("a", 2)
    notes.delete("b")
    later = mine.changes_since(start.cursor)
    assert {(change.kind, change.key) for change in later.items} == {("put", "a"), ("delete", "b")}
    assert mine.changes_since(later.cursor).items == []
    ids = mine.entry_ids()
    theirs.pull_from(mine)
    mine.push_to(theirs)
    mine.sync_with(theirs)
    assert theirs.missing(ids) == []
    assert joined.database("apart").collection("notes").get("a") == 2
    found = mine.entries([ids[0], "00" * 32])
    assert (len(found.entries), found.missing) == (1, ["00" * 32])
    assert theirs.append(found.entries[0]) is False
    for bad in (b"", b"no entry", found.entries[0][:-1]):
        with pytest.raises(tidelog.TidelogError):
            theirs.append(bad)
    with pytest.raises(tidelog.InvalidArgumentError):
        mine.missing(["no id"])
    with pytest.raises(tidelog.InvalidArgumentError):
        mine.changes_since("no cursor")


async def test_asyncio_syncs_too(tmp_path: Path, relay: str) -> None:
    async with aio.create(f"{tmp_path}/a.tide", "A", key=bytes(32)) as workspace:
        async with workspace.connect(relay) as link:
            await link.wait_live(20)
        report = await workspace.sync(relay)
        assert report.received == 0
