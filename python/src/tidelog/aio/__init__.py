"""Tidelog for asyncio: the words of `tidelog`, to be awaited.

>>> async with tidelog.aio.open("notes.tide", passphrase=p, create="Field notes") as workspace:
...     todos = workspace.database("main").collection("todos", Todo)
...     todo = await todos.insert(Todo(title="Calibrate sensor"))
...     async for change in todos.watch():
...         print(change)

Nothing blocks the event loop. A task that is cancelled while it waits for a write does not undo the write.
"""

from ._data import Collection, Database, Document, Log, Transaction, TransactionCollection
from ._stream import Stream
from ._workspace import Link, Opening, Workspace, create, join, open, recover, restore, verify_backup

__all__ = [
    "Collection",
    "Database",
    "Document",
    "Link",
    "Log",
    "Opening",
    "Stream",
    "Transaction",
    "TransactionCollection",
    "Workspace",
    "create",
    "join",
    "open",
    "recover",
    "restore",
    "verify_backup",
]
