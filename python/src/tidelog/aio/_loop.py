"""The event loop that runs, as the native module sees it."""

import asyncio
import threading

from .. import _tidelog


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
