"""The end of the interpreter: open workspaces are shut down before it, so that no thread is left waiting."""

import atexit
import contextlib
import weakref

from . import _tidelog
from ._errors import TidelogError

_open: "weakref.WeakSet[Handle]" = weakref.WeakSet()


class Handle:
    """Keeps a workspace known until it is gone."""

    __slots__ = ("__weakref__", "native")

    def __init__(self, native: _tidelog.Workspace) -> None:
        self.native = native
        _open.add(self)


def _at_exit() -> None:
    for handle in list(_open):
        # A forked child has nothing to shut down, and at the exit nobody is left to be told of a failure.
        with contextlib.suppress(TidelogError):
            handle.native.shutdown()
    _tidelog.stop_engine()


atexit.register(_at_exit)
