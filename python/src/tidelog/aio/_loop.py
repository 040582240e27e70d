"""The event loop that runs, as the native module sees it."""

import asyncio
import threading
from typing import TypeVar

from .. import _tidelog
from .._shape import Progressing

T = TypeVar("T")

PROGRESS_SECONDS = 0.05
"""How often somebody is told how far a call has come."""


class _Current(threading.local):
    """The loop that last asked on this thread; a thread runs one loop at a time."""

    on: _tidelog.EventLoop | None = None


_current = _Current()


def here() -> _tidelog.EventLoop:
    """The running event loop. Raises RuntimeError if none runs."""
    running = asyncio.get_running_loop()
    on = _current.on
    if on is None or on.event_loop is not running:
        on = _current.on = _tidelog.EventLoop(running)
    return on


async def metered(call: "asyncio.Future[T]", meter: _tidelog.Meter, progress: Progressing | None) -> T:
    """Waits for a call and tells how far it has come. Whatever ends the wait before ends the call.

    What `progress` raises comes once the call has ended, so that it may be made again.
    """
    told = None
    try:
        while True:
            await asyncio.wait([call], timeout=None if progress is None else PROGRESS_SECONDS)
            now = meter.progress()
            if progress is not None and now != told:
                told = now
                progress(*now)
            if call.done():
                return call.result()
    except Exception:
        meter.stop()
        await asyncio.wait([call])
        raise
    except BaseException:
        meter.stop()
        raise
