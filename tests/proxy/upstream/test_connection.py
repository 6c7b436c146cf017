"""Tests for gateway.proxy.upstream.connection: every framing an answer can have."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import UpstreamBrokenError, UpstreamTimeoutError
from gateway.proxy.upstream.pool import Pool
from gateway.proxy.upstream.response import UpstreamResponse
from tests.fakes.upstream import Fin, Hang, Pause, Reset, ScriptedUpstream, Step, answer, chunk
from tests.proxy.upstream.test_pool import HEAD, pool_to

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


async def ask(pool: Pool, *, wants_whole: bool = True) -> UpstreamResponse:
    """Send a request and give its answer once it is here."""
    connection = pool.take_idle() or await pool.acquire()
    response = connection.send(HEAD, b"", wants_whole=wants_whole)
    try:
        await response.arrive()
    except BaseException:
        response.release()
        raise
    return response


WHOLE: dict[str, tuple[tuple[Step, ...], bytes, bool]] = {
    "length": ((answer(b"hello"),), b"hello", True),
    "length of nothing": ((answer(b""),), b"", True),
    "length in two reads": ((answer(b"hello")[:-3], Pause(0.02), b"llo"), b"hello", True),
    "chunks": ((CHUNKED + chunk(b"he") + chunk(b"llo") + b"0\r\n\r\n",), b"hello", True),
    "chunks with trailers": ((CHUNKED + chunk(b"hello") + b"0\r\nx-a: 1\r\n\r\n",), b"hello", True),
    "chunks with extensions": ((CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n",), b"hello", True),
    "until the end": ((OK + b"\r\nhello", Pause(0.02), Fin()), b"hello", False),
    "until the end, all at once": ((OK + b"\r\nhello", Fin()), b"hello", False),
    "close announced": ((answer(b"hello", more=b"connection: close\r\n"),), b"hello", False),
    "HTTP/1.0": ((b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",), b"hello", False),
    "204": ((b"HTTP/1.1 204 No\r\n\r\n",), b"", True),
    "304 with a length": ((b"HTTP/1.1 304 No\r\ncontent-length: 5\r\n\r\n",), b"", True),
    "interim answers": (
        (b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nlink: x\r\n\r\n" + answer(b"hello"),),
        b"hello",
        True,
    ),
    "longer than its length": ((answer(b"hello") + b"more",), b"hello", False),
    "two answers": ((answer(b"hello") + answer(b"other"),), b"hello", False),
    "half of a second answer": ((answer(b"hello") + b"HTTP/1.1 200 OK\r\nx-a",), b"hello", False),
}


@pytest.mark.parametrize("name", WHOLE)
async def test_whole(name: str) -> None:
    """Each way to end an answer is understood, and only a clean one leaves the connection for another request."""
    script, body, is_kept = WHOLE[name]
    async with ScriptedUpstream([script]) as upstream, pool_to(upstream.port) as pool:
        response = await ask(pool)
        assert (response.body(), response.is_whole, response.error) == (body, True, None)
        assert b"link" not in dict(response.headers)
        response.release()
        assert (pool.take_idle() is not None) is is_kept
        assert pool.open_count == int(is_kept)


BROKEN: dict[str, tuple[Step, ...]] = {
    "nothing, then the end": (Fin(),),
    "nothing, then a reset": (Reset(),),
    "half a head": (b"HTTP/1.1 200 OK\r\ncontent-", Fin()),
    "length too long": (OK + b"content-length: 10\r\n\r\nhello", Fin()),
    "chunks without end": (CHUNKED + chunk(b"hello"), Fin()),
    "gzip and chunks without end": (OK + b"transfer-encoding: gzip, chunked\r\n\r\n" + chunk(b"hello"), Fin()),
    "bad chunk size": (CHUNKED + b"zz\r\nhello\r\n", Hang()),
    "reset without a length": (OK + b"\r\nhello", Pause(0.05), Reset()),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", Hang()),
    "length and chunks": (OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(b"hello"), Hang()),
    "two lengths": (OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!", Hang()),
    "negative length": (OK + b"content-length: -5\r\n\r\n", Hang()),
    "NUL in a header": (OK + b"x-a: a\0b\r\ncontent-length: 0\r\n\r\n", Hang()),
    "bare LF": (b"HTTP/1.1 200 OK\ncontent-length: 0\n\n", Hang()),
    "switching": (b"HTTP/1.1 101 S\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nbytes", Hang()),
    "interim flood": (b"HTTP/1.1 100 C\r\n\r\n" * 17, Hang()),
    "header of 70 KiB": (OK + b"x-a: " + b"a" * 70_000 + b"\r\ncontent-length: 0\r\n\r\n", Hang()),
    "header without end": (OK + b"x-a: ", *(b"a" * 40_000,) * 4, Hang()),
    "many headers": (OK + b"x-a: aaaaaaaaaaaaaaaa\r\n" * 5_000 + b"content-length: 0\r\n\r\n", Hang()),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_broken(name: str) -> None:
    """An answer that ends early or is not HTTP is `upstream_broken`, and its connection is closed."""
    async with ScriptedUpstream([BROKEN[name]]) as upstream, pool_to(upstream.port) as pool:
        with pytest.raises(UpstreamBrokenError):
            await ask(pool)
        assert pool.open_count == 0
        await upstream.until(open_count=0)


async def test_head_request_has_no_body() -> None:
    """The answer to HEAD ends with its head, whatever length it declares."""
    async with ScriptedUpstream([(OK + b"content-length: 500\r\n\r\n",)]) as upstream, pool_to(upstream.port) as pool:
        connection = await pool.acquire()
        response = connection.send_head(b"HEAD / HTTP/1.1\r\nhost: p\r\n\r\n", is_head=True)
        connection.finish_request()
        await response.arrive()
        assert (response.is_whole, response.body()) == (True, b"")
        response.release()
        assert pool.open_count == 0


async def test_unasked_bytes_close() -> None:
    """Bytes on an idle connection close it: whatever they are, they belong to no request of ours."""
    script = (answer(b"{}"), Pause(0.03), answer(b"poison"))
    async with ScriptedUpstream([script]) as upstream, pool_to(upstream.port) as pool:
        (await ask(pool)).release()
        await upstream.until(open_count=0)
        assert pool.take_idle() is None


async def test_unread_request_closes() -> None:
    """A provider that answers before it has read the request is not asked again on that connection."""
    early = ScriptedUpstream([(Hang(),)], greeting=answer(b"{}", status=413), reads=False)
    async with early as upstream, pool_to(upstream.port) as pool:
        connection = await pool.acquire()
        response = connection.send(HEAD, b"x" * 30_000_000, wants_whole=True)
        await response.arrive()
        assert (response.status, response.is_whole) == (413, True)
        response.release()
        assert pool.open_count == 0


async def test_unread_upload_times_out() -> None:
    """A provider that takes nothing of an upload runs into the idle limit."""
    async with ScriptedUpstream([(Hang(),)], reads=False) as upstream, pool_to(upstream.port) as pool:
        connection = await pool.acquire()
        response = connection.send_head(b"POST / HTTP/1.1\r\ncontent-length: 90000000\r\n\r\n", is_head=False)
        writing = asyncio.ensure_future(write_much(connection.write, 40_000_000))
        with pytest.raises(UpstreamTimeoutError):
            await response.arrive()
        await asyncio.wait_for(writing, 1)
        assert pool.open_count == 0


async def write_much(write: object, count: int) -> None:
    """Write zeros in pieces."""
    assert callable(write)
    for _ in range(count // 65_536):
        await write(b"\0" * 65_536)


@pytest.mark.parametrize(
    ("script", "phase"),
    [((Hang(),), "first_byte"), ((b"HTTP/1.1 2", Hang()), "first_byte"), ((answer(b"hello")[:-1], Hang()), "idle")],
    ids=["silence", "half a head", "half a body"],
)
async def test_time_limits(script: tuple[Step, ...], phase: str) -> None:
    """Each phase ends by its own limit, not before it, and closes the connection."""
    async with ScriptedUpstream([script]) as upstream, pool_to(upstream.port) as pool:
        start_s = asyncio.get_running_loop().time()
        with pytest.raises(UpstreamTimeoutError) as caught:
            await ask(pool)
        assert caught.value.phase == phase
        assert 0.4 <= asyncio.get_running_loop().time() - start_s < 5
        await upstream.until(open_count=0)


async def test_slow_but_moving_is_fine() -> None:
    """An answer that takes longer than every limit, but never pauses that long, is no timeout."""
    pieces: tuple[Step, ...] = sum(((b"x", Pause(0.1)) for _ in range(8)), ())
    script = (OK + b"content-length: 8\r\n\r\n", *pieces)
    async with ScriptedUpstream([script]) as upstream, pool_to(upstream.port) as pool:
        assert (await ask(pool)).body() == b"x" * 8
