"""What the engine logs, for Python's own log."""

import logging
import threading

from . import _tidelog
from ._errors import TidelogError

TRACE = 5
"""The level below `logging.DEBUG`."""

_LEVELS = {
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE,
}


def log_to_python(level: int = logging.INFO) -> None:
    """Has the engine log to the logger `tidelog.engine` and those below it, down to this level.

    Nothing of it holds keys, passphrases or data. Which lines are shown is the business of Python's `logging`, as
    always; to change the level, set that of the logger. Calling it again does nothing.
    """
    wanted = next((name for name, known in reversed(_LEVELS.items()) if known >= level), "error")
    with _lock:
        global _reader
        if _reader is None or not _reader.is_alive():
            stream = _tidelog.logs(wanted)
            _reader = threading.Thread(target=_read, args=(stream,), name="tidelog-logs", daemon=True)
            _reader.start()


_lock = threading.Lock()
_reader: threading.Thread | None = None


def _read(stream: _tidelog.Stream) -> None:
    logger = logging.getLogger("tidelog.engine")
    try:
        while stream.ready():
            tag, content = stream.take()
            if tag == "lagged":
                logger.warning("%d lines of the engine's log are missing", content)
            else:
                name, target, text = content
                logger.getChild(target.replace("::", ".")).log(_LEVELS[name], "%s", text)
    except TidelogError:
        pass  # The interpreter is about to exit, or this is a forked child.
