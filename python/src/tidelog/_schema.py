"""Schemas: between the objects of an application and plain values.

What is written is read back before it is stored, so nothing is stored that the model would refuse to read.
"""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

from . import _plain, _reader
from ._errors import InvalidArgumentError, InvalidValueError

T = TypeVar("T")

DEFAULT_KEY = "id"


class Schema(Generic[T]):
    """How the objects of a collection are stored. This one takes any plain value as it is."""

    key_field: str | None
    """Name, as stored, of the field that is the key."""

    def __init__(self, key: str | None) -> None:
        self.key_field = key

    def plain(self, value: T) -> Any:
        """The plain value of an object. Raises InvalidValueError if the model refuses it."""
        return _plain.deep(value)

    def typed(self, plain: Any) -> T:
        """The object of a plain value. Raises InvalidValueError if the model refuses it."""
        return cast("T", plain)

    def fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Some fields in plain form, by the names they are stored under."""
        return cast("dict[str, Any]", _plain.deep(dict(fields)))


class ReaderSchema(Schema[T]):
    """Dataclasses and typed dictionaries."""

    def __init__(self, model: type[T], key: str | None, fields: typing.Iterable[str]) -> None:
        super().__init__(_key_of(model, key, fields))
        self._model = model
        self._read = _reader.reader(model)

    def plain(self, value: T) -> Any:
        stored = _plain.deep(value)
        self.typed(stored)
        return stored

    def typed(self, plain: Any) -> T:
        try:
            return cast("T", self._read(plain))
        except _reader.Misfit as misfit:
            raise InvalidValueError(f"not a {self._model.__name__}: {misfit}") from misfit


class PydanticSchema(Schema[T]):
    """Models of pydantic, under the names that they are serialised by."""

    def __init__(self, model: Any, key: str | None) -> None:
        fields = model.model_fields
        self._names = {name: field.serialization_alias or field.alias or name for name, field in fields.items()}
        name = _key_of(model, key, fields)
        super().__init__(name and self._names[name])
        self._model = model

    def plain(self, value: T) -> Any:
        model = value if isinstance(value, self._model) else self.typed(value)
        stored = _plain.deep(model)
        self.typed(stored)
        return stored

    def typed(self, plain: Any) -> T:
        from pydantic import ValidationError

        try:
            return cast("T", self._model.model_validate(plain, strict=False))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            path = ".".join(str(segment) for segment in first["loc"])
            raise InvalidValueError(f"not a {self._model.__name__}: at `{path}`: {first['msg']}") from error

    def fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return super().fields({self._names.get(name, name): value for name, value in fields.items()})


def _key_of(model: Any, key: str | None, fields: typing.Iterable[str]) -> str | None:
    names = set(fields)
    if key is None:
        return DEFAULT_KEY if DEFAULT_KEY in names else None
    if key not in names:
        raise InvalidArgumentError(f"{model.__name__} has no field `{key}` to be the key")
    return key


def schema(model: Any, key: str | None) -> Schema[Any]:
    """The schema of a model: a pydantic model, dataclass or typed dictionary; without one, of anything plain."""
    if model is None:
        return Schema(key)
    if hasattr(model, "model_validate") and hasattr(model, "model_fields"):
        return PydanticSchema(model, key)
    if dataclasses.is_dataclass(model):
        return ReaderSchema(cast("type[Any]", model), key, [field.name for field in dataclasses.fields(model)])
    if typing.is_typeddict(model):
        return ReaderSchema(model, key, typing.get_type_hints(model))
    raise InvalidArgumentError("a model is a pydantic model, a dataclass or a typed dictionary")
