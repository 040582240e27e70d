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
from tidelog import _plain, _tidelog

WORDS = json.loads((Path(__file__).parents[1] / "words.json").read_text(encoding="utf-8"))["words"]
NAMES = {"timeout_ms": "timeout", "expires_in_ms": "expires"}


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


READ = {"when": _plain.date_time, "uid": UUID, "price": Decimal, "big": int, "data": base64.b64decode}


class Role:
    def __init__(self):
        self.package, self.workspace, self.link, self.streams = tidelog, None, None, {}

    def on(self, name, c):
        """What a word is a call of."""
        if name in ("package", "workspace", "link"):
            return getattr(self, name)
        if name == "stream":
            return self.streams[c["stream"]]
        database = self.workspace.database(c.get("database", "main"))
        if name in ("database", "log"):
            return database if name == "database" else database.log()
        policy = "document" if name == "document" else c.get("policy", "lww")
        model = Record if name == "records" else None
        found = database.collection(c["in"], model, key=c.get("key_field"), policy=policy)
        if "of" in c:
            found = found.own() if c["of"] == "me" else found.of(c["of"])
        return found.document(c["key"]) if name == "document" else found

    def do(self, c):
        call, *wanted = WORDS[c["op"]]["call"].split()
        name, method = call.split(".")

        def argument(field):
            value = c[field]
            return roles[value].on(name, c) if field == "other" else value / 1000 if field.endswith("_ms") else value

        given = [argument(field) for field in wanted if field in c]
        named = {NAMES.get(f[1:], f[1:]): argument(f[1:]) for f in wanted if f[0] == "-" and f[1:] in c}
        result = getattr(self.on(name, c), method)
        result = result(*given, **named, **(key(c) if name == "package" else {})) if callable(result) else result
        if isinstance(result, tidelog.Stream):
            return self.streams.update({c["stream"]: result})
        if isinstance(result, (tidelog.Workspace, tidelog.Link)):
            return setattr(self, type(result).__name__.lower(), result)
        return {"items": result, "cursor": result.cursor} if c["op"] == "query" else result


def key(c, which=""):
    if f"{which}passphrase" in c:
        return {"passphrase": c[f"{which}passphrase"]}
    return {"key": KeyFile(c["key_file"]) if "key_file" in c else bytes([c.get(f"{which}key_byte", 7)]) * 32}


def old_key(c):
    return next(iter(key(c, "old_").values())) if {"old_passphrase", "old_key_byte"} & c.keys() else None


def own_key(c):
    return {"passphrase": c["backup_passphrase"]} if "backup_passphrase" in c else {}


class KeyFile:
    """A store that keeps the key in a file."""

    def __init__(self, path):
        self.path = Path(path)

    def load(self):
        return self.path.read_bytes() if self.path.exists() else None

    def store(self, key):
        self.path.write_bytes(key)


def plain(value):
    """What JSON lacks, as the words have it."""
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: value for name, value in found.items() if not isinstance(value, datetime)}


def measured(call):
    """What a call gives that tells its progress, and the last it told."""
    told = [(0, 0)]
    return plain(call(lambda *step: told.append(step))) | {"done": told[-1][0], "total": told[-1][1]}


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
        edit(document, edits[0])
        return
    with document.change() as change:
        for one in edits:
            edit(change, one)


def record(c):
    return Record(**{n: READ[n](v) if n in READ and v is not None else v for n, v in c["record"].items()})


def texts(found):
    return found and _plain.deep(found) | {"big": str(found.big), "data": base64.b64encode(found.data).decode()}


def new_items(c):
    return [tidelog.Item(i["key"], i["value"]) if "key" in i else i["value"] for i in c["items"]]


def event(role, c):
    """The next event; what a link tells is its state, or the kind of event."""
    found = next(role.streams[c["stream"]], None)
    kinds = {tidelog.Progress: "progress", tidelog.LinkFailure: "failed"}
    return kinds.get(type(found), found)


OTHERS = {
    "advance": lambda r, c: _tidelog.advance(c["ms"]),
    "identity": lambda r, c: {"id": r.workspace.id, "name": r.workspace.name},
    "names": lambda r, c: [r.on("database", c).name, r.on("collection", c).name],
    "verify": lambda r, c: measured(lambda told: r.workspace.verify(progress=told)),
    "change_passphrase": lambda r, c: r.workspace.change_passphrase(**key(c, "new_"), old=old_key(c)),
    "backup": lambda r, c: measured(lambda told: r.workspace.backup(c["to"], **own_key(c), progress=told)),
    "verify_backup": lambda r, c: plain(tidelog.verify_backup(c["from"], **own_key(c))),
    "link_state": lambda r, c: {
        "state": r.link.state,
        "pending": r.link.pending,
        "last_error": r.link.last_error and r.link.last_error.code,
        "progress": r.link.progress,
    },
    "stop": lambda r, c: r.link and r.link.stop(),
    "transaction": transaction,
    "put_many": lambda r, c: measured(lambda told: r.on("collection", c).put_many(new_items(c), progress=told)),
    "update": lambda r, c: r.on("collection", c).update(
        c["key"], lambda now: (now or 0) + c["add"] if "add" in c else None
    ),
    "put_record": lambda r, c: r.on("records", c).put(record(c)),
    "get_record": lambda r, c: texts(r.on("records", c).get(c["key"])),
    "doc_edit": lambda r, c: edit_all(r.on("document", c), c["edits"]),
    "next": event,
}


def answer(c):
    if c["op"] == "reset":
        for role in roles.values():
            if role.workspace is not None:
                role.workspace.shutdown()
        return roles.clear()
    role = roles[c.get("by")]
    return OTHERS[c["op"]](role, c) if c["op"] in OTHERS else role.do(c)


def bytes_or_map(found):
    return base64.b64decode(found["$bytes"]) if found.keys() == {"$bytes"} else found


roles = defaultdict(Role)
for line in sys.stdin:
    try:
        said = {"ok": answer(json.loads(line, object_hook=bytes_or_map))}
    except tidelog.TidelogError as error:
        said = {"error": error.code, "reason": str(error)}
    print(json.dumps(said, default=plain), flush=True)
