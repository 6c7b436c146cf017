"""The client, against the paced provider: right answers count, wrong ones end the measurement."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bench.errors import BenchError
from bench.load import ClosedLoop, check_answer, check_stream, connect, connect_many, run_streams, whole_answer
from bench.provider import PacedConnection
from bench.shape import DONE_EVENT, Address, chat_answer, chat_event, chat_requests, content_of, split_head

N_TOKENS = 5


@pytest.fixture
async def provider() -> AsyncIterator[Address]:
    """Give a paced provider in this process."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: PacedConnection(n_chunks=N_TOKENS, gap_s=0.002, loop=loop), "127.0.0.1", 0
    )
    yield Address("127.0.0.1", server.sockets[0].getsockname()[1])
    server.close()


async def test_streams_are_whole(provider: Address) -> None:
    """All streams come at once and each has all its tokens, again and again on the same connections."""
    exchanges = await connect_many(provider, 8)
    for _ in range(2):
        await run_streams(exchanges, chat_requests(provider, is_stream=True), N_TOKENS)
    assert all(exchange.has_begun for exchange in exchanges)
    for exchange in exchanges:
        exchange.close()


async def test_missing_token(provider: Address) -> None:
    """A stream with another number of tokens than was promised is an error."""
    exchanges = await connect_many(provider, 1)
    with pytest.raises(BenchError, match=f"{N_TOKENS} tokens instead of {N_TOKENS + 1}"):
        await run_streams(exchanges, chat_requests(provider, is_stream=True), N_TOKENS + 1)
    exchanges[0].close()


async def test_closed_loop_counts(provider: Address) -> None:
    """Right answers are counted while the load runs, and it ends when it is told to."""
    request = chat_requests(provider, is_stream=False, n_users=1)[0]
    _, start = split_head(request) or (b"", 0)
    load = ClosedLoop(provider, [request], chat_answer(request[start:].decode()))
    await load.start(2)
    await load.run_for(0.1)
    await load.stop()
    assert load.answered > 2


async def test_wrong_answer_ends_the_load(provider: Address) -> None:
    """An answer that is not the expected one is never counted."""
    load = ClosedLoop(provider, chat_requests(provider, is_stream=False), b"something else")
    await load.start(2)
    with pytest.raises(BenchError, match="a wrong answer"):
        await load.run_for(5)
    assert load.answered == 0
    with pytest.raises(BenchError):
        await load.stop()


async def test_echo(provider: Address) -> None:
    """The provider says back what it was sent."""
    request = chat_requests(provider, is_stream=False, n_users=1)[0]
    exchange = await connect(provider)
    _, body = await exchange.ask(request)
    assert request.endswith(content_of(body).encode())
    exchange.close()


async def test_lost_connection() -> None:
    """A connection that is closed instead of answered is an error, not a wait."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    exchange = await connect(Address("127.0.0.1", server.sockets[0].getsockname()[1]))
    asking = asyncio.ensure_future(exchange.ask(b"GET / HTTP/1.1\r\n\r\n"))
    await asyncio.sleep(0)
    exchange.close()
    with pytest.raises(BenchError, match="closed"):
        await asking
    server.close()


def test_answer_is_whole_at_its_end() -> None:
    """No piece of an answer is taken for the answer, in either framing."""
    event = chat_event("a")
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(event), event)
    counted = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
    for raw, body in ((chunked, event), (counted, b"abc")):
        assert all(whole_answer(bytearray(raw[:cut])) is None for cut in range(len(raw)))
        found = whole_answer(bytearray(raw))
        assert found is not None and found[1] == body


def test_refusals_are_errors() -> None:
    """Only a 200 counts, and a stream must say that it is done."""
    with pytest.raises(BenchError):
        check_answer(b"HTTP/1.1 503 Service Unavailable\r\n", b"", None)
    with pytest.raises(BenchError):
        check_stream(b"HTTP/1.1 200 OK\r\n", chat_event("a"), 1)
    check_stream(b"HTTP/1.1 200 OK\r\n", chat_event("a") + DONE_EVENT, 1)
