"""What the drivers talk to: relays as their programs, and a server that is no relay. Each starts when first named."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from .drivers import TARGET

KEY = "sec-websocket-key:"
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What RFC 6455 has the server add to the key."""


class Relay:
    """A relay process."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [str(TARGET / "tidelog-relay"), "--data", str(folder), "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [*command, "--log-level", "off", *options], stdout=subprocess.PIPE, encoding="utf-8"
        )
        assert self.process.stdout is not None
        words = self.process.stdout.readline().split()
        assert words[:2] == ["listening", "on"], words
        self.address = words[2]

    def end(self) -> None:
        self.process.terminate()
        assert self.process.wait(timeout=30) == 0
        assert self.process.stdout is not None
        self.process.stdout.close()


class Stranger:
    """A server that is no relay: it has no such page, or takes a WebSocket connection and then talks nonsense."""

    def __init__(self, *, upgrades: bool) -> None:
        self.upgrades = upgrades
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"ws://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            request = connection.recv(4096).decode()
            if not self.upgrades:
                connection.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                return
            key = next(line.split()[1] for line in request.splitlines() if line.lower().startswith(KEY))
            accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
            upgrade = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            connection.sendall(f"{upgrade}sec-websocket-accept: {accept}\r\n\r\n".encode())
            connection.sendall(bytes([0x82, 64]) + bytes(64))
            while connection.recv(4096):
                pass

    def end(self) -> None:
        self.server.close()


class Peers:
    """The addresses that scenarios name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.Lock()
        self.started: dict[str, Relay | Stranger] = {}
        self.makers: dict[str, Callable[[], Relay | Stranger]] = {
            "relay": lambda: Relay(folder / "relay", "--open"),
            "closed_relay": lambda: Relay(folder / "closed"),
            "small_relay": lambda: Relay(folder / "small", "--open", "--quota", "32K"),
            "stranger": lambda: Stranger(upgrades=False),
            "babbler": lambda: Stranger(upgrades=True),
        }

    def __contains__(self, name: str) -> bool:
        return name in self.makers or name == "nowhere"

    def address(self, name: str) -> str:
        if name == "nowhere":
            return "ws://127.0.0.1:9"
        with self.lock:
            if name not in self.started:
                self.started[name] = self.makers[name]()
            return self.started[name].address

    def end(self) -> None:
        for peer in self.started.values():
            peer.end()
