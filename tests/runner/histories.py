"""Random histories as scenarios: what several roles do offline and between syncs, made from a seed."""

from __future__ import annotations

from random import Random
from typing import Any

KEYS = ["a", "b", "c", "d", "e"]
TEXTS = ["tide", "é", "👩‍🚀", "ß\u0301", "", "東京"]
STEPS_MIN, STEPS_MAX = 15, 40


def history(random: Random) -> dict[str, Any]:
    """A scenario of two or three roles that join and then do as chance wants, with a good end."""
    roles = ["a", "b", "c"][: random.choice([2, 3])]
    steps = [step(random, random.choice(roles)) for _ in range(random.randint(STEPS_MIN, STEPS_MAX))]
    # Texts and lists are edited by one role each, so that positions in them are known to be there.
    start = [edit("splice_text", "body", position=0, delete=0, text="begin"), edit("set", "list", value=[0])]
    begin = [{"by": role, "op": "doc_edit", "in": "pages", "key": role, "edits": start} for role in roles]
    return {
        "about": "Whatever several devices do, they end with the same",
        "roles": roles,
        "joined": roles,
        "steps": [*begin, *(one for some in steps for one in some)],
    }


def edit(kind: str, at: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "at": at, **fields}


def value(random: Random) -> Any:
    kinds: list[Any] = [
        None,
        random.choice([True, False]),
        random.randint(-(2**53) + 1, 2**53 - 1),
        random.uniform(-1e9, 1e9),
        random.choice(TEXTS),
        {"$bytes": "AP8="},
        [random.choice(TEXTS), random.randint(0, 9)],
        {"title": random.choice(TEXTS), "n": random.randint(0, 9)},
    ]
    return random.choice(kinds)


def step(random: Random, role: str) -> list[dict[str, Any]]:
    """What one role does next."""
    key = random.choice(KEYS)
    item = {"by": role, "in": "items", "key": key}
    page = {"by": role, "op": "doc_edit", "in": "pages", "key": random.choice(["shared", role])}
    fields = [edit("set", f"field_{key}", value=value(random)), edit("increment", "views", by=random.randint(-5, 5))]
    own = {"by": role, "op": "doc_edit", "in": "pages", "key": role}
    typed = edit("splice_text", "body", position=random.randint(0, 5), delete=0, text=random.choice(TEXTS))
    listed = edit("insert", "list", position=random.randint(0, 1), value=value(random))
    writes = [{"op": "put", "in": name, "key": key, "value": value(random)} for name in ("items", "others")]
    choices: list[list[dict[str, Any]]] = [
        [{**item, "op": "put", "value": value(random)}],
        [{**item, "op": "put", "value": {"n": random.randint(0, 9), "title": random.choice(TEXTS)}}],
        [{**item, "op": "delete"}],
        [{"by": role, "op": "update", "in": "counts", "key": key, "add": random.randint(1, 9)}],
        [{"by": role, "op": "put", "in": "status", "of": "me", "key": key, "value": value(random)}],
        [{"by": role, "op": "insert", "in": "new", "value": {"title": random.choice(TEXTS)}}],
        [{"by": role, "op": "put_many", "in": "many", "items": [{"key": k, "value": value(random)} for k in KEYS]}],
        [{"by": role, "op": "transaction", "writes": [*writes, {"op": "delete", "in": "items", "key": "a"}]}],
        [{**page, "edits": fields[: random.randint(1, 2)]}],
        [{**own, "edits": [typed]}],
        [{**own, "edits": [listed]}],
        [{"by": role, "op": "sync", "relay": "$relay"}],
        [{"by": role, "op": "sync", "relay": "$relay"}],
        [{"by": role, "op": "shutdown"}, {"by": role, "op": "open", "path": f"$path_{role}"}],
        [{"by": role, "op": "advance", "ms": random.randint(1, 1000)}],
    ]
    return random.choice(choices)
