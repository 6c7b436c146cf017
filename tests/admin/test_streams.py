"""Streams of live numbers: one computation for all, bounded in number, ended in order."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from gateway.admin.endpoint import ApiError
from gateway.admin.streams import COMMENT, MAX_STREAMS, Reader, Streams, changes_of, frame_of, numbers_of
from tests.fakes.live_numbers import LiveNumbers


def test_frames_are_events() -> None:
    """An event has its name, one line of data and an empty line, whatever is in the data."""
    assert frame_of("overview", {"a": "x\n\ny"}) == b'event: overview\ndata: {"a":"x\\n\\ny"}\n\n'


def test_numbers_of_one_route() -> None:
    """A stream about a route gets that one, and null when it is gone."""
    live = LiveNumbers()
    assert numbers_of(live, "support").startswith(b'event: route\ndata: {"route":"support"')
    assert numbers_of(live, "gone") == b"event: route\ndata: null\n\n"


def test_changes_are_told() -> None:
    """A version, a phase, a release that came and one that went are changes; the rest is none."""
    before = {"same": (1, "a"), "version": (1, "a"), "phase": (1, "a"), "gone": (1, "a")}
    after = {"same": (1, "a"), "version": (2, "a"), "phase": (1, "b"), "new": (1, "a")}
    told = {each["release"]: (each["version"], each["phase"]) for each in changes_of(before, after)}
    assert told == {"version": (2, "a"), "phase": (1, "b"), "gone": (None, None), "new": (1, "a")}


async def test_slow_reader_misses_the_oldest() -> None:
    """What is told to one who does not read pushes the oldest out."""
    reader = Reader(None)
    for number in range(20):
        reader.tell(b"%d" % number)
    assert await reader.take() == b"12"


async def test_so_many_and_no_more() -> None:
    """The last of those allowed is opened, the next is 503 until one leaves."""
    streams, live = Streams(), LiveNumbers()
    readers = [streams.open(live, None) for _ in range(MAX_STREAMS)]
    with pytest.raises(ApiError, match="40 streams are open"):
        streams.open(live, None)
    streams.forget(readers[0])
    streams.open(live, None)
    assert len(streams) == MAX_STREAMS
    await streams.close()


async def test_all_share_one_computation() -> None:
    """However many look, a tick computes once; a change of a release is told before the numbers after it."""
    streams, live = Streams(), LiveNumbers()
    readers = [streams.open(live, None) for _ in range(10)]
    for reader in readers:
        assert b"event: overview" in (await reader.take() or b"")
    n_computed = live.n_computed
    live.marked = {"support-v8": (2, "rolled_back")}
    frames = [[await reader.take(), await reader.take()] for reader in readers]
    assert live.n_computed == n_computed + 1
    change = orjson.loads((frames[0][0] or b"").partition(b"data: ")[2])
    assert change == {"release": "support-v8", "version": 2, "phase": "rolled_back"}
    assert all(each == frames[0] for each in frames)
    await streams.close()


async def test_broken_look_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    """A look that fails is logged, and the next one is told."""
    streams, live = Streams(), LiveNumbers()
    reader = streams.open(live, None)
    await reader.take()
    live.is_broken = True
    live.marked = {}
    await live.broke.wait()
    live.is_broken = False
    live.marked = {"support-v8": (9, "held")}
    assert b"rollout" in (await reader.take() or b"")
    assert "could not be told" in caplog.text
    await streams.close()


async def test_nobody_looks() -> None:
    """Once the last has left nothing is computed, and the next one begins it again."""
    streams, live = Streams(), LiveNumbers()
    streams.forget(streams.open(live, None))
    assert streams._ticking is not None
    await streams._ticking
    reader = streams.open(live, "support")
    assert not streams._ticking.done() and await reader.take() != COMMENT
    await streams.close()


async def test_close_ends_everybody() -> None:
    """Who waits for a frame is told that none comes, and nobody may come any more."""
    streams, live = Streams(), LiveNumbers()
    reader = streams.open(live, None)
    await reader.take()
    waiting = asyncio.ensure_future(reader.take())
    await asyncio.sleep(0)
    await streams.close()
    assert await waiting is None and streams.is_over
    with pytest.raises(ApiError):
        streams.open(live, None)
