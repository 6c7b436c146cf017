"""A worker's copies: never waited for, bounded, and every one that is dropped is counted and told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.record.copied import Copied
from gateway.record.copies import (
    MAX_COPY_BYTES,
    CopyChannel,
    CopyFrameError,
    CopyFrameReader,
    CopyHello,
    CopyKind,
    CopyLimits,
    Skipped,
    encode_copy_frame,
)
from gateway.record.outcome import Outcome


def copied_of(body: bytes = b"{}", request_id: str = "rq") -> Copied:
    """Give a copy with a body."""
    return Copied(Outcome(request_id=request_id, route="support"), 7, True, 12, "ana", b"", [], body, b"", False)


class FakeShadow(asyncio.Transport):
    """
    The shadow process's end, as a transport.

    Attributes:
        frames: Everything that came, over all connections.
        is_away: Nobody can connect.
        n_tries: How often somebody tried.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[tuple[CopyKind, bytes]] = []
        self.is_away = False
        self.n_tries = 0
        self.protocol: Any = None
        self._reader = CopyFrameReader()

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> object:
        """Take a connection."""
        self.n_tries += 1
        if self.is_away:
            raise ConnectionRefusedError
        self._reader = CopyFrameReader()
        self.protocol = factory()
        self.protocol.connection_made(self)
        return self

    def write(self, data: Any) -> None:
        self.frames += self._reader.feed(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        self.protocol.connection_lost(None)

    def of(self, kind: CopyKind) -> list[bytes]:
        """Give the frames of one kind."""
        return [payload for found, payload in self.frames if found is kind]

    def told(self) -> dict[tuple[str, str], int]:
        """Give the last counts that came."""
        counts = msgspec.msgpack.decode(self.of(CopyKind.SKIPPED)[-1], type=Skipped).counts
        return {(route, reason): n for route, reason, n in counts}


def channel_to(shadow: FakeShadow, **limits: int) -> CopyChannel:
    """Give a channel with these limits."""
    return CopyChannel(shadow.connect, worker=1, boot=2, limits=CopyLimits(**limits))


async def test_copy_arrives_whole() -> None:
    """What is offered arrives as it was, after who sends it."""
    shadow = FakeShadow()
    channel = channel_to(shadow)
    channel.open()
    await asyncio.sleep(0)
    channel.offer(copied_of(b'{"a":1}'))
    assert msgspec.msgpack.decode(shadow.of(CopyKind.COPY)[0], type=Copied) == copied_of(b'{"a":1}')
    assert msgspec.msgpack.decode(shadow.of(CopyKind.HELLO)[0], type=CopyHello).worker == 1
    assert await channel.close(1)


async def test_newest_is_dropped_when_full() -> None:
    """Without anybody to read, the bound holds and what came last is dropped and counted."""
    shadow = FakeShadow()
    channel = channel_to(shadow, max_rows=2)
    for number in range(5):
        channel.offer(copied_of(request_id=f"rq{number}"))
    assert channel.counts()["copies_waiting"] == 2 and channel.skipped() == {("support", "worker_rows"): 3}
    channel.open()
    await asyncio.sleep(0)
    assert [b"rq0" in payload for payload in shadow.of(CopyKind.COPY)] == [True, False]
    assert shadow.told() == {("support", "worker_rows"): 3}
    await channel.close(1)


async def test_bytes_are_bounded() -> None:
    """Few large copies are bounded as many small ones are."""
    channel = channel_to(FakeShadow(), max_bytes=5_000)
    for _ in range(5):
        channel.offer(copied_of(b"x" * 2_000))
    counts = channel.counts()
    assert counts["copies_waiting_bytes"] <= 5_000 and channel.skipped() == {("support", "worker_bytes"): 3}
    assert counts["copies_offered"] == counts["copies_waiting"] + counts["copies_dropped"]


def test_too_large_is_dropped() -> None:
    """A copy over its bound never enters the queue."""
    channel = channel_to(FakeShadow())
    channel.offer(copied_of(b"x" * MAX_COPY_BYTES))
    assert channel.skipped() == {("support", "too_large"): 1} and not channel.counts()["copies_waiting"]


def test_unfit_copy_costs_itself_only() -> None:
    """What cannot be encoded is dropped and counted, and nothing is raised."""
    channel = channel_to(FakeShadow())
    channel.offer(copied_of(request_id="\ud800"))
    assert channel.skipped() == {("support", "worker_unfit"): 1}


async def test_full_wire_keeps_copies_here() -> None:
    """While the shadow process does not read, copies wait here; when it reads again they go."""
    shadow = FakeShadow()
    channel = channel_to(shadow)
    channel.open()
    await asyncio.sleep(0)
    shadow.protocol.pause_writing()
    channel.offer(copied_of())
    assert not shadow.of(CopyKind.COPY) and channel.counts()["copies_waiting"] == 1
    shadow.protocol.resume_writing()
    assert len(shadow.of(CopyKind.COPY)) == 1
    await channel.close(1)


async def test_counts_are_told_once_over_connections() -> None:
    """A shadow process reborn hears what its forerunner was told, so that nothing is counted twice."""
    shadow = FakeShadow()
    channel = channel_to(shadow)
    channel.note_skipped("support", "client_gone")
    channel.open()
    await asyncio.sleep(0)
    shadow.abort()
    channel.note_skipped("support", "client_gone")
    await asyncio.sleep(0.1)
    hello = msgspec.msgpack.decode(shadow.of(CopyKind.HELLO)[-1], type=CopyHello)
    assert hello.told == [("support", "client_gone", 1)] and shadow.told() == {("support", "client_gone"): 2}
    await channel.close(1)


async def test_skips_are_told_without_copies() -> None:
    """Where every request is skipped, that is told within a second or so all the same."""
    shadow = FakeShadow()
    channel = channel_to(shadow)
    channel.open()
    await asyncio.sleep(0)
    channel.note_skipped("support", "too_large")
    await asyncio.sleep(1.1)
    assert shadow.told() == {("support", "too_large"): 1}
    await channel.close(1)


async def test_pauses_grow_while_nobody_listens() -> None:
    """An absent shadow process is not asked for all the time."""
    shadow = FakeShadow()
    shadow.is_away = True
    channel = channel_to(shadow)
    channel.open()
    channel.open()
    await asyncio.sleep(0.5)
    assert 2 <= shadow.n_tries <= 5
    assert await channel.close(0.1)


async def test_anything_said_hangs_up() -> None:
    """Nobody ever says anything to workers; who does is none of ours."""
    shadow = FakeShadow()
    channel = channel_to(shadow)
    channel.open()
    await asyncio.sleep(0)
    shadow.protocol.data_received(b"hello")
    assert not channel.counts()["copies_connected"]
    await channel.close(1)


def test_frames_are_cut_anywhere() -> None:
    """A frame in single bytes is one frame."""
    frame = encode_copy_frame(CopyKind.SKIPPED, Skipped([("r", "x", 1)]))
    reader = CopyFrameReader()
    found = [each for byte in frame for each in reader.feed(bytes([byte]))]
    assert [kind for kind, _ in found] == [CopyKind.SKIPPED]


@pytest.mark.parametrize("nonsense", [b"GET / HTTP/1.1\r\n", b"\x00\x00\x00\x01\x09x"])
def test_nonsense_is_refused(nonsense: bytes) -> None:
    """A length over the bound and a kind nobody knows end the connection."""
    with pytest.raises(CopyFrameError):
        list(CopyFrameReader().feed(nonsense))
