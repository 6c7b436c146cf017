"""A worker around a data plane that only takes notes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest

from gateway.domain.identity import Identity
from gateway.domain.table import RoutingTable, TableHead, encode_table
from gateway.processes.line import Kind, Line
from gateway.processes.messages import (
    Ack,
    Drain,
    Held,
    Latched,
    WorkerStatus,
    decode_message,
    encode_message,
    encode_versioned,
)
from gateway.processes.worker import EXIT_FINE, EXIT_ORPHANED, Worker


class NotedPlane:
    """A data plane that only notes what it is told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.in_flight = 0

    def publish(self, table: RoutingTable) -> None:
        self.calls.append(f"publish {table.head.version}")

    def hold(self, latched: Mapping[str, frozenset[str] | None], *, everything: bool) -> None:
        if "bad" in latched:
            raise ValueError("bad")
        arms = {release: "all" if names is None else sorted(names) for release, names in latched.items()}
        self.calls.append(f"hold {arms} {everything}")

    async def listen(self, sock: socket.socket) -> None:
        self.calls.append("listen")

    def stop_listening(self) -> None:
        self.calls.append("stop_listening")

    def begin_drain(self) -> None:
        self.calls.append("begin_drain")

    async def drained(self, timeout_s: float) -> bool:
        self.calls.append(f"drained {timeout_s:g}")
        return False

    async def close(self) -> None:
        self.calls.append("close")

    def counts(self) -> dict[str, int]:
        return {"served": 3}


@dataclass
class Bench:
    """A worker at work, and the parent's end of its line."""

    plane: NotedPlane
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
    """Give a worker that has no table yet."""
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        plane, parent = NotedPlane(), await Line.open(ours)
        worker = Worker(plane, await Line.open(theirs), sock)
        bench = Bench(plane, parent, asyncio.ensure_future(worker.serve()))
        yield bench
        parent.close()
        await asyncio.wait_for(bench.serving, 5)


async def test_listens_with_a_table(bench: Bench) -> None:
    """A worker listens once it has a table, not before, and says so."""
    await bench.next(Kind.STATUS)
    assert bench.plane.calls == []
    bench.send_table(4)
    await bench.next(Kind.READY)
    assert decode_message(await bench.next(Kind.ACK), Ack).version == 4
    assert bench.plane.calls == ["publish 4", "listen"]


async def test_never_goes_back(bench: Bench) -> None:
    """An older table is not used; the newer one is acknowledged again."""
    bench.send_table(4)
    bench.send_table(3)
    acks = [decode_message(await bench.next(Kind.ACK), Ack).version for _ in range(2)]
    assert acks == [4, 4]
    assert bench.plane.calls == ["publish 4", "listen"]


async def test_unreadable_table_changes_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """A table that cannot be decoded leaves the one in use, unacknowledged."""
    bench.send_table(4)
    bench.send_table(5, b"not a table")
    bench.send_table(6)
    acks = [decode_message(await bench.next(Kind.ACK), Ack).version for _ in range(2)]
    assert acks == [4, 6]
    assert "table refused" in caplog.text


async def test_signs_of_life(bench: Bench) -> None:
    """A worker reports what it does from its first moment."""
    status = decode_message(await bench.next(Kind.STATUS), WorkerStatus)
    assert status == WorkerStatus(0, {"served": 3})


async def test_closing_lingers(bench: Bench) -> None:
    """When the gateway closes, not-ready is said before accepting ends."""
    bench.parent.send(Kind.DRAIN, encode_message(Drain(0.05, 9)))
    assert await asyncio.wait_for(bench.serving, 5) == EXIT_FINE
    assert bench.plane.calls == ["begin_drain", "stop_listening", "drained 9", "close"]


async def test_retiring_stops_at_once(bench: Bench) -> None:
    """In a rolling restart the newcomer accepts already, so the old one stops first."""
    bench.parent.send(Kind.DRAIN, encode_message(Drain(0, 9)))
    bench.parent.send(Kind.DRAIN, encode_message(Drain(0, 1)))
    assert await asyncio.wait_for(bench.serving, 5) == EXIT_FINE
    assert bench.plane.calls == ["stop_listening", "begin_drain", "drained 9", "close"]


async def test_leaves_with_the_parent(bench: Bench) -> None:
    """The end of the line ends the worker at once."""
    bench.parent.close()
    assert await asyncio.wait_for(bench.serving, 2) == EXIT_ORPHANED
    assert bench.plane.calls == ["close"]


async def test_holds_before_a_table(bench: Bench) -> None:
    """Latches reach the data plane whether there is a table or not, and are acknowledged."""
    bench.parent.send(Kind.LATCH, encode_message(Latched(3, {"a": ["x"], "b": ["y", ""]})))
    assert decode_message(await bench.next(Kind.HELD), Held).serial == 3
    bench.send_table(4)
    await bench.next(Kind.READY)
    assert bench.plane.calls == ["hold {'a': ['x'], 'b': 'all'} False", "publish 4", "listen"]


async def test_bad_latches_end_nobody(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """A data plane that cannot take latches goes on serving, and does not say it holds them."""
    bench.parent.send(Kind.LATCH, encode_message(Latched(1, {"bad": []})))
    bench.parent.send(Kind.LATCH, encode_message(Latched(2, everything=True)))
    assert decode_message(await bench.next(Kind.HELD), Held).serial == 2
    assert bench.plane.calls == ["hold {} True"] and "latches refused" in caplog.text


class NotedFacts:
    """Facts that note beside the plane what they are told."""

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    def open(self) -> None:
        self._calls.append("open facts")

    def counts(self) -> dict[str, int]:
        return {"facts_noted": 7}

    async def close(self, timeout_s: float) -> bool:
        self._calls.append(f"close facts {timeout_s:g}")
        return True


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "orphaned"])
async def test_facts_end_last(is_told: bool) -> None:
    """Facts are handed over after the plane has closed; who has no parent waits for nobody."""
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        plane, parent = NotedPlane(), await Line.open(ours)
        worker = Worker(plane, await Line.open(theirs), sock, NotedFacts(plane.calls))
        serving = asyncio.ensure_future(worker.serve())
        bench = Bench(plane, parent, serving)
        status = decode_message(await bench.next(Kind.STATUS), WorkerStatus)
        worker.leave(Drain(linger_s=0.0, timeout_s=1.0)) if is_told else parent.close()
        await asyncio.wait_for(serving, 5)
        parent.close()
    assert status.counts == {"served": 3, "facts_noted": 7}
    assert plane.calls[0] == "open facts"
    assert plane.calls[-2:] == ["close", f"close facts {2 if is_told else 0}"]
