"""What a call from Python costs, beside the same calls from Rust (`bindings/api/benches/calls.rs`)."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import tidelog
from tidelog import aio

CALLS = 20_000
IN_FLIGHT = 1_000
RECORDS = 10_000
KEY = bytes(range(32))
ITEM = {"title": "Alien", "year": 1979}


def report(name: str, begin: float, calls: int, target: str) -> None:
    cost = (time.perf_counter() - begin) / calls * 1e6
    print(f"bench: Python: {name} | {cost:.2f} us | {target}")


def synchronous(folder: Path) -> None:
    with tidelog.create(folder / "sync.tide", "Calls", key=KEY) as workspace:
        items = workspace.database("main").collection("items")
        items.put("alien", ITEM)
        begin = time.perf_counter()
        for _ in range(CALLS):
            items.get("alien")
        report("get, synchronous", begin, CALLS, "<= Rust + 2 us")
        begin = time.perf_counter()
        items.put_many({str(number): ITEM for number in range(RECORDS)})
        report("put_many, per item", begin, RECORDS, "-")
        begin = time.perf_counter()
        items.all()
        report("all, per item", begin, RECORDS, "-")


async def awaited(folder: Path) -> None:
    async with aio.create(folder / "aio.tide", "Calls", key=KEY) as workspace:
        items = workspace.database("main").collection("items")
        await items.put("alien", ITEM)
        begin = time.perf_counter()
        for _ in range(CALLS // 10):
            await items.get("alien")
        report("get, awaited", begin, CALLS // 10, "<= 60 us")

        async def in_flight(call: Callable[[], Awaitable[Any]]) -> None:
            await asyncio.gather(*(call() for _ in range(IN_FLIGHT)))

        begin = time.perf_counter()
        for _ in range(CALLS // IN_FLIGHT):
            await in_flight(lambda: items.get("alien"))
        report("get, 1,000 in flight", begin, CALLS, "<= Rust + 5 us")
        begin = time.perf_counter()
        await in_flight(lambda: items.put("alien", ITEM))
        report("put, 1,000 in flight", begin, IN_FLIGHT, "-")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        synchronous(Path(folder))
        asyncio.run(awaited(Path(folder)))
