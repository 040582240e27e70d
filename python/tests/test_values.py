"""What a value may be, and that it comes back as it was: checked against the vectors of all languages."""

import json
from collections import OrderedDict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any
from uuid import UUID

import pytest
import tidelog
from conftest import ROOT
from host_values import decode_cbor, value_of
from layouts import RefusedError

TYPES = json.loads((ROOT / "tests" / "vectors" / "types.json").read_text(encoding="utf-8"))
VALUES_FILE = json.loads((ROOT / "tests" / "vectors" / "values.json").read_text(encoding="utf-8"))
VALUES = VALUES_FILE["values"]

Things = tidelog.Collection[Any, tidelog.Item[Any]]


@pytest.fixture
def things(database: tidelog.Database) -> Things:
    return database.collection("things")


def stored(things: Things, value: Any) -> Any:
    things.put("key", value)
    return things.get("key")


@pytest.mark.parametrize(
    "value",
    [True, False, 0, -1, 1.5, "", "text with \u00e9 and \U0001f30a", b"", b"\x00\xff", [], {}, [1, [2, {"a": None}]]],
    ids=repr,
)
def test_a_plain_value_comes_back_as_it_was(things: Things, value: Any) -> None:
    found = stored(things, {"value": value})
    assert found == {"value": value}
    assert type(found["value"]) is type(value)


@pytest.mark.parametrize("case", VALUES, ids=lambda case: case["name"])
def test_values_come_back_as_the_vectors_say(things: Things, case: dict[str, Any]) -> None:
    found, expected = stored(things, value_of(case["json"])), value_of(case["canonical"])
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("case", VALUES, ids=lambda case: case["name"])
def test_cbor_is_its_value(case: dict[str, Any]) -> None:
    found, expected = decode_cbor(bytes.fromhex(case["cbor"])), value_of(case["canonical"])
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("case", VALUES_FILE["refused_cbor"], ids=lambda case: case["name"])
def test_other_cbor_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        decode_cbor(bytes.fromhex(case["cbor"]))


def test_cbor_of_types_is_their_value() -> None:
    for case in TYPES["bytes"]:
        assert decode_cbor(bytes.fromhex(case["cbor"])) == bytes.fromhex(case["hex"])
    for case in TYPES["int64"]:
        assert decode_cbor(bytes.fromhex(case["cbor"])) == int(case["text"])
    for case in TYPES["date_times"] + TYPES["decimals"] + TYPES["uuids"]:
        assert decode_cbor(bytes.fromhex(case["stored"]["cbor"])) == json.loads(case["stored"]["json"]) == case["text"]


@pytest.mark.parametrize("text", [case["text"] for case in TYPES["int64"]])
def test_an_integer_keeps_all_64_bits(things: Things, text: str) -> None:
    assert stored(things, {"value": int(text)}) == {"value": int(text)}


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, float("nan"), float("inf")], ids=repr)
def test_a_number_that_cannot_be_stored_is_refused_with_its_place(things: Things, value: Any) -> None:
    with pytest.raises(tidelog.InvalidValueError, match=r"at `list\.1`"):
        things.put("key", {"list": [0, value]})


@pytest.mark.parametrize(("given", "expected"), [(1.0, 1), (-0.0, 0), (2.0**53 - 1, 2**53 - 1), (2.0**53, 2.0**53)])
def test_numbers_are_canonical(things: Things, given: float, expected: float) -> None:
    found = stored(things, {"value": given})["value"]
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("case", TYPES["date_times"], ids=lambda case: case["text"])
def test_a_date_time_is_rfc_3339_in_utc_with_milliseconds(things: Things, case: dict[str, Any]) -> None:
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=case["unix_ms"])
    assert stored(things, {"at": moment}) == {"at": case["text"]}


@pytest.mark.parametrize("case", TYPES["date_times_given_otherwise"], ids=lambda case: case["given"])
def test_a_date_time_of_any_zone_is_stored_in_utc(things: Things, case: dict[str, str]) -> None:
    moment = datetime.fromisoformat(case["given"].replace("Z", "+00:00"))
    assert stored(things, {"at": moment}) == {"at": case["text"]}


def test_a_date_time_without_a_zone_is_refused(things: Things) -> None:
    with pytest.raises(tidelog.InvalidValueError, match="time zone"):
        things.put("key", {"at": datetime(2024, 1, 1)})


@pytest.mark.parametrize("case", TYPES["uuids"], ids=lambda case: case["text"])
def test_a_uuid_is_lower_case_text(things: Things, case: dict[str, str]) -> None:
    assert stored(things, {"id": UUID(case["given"])}) == {"id": case["text"]}


@pytest.mark.parametrize("case", TYPES["decimals"], ids=lambda case: case["text"])
def test_a_decimal_is_text_with_all_its_digits(things: Things, case: dict[str, str]) -> None:
    assert stored(things, {"price": Decimal(case["text"])}) == {"price": case["text"]}


def test_a_decimal_has_no_exponent_and_is_finite(things: Things) -> None:
    assert stored(things, {"price": Decimal("1E+3")}) == {"price": "1000"}
    with pytest.raises(tidelog.InvalidValueError, match="finite"):
        things.put("key", {"price": Decimal("NaN")})


def test_types_that_stand_for_plain_ones_are_stored_as_these(things: Things) -> None:
    class Colour(Enum):
        RED = "red"

    class Level(IntEnum):
        HIGH = 3

    class Text(str):
        pass

    value = {
        "colour": Colour.RED,
        "level": Level.HIGH,
        "text": Text("x"),
        "day": date(2024, 2, 29),
        "pair": (1, 2),
        "map": OrderedDict(a=1),
        "set": {3, 1, 2},
        "bytes": bytearray(b"b"),
    }
    assert stored(things, value) == {
        "colour": "red",
        "level": 3,
        "text": "x",
        "day": "2024-02-29",
        "pair": [1, 2],
        "map": {"a": 1},
        "set": [1, 2, 3],
        "bytes": b"b",
    }


def test_what_cannot_be_stored_is_refused(things: Things) -> None:
    for value in (object(), {1: "key that is no text"}, "\ud800"):
        with pytest.raises(tidelog.InvalidValueError):
            things.put("key", {"value": value})


def test_a_value_that_holds_itself_is_refused(things: Things) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises((tidelog.InvalidValueError, RecursionError)):
        things.put("key", value)
