"""Circles, roles, removals, joining by hand and logs at relays: records are given as they came."""

from pathlib import Path
from typing import Any

import pytest
import tidelog
from conftest import KEY
from tidelog import _shape, aio


def test_circles_and_members_are_given_as_they_came(workspace: tidelog.Workspace, joined: tidelog.Workspace) -> None:
    circle = workspace.create_circle("Board")
    assert (circle.name, circle.history, circle.recoverable, circle.readable) == ("Board", "full", True, True)
    assert circle.members == [tidelog.CircleMember(workspace.me.user, "writer")]
    other = next(member for member in workspace.members() if not member.me)
    workspace.add_to_circle(circle, other, "reader")
    minutes = workspace.database("minutes", circle=circle).collection("minutes")
    minutes.put("1", "in the circle")
    workspace.sync_with(joined)
    assert joined.circles() == workspace.circles()
    assert joined.databases(circle) == ["minutes"]
    assert joined.databases() == []
    assert joined.database("minutes", circle.id).collection("minutes").get("1") == "in the circle"
    assert joined.database("minutes").collection("minutes").get("1") is None
    with pytest.raises(tidelog.NotAuthorizedError):
        joined.database("minutes", circle).collection("minutes").put("2", 2)
    workspace.remove_from_circle(circle, tidelog.CircleMember(other.user, "reader"))
    assert [member.user for member in workspace.circles()[0].members] == [workspace.me.user]
    with pytest.raises(tidelog.InvalidArgumentError):
        workspace.database("minutes", circle="no id")


def test_a_circle_is_made_as_it_is_said(workspace: tidelog.Workspace) -> None:
    circle = workspace.create_circle("Board", history="from_join", recoverable=False)
    assert (circle.history, circle.recoverable) == ("from_join", False)
    with pytest.raises(tidelog.InvalidArgumentError):
        workspace.create_circle("Board", history="none")  # type: ignore[arg-type]


def test_the_policy_of_keys_has_bounds(workspace: tidelog.Workspace) -> None:
    assert workspace.policy == tidelog.KeyPolicy(rotate_days=90, rotate_entries=2**20)
    workspace.set_policy(rotate_days=2**16 - 1, rotate_entries=2**32 - 1)
    assert workspace.policy == tidelog.KeyPolicy(2**16 - 1, 2**32 - 1)
    workspace.set_policy(rotate_days=0, rotate_entries=0)
    assert workspace.policy == tidelog.KeyPolicy(0, 0)
    wrong: list[tuple[Any, Any]] = [(2**16, 1), (1, 2**32), (-1, 1), (1, -1), (1.5, 1), ("1", 1)]
    for days, entries in wrong:
        with pytest.raises(tidelog.InvalidArgumentError):
            workspace.set_policy(rotate_days=days, rotate_entries=entries)


def test_a_member_is_demoted_and_removed(workspace: tidelog.Workspace, joined: tidelog.Workspace) -> None:
    workspace.sync_with(joined)
    other = next(member for member in workspace.members() if not member.me)
    workspace.set_role(other, "reader")
    assert [member.role for member in workspace.members() if not member.me] == ["reader"]
    with pytest.raises(tidelog.InvalidArgumentError):
        workspace.set_role(other, "king")  # type: ignore[arg-type]
    report = workspace.remove_user(other)
    assert (report.claimed, report.keys_renewed, report.advice) == (0, True, None)
    assert [member.me for member in workspace.members()] == [True]
    assert workspace.excluded() == []
    assert workspace.warnings() == []
    device = joined.me.device
    with pytest.raises(tidelog.NotFoundError):
        workspace.remove_device(device)
    with pytest.raises(tidelog.NotFoundError):
        workspace.accept_excluded(device)


def test_a_deferred_entry_has_a_date() -> None:
    record = {"entry": "e", "device": "d", "user": None, "database": "", "seq": 1, "reason": "deferred", "due_ms": 1000}
    due = _shape.excluded_entry(dict(record)).due
    assert due is not None
    assert due.timestamp() == 1
    assert _shape.excluded_entry(record | {"due_ms": None}).due is None


def test_a_device_joins_by_hand(tmp_path: Path, workspace: tidelog.Workspace) -> None:
    circle = workspace.create_circle("Board")
    workspace.database("minutes", circle).collection("minutes").put("1", 1)
    invite = workspace.invite(role="reader", uses=2, circles=[circle])
    assert (invite.relay, invite.role, invite.uses_left, invite.circles) == (None, "reader", 2, [circle.id])
    assert invite.uri not in repr(invite)
    phone = tmp_path / "phone.tide"
    letter = tidelog.ask_to_join(phone, invite.uri, key=KEY, profile="phone")
    assert isinstance(letter, bytes)
    request = workspace.receive_request(letter)
    assert (request.profile, request.role, request.circles) == ("phone", "reader", [circle.id])
    assert workspace.requests() == [request]
    with pytest.raises(tidelog.NotAdmittedError):
        workspace.welcome(request)
    workspace.approve(request)
    with tidelog.finish_joining(phone, workspace.welcome(request), key=KEY) as other:
        assert other.me.role == "reader"
        assert other.database("minutes", circle).collection("minutes").get("1") == 1
    assert [held.uses_left for held in workspace.invites()] == [1]
    for wrong in (letter, b"", b"no welcome"):
        with pytest.raises(tidelog.TidelogError):
            tidelog.finish_joining(tmp_path / "other.tide", wrong, key=KEY)


def test_what_an_invite_cannot_say_is_refused(workspace: tidelog.Workspace) -> None:
    with pytest.raises(tidelog.InvalidArgumentError):
        workspace.invite(uses=-1)
    with pytest.raises(tidelog.InvalidArgumentError):
        workspace.invite(circles=workspace.create_circle("Board").id)


def test_the_log_at_a_relay_is_read_and_written_there(workspace: tidelog.Workspace, relay: str) -> None:
    database = workspace.database("main")
    database.collection("notes").put("a", 1)
    here, there = database.log(), database.log().at(relay)
    assert there.entry_ids() == []
    ids = here.entry_ids()
    assert there.missing(ids) == ids
    entry = here.entries(ids).entries[0]
    assert [there.append(entry), there.append(entry)] == [True, False]
    assert there.entries(ids).entries == [entry]
    changes = there.changes_since()
    assert [(change.kind, change.key) for change in changes.items] == [("put", "a")]
    assert there.changes_since(changes.cursor).items == []
    with pytest.raises(tidelog.InvalidArgumentError):
        here.at("nonsense")


async def test_asyncio_has_circles_members_and_logs_at_relays(tmp_path: Path, relay: str) -> None:
    async with aio.create(tmp_path / "a.tide", "A", key=KEY) as workspace:
        circle = await workspace.create_circle("Board")
        await workspace.set_policy(rotate_days=1, rotate_entries=2)
        assert workspace.policy == tidelog.KeyPolicy(1, 2)
        await workspace.database("main", circle).collection("notes").put("a", 1)
        assert await workspace.databases(circle) == ["main"]
        log = workspace.database("main", circle).log()
        await log.push_to(relay)
        assert await log.at(relay).missing(await log.entry_ids()) == []
        invite = await workspace.invite(circles=[circle], auto_approve=True)
        letter = await aio.ask_to_join(tmp_path / "b.tide", invite.uri, key=KEY, profile="b")
        request = await workspace.receive_request(letter)
        async with aio.finish_joining(tmp_path / "b.tide", await workspace.welcome(request), key=KEY) as other:
            assert await other.circles() == await workspace.circles()
            await workspace.sync_with(other)
            member = next(member for member in await workspace.members() if not member.me)
            await workspace.remove_from_circle(circle, member)
            await workspace.add_to_circle(circle, member, "reader")
            await workspace.set_role(member, "reader")
            assert (await workspace.remove_device(other.me.device)).keys_renewed
            assert (await workspace.remove_user(member)).advice is None
            assert [await workspace.excluded(), await workspace.warnings()] == [[], []]
            with pytest.raises(tidelog.NotFoundError):
                await workspace.accept_excluded(other.me.device)
