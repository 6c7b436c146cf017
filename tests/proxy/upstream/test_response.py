"""Tests for gateway.proxy.upstream.response."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import UpstreamBrokenError, UpstreamTimeoutError
from gateway.proxy.upstream.response import BUFFERED_BYTES, MAX_WHOLE_BYTES
from tests.fakes.upstream import (
    DONE,
    LAST_CHUNK,
    STREAM_HEAD,
    Fin,
    Hang,
    Pause,
    ScriptedUpstream,
    answer,
    event,
)
from tests.proxy.upstream.test_connection import ask
from tests.proxy.upstream.test_pool import HEAD, pool_to


async def test_events_arrive_early() -> None:
    """An event stream arrives with its head, though the whole was asked for, and ends later."""
    script = (STREAM_HEAD, Pause(0.05), event("a") + DONE + LAST_CHUNK)
    async with ScriptedUpstream([script]) as upstream, pool_to(upstream.port) as pool:
        response = await ask(pool)
        assert (response.status, response.is_whole, response.is_event_stream) == (200, False, True)
        pieces: list[bytes] = []
        response.pipe(pieces.append)
        await response.ended()
        assert b"[DONE]" in b"".join(pieces)
        response.release()


async def test_one_read_is_one_piece() -> None:
    """What came in one read leaves as one piece, however many chunks it was."""
    script = (STREAM_HEAD, Pause(0.05), b"".join(event(str(n)) for n in range(20)) + LAST_CHUNK)
    async with ScriptedUpstream([script]) as upstream, pool_to(upstream.port) as pool:
        response = await ask(pool)
        pieces: list[bytes] = []
        response.pipe(pieces.append)
        await response.ended()
        assert (len(pieces), pieces[0].count(b"data: ")) == (1, 20)
        response.release()


async def test_huge_answer_streams() -> None:
    """An answer too large to hold arrives unfinished, and all of it comes out of the pipe."""
    size = MAX_WHOLE_BYTES + 5_000_000
    async with ScriptedUpstream([(answer(b"x" * size),)]) as upstream, pool_to(upstream.port) as pool:
        response = await ask(pool)
        assert not response.is_whole
        sizes: list[int] = []
        response.pipe(lambda piece: sizes.append(len(piece)))
        await response.ended()
        assert (sum(sizes), response.is_whole) == (size, True)
        response.release()


async def test_nobody_takes_it() -> None:
    """While nobody takes a stream, little of it is held and the provider is made to wait without a time limit."""
    flood: tuple[bytes | Hang, ...] = (STREAM_HEAD, *(event("x" * 60_000),) * 600, Hang())
    async with ScriptedUpstream([flood]) as upstream, pool_to(upstream.port) as pool:
        response = await ask(pool)
        await asyncio.sleep(0.3)
        held = len(response.body())
        assert BUFFERED_BYTES < held < BUFFERED_BYTES * 4
        assert upstream.sent_bytes < 30_000_000
        response.release()


async def test_paused_does_not_expire() -> None:
    """The silence of a provider that is made to wait does not count; afterwards it does."""
    script = (STREAM_HEAD + event("a"), Hang())
    async with ScriptedUpstream([script]) as upstream, pool_to(upstream.port) as pool:
        response = await ask(pool)
        response.pipe(lambda piece: None)
        response.pause()
        await asyncio.sleep(0.8)
        assert response.error is None
        response.resume()
        await response.ended()
        assert isinstance(response.error, UpstreamTimeoutError)
        assert response.error.phase == "idle"


async def test_error_after_events_is_kept() -> None:
    """Events that came together with the end of their connection are not lost; a body cut short is no answer."""
    script = (STREAM_HEAD + event("a", finish=True) + DONE, Fin())
    async with ScriptedUpstream([script, (answer(b"hello")[:-1], Fin())]) as upstream, pool_to(upstream.port) as pool:
        connection = await pool.acquire()
        response = connection.send(HEAD, b"", wants_whole=True)
        await upstream.until(open_count=0)
        await asyncio.sleep(0.02)
        await response.arrive()
        assert isinstance(response.error, UpstreamBrokenError)
        pieces: list[bytes] = []
        response.pipe(pieces.append)
        assert b"[DONE]" in pieces[0]
        response.release()
        with pytest.raises(UpstreamBrokenError):
            await ask(pool)


async def test_release_twice_is_once() -> None:
    """Released twice, a connection is back once."""
    async with ScriptedUpstream([(answer(b"{}"),)]) as upstream, pool_to(upstream.port) as pool:
        response = await ask(pool)
        response.release()
        response.release()
        assert pool.take_idle() is not None
        assert pool.take_idle() is None


async def test_early_release_closes() -> None:
    """Released before its end, an answer takes its connection with it at once."""
    async with ScriptedUpstream([(STREAM_HEAD + event("a"), Hang())]) as upstream, pool_to(upstream.port) as pool:
        response = await ask(pool)
        response.release()
        assert pool.open_count == 0
        await upstream.until(open_count=0, seconds=0.1)


@pytest.mark.parametrize(
    ("kind", "prefers", "is_stream"),
    [
        (b"text/event-stream", False, True),
        (b"Text/Event-Stream; charset=utf-8", False, True),
        (b"text/plain", False, False),
        (b"text/plain", True, True),
        (b"application/json", True, False),
        (b"text/html", True, False),
    ],
)
async def test_event_stream_is_recognised(kind: bytes, prefers: bool, is_stream: bool) -> None:
    """A stream is one by its type, or by having been asked for unless the type says otherwise."""
    async with ScriptedUpstream([(answer(b"data: 1\n\n", kind=kind),)]) as upstream, pool_to(upstream.port) as pool:
        connection = await pool.acquire()
        response = connection.send(HEAD, b"", wants_whole=True, prefers_stream=prefers)
        await response.arrive()
        assert response.is_event_stream is is_stream
        response.release()
