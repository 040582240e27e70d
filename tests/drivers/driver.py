"""Plays roles of the cross-language scenarios in Python; the words are in tests/words.json."""

import base64
import json
import sys
from collections import defaultdict
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import tidelog
from tidelog import _tidelog  # Only for the clock of tests, which no released package has.

WORDS = json.loads((Path(__file__).parents[1] / "words.json").read_text(encoding="utf-8"))["words"]
NAMES = {"timeout_ms": "timeout", "expires_in_ms": "expires"}
LINK_EVENTS = {tidelog.Progress: "progress", tidelog.LinkFailure: "failed", tidelog.WorkspaceWarning: "warned"}


@dataclass
class Record:
    id: str
    title: str
    when: datetime | None
    uid: UUID
    price: Decimal
    big: int
    data: bytes
    done: bool = False


class KeyFile:
    """A store that keeps the key in a file."""

    def __init__(self, path):
        self.path = Path(path)

    def load(self):
        return self.path.read_bytes() if self.path.exists() else None

    def store(self, key):
        self.path.write_bytes(key)


class Role:
    def __init__(self):
        self.package, self.workspace, self.link, self.streams = tidelog, None, None, {}

    def on(self, name, c):
        """What a word is a call of."""
        if name in ("package", "workspace", "link"):
            return getattr(self, name)
        if name == "stream":
            return self.streams[c["stream"]]
        database = self.workspace.database(c["database"], c.get("circle"))
        if name in ("database", "log"):
            return database if name == "database" else database.log()
        if name == "remote_log":
            return database.log().at(c["relay"])
        model = Record if name == "records" else None
        found = database.collection(c["in"], model, key=c.get("key_field"), policy=c["policy"])
        if "of" in c:
            found = found.own() if c["of"] == "me" else found.of(c["of"])
        return found.document(c["key"]) if name == "document" else found

    def call(self, c):
        """Makes the call that a word is, with what the command has of its arguments."""
        call, *wanted = WORDS[c["op"]]["call"].split()
        name, method = call.split(".")
        take = {"other": lambda other: roles[other].on(name, c), "record": record, "items": new_items}

        def argument(field):
            return c[field] / 1000 if field.endswith("_ms") else take.get(field, lambda value: value)(c[field])

        told = [(0, 0)]
        given = [argument(field) for field in wanted if field in c]
        named = {NAMES.get(f[1:], f[1:]): argument(f[1:]) for f in wanted if f[0] == "-" and f[1:] in c}
        named |= key(c) if "*key" in wanted else {}
        named |= {"progress": lambda *step: told.append(step)} if "+progress" in wanted else {}
        result = getattr(self.on(name, c), method)
        result = result(*given, **named) if callable(result) else result
        if isinstance(result, tidelog.Stream):
            return self.streams.update({c["stream"]: result})
        if isinstance(result, (tidelog.Workspace, tidelog.Link)):
            return setattr(self, type(result).__name__.lower(), result)
        if "+progress" in wanted:
            return plain(result) | {"done": told[-1][0], "total": told[-1][1]}
        return {"items": result, "cursor": result.cursor} if c["op"] == "query" else result


def key(c, which=""):
    if f"{which}passphrase" in c:
        return {"passphrase": c[f"{which}passphrase"]}
    if "key_file" in c:
        return {"key": KeyFile(c["key_file"])}
    return {"key": bytes([c[f"{which}key_byte"]]) * 32} if f"{which}key_byte" in c else {}


def record(texts):
    when = texts["when"] and datetime.fromisoformat(texts["when"].replace("Z", "+00:00"))
    rest = {"uid": UUID(texts["uid"]), "price": Decimal(texts["price"]), "big": int(texts["big"])}
    return Record(**texts | rest | {"when": when})


def new_items(items):
    return [tidelog.Item(item["key"], item["value"]) if "key" in item else item["value"] for item in items]


def plain(value):
    """What JSON lacks, as the words have it."""
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    return {field.name: getattr(value, field.name) for field in fields(value)}


def link_state(link):
    error = link.last_error and link.last_error.code
    return {"state": link.state, "pending": link.pending, "last_error": error, "progress": link.progress}


def transaction(role, c):
    batch, answers = role.on("database", c).transaction(), []
    for w in c["writes"]:
        inner = batch.collection(role.on("collection", w))
        answers.append(getattr(inner, w["op"])(*(w[name] for name in ("key", "value") if name in w)))
    entry = batch.roll_back() if c.get("roll_back") else batch.commit()
    return {"answers": answers, "committed": entry is not None}


def edit(target, e):
    names = ("at", "position", "delete", "text") if e["kind"] == "splice_text" else ("at", "position", "value", "by")
    getattr(target, e["kind"])(*(e[name] for name in names if name in e))


def edit_all(document, edits):
    if len(edits) == 1:
        return edit(document, edits[0])
    with document.change() as change:
        return [edit(change, one) for one in edits] and None


def following(stream):
    """The next event; what a link tells is its state, or the kind of event."""
    found = next(stream, None)
    return LINK_EVENTS.get(type(found), found)


def reset():
    for role in roles.values():
        if role.workspace is not None:
            role.workspace.shutdown()
    roles.clear()


OTHERS = {
    "reset": lambda r, c: reset(),
    "advance": lambda r, c: _tidelog.advance(c["ms"]),
    "identity": lambda r, c: {"id": r.workspace.id, "name": r.workspace.name},
    "names": lambda r, c: [r.on("database", c).name, r.on("collection", c).name],
    "change_passphrase": lambda r, c: r.workspace.change_passphrase(
        **key(c), old=next(iter(key(c, "old_").values()), None)
    ),
    "link_state": lambda r, c: link_state(r.link),
    "stop": lambda r, c: r.link and r.link.stop(),
    "transaction": transaction,
    "update": lambda r, c: r.on("collection", c).update(
        c["key"], lambda now: (now or 0) + c["add"] if "add" in c else None
    ),
    "doc_edit": lambda r, c: edit_all(r.on("document", c), c["edits"]),
    "next": lambda r, c: following(r.streams[c["stream"]]),
}


def bytes_or_map(found):
    return base64.b64decode(found["$bytes"]) if found.keys() == {"$bytes"} else found


roles = defaultdict(Role)
for line in sys.stdin:
    c = json.loads(line, object_hook=bytes_or_map)
    role = roles[c.get("by")]
    try:
        said = {"ok": OTHERS[c["op"]](role, c) if c["op"] in OTHERS else role.call(c)}
    except tidelog.TidelogError as error:
        said = {"error": error.code, "reason": str(error)}
    print(json.dumps(said, default=plain), flush=True)
