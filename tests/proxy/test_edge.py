"""Tests for gateway.proxy.edge: connections, their limits and their pace."""

from __future__ import annotations

import asyncio
import socket
import time

from gateway.proxy.edge_app import EdgeLimits
from tests.fakes.plane import CHAT, CHAT_STREAM, get, post, raw_client, serving
from tests.fakes.tables import simple_table
from tests.fakes.upstream import (
    CHAT_ANSWER,
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

BRISK = EdgeLimits(header_s=0.3, body_s=0.3, idle_s=0.3, drain_idle_s=0.2, stall_s=0.5, linger_s=0.2)


async def test_connection_is_kept() -> None:
    """One connection carries many requests."""
    async with (
        ScriptedUpstream([(answer(CHAT_ANSWER),)]) as upstream,
        serving(simple_table(upstream.port)) as plane,
        raw_client(plane.port) as client,
    ):
        for _ in range(5):
            client.send(post(CHAT))
            assert "connection" not in (await client.reply()).headers
        assert plane.inner.counts()["client_connections"] == 1


async def test_close_is_honoured() -> None:
    """A client that wants its connection closed gets it closed, after the whole answer."""
    async with (
        ScriptedUpstream([(answer(CHAT_ANSWER),)]) as upstream,
        serving(simple_table(upstream.port)) as plane,
        raw_client(plane.port) as client,
    ):
        client.send(post(CHAT, headers=("connection: close",)))
        assert (await client.reply()).headers["connection"] == "close"
        assert await client.ends() == b""


async def test_old_client_gets_no_chunks() -> None:
    """HTTP/1.0 knows no chunks: a stream ends with the connection."""
    whole = STREAM_HEAD + event("a", finish=True) + DONE + LAST_CHUNK
    async with (
        ScriptedUpstream([(whole,)]) as upstream,
        serving(simple_table(upstream.port)) as plane,
        raw_client(plane.port) as client,
    ):
        client.send(post(CHAT_STREAM).replace(b"HTTP/1.1", b"HTTP/1.0"))
        ended = await client.ends()
        assert b"transfer-encoding" not in ended
        assert ended.endswith(b"data: [DONE]\n\n")


async def test_idle_connection_is_closed() -> None:
    """A connection that says nothing is closed without a word, at first and between two requests."""
    async with (
        ScriptedUpstream([(answer(CHAT_ANSWER),)]) as upstream,
        serving(simple_table(upstream.port), limits=BRISK) as plane,
        raw_client(plane.port) as silent,
        raw_client(plane.port) as once,
    ):
        once.send(post(CHAT))
        assert (await once.reply()).status == 200
        assert [await silent.ends(), await once.ends()] == [b"", b""]


async def test_waiting_for_the_provider_is_not_idle() -> None:
    """While the provider thinks no limit of the edge applies."""
    slow = (Pause(0.35), answer(CHAT_ANSWER)[:50], Pause(0.35), answer(CHAT_ANSWER)[50:])
    async with ScriptedUpstream([slow]) as upstream:
        quick = EdgeLimits(header_s=0.1, body_s=0.1, idle_s=0.1, stall_s=0.1)
        async with serving(simple_table(upstream.port), limits=quick) as plane, raw_client(plane.port) as client:
            client.send(post(CHAT))
            assert (await client.reply()).status == 200


async def slow_socket(port: int, data: bytes) -> socket.socket:
    """Send `data` from a socket with a small window that reads nothing."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", port))
    await loop.sock_sendall(sock, data)
    return sock


FLOOD = (STREAM_HEAD, *(event("x" * 60_000),) * 500, event("end", finish=True) + DONE + LAST_CHUNK)
"""Thirty megabytes of stream."""


async def test_slow_reader_slows_the_provider() -> None:
    """Who does not read makes the provider wait: little is held, none of the provider's limits strikes, all arrives."""
    async with ScriptedUpstream([FLOOD]) as upstream, serving(simple_table(upstream.port)) as plane:
        with await slow_socket(plane.port, post(CHAT_STREAM)) as sock:
            await asyncio.sleep(0.9)  # More than twice the provider's idle limit.
            assert upstream.sent_bytes < 20_000_000
            loop = asyncio.get_running_loop()
            received = bytearray()
            while not received.endswith(b"0\r\n\r\n"):
                received += await asyncio.wait_for(loop.sock_recv(sock, 2**20), 5)
            assert received.count(b"data: ") == 502
        await plane.outcomes.until(1)
        assert plane.outcomes.last.fault == "none"


async def test_stalled_reader_is_cut() -> None:
    """Who reads nothing at all for too long is cut off, and the provider let go."""
    async with ScriptedUpstream([FLOOD]) as upstream, serving(simple_table(upstream.port), limits=BRISK) as plane:
        with await slow_socket(plane.port, post(CHAT_STREAM)):
            await upstream.until(seen=1)
            await upstream.until(open_count=0, seconds=BRISK.stall_s + 5)
        await plane.outcomes.until(1)
        assert plane.outcomes.last.is_client_gone


async def test_unread_answers_do_not_pile_up() -> None:
    """A client that asks on without reading is not answered on: the provider sees few of its requests."""
    big = answer(CHAT_ANSWER + b" " * 5_000_000)
    async with ScriptedUpstream([(big,)]) as upstream, serving(simple_table(upstream.port)) as plane:
        with await slow_socket(plane.port, post(CHAT) * 10) as sock:
            await asyncio.sleep(0.5)
            assert len(upstream.seen) <= 2
            loop = asyncio.get_running_loop()
            count = 0
            while count < 10 * 5_000_000:
                count += len(await asyncio.wait_for(loop.sock_recv(sock, 2**20), 5))
            assert len(upstream.seen) == 10


async def test_refusal_can_be_read() -> None:
    """A client that still sends when it is refused gets to read why."""
    async with serving(simple_table(1)) as plane, raw_client(plane.port) as client:
        client.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 99999999\r\n\r\n" + b"x" * 3_000_000
        )
        assert (await client.reply()).status == 413


async def test_refused_client_is_not_read_for_ever() -> None:
    """Nor is a refused client read for ever."""
    async with serving(simple_table(1), limits=BRISK) as plane, raw_client(plane.port) as client:
        client.send(b"nonsense\r\n\r\n")
        assert (await client.reply()).status == 400
        start_s = time.monotonic()
        while plane.inner.counts()["client_connections"] and time.monotonic() - start_s < 10:
            client.send(b"x" * 1000)
            await asyncio.sleep(0.05)
        assert plane.inner.counts()["client_connections"] == 0


async def test_nothing_is_kept_of_a_refused_pipeline() -> None:
    """What follows a broken request is dropped, also while one before it is still being answered."""
    async with (
        ScriptedUpstream([(Pause(0.3), answer(CHAT_ANSWER))]) as upstream,
        serving(simple_table(upstream.port)) as plane,
        raw_client(plane.port) as client,
    ):
        client.send(post(CHAT) + b"\0")
        await upstream.until(seen=1)
        client.send(b"GET /" + b"a" * 5_000_000)
        assert [(await client.reply()).status for _ in range(2)] == [200, 400]


async def test_idle_connections_leave_a_drain() -> None:
    """Draining, idle connections are closed soon."""
    async with serving(simple_table(1), limits=BRISK) as plane, raw_client(plane.port) as client:
        client.send(get("/livez"))
        assert (await client.reply()).status == 200
        plane.inner.begin_drain()
        assert await plane.inner.drained(2)
        assert await client.ends() == b""


async def test_broken_stream_is_not_an_end() -> None:
    """What the provider cuts in a raw body is cut for the client, too: no last chunk is made up."""
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    async with (
        ScriptedUpstream([(head + b"4\r\nhalf\r\n", Pause(0.02), Fin()), (Hang(),)]) as upstream,
        serving(simple_table(upstream.port)) as plane,
        raw_client(plane.port) as client,
    ):
        client.send(get("/v1/files/x/content"))
        assert (await client.reply()).is_whole is False
