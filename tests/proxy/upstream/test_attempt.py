"""Tests for gateway.proxy.upstream.attempt: when a request may be sent again, and when never."""

from __future__ import annotations

import asyncio
import socket

import pytest

from gateway.domain.provider import Retries
from gateway.errors import UpstreamConnectError, UpstreamError
from gateway.proxy.upstream.attempt import ask
from gateway.proxy.upstream.pool import Pool
from gateway.proxy.upstream.response import UpstreamResponse
from tests.fakes.upstream import Fin, Hang, Pause, Reset, ScriptedUpstream, Step, answer
from tests.proxy.upstream.test_pool import HEAD, pool_to

EAGER = Retries(max=3, on_connect=True, on_status=frozenset({429, 503}))


class Attempts:
    """Asks, counts, and keeps how attempts ended that another followed."""

    def __init__(self) -> None:
        self.count = 0
        self.ended: list[tuple[int, str | None]] = []

    def begin_attempt(self, head: bytes) -> bytes:
        """Count one."""
        self.count += 1
        return head

    def end_attempt(self, status: int, error_code: str | None = None) -> None:
        """Keep it."""
        self.ended.append((status, error_code))

    async def ask(self, pool: Pool) -> UpstreamResponse:
        """Ask once, retries included."""
        response = await ask(pool, HEAD, b"", prefers_stream=False, notes=self)
        response.release()
        return response


AFTER_SENDING: dict[str, tuple[Step, ...]] = {
    "end": (Fin(),),
    "reset": (Reset(),),
    "garbage": (b"what?\r\n\r\n",),
    "half a head": (b"HTTP/1.1 200", Fin()),
    "half a body": (answer(b"hello")[:-1], Fin()),
    "silence": (Hang(),),
    "silence in the body": (answer(b"hello")[:-1], Hang()),
    "500": (answer(b"{}", status=500),),
    "400": (answer(b"{}", status=400),),
}


@pytest.mark.parametrize("name", AFTER_SENDING)
async def test_never_sent_twice(name: str) -> None:
    """Once a byte was sent nothing but a listed status makes us ask again, however many retries there are."""
    async with ScriptedUpstream([AFTER_SENDING[name]]) as upstream, pool_to(upstream.port, retries=EAGER) as pool:
        attempts = Attempts()
        try:
            await attempts.ask(pool)
        except UpstreamError:
            assert name not in ("500", "400")
        await asyncio.sleep(0.15)
        assert (attempts.count, len(upstream.seen)) == (1, 1)


async def test_lost_keepalive_is_not_sent_twice() -> None:
    """A request lost on a reused connection that the provider was just closing is lost: it may have been read."""
    scripts: list[tuple[Step, ...]] = [(answer(b"{}"),), (Fin(),)]
    async with ScriptedUpstream(scripts) as upstream, pool_to(upstream.port, retries=EAGER) as pool:
        await Attempts().ask(pool)
        with pytest.raises(UpstreamError):
            await Attempts().ask(pool)
        assert (upstream.opened, len(upstream.seen)) == (1, 2)


async def test_refused_connection_is_tried_again() -> None:
    """Nothing was sent, so it is tried again as often as allowed, and the last error is told."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    async with pool_to(port, retries=Retries(max=2)) as pool:
        attempts = Attempts()
        with pytest.raises(UpstreamConnectError):
            await attempts.ask(pool)
        assert attempts.count == 3


async def test_no_retry_unless_allowed() -> None:
    """`on_connect: false` means what it says."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    async with pool_to(port, retries=Retries(max=2, on_connect=False)) as pool:
        attempts = Attempts()
        with pytest.raises(UpstreamConnectError):
            await attempts.ask(pool)
        assert attempts.count == 1


async def test_listed_status_is_tried_again() -> None:
    """A status on the list is tried again on the same connection until another one comes."""
    scripts: list[tuple[Step, ...]] = [(answer(b"{}", status=503),), (answer(b"{}", status=429),), (answer(b"{}"),)]
    async with ScriptedUpstream(scripts) as upstream, pool_to(upstream.port, retries=EAGER) as pool:
        attempts = Attempts()
        assert (await attempts.ask(pool)).status == 200
        assert (attempts.count, upstream.opened) == (3, 1)


async def test_last_status_is_told() -> None:
    """When retries are used up the client gets the provider's own answer."""
    async with (
        ScriptedUpstream([(answer(b"{}", status=503),)]) as upstream,
        pool_to(upstream.port, retries=EAGER) as pool,
    ):
        assert (await Attempts().ask(pool)).status == 503
        assert len(upstream.seen) == 4


@pytest.mark.parametrize(("after", "count"), [(b"60", 1), (b"soon", 1), (b"0", 4)])
async def test_retry_after_is_minded(after: bytes, count: int) -> None:
    """A provider that asks for a longer pause than ours is not asked again: the client decides."""
    busy = answer(b"{}", status=429, more=b"retry-after: %b\r\n" % after)
    async with ScriptedUpstream([(busy,)]) as upstream, pool_to(upstream.port, retries=EAGER) as pool:
        assert (await Attempts().ask(pool)).status == 429
        assert len(upstream.seen) == count


async def test_cancelling_ends_the_attempt() -> None:
    """Cancelled while it waits, an attempt closes its connection at once."""
    async with ScriptedUpstream([(Pause(5),)]) as upstream, pool_to(upstream.port) as pool:
        asking = asyncio.ensure_future(Attempts().ask(pool))
        await upstream.until(seen=1)
        asking.cancel()
        await upstream.until(open_count=0, seconds=0.1)
        assert pool.open_count == 0
        await asyncio.gather(asking, return_exceptions=True)
