"""
The client: as many requests as the other side takes, or so many per second, or so many streams at once.

Every answer is checked, byte for byte where it is known; one wrong answer ends the measurement. Costs
little itself, so that on a small machine most of the time is left to what is measured.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Sequence
from itertools import cycle
from typing import cast

from bench.errors import BenchError
from bench.shape import DONE_EVENT, TOKEN_MARK, Address, dechunk, is_chunked, length_of, split_head

_LAST_CHUNK = b"0\r\n\r\n"
_SHOWN_BYTES = 600


class Exchange(asyncio.Protocol):
    """
    One kept connection that sends a request and waits for its answer, as often as it is told to.

    Attributes:
        has_begun: The first token of a stream has come.
    """

    def __init__(self) -> None:
        self.has_begun = False
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._received = bytearray()
        self._waiter: asyncio.Future[tuple[bytes, bytes]] | None = None
        self._lost: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever waits."""
        self._fail(BenchError(f"a connection was closed: {exc or 'by the other side'}"))

    def data_received(self, data: bytes) -> None:
        """Wake whoever waits, once the answer is whole."""
        self._received += data
        self.has_begun = self.has_begun or TOKEN_MARK in data
        try:
            found = whole_answer(self._received)
        except ValueError as error:
            self._fail(BenchError(f"a broken answer: {error}"))
            return
        if found is not None and self._waiter is not None and not self._waiter.done():
            self._received = bytearray()
            self._waiter.set_result(found)

    async def ask(self, request: bytes) -> tuple[bytes, bytes]:
        """
        Give head and body of the answer.

        Raises:
            BenchError: The connection was lost.
        """
        if self._lost is not None:
            raise self._lost
        self.has_begun = False
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._waiter
        finally:
            self._waiter = None

    @property
    def local_port(self) -> int:
        """Give our end's port, by which the other end can be found in /proc."""
        return int(self._transport.get_extra_info("sockname")[1])

    def close(self) -> None:
        """Close the connection."""
        self._transport.abort()

    def _fail(self, error: BenchError) -> None:
        self._lost = error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)


def whole_answer(received: bytearray) -> tuple[bytes, bytes] | None:
    """Give head and body, chunks taken off, or None while something is missing."""
    parts = split_head(received)
    if parts is None:
        return None
    head, start = parts
    length = length_of(head)
    if length is not None:
        return (head, bytes(received[start : start + length])) if len(received) >= start + length else None
    if is_chunked(head) and received.endswith(_LAST_CHUNK):
        return head, dechunk(received[start:])
    return None


def check_answer(head: bytes, body: bytes, expected: bytes | None) -> None:
    """Raise BenchError unless the answer is 200 and, where it is known, the expected bytes."""
    if not head.startswith(b"HTTP/1.1 200 ") or (expected is not None and body != expected):
        shown = (head + b"\r\n" + body)[:_SHOWN_BYTES].decode(errors="replace")
        message = f"a wrong answer:\n{shown}"
        raise BenchError(message)


def check_stream(head: bytes, body: bytes, n_tokens: int) -> None:
    """Raise BenchError unless all tokens and the end mark came."""
    check_answer(head, body, None)
    if body.count(TOKEN_MARK) != n_tokens or not body.endswith(DONE_EVENT):
        message = f"a stream of {body.count(TOKEN_MARK)} tokens instead of {n_tokens}: {body[-200:]!r}"
        raise BenchError(message)


async def connect(address: Address) -> Exchange:
    """Give a connection."""
    loop = asyncio.get_running_loop()
    _, exchange = await loop.create_connection(Exchange, address.host, address.port)
    return exchange


async def connect_many(address: Address, count: int) -> list[Exchange]:
    """Give connections, opened a few at a time so that no backlog overflows."""
    exchanges: list[Exchange] = []
    while len(exchanges) < count:
        wave = min(64, count - len(exchanges))
        exchanges += await asyncio.gather(*(connect(address) for _ in range(wave)))
    return exchanges


class ClosedLoop:
    """
    Connections that each ask again as soon as they are answered.

    Attributes:
        answered: Right answers so far.
    """

    def __init__(self, address: Address, requests: Sequence[bytes], expected: bytes) -> None:
        self.answered = 0
        self._address = address
        self._requests = cycle(requests)
        self._expected = expected
        self._is_stopping = False
        self._running: asyncio.Future[list[None]] | None = None
        self._exchanges: list[Exchange] = []

    async def start(self, n_connections: int) -> None:
        """Begin to ask."""
        self._exchanges = await connect_many(self._address, n_connections)
        self._running = asyncio.gather(*(self._ask_on(exchange) for exchange in self._exchanges))

    async def run_for(self, seconds: float) -> None:
        """Let it run; raises BenchError as soon as an answer is wrong."""
        if self._running is not None:
            done, _ = await asyncio.wait([self._running], timeout=seconds)
            for ended in done:
                ended.result()

    async def stop(self) -> None:
        """Finish what is under way and close."""
        self._is_stopping = True
        try:
            if self._running is not None:
                await self._running
        finally:
            for exchange in self._exchanges:
                exchange.close()

    async def _ask_on(self, exchange: Exchange) -> None:
        while not self._is_stopping:
            head, body = await exchange.ask(next(self._requests))
            check_answer(head, body, self._expected)
            self.answered += 1


async def run_streams(exchanges: Sequence[Exchange], requests: Sequence[bytes], n_tokens: int) -> None:
    """Hold one stream on each connection, all at once, to its end; raises BenchError for a wrong one."""
    answers = await asyncio.gather(
        *(exchange.ask(request) for exchange, request in zip(exchanges, cycle(requests), strict=False))
    )
    for head, body in answers:
        check_stream(head, body, n_tokens)


def raise_descriptor_limit() -> int:
    """Raise the limit of open files as far as it may be, for us and our children; give it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
