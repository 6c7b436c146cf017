"""One connection to a provider: a request out, an answer in, never two at once."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, cast

import httptools

from gateway.errors import UpstreamBrokenError
from gateway.proxy.upstream.response import UpstreamResponse

if TYPE_CHECKING:
    from gateway.proxy.upstream.pool import Pool

MAX_HEADER_BYTES = 64 * 1024
"""Of a response's header block; OpenAI asks the same of requests."""

MAX_INFORMATIONAL = 16
"""1xx answers before the real one; more is a flood."""

_NO_BODY = frozenset({204, 304})
_TOO_MANY_HEADERS = f"The provider's answer has more than {MAX_HEADER_BYTES // 1024} KiB of headers."


class UpstreamConnection(asyncio.Protocol):
    """A transport, a parser, and the answer being read."""

    __slots__ = (
        "_can_write",
        "_head_bytes",
        "_headers",
        "_informational",
        "_is_answer_framed",
        "_is_astray",
        "_is_head",
        "_is_reading",
        "_is_request_sent",
        "_keeps_alive",
        "_parser",
        "_pool",
        "_response",
        "_transport",
        "idle_since_s",
        "is_closed",
        "loop",
    )

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.loop = pool.loop
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._response: UpstreamResponse | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._informational = 0
        self._is_answer_framed = False
        self._is_astray = False
        self._is_head = False
        self._is_reading = True
        self._is_request_sent = True
        self._keeps_alive = False
        self._can_write: asyncio.Future[None] | None = None
        self.idle_since_s = 0.0
        self.is_closed = False

    def send(self, head: bytes, body: bytes, *, wants_whole: bool, prefers_stream: bool = False) -> UpstreamResponse:
        """Send a whole request and give its answer-to-be."""
        response = self._begin(wants_whole=wants_whole, prefers_stream=prefers_stream, is_head=False)
        transport = cast(asyncio.Transport, self._transport)
        if len(body) < 16_384:
            transport.write(head + body)
        else:
            transport.writelines((head, body))
        return response

    def send_head(self, head: bytes, *, is_head: bool) -> UpstreamResponse:
        """Send a request's head; its body follows through `write` and `finish_request`."""
        response = self._begin(wants_whole=False, prefers_stream=False, is_head=is_head)
        response.limit_s = inf
        self._is_request_sent = False
        cast(asyncio.Transport, self._transport).write(head)
        return response

    async def write(self, data: bytes) -> None:
        """Send a piece of the body, waiting while the provider does not read."""
        if self.is_closed or self._transport is None:
            return
        self._transport.write(data)
        if self._response is not None:
            self._response.moved = True
        if self._can_write is not None:
            await asyncio.shield(self._can_write)

    def finish_request(self) -> None:
        """Take note that the body is all sent: from here on the provider's silence is its own."""
        self._is_request_sent = True
        response = self._response
        if response is not None and not response.status:
            response.limit_s = self._pool.provider.timeouts.first_byte_s
            response.moved = True

    def finish(self, response: UpstreamResponse) -> None:
        """Go back to the pool after a whole answer; close after anything else."""
        if self._response is not response:
            return
        pool = self._pool
        pool.unwatch(response)
        self._response = None
        if response.is_whole and self._keeps_alive and self._is_reusable():
            pool.put_back(self)
        else:
            self.close()

    def close(self) -> None:
        """Close at once, without sending what is still buffered."""
        if not self.is_closed:
            self.is_closed = True
            self._pool.forget(self)
            if self._transport is not None:
                self._transport.abort()

    @property
    def can_send(self) -> bool:
        """Say whether a request can still go out: no end of the connection has been seen."""
        return not self.is_closed and self._transport is not None and not self._transport.is_closing()

    def _is_reusable(self) -> bool:
        """Say whether another request may follow; not where the provider answered without reading the last."""
        transport = self._transport
        if self.is_closed or transport is None or self._is_astray or not self._is_request_sent:
            return False
        if not self._is_reading:
            self.resume_reading()
        return not transport.is_closing() and transport.get_write_buffer_size() == 0

    def pause_reading(self) -> None:
        """Let the provider's bytes wait in the kernel."""
        if self._is_reading and not self.is_closed and self._transport is not None:
            self._is_reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if not self._is_reading and not self.is_closed and self._transport is not None:
            self._is_reading = True
            self._transport.resume_reading()

    def _begin(self, *, wants_whole: bool, prefers_stream: bool, is_head: bool) -> UpstreamResponse:
        timeouts = self._pool.provider.timeouts
        response = UpstreamResponse(self, timeouts, wants_whole=wants_whole, prefers_stream=prefers_stream)
        self._response = response
        self._headers = []
        self._head_bytes = 0
        self._informational = 0
        self._is_answer_framed = False
        self._is_head = is_head
        self._keeps_alive = False
        self._pool.watch(response)
        return response

    def _fail(self, problem: str) -> None:
        response = self._response
        self.close()
        if response is not None:
            response.note_error(UpstreamBrokenError(problem))

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came; pass the body on once per read."""
        response = self._response
        if response is None:
            self.close()  # Nobody asked: whatever this is, it belongs to no request of ours.
            return
        if not response.status:
            if response.wants_whole and not self._head_bytes and self._take_whole(response, data):
                return
            self._head_bytes += len(data)
        response.moved = True
        response.is_being_fed = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._keeps_alive = False
            if not response.is_whole:
                response.flush()
                self._fail("The provider's answer is not valid HTTP.")
        else:
            if not response.status and self._head_bytes > MAX_HEADER_BYTES:
                self._fail(_TOO_MANY_HEADERS)
        response.end_feed()

    def _take_whole(self, response: UpstreamResponse, data: bytes) -> bool:
        """Take the answer that this read is; False where it has to be looked at piece by piece."""
        whole = self._pool.whole_responses.parse(data)
        if whole is None or not response.note_all(whole):
            return False
        self._keeps_alive = True
        response.give_news()
        return True

    def eof_received(self) -> bool:
        """Let the transport close: a provider that stopped sending has no more to say."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer: as it should be where only the end of the connection can say so."""
        self.is_closed = True
        self._pool.forget(self)
        self.resume_writing()
        response = self._response
        if response is None or response.is_whole:
            return
        if exc is None and response.status and not self._is_answer_framed:
            response.note_whole()
        else:
            response.note_error(UpstreamBrokenError("The provider closed the connection before its answer was whole."))

    def pause_writing(self) -> None:
        """Make `write` wait; a provider that reads nothing of a body is silent too."""
        if self._can_write is None:
            self._can_write = asyncio.get_running_loop().create_future()
        if self._response is not None and not self._is_request_sent:
            self._response.limit_s = self._pool.provider.timeouts.idle_s
            self._response.moved = True

    def resume_writing(self) -> None:
        """Let `write` go on."""
        waiter, self._can_write = self._can_write, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if self._response is not None and not self._is_request_sent and not self._response.status:
            self._response.limit_s = inf

    # httptools

    def on_message_begin(self) -> None:
        """Take note of an answer that nobody asked for: nothing more on this connection can be trusted."""
        response = self._response
        if response is None or response.is_whole:
            self._is_astray = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those after the body are trailers and are dropped."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Pass the head on, unless it is an informational one."""
        response = self._response
        if response is None or response.error is not None or response.is_whole:
            return
        headers, self._headers = self._headers, []
        status = self._parser.get_status_code()
        if status < 200:
            self._informational += 1
            if status == 101 or self._informational > MAX_INFORMATIONAL:
                self._fail("The provider answered with an upgrade or too many informational answers.")
            return
        if self._head_bytes > MAX_HEADER_BYTES and sum(len(n) + len(v) for n, v in headers) > MAX_HEADER_BYTES:
            self._fail(_TOO_MANY_HEADERS)
            return
        response.note_head(status, headers)
        # Said by its length or its coding; else only the end of the connection says where the answer ends.
        self._is_answer_framed = b"content-length" in response.first or self._is_head or _ends_itself(response)
        if self._is_head:
            # llhttp cannot be told that no body follows, so this connection has seen its last request.
            response.note_whole()

    def on_body(self, body: bytes) -> None:
        """Keep a piece until the read is digested."""
        response = self._response
        if response is not None and response.error is None and not response.is_whole:
            response.pieces.append(body)

    def on_message_complete(self) -> None:
        """End the answer; after an informational one begin anew."""
        response = self._response
        if response is None or response.is_whole or not response.status:
            return
        self._keeps_alive = self._parser.should_keep_alive()
        response.note_whole()


def _ends_itself(response: UpstreamResponse) -> bool:
    """Say whether an answer without a length has an end of its own."""
    return response.status in _NO_BODY or response.first.get(b"transfer-encoding", b"").lower().endswith(b"chunked")
