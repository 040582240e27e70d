"""Tidelog for asyncio: the words of `tidelog`, to be awaited.

>>> async with tidelog.aio.open("notes.tide", passphrase=p, create="Field notes") as workspace:
...     todos = workspace.database("main").collection("todos", Todo)
...     todo = await todos.insert(Todo(title="Calibrate sensor"))
...     async for change in todos.watch():
...         print(change)

Nothing blocks the event loop. A task that is cancelled while it waits for a write does not undo the write.
"""

from ._data import Collection, Database, Document, Log, RemoteLog, Transaction, TransactionCollection
from ._link import Link
from ._stream import Stream
from ._workspace import (
    Opening,
    Workspace,
    ask_to_join,
    create,
    finish_joining,
    join,
    open,
    recover,
    restore,
    verify_backup,
)

__all__ = [
    "Collection",
    "Database",
    "Document",
    "Link",
    "Log",
    "Opening",
    "RemoteLog",
    "Stream",
    "Transaction",
    "TransactionCollection",
    "Workspace",
    "ask_to_join",
    "create",
    "finish_joining",
    "join",
    "open",
    "recover",
    "restore",
    "verify_backup",
]
