"""Bytes as the tables of `docs/format.md` and `docs/protocol.md` lay them out, without a line of Tidelog.

A layout reads bytes into what JSON holds, with bytes as hexadecimal and 64-bit numbers as text, and writes it back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


class RefusedError(Exception):
    """Bytes that are not laid out so."""


def need(holds: bool) -> None:
    if not holds:
        raise RefusedError


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, length: int) -> bytes:
        need(length <= len(self.data))
        taken, self.data = self.data[:length], self.data[length:]
        return taken


@dataclass(frozen=True)
class Layout:
    read: Callable[[Reader], Any]
    write: Callable[[Any], bytes]

    def decode(self, data: bytes) -> Any:
        """Whatever decodes encodes to the same bytes."""
        reader = Reader(data)
        value = self.read(reader)
        need(not reader.data and self.write(value) == data)
        return value

    def where(self, rule: Callable[[Any], bool]) -> Layout:
        def read(reader: Reader) -> Any:
            value = self.read(reader)
            need(rule(value))
            return value

        return Layout(read, self.write)


def number(size: int, low: int = 0, high: int | None = None) -> Layout:
    def read(reader: Reader) -> int:
        value = int.from_bytes(reader.take(size), "little")
        need(low <= value and (high is None or value <= high))
        return value

    return Layout(read, lambda value: value.to_bytes(size, "little"))


def raw(size: int) -> Layout:
    return Layout(lambda reader: reader.take(size).hex(), bytes.fromhex)


def rest(low: int, high: int) -> Layout:
    layout = Layout(lambda reader: reader.take(len(reader.data)).hex(), bytes.fromhex)
    return layout.where(lambda value: low <= len(value) // 2 <= high)


def text(low: int, high: int) -> Layout:
    def read(reader: Reader) -> str:
        try:
            return bytes.fromhex(rest(low, high).read(reader)).decode()
        except UnicodeDecodeError:
            raise RefusedError from None

    return Layout(read, str.encode).where(str.isprintable)


def items(count: Layout, item: Layout) -> Layout:
    return Layout(
        lambda reader: [item.read(reader) for _ in range(count.read(reader))],
        lambda value: count.write(len(value)) + b"".join(map(item.write, value)),
    )


def runs(item: Layout) -> Layout:
    """One after the other to the end, at least one."""

    def read(reader: Reader) -> list[Any]:
        value = [item.read(reader)]
        while reader.data:
            value.append(item.read(reader))
        return value

    return Layout(read, lambda value: b"".join(map(item.write, value)))


def fields(**named: Layout) -> Layout:
    return Layout(
        lambda reader: {name: layout.read(reader) for name, layout in named.items()},
        lambda value: b"".join(layout.write(value[name]) for name, layout in named.items()),
    )


def choice(label: str, kinds: dict[int, tuple[str, Layout]], *, sized: bool) -> Layout:
    """A number that says what follows; with its length as u32, if it is sized."""
    numbers = {name: tag for tag, (name, _) in kinds.items()}

    def read(reader: Reader) -> Any:
        tag = U8.read(reader)
        need(tag in kinds)
        name, layout = kinds[tag]
        content = layout.decode(reader.take(U32.read(reader))) if sized else layout.read(reader)
        return {label: name, **content}

    def write(value: Any) -> bytes:
        tag = numbers[value[label]]
        content = kinds[tag][1].write(value)
        return U8.write(tag) + (U32.write(len(content)) if sized else b"") + content

    return Layout(read, write)


U8, U16, U32 = number(1), number(2), number(4)
U64 = Layout(lambda reader: str(number(8).read(reader)), lambda value: number(8).write(int(value)))
ID, KEY, STREAM, SIGNATURE = raw(32), raw(32), raw(16), raw(64)
POINT = {"seq": U64, "id": ID}
ZERO_ID = "00" * 32

# docs/format.md, "Entries".

ENTRY = fields(
    version=number(1, 1, 1),
    suite=number(1, 1, 1),
    kind=number(1, 0, 3),
    flags=number(1, 0, 3),
    payload_len=number(4, 0, 1_049_656),
    seq=number(8, 1),
    workspace=ID,
    author=KEY,
    prev=ID,
    auth=ID,
    stream=STREAM,
    key_id=raw(16),
    payload_hash=raw(32),
    signature=SIGNATURE,
    payload=rest(0, 1_049_656),
).where(
    lambda entry: (
        len(entry["payload"]) == 2 * entry["payload_len"]
        and (entry["prev"] == ZERO_ID) == (entry["seq"] == 1)
        and (entry["signature"] == "00" * 64) == (entry["flags"] & 2 != 0)
    )
)

# docs/format.md, "Directory bodies".

CERTIFICATE = fields(sign_pk=KEY, kem_pk=KEY, caps=U8, cert_version=U64, self_sig=SIGNATURE)
ROLE = number(1, 0, 3)
CUTS = items(U16, fields(device=KEY, stream=STREAM, **POINT))
WRAPS = items(U16, fields(device=KEY, enc=raw(32), ct=raw(48)))
USER, CIRCLE, KEY_ID, SEALED = raw(16), raw(16), raw(16), raw(104)
PREVIOUS = items(U8, fields(key_id=KEY_ID, prev_wrap=SEALED))
EPOCH = {"epoch": U32, "key_id": KEY_ID, "commit": raw(32), "name_wrap": SEALED, "previous": PREVIOUS, "wraps": WRAPS}
OPERATIONS = {
    0: ("Genesis", fields(root_pk=KEY, root_kem_pk=KEY, name_commit=raw(32), policy=rest(0, 256))),
    1: ("AddUser", fields(user=USER, role=ROLE, certificates=items(number(1, 0, 16), CERTIFICATE))),
    2: ("AddDevice", fields(user=USER, certificate=CERTIFICATE)),
    3: ("SetRole", fields(user=USER, role=ROLE, cuts=CUTS)),
    4: ("RemoveDevice", fields(device=KEY, cuts=CUTS)),
    5: ("RemoveUser", fields(user=USER, cuts=CUTS)),
    6: ("AmendCut", fields(cuts=CUTS)),
    7: ("CircleNew", fields(circle=CIRCLE, settings=number(1, 0, 3), name_commit=raw(32))),
    8: ("CircleAdd", fields(circle=CIRCLE, user=USER, role=ROLE)),
    9: ("CircleRemove", fields(circle=CIRCLE, user=USER, cuts=CUTS)),
    10: ("KeyEpoch", fields(circle=CIRCLE, **EPOCH)),
    11: ("KeyGrant", fields(circle=CIRCLE, key_id=KEY_ID, wraps=WRAPS)),
    12: ("RelaySet", fields(relay_pk=KEY, url=text(1, 1024))),
    13: ("RelayUnset", fields(relay_pk=KEY)),
    14: ("Policy", fields(rotate_days=U16, rotate_entries=U32)),
    15: ("Purge", fields(stream=STREAM, entries=items(U16, fields(device=KEY, **POINT)))),
}
BODY = fields(
    version=number(1, 1, 1),
    parents=items(number(1, 0, 16), ID),
    ops=items(number(2, 0, 256), choice("operation", OPERATIONS, sized=True)),
)

# docs/format.md, "Beacons".


def ascending(names: list[str]) -> bool:
    return all(one < other for one, other in pairwise(names))


BEACON = fields(
    version=number(1, 1, 1),
    heads=items(number(2, 0, 256), ID).where(ascending),
    tips=items(number(2, 0, 4096), fields(stream=STREAM, **POINT).where(lambda tip: tip["seq"] != "0")).where(
        lambda tips: ascending([tip["stream"] for tip in tips])
    ),
)

# docs/protocol.md, "Frames".


def read_streams(reader: Reader) -> Any:
    count = U16.read(reader)
    if count == 0xFFFF:
        return "all"
    need(1 <= count <= 128)
    return [STREAM.read(reader) for _ in range(count)]


def read_path(reader: Reader) -> Any:
    inner = Reader(reader.take(U8.read(reader)))
    stream = {"stream": STREAM.read(inner)} if number(1, 0, 1).read(inner) else {}
    count = number(1, 0, 64).read(inner)
    nibbles = inner.take((count + 1) // 2).hex()[:count]
    need(not inner.data)
    return {**stream, "nibbles": nibbles}


def write_path(path: Any) -> bytes:
    nibbles = path["nibbles"]
    start = b"\1" + bytes.fromhex(path["stream"]) if "stream" in path else b"\0"
    inner = start + U8.write(len(nibbles)) + bytes.fromhex(nibbles + "0" * (len(nibbles) % 2))
    return U8.write(len(inner)) + inner


def read_children(reader: Reader) -> Any:
    present = number(2, 1).read(reader)
    return {str(child): raw(32).read(reader) for child in range(16) if present >> child & 1}


CHILDREN = Layout(
    read_children,
    lambda value: U16.write(sum(1 << int(child) for child in value)) + b"".join(map(bytes.fromhex, value.values())),
)
STREAMS = Layout(
    read_streams,
    lambda value: b"\xff\xff" if value == "all" else U16.write(len(value)) + b"".join(map(bytes.fromhex, value)),
)
PATH = Layout(read_path, write_path)
LEAVES = runs(
    fields(
        stream=STREAM,
        chains=items(number(1, 1, 64), fields(device=KEY, tips=items(number(1, 1, 32), fields(**POINT)))),
    )
)
ZERO_OR_POINT = fields(device=KEY, **POINT).where(lambda chain: (chain["seq"] == "0") == (chain["id"] == ZERO_ID))
WANTED = runs(fields(stream=STREAM, chains=items(number(1, 1, 64), ZERO_OR_POINT)))
CONTENT = {
    0: ("empty", fields()),
    1: ("branch", fields(children=CHILDREN)),
    2: ("stream", fields(stream=STREAM)),
    3: ("leaves", fields(runs=LEAVES)),
}
SELECT = {
    0: ("stream", fields(stream=STREAM, after=U64)),
    1: ("ids", fields(ids=items(number(2, 1, 4096), ID))),
}
ENTRIES_MAX, BATCH_MAX = number(2, 0, 8192), 2**20 + 2**16
BOX, TOKEN, MESSAGE = raw(16), raw(32), rest(1, 4096)
FRAMES = {
    1: (
        "Hello",
        fields(
            role=number(1, 0, 1),
            workspace=ID,
            device=KEY,
            signature=SIGNATURE,
            epoch=raw(16),
            arrivals=U64,
            cursor_epoch=raw(16),
            cursor_arrival=U64,
            streams=STREAMS,
        ),
    ),
    2: ("Resume", fields(arrival=U64)),
    3: ("Root", fields(root=raw(32), arrivals=U64, seen=U32)),
    4: ("Walk", fields(paths=items(number(2, 1, 4096), PATH))),
    5: ("Node", fields(path=PATH, content=choice("kind", CONTENT, sized=False))),
    6: ("Want", fields(runs=WANTED)),
    7: ("Branch", fields(stream=STREAM, device=KEY, points=items(number(1, 1, 64), fields(**POINT)))),
    8: ("Entries", fields(arrival=U64, batch=rest(0, BATCH_MAX))),
    9: ("Ack", fields(batches=U32, taken=number(1, 0, 2))),
    10: ("Signal", fields(message=MESSAGE)),
    11: ("MailOpen", fields(box=BOX, token_hash=raw(32), expires_ms=U64)),
    12: ("MailPut", fields(box=BOX, token=TOKEN, message=MESSAGE)),
    13: ("MailGet", fields(box=BOX, token=TOKEN, after=U32)),
    14: ("Mail", fields(box=BOX, slot=U32, message=MESSAGE)),
    15: ("MailResult", fields(box=BOX, slot=U32, code=number(1, 0, 3))),
    16: ("Error", fields(code=number(1, 1, 13), retry_after_s=U32, reason=text(0, 200).where(str.isascii))),
    17: ("Bye", fields()),
    18: ("Ask", fields(form=number(1, 0, 1), select=choice("by", SELECT, sized=False))),
    19: ("Listed", fields(through=U64, ids=items(ENTRIES_MAX, fields(arrival=U64, id=ID)))),
    20: ("Given", fields(through=U64, arrivals=items(ENTRIES_MAX, U64), batch=rest(0, BATCH_MAX))),
}
FRAME = choice("frame", FRAMES, sized=True)
