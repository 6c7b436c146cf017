"""A provider's answer while it arrives: head, body in pieces, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from math import inf
from typing import TYPE_CHECKING

from gateway.domain.provider import Timeouts
from gateway.errors import GatewayError, UpstreamTimeoutError
from gateway.proxy.sweep import Watched
from gateway.proxy.whole import WholeResponse

if TYPE_CHECKING:
    from gateway.proxy.upstream.connection import UpstreamConnection

MAX_WHOLE_BYTES = 16 * 1024 * 1024
"""Answers up to this size are read whole and checked before the client sees a byte; larger ones stream."""

BUFFERED_BYTES = 256 * 1024
"""What may pile up for a consumer that is not there yet before the provider is made to wait."""

Headers = list[tuple[bytes, bytes]]


class UpstreamResponse(Watched):
    """
    One answer.

    It is awaited with `arrive`, then either taken whole from `body` or consumed with `pipe` and
    `ended`. Whoever awaits it owns it, and gives it back with `release`, on every path.

    Attributes:
        status: HTTP status; 0 until the head is here.
        first: The first value of each header name.
        lines: The headers as they came, one for each of `first`, in order; empty unless the answer was one read.
        wants_whole: Whoever asked wants the answer whole, if that is possible.
        is_event_stream: The body is server-sent events. Some servers forget to say so of a stream they
            were asked for; then whatever is not JSON or HTML is taken for one.
        is_whole: The answer has ended as HTTP says it should.
        is_being_fed: A read is being digested; news waits for its end, for what follows the answer in it
            must be seen first.
        pieces: Of the body, as they came in the read that is being digested.
        error: What ended it early, translated; None while all is well.
    """

    # Class defaults instead of assignments: one of these is made for every request.
    status = 0
    _headers: Headers = []  # noqa: RUF012  # Replaced, never changed.
    first: Mapping[bytes, bytes] = {}  # Replaced, never changed.
    lines: list[bytes] = []  # noqa: RUF012  # Replaced, never changed.
    is_event_stream = False
    is_whole = False
    is_being_fed = False
    error: GatewayError | None = None
    _held: bytes | bytearray = b""
    _consumer: Callable[[bytes], None] | None = None
    _waiter: asyncio.Future[None] | None = None
    _on_arrival: Callable[[], None] | None = None
    _is_due = False

    def __init__(
        self,
        connection: UpstreamConnection,
        timeouts: Timeouts,
        *,
        wants_whole: bool,
        prefers_stream: bool = False,
    ) -> None:
        self.limit_s = timeouts.first_byte_s
        self._timeouts = timeouts
        self._connection: UpstreamConnection | None = connection
        self.wants_whole = wants_whole
        self._prefers_stream = prefers_stream
        self.pieces: list[bytes] = []

    @property
    def headers(self) -> Headers:
        """Give the headers: names in lower case, values as they came, in order."""
        return list(self.first.items()) if self.lines else self._headers

    def header(self, name: bytes) -> bytes | None:
        """Give the first header of this lower-case name."""
        return self.first.get(name)

    @property
    def connection_header(self) -> bytes | None:
        """Give all values of the `connection` header, joined."""
        first = self.first
        value = first.get(b"connection")
        if value is None or len(first) == len(self.headers):
            return value
        return b",".join([value for name, value in self.headers if name == b"connection"])

    def call_on_arrival(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once, at the moment `arrive` would return or raise."""
        self._on_arrival = callback

    async def arrive(self) -> None:
        """
        Wait for the head or, where the whole was asked for, for the end.

        Returns early, with `is_whole` False, for event streams and for answers too large to hold.

        Raises:
            UpstreamTimeoutError: No first byte, or silence for too long.
            UpstreamBrokenError: The connection ended or was not HTTP; not where events have arrived, for
                they may be all there are.
        """
        if not (self.is_whole or self.error is not None or (self.status and not self.wants_whole)):
            await self._news()
        has_events = self.status == 200 and not self.wants_whole and self.is_event_stream
        if self.error is not None and not has_events:
            raise self.error

    def body(self) -> bytes:
        """Give what has arrived so far; all of it once `is_whole`."""
        held = self._held
        return held if isinstance(held, bytes) else bytes(held)

    def pipe(self, consumer: Callable[[bytes], None]) -> None:
        """Hand `consumer` what has arrived and, from now on, everything as it arrives."""
        self._consumer = consumer
        self.wants_whole = False
        if self._connection is not None:
            self._connection.resume_reading()
        self.flush()

    async def ended(self) -> None:
        """Wait for the end; afterwards `is_whole` or `error` says which."""
        if not self.is_whole and self.error is None:
            await self._news()

    def pause(self) -> None:
        """Make the provider wait; its silence is ours now and does not count."""
        if self._connection is not None:
            self._connection.pause_reading()
            self.limit_s = inf
            self.moved = True

    def resume(self) -> None:
        """Let the provider go on."""
        if self._connection is not None:
            self._connection.resume_reading()
            self.limit_s = self._timeouts.idle_s
            self.moved = True

    def release(self) -> None:
        """Give the connection back if the answer is whole, else close it. May be called twice."""
        self._consumer = None
        self._on_arrival = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.finish(self)

    # What the connection tells it.

    def note_all(self, whole: WholeResponse) -> bool:
        """Take the whole answer at once; False where it may be a stream after all."""
        first = whole.first
        kind = first.get(b"content-type")
        if kind != b"application/json" and (kind is None or kind.lower() != b"application/json"):
            return False
        self.status = whole.status
        self.first = first
        self.lines = whole.lines
        self._held = whole.body
        self.is_whole = True
        return True

    def note_head(self, status: int, headers: Headers) -> None:
        """Take status and headers."""
        self.status = status
        self._headers = headers
        self.first = dict(reversed(headers))
        self.limit_s = self._timeouts.idle_s
        kind = self.first.get(b"content-type", b"")
        if kind != b"application/json":
            self.is_event_stream = self._is_event_stream(kind.lower())
        if self.is_event_stream:
            self.wants_whole = False
        if not self.wants_whole:
            self._wake()

    def _is_event_stream(self, kind: bytes) -> bool:
        if self._prefers_stream and self.status == 200:
            return not kind.startswith((b"application/json", b"text/html"))
        return kind.startswith(b"text/event-stream")

    def flush(self) -> None:
        """Pass on what came in one read as one piece, so that it leaves as one."""
        pieces = self.pieces
        consumer = self._consumer
        if not pieces and (consumer is None or not self._held):
            return
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self.pieces = []
        if consumer is None:
            self._hold(piece)
            return
        if self._held:
            piece, self._held = bytes(self._held) + piece, b""
        consumer(piece)

    def _hold(self, piece: bytes) -> None:
        """Keep what nobody takes yet; grown in place, so that tiny pieces cost no more than large ones."""
        if not self._held:
            self._held = piece
        elif isinstance(self._held, bytearray):
            self._held += piece
        else:
            self._held = bytearray(self._held) + piece
        if len(self._held) <= BUFFERED_BYTES:
            return
        if self.wants_whole:
            if len(self._held) > MAX_WHOLE_BYTES:
                self.wants_whole = False
                self._wake()
        elif self._connection is not None:
            self._connection.pause_reading()

    def note_whole(self) -> None:
        """Take note that the answer ended as it should."""
        self.is_whole = True
        if self.is_being_fed:
            self._is_due = True
        else:
            self.flush()
            self._wake()

    def note_error(self, error: GatewayError) -> None:
        """Take note of what ended it early; the first error stays."""
        if self.is_whole or self.error is not None:
            return
        self.flush()
        self.error = error
        self._wake()

    def expire(self) -> None:
        """Fail with the phase that took too long."""
        timeouts = self._timeouts
        phase, seconds = ("idle", timeouts.idle_s) if self.status else ("first_byte", timeouts.first_byte_s)
        what = "no byte" if phase == "first_byte" else "no further byte"
        self.note_error(UpstreamTimeoutError(f"The provider sent {what} for {seconds:g} s.", phase=phase))
        self.release()

    def end_feed(self) -> None:
        """Pass on what the read brought, and give the news."""
        self.is_being_fed = False
        if self.pieces or self._held:
            self.flush()
        if self._is_due:
            self._wake()

    async def _news(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        if self.is_being_fed:
            self._is_due = True
            return
        self._is_due = False
        self.give_news()

    def give_news(self) -> None:
        """Call or wake whoever waits for the answer."""
        callback = self._on_arrival
        if callback is not None:
            self._on_arrival = None
            callback()
            return
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
