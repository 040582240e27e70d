"""Streams for asyncio: iterate with `async for`, or stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

from .. import _tidelog
from ._loop import here

E = TypeVar("E")


class Stream(Generic[E]):
    """Events as they happen. Iterating waits for the next one, and ends with the stream or the workspace.

    A task that is cancelled while it waits loses no event: the next one to ask gets it.
    """

    def __init__(self, native: _tidelog.Stream, convert: Callable[[Any], E], owner: object) -> None:
        self._native = native
        self._convert = convert
        self._owner = owner

    def __aiter__(self) -> AsyncIterator[E]:
        return self

    async def __anext__(self) -> E:
        while await self._native.ready(here()):
            # Another task that iterates may have been faster.
            if (event := self._native.take()) is not None:
                return self._convert(event)
        raise StopAsyncIteration

    def stop(self) -> None:
        """Ends the stream, also for those who wait. Stopping again does nothing."""
        self._native.stop()

    async def __aenter__(self) -> Stream[E]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
