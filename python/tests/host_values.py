"""Values of the vectors, from JSON text and from CBOR: `docs/format.md`, "Values", without a line of Tidelog."""

import base64
import json
import math
import struct
from typing import Any

from layouts import Reader, RefusedError, need

DEPTH_MAX = 60
SIMPLE = {20: False, 21: True, 22: None}
PRECISIONS = {25: ">e", 26: ">f", 27: ">d"}


def unmarked(plain: Any) -> Any:
    """A value without the markers of JSON: `$bytes` for bytes, `$value` around a map that only looks like a marker."""
    if isinstance(plain, list):
        return [unmarked(part) for part in plain]
    if not isinstance(plain, dict):
        return plain
    if list(plain) == ["$bytes"] and isinstance(plain["$bytes"], str):
        return base64.b64decode(plain["$bytes"])
    fields = plain["$value"] if list(plain) == ["$value"] else plain
    return {name: unmarked(part) for name, part in fields.items()}


def value_of(text: str) -> Any:
    """The value of a vector; an integer that does not fit into 64 bits with sign stands for a float."""

    def integer(digits: str) -> float:
        return int(digits) if -(2**63) <= int(digits) < 2**63 else float(digits)

    return unmarked(json.loads(text, parse_int=integer))


def decode_cbor(data: bytes) -> Any:
    """The value that these bytes are the one encoding of."""
    reader = Reader(data)
    value = read_value(reader, 0)
    need(not reader.data)
    return value


def read_value(reader: Reader, depth: int) -> Any:
    (first,) = reader.take(1)
    major, info = first >> 5, first & 31
    if major == 7:
        need(info in SIMPLE or info in PRECISIONS)
        return SIMPLE[info] if info in SIMPLE else read_double(reader, info)
    count = read_count(reader, info)
    if major < 2:
        need(count < 2**63)
        return -1 - count if major else count
    if major == 2:
        return reader.take(count)
    if major == 3:
        return read_text(reader.take(count))
    need(major < 6 and depth < DEPTH_MAX)
    if major == 4:
        return [read_value(reader, depth + 1) for _ in range(count)]
    value: dict[str, Any] = {}
    last = (-1, b"")
    for _ in range(count):
        (first,) = reader.take(1)
        need(first >> 5 == 3)
        key = reader.take(read_count(reader, first & 31))
        need(last < (len(key), key))
        last = (len(key), key)
        value[read_text(key)] = read_value(reader, depth + 1)
    return value


def read_count(reader: Reader, info: int) -> int:
    """A number or a length, with the shortest head."""
    if info < 24:
        return info
    need(info < 28)
    size = 1 << (info - 24)
    count = int.from_bytes(reader.take(size), "big")
    need(count >= (24 if size == 1 else 1 << (4 * size)))
    return count


def read_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise RefusedError from None


def read_double(reader: Reader, info: int) -> float:
    """A double in the least precision that keeps it; integral ones that are integers are none."""
    (value,) = struct.unpack(PRECISIONS[info], reader.take(1 << (info - 24)))
    need(math.isfinite(value) and not (value.is_integer() and abs(value) < 2**53))
    for less in range(25, info):
        try:
            (kept,) = struct.unpack(PRECISIONS[less], struct.pack(PRECISIONS[less], value))
        except OverflowError:
            continue
        need(kept != value)
    return float(value)
