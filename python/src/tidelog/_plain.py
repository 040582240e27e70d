"""Plain values: what the engine stores, the same in every language.

Date-times become RFC 3339 text in UTC with milliseconds, UUIDs lower-case text, decimals text without an exponent,
enums their value, dataclasses and models mappings of their fields.
"""

import dataclasses
import sys
from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, time, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from ._errors import InvalidValueError

_SIMPLE = (type(None), str, bool, int, float, bytes)


def deep(value: Any) -> Any:
    """The plain form of a value and of everything in it."""
    try:
        return _deep(value)
    except RecursionError:
        raise InvalidValueError("the value nests too deep, or holds itself") from None


def _deep(value: Any) -> Any:
    kind = type(value)
    if kind in _SIMPLE:
        return value
    if kind is dict:
        return {name: _deep(item) for name, item in value.items()}
    if kind is list or kind is tuple:
        return [_deep(item) for item in value]
    if kind is bytearray or kind is memoryview:
        return bytes(value)
    return _deep(plain(value))


def plain(value: Any) -> Any:
    """The plain form of one value; what it contains may still be anything."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return date_time_text(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return decimal_text(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "model_dump") and not isinstance(value, type):
        return value.model_dump(by_alias=True, round_trip=True, warnings=False)
    return _base_type(value)


def _base_type(value: Any) -> Any:
    """A value of a derived or similar type as the type it stands for."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    for base in (str, int, float):
        if isinstance(value, base):
            return base(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        return _ordered(value)
    if isinstance(value, Sequence):
        return list(value)
    if "pydantic_core" in sys.modules:
        # Types of pydantic itself, such as URLs, and durations.
        try:
            return sys.modules["pydantic_core"].to_jsonable_python(value)
        except sys.modules["pydantic_core"].PydanticSerializationError:
            pass
    raise InvalidValueError(f"values of type {type(value).__name__} cannot be stored")


def _ordered(values: Set[Any]) -> list[Any]:
    """A set as a list, in the same order every time if its elements have one."""
    try:
        return sorted(values)
    except TypeError:
        return list(values)


def date_time_text(value: datetime) -> str:
    """RFC 3339 in UTC with milliseconds; what is finer is cut off."""
    if value.tzinfo is None:
        raise InvalidValueError("a date-time needs a time zone: use datetime.now(timezone.utc) or .replace(tzinfo=..)")
    try:
        return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError as error:
        raise InvalidValueError("a date-time must be between the years 1 and 9999 in UTC") from error


def date_time(text: str) -> datetime:
    """The date-time of RFC 3339 text."""
    return datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in "zZ" else text)


def decimal_text(value: Decimal) -> str:
    """A decimal with all of its digits and without an exponent."""
    if not value.is_finite():
        raise InvalidValueError("a decimal must be finite")
    return format(value, "f")


def from_ms(ms: int) -> datetime:
    """The time of milliseconds since 1970."""
    return datetime.fromtimestamp(ms / 1000, timezone.utc)
