"""What the control process hears from the parent and says to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from gateway.clock import SystemClock
from gateway.domain.identity import Identity
from gateway.domain.table import TableHead, encode_table
from gateway.processes.line import Kind, Line
from gateway.processes.link import ParentLink
from gateway.processes.messages import (
    Fleet,
    Hello,
    Restart,
    RestartReport,
    WorkerView,
    decode_message,
    encode_message,
    encode_versioned,
)

TABLE = encode_table(TableHead(6, "hash", {}, None, Identity(), bytes(32)), ())


def fleet_at(*versions: int) -> bytes:
    """Give news of one worker for each version."""
    views = [WorkerView(slot, 100 + slot, "serving", 1.0, 0, version, 0) for slot, version in enumerate(versions)]
    return encode_message(Fleet(views, len(views)))


@pytest.fixture
async def ends() -> AsyncIterator[tuple[ParentLink, Line]]:
    """Give the link, and the parent's end."""
    ours, theirs = socket.socketpair()
    link, parent = ParentLink(await Line.open(ours), clock=SystemClock()), await Line.open(theirs)
    yield link, parent
    parent.close()
    await link.close()


async def test_first_hello(ends: tuple[ParentLink, Line]) -> None:
    """The first control process begins at nothing."""
    link, parent = ends
    parent.send(Kind.HELLO, encode_message(Hello()))
    await link.greet()
    assert (link.last_version, link.last_table) == (0, None)


async def test_later_hello(ends: tuple[ParentLink, Line]) -> None:
    """A successor learns version and table of its predecessor."""
    link, parent = ends
    parent.send(Kind.HELLO, encode_message(Hello(6)))
    parent.send(Kind.TABLE, encode_versioned(6, TABLE))
    await link.greet()
    assert repr(link.last_table) == "<RoutingTable v6 hash: 0 routes>"


async def test_foreign_table_is_no_obstacle(ends: tuple[ParentLink, Line]) -> None:
    """A table of other code is not read, and not a reason to fail."""
    link, parent = ends
    parent.send(Kind.HELLO, encode_message(Hello(6)))
    parent.send(Kind.TABLE, encode_versioned(6, b"of other code"))
    await link.greet()
    assert (link.last_version, link.last_table) == (6, None)


async def test_silent_parent_raises(ends: tuple[ParentLink, Line]) -> None:
    """A parent that hangs up before hello is a ConnectionError."""
    link, parent = ends
    parent.close()
    with pytest.raises(ConnectionError, match="HELLO"):
        await link.greet()


async def test_waits_for_every_worker(ends: tuple[ParentLink, Line]) -> None:
    """Waiting ends when the last worker has acknowledged."""
    link, parent = ends
    listening = asyncio.ensure_future(link.listen(lambda: None))
    waiting = asyncio.ensure_future(link.wait_acknowledged(7, 5))
    parent.send(Kind.FLEET, fleet_at(7, 6))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    parent.send(Kind.FLEET, fleet_at(7, 8))
    assert await waiting == (2, 2)
    listening.cancel()


async def test_waiting_is_bounded(ends: tuple[ParentLink, Line]) -> None:
    """A worker that never acknowledges holds nobody up."""
    link, parent = ends
    listening = asyncio.ensure_future(link.listen(lambda: None))
    parent.send(Kind.FLEET, fleet_at(7, 6))
    assert await link.wait_acknowledged(7, 0.1) == (1, 2)
    listening.cancel()


async def test_report_finds_its_asker(ends: tuple[ParentLink, Line]) -> None:
    """A restart's report reaches whoever asked for it."""
    link, parent = ends
    listening = asyncio.ensure_future(link.listen(lambda: None))
    asking = asyncio.ensure_future(link.restart(5))
    frame = await parent.receive()
    assert frame is not None and frame.kind is Kind.RESTART
    ticket = decode_message(frame.payload, Restart).ticket
    parent.send(Kind.RESTARTED, encode_message(RestartReport(ticket + 1, 0, 2)))
    parent.send(Kind.RESTARTED, encode_message(RestartReport(ticket, 2, 2)))
    assert (await asking) == RestartReport(ticket, 2, 2)
    listening.cancel()


async def test_no_report_is_none(ends: tuple[ParentLink, Line]) -> None:
    """A parent that reports nothing holds nobody up."""
    link, _ = ends
    assert await link.restart(0.05) is None


async def test_says_its_lines(ends: tuple[ParentLink, Line]) -> None:
    """Tables, refusals and readiness reach the parent in order."""
    link, parent = ends
    link.publish(1, TABLE)
    link.refuse(["no"])
    link.note_ready()
    kinds = [frame.kind for _ in range(3) if (frame := await parent.receive()) is not None]
    assert kinds == [Kind.TABLE, Kind.REFUSED, Kind.READY]
