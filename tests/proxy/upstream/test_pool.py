"""Tests for gateway.proxy.upstream.pool."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.provider import Provider, Timeouts
from gateway.errors import OverloadedError, UpstreamConnectError, UpstreamTimeoutError
from gateway.proxy.sweep import Sweep
from gateway.proxy.upstream.connection import UpstreamConnection
from gateway.proxy.upstream.pool import Pool
from tests.fakes.tables import BRISK, provider
from tests.fakes.upstream import Hang, ScriptedUpstream, answer

HEAD = b"POST / HTTP/1.1\r\nhost: p\r\ncontent-length: 0\r\n\r\n"


@asynccontextmanager
async def pool_to(port: int, **changes: Any) -> AsyncIterator[Pool]:
    """Give a pool, and close it."""
    sweep = Sweep(asyncio.get_running_loop(), tick_s=0.05)
    pool = Pool(provider(port, **changes), sweep)
    try:
        yield pool
    finally:
        pool.close()
        sweep.close()
        await asyncio.sleep(0.01)


async def use(pool: Pool) -> UpstreamConnection:
    """Send a request over a connection, give the connection back, and give it."""
    connection = pool.take_idle() or await pool.acquire()
    response = connection.send(HEAD, b"", wants_whole=True)
    await response.arrive()
    response.release()
    return connection


async def test_connection_is_reused() -> None:
    """A connection that answered whole serves the next request."""
    async with ScriptedUpstream([(answer(b"{}"),)]) as upstream, pool_to(upstream.port) as pool:
        assert await use(pool) is await use(pool)
        assert (upstream.opened, len(upstream.seen)) == (1, 2)
        assert repr(pool) == "<Pool sim: 1 open, 1 idle, 0 waiting>"


async def test_newest_goes_first() -> None:
    """Of two idle connections the one used last is used next."""
    async with ScriptedUpstream([(answer(b"{}"),)]) as upstream, pool_to(upstream.port) as pool:
        first, second = await pool.acquire(), await pool.acquire()
        pool.put_back(first)
        pool.put_back(second)
        assert [pool.take_idle(), pool.take_idle(), pool.take_idle()] == [second, first, None]


async def test_stale_is_not_used() -> None:
    """A connection that was idle for the keep-alive time is closed, also when nobody asks for it."""
    async with ScriptedUpstream([(answer(b"{}"),)]) as upstream, pool_to(upstream.port, keepalive_s=0.1) as pool:
        await use(pool)
        await asyncio.sleep(0.11)
        assert pool.take_idle() is None
        await use(pool)
        await upstream.until(open_count=0)
        assert pool.open_count == 0


async def test_closed_by_provider_is_not_used() -> None:
    """A connection that the provider closed while idle is not used again, and its place is free."""
    async with ScriptedUpstream([(answer(b"{}"),)]) as upstream, pool_to(upstream.port, max_connections=1) as pool:
        await use(pool)
        upstream.close_idle()
        await asyncio.sleep(0.05)
        assert pool.open_count == 0
        await use(pool)
        assert upstream.opened == 2


async def test_closing_connection_is_not_used() -> None:
    """Not even in the moment between the end of input and the transport's last word is it used."""
    async with ScriptedUpstream([(answer(b"{}"),)]) as upstream, pool_to(upstream.port) as pool:
        connection = await use(pool)
        assert connection.can_send
        assert connection._transport is not None
        connection._transport.close()
        assert not connection.can_send
        assert pool.take_idle() is None


async def test_bound_holds() -> None:
    """No more than `max_connections` are ever open, and the queue ends with `upstream_busy` in time."""
    async with ScriptedUpstream([(Hang(),)]) as upstream, pool_to(upstream.port, max_connections=2) as pool:
        busy = [await pool.acquire(), await pool.acquire()]
        start_s = asyncio.get_running_loop().time()
        with pytest.raises(OverloadedError) as caught:
            await pool.acquire()
        waited_s = asyncio.get_running_loop().time() - start_s
        assert (caught.value.code, caught.value.status, caught.value.retry_after_s) == ("upstream_busy", 503, 1)
        assert BRISK.queue_s <= waited_s < BRISK.queue_s + 0.25
        assert (len(busy), upstream.opened) == (2, 2)


async def test_waiter_gets_what_is_given_back() -> None:
    """Who waits longest gets the connection that is given back, and nobody overtakes."""
    async with ScriptedUpstream([(Hang(),)]) as upstream, pool_to(upstream.port, max_connections=1) as pool:
        connection = await pool.acquire()
        order: list[int] = []

        async def wait(number: int) -> None:
            got = await pool.acquire()
            order.append(number)
            pool.put_back(got)

        waiting = asyncio.gather(*(wait(number) for number in range(3)))
        await asyncio.sleep(0.01)
        pool.put_back(connection)
        await waiting
        assert (order, upstream.opened) == ([0, 1, 2], 1)


async def test_waiter_gets_a_freed_place() -> None:
    """When a busy connection closes, the first who waits opens one of its own."""
    async with ScriptedUpstream([(Hang(),)]) as upstream, pool_to(upstream.port, max_connections=1) as pool:
        connection = await pool.acquire()
        waiting = asyncio.ensure_future(pool.acquire())
        await asyncio.sleep(0.01)
        connection.close()
        assert await waiting is not connection
        assert (pool.open_count, upstream.opened) == (1, 2)


@pytest.mark.parametrize("closes", [False, True], ids=["given", "place"])
async def test_cancelled_waiter_passes_on(closes: bool) -> None:
    """What was given to somebody who left in that moment goes to the next, be it a connection or a place."""
    async with ScriptedUpstream([(Hang(),)]) as upstream, pool_to(upstream.port, max_connections=1) as pool:
        connection = await pool.acquire()
        leaving = asyncio.ensure_future(pool.acquire())
        staying = asyncio.ensure_future(pool.acquire())
        await asyncio.sleep(0.01)
        connection.close() if closes else pool.put_back(connection)
        leaving.cancel()
        assert (await staying).can_send
        assert pool.open_count == 1
        await asyncio.gather(leaving, return_exceptions=True)


async def test_cancelled_queue_leaves_nothing() -> None:
    """Waiters that all leave take no place with them."""
    async with ScriptedUpstream([(Hang(),)]) as upstream, pool_to(upstream.port, max_connections=1) as pool:
        connection = await pool.acquire()
        waiting = [asyncio.ensure_future(pool.acquire()) for _ in range(20)]
        await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        connection.close()
        assert pool.open_count == 0
        assert (await pool.acquire()).can_send


async def test_refused_connection() -> None:
    """A closed port is `upstream_connect_failed`, names the provider and its reason, and takes no place."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    async with pool_to(port) as pool:
        with pytest.raises(UpstreamConnectError, match=r"provider 'sim': Connection refused\.$"):
            await pool.acquire()
        assert pool.open_count == 0


async def test_black_hole() -> None:
    """A host that does not answer SYNs is `upstream_connect_timeout`, in time."""
    with socket.socket() as full, socket.socket() as taking:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        taking.connect(full.getsockname())
        async with pool_to(full.getsockname()[1], timeouts=Timeouts(connect_s=0.2)) as pool:
            start_s = asyncio.get_running_loop().time()
            with pytest.raises(UpstreamTimeoutError) as caught:
                await pool.acquire()
            assert (caught.value.phase, caught.value.status) == ("connect", 504)
            assert asyncio.get_running_loop().time() - start_s < 5
            assert pool.open_count == 0


async def test_cancelled_connect_leaves_nothing() -> None:
    """A client that leaves while its connection is being made takes no place with it."""
    with socket.socket() as full, socket.socket() as taking:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        taking.connect(full.getsockname())
        async with pool_to(full.getsockname()[1]) as pool:
            connecting = asyncio.ensure_future(pool.acquire())
            await asyncio.sleep(0.02)
            assert pool.open_count == 1
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
            assert pool.open_count == 0


async def test_tls_needs_tls() -> None:
    """A provider that speaks no TLS where the file says https fails to connect: nothing was sent."""
    async with ScriptedUpstream([(answer(b"{}"),)], greeting=b"HTTP/1.1 400 no\r\n\r\n") as upstream:
        plain: Provider = provider(upstream.port)
        pool = Pool(replace(plain, scheme="https"), Sweep(asyncio.get_running_loop(), tick_s=1))
        with pytest.raises(UpstreamConnectError):
            await pool.acquire()
        assert (pool.open_count, upstream.seen) == (0, [])


async def test_retired_pool_empties() -> None:
    """A retired pool closes what is idle at once and what is busy when it is done."""
    async with ScriptedUpstream([(answer(b"{}"),)]) as upstream, pool_to(upstream.port) as pool:
        idle, busy = await pool.acquire(), await pool.acquire()
        pool.put_back(idle)
        pool.retire()
        assert (idle.is_closed, busy.is_closed) == (True, False)
        pool.put_back(busy)
        assert busy.is_closed
        await upstream.until(open_count=0)


async def test_close_closes_all() -> None:
    """After `close` nothing is open, busy or not."""
    async with ScriptedUpstream([(Hang(),)]) as upstream, pool_to(upstream.port) as pool:
        connections = [await pool.acquire() for _ in range(3)]
        pool.close()
        assert all(connection.is_closed for connection in connections)
        await upstream.until(open_count=0)
