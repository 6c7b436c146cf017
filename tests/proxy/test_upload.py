"""Tests for gateway.proxy.upload."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from gateway.proxy.upload import STREAM_BUFFER_BYTES, EdgeBody


@dataclass
class Source:
    """A client that remembers what it was told."""

    told: list[str] = field(default_factory=list)

    def pause_body(self) -> None:
        self.told.append("pause")

    def resume_body(self) -> None:
        self.told.append("resume")


async def test_pieces_come_in_order() -> None:
    """Pieces come out as they went in, also those that come while somebody waits."""
    body = EdgeBody(Source())

    async def take() -> list[bytes]:
        return [piece async for piece in body]

    taking = asyncio.ensure_future(take())
    for piece in (b"a", b"b", b"c"):
        body.note_piece(piece)
        await asyncio.sleep(0)
    body.note_whole()
    assert await taking == [b"a", b"b", b"c"]
    assert body.is_whole


async def test_nobody_takes_it() -> None:
    """A client is made to wait when too much piles up, and goes on once most of it was taken."""
    source = Source()
    body = EdgeBody(source)
    for _ in range(3):
        body.note_piece(b"x" * (STREAM_BUFFER_BYTES // 2))
    assert source.told == ["pause"]
    body.note_whole()
    assert len([piece async for piece in body]) == 3
    assert source.told[1] == "resume"


async def test_empty_body_ends() -> None:
    """A body of nothing is over at once."""
    body = EdgeBody(Source())
    body.note_whole()
    assert [piece async for piece in body] == []
