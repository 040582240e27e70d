"""Links, for asyncio."""

from __future__ import annotations

from types import TracebackType

from .. import _shape, _tidelog
from .._lifecycle import Handle
from .._types import LinkEvent, LinkFailure, LinkState, Progress
from ._loop import here
from ._stream import Stream


class Link:
    """A link that keeps this replica and a peer equal, and comes back by itself when it breaks."""

    def __init__(self, native: _tidelog.Link, handle: Handle) -> None:
        self._native = native
        self._handle = handle

    @property
    def state(self) -> LinkState:
        """How it stands."""
        return self._native.state()

    @property
    def progress(self) -> Progress:
        """How far it has got."""
        return Progress(**self._native.progress())

    @property
    def pending(self) -> int:
        """How many entries of this replica the peer is not yet known to hold."""
        return self._native.pending()

    @property
    def last_error(self) -> LinkFailure | None:
        """Why it was last interrupted, if it was."""
        error = self._native.last_error()
        return None if error is None else LinkFailure(*error)

    async def wait_live(self, timeout: float | None = None) -> None:
        """Waits until everything that either side had is on both; for so many seconds, or for ever."""
        await self._native.wait_live(_shape.timeout_ms(timeout), here())

    def events(self) -> Stream[LinkEvent]:
        """Its events from now on."""
        return Stream(self._native.events(), _shape.link_event, self._handle)

    async def stop(self) -> None:
        """Ends the link. Stopping again does nothing."""
        await self._native.stop(here())

    async def __aenter__(self) -> Link:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
