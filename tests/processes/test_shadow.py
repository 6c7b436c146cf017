"""A shadow process around rooms that only take notes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from gateway.domain.identity import Identity
from gateway.domain.table import RoutingTable, TableHead, encode_table
from gateway.processes.line import Kind, Line
from gateway.processes.messages import WorkerStatus, decode_message, encode_versioned
from gateway.processes.shadow import EXIT_FINE, EXIT_ORPHANED, ShadowProcess


class NotedRooms:
    """Rooms that only note what they are told."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def open(self, sock: socket.socket) -> None:
        self.calls.append("open")

    def publish(self, table: RoutingTable) -> None:
        self.calls.append(f"publish {table.head.version}")

    def counts(self) -> dict[str, int]:
        return {"taken": 3}

    async def close(self, timeout_s: float) -> None:
        self.calls.append("close")


@dataclass
class Bench:
    """A shadow process at work, and the parent's end of its line."""

    rooms: NotedRooms
    process: ShadowProcess
    parent: Line
    serving: asyncio.Task[int]

    def send_table(self, version: int, payload: bytes | None = None) -> None:
        encoded = encode_table(TableHead(version, "hash", {}, None, Identity(), bytes(32)), ())
        self.parent.send(Kind.TABLE, encode_versioned(version, payload or encoded))

    async def next(self, kind: Kind) -> bytes:
        async with asyncio.timeout(5):
            while (frame := await self.parent.receive()) is not None:
                if frame.kind is kind:
                    return frame.payload
        raise AssertionError(kind)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """Give a shadow process that has no table yet."""
    ours, theirs = socket.socketpair()
    with socket.socket(socket.AF_UNIX) as sock:
        rooms, parent = NotedRooms(), await Line.open(ours)
        process = ShadowProcess(rooms, await Line.open(theirs), sock)
        bench = Bench(rooms, process, parent, asyncio.ensure_future(process.serve()))
        yield bench
        parent.close()
        await asyncio.wait_for(bench.serving, 5)


async def test_opens_with_a_table(bench: Bench) -> None:
    """Copies are taken once there is a table to send them by; the newest is used, and no older one after it."""
    assert decode_message(await bench.next(Kind.STATUS), WorkerStatus) == WorkerStatus(0, {"taken": 3})
    assert bench.rooms.calls == []
    for version, payload in ((4, None), (3, None), (5, b"not a table"), (6, None)):
        bench.send_table(version, payload)
    await bench.next(Kind.READY)
    async with asyncio.timeout(5):
        while "publish 6" not in bench.rooms.calls:  # noqa: ASYNC110 - nothing is said back
            await asyncio.sleep(0.01)
    assert bench.rooms.calls == ["publish 4", "open", "publish 6"]


async def test_leaves_when_told(bench: Bench) -> None:
    """What is there is handed over, and it ends well."""
    bench.process.leave()
    assert await asyncio.wait_for(bench.serving, 5) == EXIT_FINE
    assert bench.rooms.calls == ["close"]


async def test_leaves_an_empty_house(bench: Bench) -> None:
    """Without a parent it ends at once."""
    bench.parent.close()
    assert await asyncio.wait_for(bench.serving, 5) == EXIT_ORPHANED
