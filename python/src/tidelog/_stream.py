"""Streams, synchronous: iterate, or stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar

from . import _tidelog

E = TypeVar("E")


class Stream(Generic[E]):
    """Events as they happen. Iterating waits for the next one, and ends with the stream or the workspace."""

    def __init__(self, native: _tidelog.Stream, convert: Callable[[Any], E], owner: object) -> None:
        self._native = native
        self._convert = convert
        self._owner = owner

    def __iter__(self) -> Iterator[E]:
        return self

    def __next__(self) -> E:
        while self._native.ready():
            # Another thread that iterates may have been faster.
            if (event := self._native.take()) is not None:
                return self._convert(event)
        raise StopIteration

    def stop(self) -> None:
        """Ends the stream, also for those who wait. Stopping again does nothing."""
        self._native.stop()

    def __enter__(self) -> Stream[E]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
