"""Readers of annotated types: plain values into dataclasses, typed dictionaries and what their fields are.

For models without pydantic. A reader is built once per type and refuses what does not fit, with the path to it.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any
from uuid import UUID

from . import _plain
from ._errors import InvalidArgumentError

Reader = Callable[[Any], Any]


class Misfit(Exception):
    """A plain value that does not fit, and where."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.path: list[str] = []

    def __str__(self) -> str:
        reason = str(self.args[0])
        return f"at `{'.'.join(reversed(self.path))}`: {reason}" if self.path else reason


def reader(hint: Any) -> Reader:
    """The reader of a type.

    Raises InvalidArgumentError for a type that no plain value stands for.
    """
    return _Readers().of(hint)


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "a boolean", int: "an integer", float: "a number", str: "text"}
    return names.get(type(value), "a map" if isinstance(value, dict) else f"{type(value).__name__}")


def _expect(kind: type, name: str) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise Misfit(f"expected {name}, found {_kind(value)}")
        return value

    return read


def _read_float(value: Any) -> float:
    if type(value) not in (int, float):
        raise Misfit(f"expected a number, found {_kind(value)}")
    return float(value)


def _parsed(name: str, parse: Callable[[str], Any]) -> Reader:
    text = _expect(str, f"{name} as text")

    def read(value: Any) -> Any:
        try:
            return parse(text(value))
        except (ValueError, InvalidOperation):
            raise Misfit(f"expected {name}, found other text") from None

    return read


def _enum(kind: type[Enum]) -> Reader:
    def read(value: Any) -> Any:
        try:
            return kind(value)
        except ValueError:
            raise Misfit(f"expected one of {', '.join(repr(one.value) for one in kind)}") from None

    return read


def _literal(choices: tuple[Any, ...]) -> Reader:
    def read(value: Any) -> Any:
        for choice in choices:
            if type(choice) is type(value) and choice == value:
                return choice
        raise Misfit(f"expected one of {', '.join(map(repr, choices))}")

    return read


_SCALARS: dict[Any, Reader] = {
    Any: lambda value: value,
    object: lambda value: value,
    None: _expect(type(None), "null"),
    type(None): _expect(type(None), "null"),
    bool: _expect(bool, "a boolean"),
    int: _expect(int, "an integer"),
    float: _read_float,
    str: _expect(str, "text"),
    bytes: _expect(bytes, "bytes"),
    datetime: _parsed("a date-time", _plain.date_time),
    date: _parsed("a date", date.fromisoformat),
    time: _parsed("a time", time.fromisoformat),
    UUID: _parsed("a UUID", UUID),
    Decimal: _parsed("a decimal", Decimal),
}


# `Required` and `NotRequired` came with Python 3.11.
_WRAPPERS = {typing.Annotated} | {getattr(typing, name, None) for name in ("Required", "NotRequired")} - {None}


class _Readers:
    """The readers of one type and its parts; a type may contain itself."""

    def __init__(self) -> None:
        self._begun: dict[Any, list[Reader]] = {}

    def of(self, hint: Any) -> Reader:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in _WRAPPERS:
            return self.of(arguments[0])
        if hasattr(hint, "__supertype__"):
            return self.of(hint.__supertype__)
        if isinstance(hint, typing.Hashable) and hint in _SCALARS:
            return _SCALARS[hint]
        if origin in (typing.Union, types.UnionType):
            return self._union(arguments)
        if origin is typing.Literal:
            return _literal(arguments)
        return self._container(hint, origin or hint, arguments)

    def _container(self, hint: Any, origin: Any, arguments: tuple[Any, ...]) -> Reader:
        if not isinstance(origin, type):
            raise InvalidArgumentError(f"fields of type {hint!r} cannot be stored")
        if issubclass(origin, Enum):
            return _enum(origin)
        if dataclasses.is_dataclass(origin):
            return self._record(origin, self._dataclass)
        if typing.is_typeddict(origin):
            return self._record(origin, self._typed_dict)
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            return self._tuple(arguments)
        if origin in (dict, Mapping):
            return self._mapping(arguments)
        if origin in (list, Sequence, tuple, set, frozenset):
            return self._items(list if origin is Sequence else origin, arguments)
        raise InvalidArgumentError(f"fields of type {hint!r} cannot be stored; a pydantic model may know how")

    def _union(self, choices: tuple[Any, ...]) -> Reader:
        readers = [self.of(choice) for choice in choices]

        def read(value: Any) -> Any:
            misfits = []
            for one in readers:
                try:
                    return one(value)
                except Misfit as misfit:
                    misfits.append(misfit)
            raise max(misfits, key=lambda misfit: len(misfit.path))

        return read

    def _items(self, make: Any, arguments: tuple[Any, ...]) -> Reader:
        one = self.of(arguments[0] if arguments else Any)

        def read(value: Any) -> Any:
            if type(value) is not list:
                raise Misfit(f"expected a list, found {_kind(value)}")
            return make(_at(index, one, item) for index, item in enumerate(value))

        return read

    def _tuple(self, arguments: tuple[Any, ...]) -> Reader:
        readers = [self.of(argument) for argument in arguments]

        def read(value: Any) -> Any:
            if type(value) is not list or len(value) != len(readers):
                raise Misfit(f"expected a list of {len(readers)}, found {_kind(value)}")
            return tuple(_at(index, one, item) for index, (one, item) in enumerate(zip(readers, value, strict=True)))

        return read

    def _mapping(self, arguments: tuple[Any, ...]) -> Reader:
        if arguments and arguments[0] is not str:
            raise InvalidArgumentError("the keys of a mapping that is stored must be text")
        one = self.of(arguments[1] if arguments else Any)

        def read(value: Any) -> Any:
            _expect(dict, "a map")(value)
            return {name: _at(name, one, item) for name, item in value.items()}

        return read

    def _record(self, kind: Any, build: Callable[[Any], Reader]) -> Reader:
        if kind not in self._begun:
            self._begun[kind] = slot = []
            slot.append(build(kind))
            return slot[0]
        slot = self._begun[kind]
        return slot[0] if slot else lambda value: slot[0](value)

    def _dataclass(self, kind: Any) -> Reader:
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = {field.name: self.of(hints[field.name]) for field in dataclasses.fields(kind) if field.init}
        required = [field.name for field in dataclasses.fields(kind) if _required(field)]

        def read(value: Any) -> Any:
            known = _fields(fields, value)
            try:
                return kind(**known)
            except TypeError:
                missing = next((name for name in required if name not in known), None)
                if missing is None:
                    raise
                raise Misfit(f"field `{missing}` is missing") from None
            except ValueError as error:
                raise Misfit(str(error)) from error

        return read

    def _typed_dict(self, kind: Any) -> Reader:
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = {name: self.of(hint) for name, hint in hints.items()}

        def read(value: Any) -> Any:
            known = _fields(fields, value)
            missing = sorted(kind.__required_keys__ - known.keys())
            if missing:
                raise Misfit(f"field `{missing[0]}` is missing")
            return known

        return read


def _required(field: "dataclasses.Field[Any]") -> bool:
    return field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _fields(fields: dict[str, Reader], value: Any) -> dict[str, Any]:
    """The known fields of a map. Others are left alone: a newer version of the application may have written them."""
    _expect(dict, "a map")(value)
    return {name: _at(name, one, value[name]) for name, one in fields.items() if name in value}


def _at(segment: object, one: Reader, value: Any) -> Any:
    try:
        return one(value)
    except Misfit as misfit:
        misfit.path.append(str(segment))
        raise
