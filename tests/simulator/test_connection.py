"""Connections read any split of bytes, answer in turn, and see clients leave."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from gateway.simulator.provider import SimulatedProvider

BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\ncontent-length: %d\r\n" % len(BODY)


async def until(condition: Any) -> None:
    """Wait until `condition()` holds, at most two seconds."""
    async with asyncio.timeout(2):
        while not condition():  # noqa: ASYNC110 - there is no event for a stranger's socket
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("size", [1, 7, 64])
async def test_any_split_is_read(provider: SimulatedProvider, size: int) -> None:
    """A request in pieces of any size is one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
    run = HEAD + b"\r\n" + BODY
    for at in range(0, len(run), size):
        writer.write(run[at : at + size])
        await asyncio.sleep(0)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.transport.abort()
    assert provider.received[0].body == BODY


async def test_pipelined_requests_are_answered_in_turn(client: Any) -> None:
    """A hundred at once on one connection, one after the other."""
    seen = await client.send((HEAD + b"\r\n" + BODY) * 100)
    assert seen.data.count(b"HTTP/1.1 200 OK") == 100
    assert client.provider.stats.n_connections == 1


async def test_expectation_is_met(client: Any) -> None:
    """100 Continue goes out before the body came."""
    seen = await client.send(HEAD + b"expect: 100-continue\r\n\r\n")
    assert seen.data == b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    ("run", "status"),
    [
        (b"\x16\x03\x01 hello\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nhost: s\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", 426),
        (HEAD.replace(b"host: sim", b"transfer-encoding: chunked") + b"\r\n" + BODY, 400),
    ],
)
async def test_what_is_not_http_is_refused(client: Any, run: bytes, status: int) -> None:
    """With a status, and the connection closed."""
    seen = await client.send(run)
    assert (seen.status, seen.ended) == (status, "eof")


async def test_close_is_obeyed(client: Any) -> None:
    """A client that wants the connection closed gets it closed, and is told."""
    seen = await client.send(HEAD + b"connection: close\r\n\r\n" + BODY)
    assert seen.ended == "eof" and b"connection: close" in seen.data


async def test_leaving_is_seen(provider: SimulatedProvider, client: Any) -> None:
    """A client that hangs up on a silent provider is noted at once."""
    await client.chat("fault-hang")
    await until(lambda: provider.stats.n_hang_ups == 1)
    assert provider.received[0].client_left and provider.stats.n_in_flight == 0
    await until(lambda: provider.stats.n_open_connections == 0 and len(provider.tasks) == 0)


async def test_finished_answer_is_no_hang_up(provider: SimulatedProvider, client: Any) -> None:
    """Closing after the answer is leaving in order."""
    await client.send(HEAD + b"\r\n" + BODY)
    await until(lambda: provider.stats.n_open_connections == 0)
    assert provider.stats.n_hang_ups == 0


async def test_slow_reader_stops_the_script(provider: SimulatedProvider) -> None:
    """Who does not read is not written to without end."""
    body = orjson.dumps(orjson.loads(BODY) | {"model": "fault-interim-flood:2000000", "stream": True})
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port, limit=1024)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
    await reader.read(1)
    await asyncio.sleep(0.1)
    assert provider.stats.n_in_flight == 1
    writer.transport.abort()
    await until(lambda: provider.stats.n_in_flight == 0)
