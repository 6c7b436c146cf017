"""The connections of one worker to one provider: bounded, reused newest first, never shared."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import deque

from gateway.domain.provider import Provider
from gateway.errors import OverloadedError, UpstreamConnectError, UpstreamError, UpstreamTimeoutError
from gateway.proxy.sweep import Sweep
from gateway.proxy.upstream.connection import UpstreamConnection
from gateway.proxy.whole import WholeResponses


class Pool:
    """
    Connections to one provider.

    The newest idle connection is used first, so that a quiet hour leaves few of them, and none is
    used after `keepalive_s`: reusing one that the provider is just closing would lose the request,
    and a request that may have been read is never sent again.

    Attributes:
        provider: Whose connections these are.
        loop: The worker's.
        watch: Holds an answer to its time limits.
        unwatch: Lets it be.
        whole_responses: Parses what comes in one read.
    """

    def __init__(self, provider: Provider, sweep: Sweep) -> None:
        self.provider = provider
        self.loop = asyncio.get_running_loop()
        # The sweep's own methods: every request calls both.
        self.watch = sweep.add
        self.unwatch = sweep.discard
        self.whole_responses = WholeResponses()
        self._idle: deque[UpstreamConnection] = deque()
        self._open: set[UpstreamConnection] = set()
        self._promised = 0
        self._waiters: deque[asyncio.Future[UpstreamConnection | None]] = deque()
        self._tls = _tls_context(provider)
        self._is_retired = False
        self._reaper: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        """Give name and counts."""
        counts = f"{len(self._open)} open, {len(self._idle)} idle, {len(self._waiters)} waiting"
        return f"<Pool {self.provider.name}: {counts}>"

    @property
    def open_count(self) -> int:
        """Give how many connections are open, opening or promised to a waiter."""
        return len(self._open) + self._promised

    def take_idle(self) -> UpstreamConnection | None:
        """Give a connection that may be used at once, or None."""
        idle = self._idle
        fresh_after_s = self.loop.time() - self.provider.keepalive_s
        while idle:
            connection = idle.pop()
            if connection.can_send and connection.idle_since_s > fresh_after_s:
                return connection
            connection.close()
        return None

    async def acquire(self) -> UpstreamConnection:
        """
        Give a connection of one's own.

        Raises:
            OverloadedError: All are busy, and stayed so for the queue timeout.
            UpstreamConnectError: No connection came about.
            UpstreamTimeoutError: None came about in time.
        """
        while (connection := self.take_idle()) is None:
            if self.open_count < self.provider.max_connections:
                self._promised += 1
                return await self._connect()
            given = await self._queue()
            if given is None:
                return await self._connect()
            if given.can_send:
                return given
        return connection

    def put_back(self, connection: UpstreamConnection) -> None:
        """Take a connection back, or hand it to whoever waits."""
        if self._is_retired:
            connection.close()
            return
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        connection.idle_since_s = self.loop.time()
        self._idle.append(connection)
        if self._reaper is None:
            self._reaper = self.loop.call_later(self.provider.keepalive_s, self._reap)

    def forget(self, connection: UpstreamConnection) -> None:
        """Take note that a connection has closed: its place is free."""
        if connection in self._open:
            self._open.discard(connection)
            self._give_place()

    def retire(self) -> None:
        """Close what is idle now and what is busy when it is done: no table names this provider any more."""
        self._is_retired = True
        self._drop_idle(len(self._idle))

    def close(self) -> None:
        """Close everything."""
        self._is_retired = True
        if self._reaper is not None:
            self._reaper.cancel()
        for connection in list(self._open):
            connection.close()
        self._idle.clear()

    async def _queue(self) -> UpstreamConnection | None:
        """Wait for a connection, or (None) for a free place."""
        waiter: asyncio.Future[UpstreamConnection | None] = self.loop.create_future()
        self._waiters.append(waiter)
        seconds = self.provider.timeouts.queue_s
        try:
            async with asyncio.timeout(seconds):
                return await waiter
        except TimeoutError:
            message = (
                f"All {self.provider.max_connections} connections to provider {self.provider.name!r} "
                f"stayed busy for {seconds:g} s."
            )
            raise OverloadedError(message, code="upstream_busy", retry_after_s=1) from None
        except asyncio.CancelledError:
            self._return_unused(waiter)
            raise

    def _return_unused(self, waiter: asyncio.Future[UpstreamConnection | None]) -> None:
        """Pass on what was given to somebody who left in the same moment."""
        if not waiter.done() or waiter.cancelled():
            return
        connection = waiter.result()
        if connection is not None:
            self.put_back(connection)
        else:
            self._break_promise()

    async def _connect(self) -> UpstreamConnection:
        """Open the connection that was promised."""
        provider = self.provider
        try:
            async with asyncio.timeout(provider.timeouts.connect_s):
                _, connection = await self.loop.create_connection(
                    lambda: UpstreamConnection(self),
                    provider.host,
                    provider.port,
                    ssl=self._tls,
                    server_hostname=provider.host if self._tls else None,
                )
        except OSError as error:
            self._break_promise()
            raise _translated(error, provider) from error
        except BaseException:
            self._break_promise()
            raise
        if connection.is_closed:  # Already: it will not tell `forget` again.
            self._break_promise()
            message = f"Provider {provider.name!r} closed a new connection at once."
            raise UpstreamConnectError(message)
        self._promised -= 1
        self._open.add(connection)
        return connection

    def _break_promise(self) -> None:
        self._promised -= 1
        self._give_place()

    def _give_place(self) -> None:
        """Promise a free place to the first who waits."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._promised += 1
                waiter.set_result(None)
                return

    def _reap(self) -> None:
        """Close connections that have been idle too long to be used again; the oldest stand first."""
        stale_before_s = self.loop.time() - self.provider.keepalive_s
        count = sum(1 for connection in self._idle if connection.idle_since_s <= stale_before_s)
        self._drop_idle(count)
        self._reaper = self.loop.call_later(self.provider.keepalive_s, self._reap) if self._idle else None

    def _drop_idle(self, count: int) -> None:
        for _ in range(count):
            self._idle.popleft().close()


def _translated(error: OSError, provider: Provider) -> UpstreamError:
    """Give what asyncio raised while connecting as ours."""
    if isinstance(error, TimeoutError):
        message = f"Provider {provider.name!r} did not accept a connection in {provider.timeouts.connect_s:g} s."
        return UpstreamTimeoutError(message, phase="connect")
    reason = error.strerror or type(error).__name__
    if isinstance(error, ConnectionError) and error.errno is not None:
        reason = os.strerror(error.errno)  # asyncio's own words hold the address, which is nobody's business.
    return UpstreamConnectError(f"No connection to provider {provider.name!r}: {reason}.")


def _tls_context(provider: Provider) -> ssl.SSLContext | None:
    if provider.scheme != "https":
        return None
    context = ssl.create_default_context(cafile=provider.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
