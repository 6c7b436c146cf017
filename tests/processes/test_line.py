"""Frames over a socket pair: whole, in order, bounded."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from gateway.processes.line import MAX_FRAME_BYTES, MAX_UNREAD_OFFER_BYTES, Frame, Kind, Line, encode_frame


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Line, Line]]:
    """Give both ends of a line."""
    left, right = socket.socketpair()
    lines = await Line.open(left), await Line.open(right)
    yield lines
    for line in lines:
        line.close()


async def test_frames_arrive_in_order(pair: tuple[Line, Line]) -> None:
    """What is sent is received, whole and in order."""
    left, right = pair
    left.send(Kind.HELLO, b"{}")
    left.send(Kind.TABLE, b"t" * 3_000_000)
    assert await right.receive() == Frame(Kind.HELLO, b"{}")
    assert await right.receive() == Frame(Kind.TABLE, b"t" * 3_000_000)


@pytest.mark.parametrize("cut", range(len(encode_frame(Kind.ACK, b"12"))))
async def test_any_cut_is_one_frame(cut: int) -> None:
    """A frame that arrives in two pieces is one frame."""
    left, right = socket.socketpair()
    line, raw = await Line.open(right), encode_frame(Kind.ACK, b"12")
    receiving = asyncio.ensure_future(line.receive())
    left.send(raw[:cut])
    await asyncio.sleep(0)
    left.send(raw[cut:])
    assert await receiving == Frame(Kind.ACK, b"12")
    left.close()
    line.close()


@pytest.mark.parametrize("raw", [b"", b"\0\0", b"\0\0\0\x09\x01abc", b"\xff\xff\xff\xff\x01", b"\0\0\0\0\xee"])
async def test_broken_line_ends(raw: bytes) -> None:
    """An end in the middle, a frame too long or of unknown kind: no frame, no exception."""
    left, right = socket.socketpair()
    line = await Line.open(right)
    left.send(raw)
    left.close()
    assert await line.receive() is None
    line.close()


async def test_offer_gives_way(pair: tuple[Line, Line]) -> None:
    """News is dropped, not piled up, when the other end does not read."""
    left, _ = pair
    left.send(Kind.TABLE, bytes(4 * MAX_UNREAD_OFFER_BYTES))
    assert left.unread_bytes > MAX_UNREAD_OFFER_BYTES
    assert not left.offer(Kind.STATUS, b"{}")


async def test_deaf_peer_is_cut(pair: tuple[Line, Line]) -> None:
    """A peer that never reads costs a bounded amount of memory, then its line."""
    left, right = pair
    for _ in range(4):
        left.send(Kind.TABLE, bytes(MAX_FRAME_BYTES - 1))
    while await right.receive() is not None:
        pass
    assert left.unread_bytes == 0


async def test_flush_waits(pair: tuple[Line, Line]) -> None:
    """After `flush` nothing is left on our side."""
    left, right = pair
    left.send(Kind.TABLE, bytes(2_000_000))
    receiving = asyncio.ensure_future(right.receive())
    await left.flush()
    assert left.unread_bytes == 0
    assert await receiving


async def test_flush_is_bounded(pair: tuple[Line, Line]) -> None:
    """A peer that does not read holds nobody up."""
    left, _ = pair
    left.send(Kind.TABLE, bytes(8_000_000))
    await left.flush(timeout_s=0.05)
    assert left.unread_bytes > 0


def test_oversized_is_refused() -> None:
    """No frame is made that the other end would not take."""
    with pytest.raises(ValueError, match="over the"):
        encode_frame(Kind.TABLE, bytes(MAX_FRAME_BYTES + 1))
