"""Keys that the platform keeps."""

import base64
import binascii
import importlib
from typing import Any, Protocol, runtime_checkable

from ._errors import CorruptError, InvalidArgumentError


@runtime_checkable
class KeyStore(Protocol):
    """A place that keeps one key of 32 bytes. Making or joining a workspace makes the key, if there is none.

    Both are called on a thread of the engine. What they raise becomes the error of the call that needed the key.
    """

    def load(self) -> bytes | None:
        """The key, or None if there is none."""

    def store(self, key: bytes, /) -> None:
        """Keeps a key, safely before this returns: what it opens is written afterwards."""


def keyring(service: str, user: str) -> KeyStore:
    """The key in the keyring of the system, under this service and user: `open(path, key=keyring("notes", "ada"))`.

    Needs the package `keyring`.
    """
    try:
        package = importlib.import_module("keyring")
    except ImportError:
        raise InvalidArgumentError("to keep keys in the system's keyring, install the package `keyring`") from None
    return _Keyring(package, service, user)


class _Keyring:
    def __init__(self, package: Any, service: str, user: str) -> None:
        self._package = package
        self._service = service
        self._user = user

    def load(self) -> bytes | None:
        text = self._package.get_password(self._service, self._user)
        try:
            return None if text is None else base64.b64decode(text, validate=True)
        except binascii.Error:
            raise CorruptError("the keyring holds something else than a key") from None

    def store(self, key: bytes) -> None:
        text = base64.b64encode(key).decode()
        self._package.set_password(self._service, self._user, text)
