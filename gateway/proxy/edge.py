"""
The public edge: one client connection, from bytes to requests and from answers to bytes.

Theory of operation
===================
llhttp (what Node parses with) splits the bytes into requests; ambiguous framing is refused, and the
connection with it. One request is served at a time; what a client sends ahead waits its turn. When
the client leaves, whoever serves it is cancelled at that moment.

A connection is in one of five phases, each with a time limit: idle between requests, receiving a
head, receiving a body, serving (no limit here: the upstream has its own), and lingering, which
reads and drops what a refused client still sends so that it gets to read the refusal.

This file knows nothing of routes or providers; `pipeline` knows nothing of this file.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from math import inf
from typing import cast

import httptools

from gateway.errors import BadRequestError, GatewayError, HeadersTooLargeError, RequestTimeoutError, TooLargeError
from gateway.proxy.edge_app import EdgeApp, Serving
from gateway.proxy.exchange import ClientRequest, Flow, Headers, first_values
from gateway.proxy.sweep import Sweep, Watched
from gateway.proxy.upload import EdgeBody
from gateway.wire.headers import encode_head, encode_headers
from gateway.wire.problem import render_problem
from gateway.wire.target import split_target

_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    415: b"Unsupported Media Type",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
}
_CRLF = b"\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BODILESS = frozenset({204, 304})
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class EdgeConnection(asyncio.Protocol, Watched):
    """One client connection, and the sink of the request being answered on it."""

    def __init__(self, app: EdgeApp, sweep: Sweep, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._limits = app.limits
        self._sweep = sweep
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._is_loopback = False
        # The request being received.
        self._is_between = True
        self._target = b""
        self._headers: Headers = []
        self._head_bytes = 0
        self._receiving: ClientRequest | None = None
        self._body: bytes | bytearray = b""
        self._body_limit: int | None = 0
        self._refusal: GatewayError | None = None
        self._refused_upgrade: ClientRequest | None = None
        # The request being served.
        self._serving: Serving | None = None
        self._pending: deque[tuple[ClientRequest, bool]] = deque()
        self._keeps_alive = True
        self._flow: Flow | None = None
        self._is_chunked = False
        self._is_http10 = False
        self._is_head = False
        self._has_started = False
        self._is_serving = False
        self._is_lingering = False
        self._is_body_paused = False
        self._is_write_paused = False
        self._unsent_bytes = 0

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: idle, with a limit to the first byte."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._limits.write_bytes)
        peer = transport.get_extra_info("peername")
        self._is_loopback = not peer or (isinstance(peer, tuple) and _is_loopback(peer[0]))
        self._app.note_connected(self)
        self._sweep.add(self)
        self._limit(self._limits.idle_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel what is being answered: nobody is there to read it."""
        self._sweep.discard(self)
        self._pending.clear()
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.cancel()
        self._app.note_closed(self)

    def eof_received(self) -> bool:
        """Take a client that stopped sending for gone, as nginx does."""
        return False

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._is_lingering or self._refusal is not None:
            return
        if self._is_between and not (self._is_serving or self._is_write_paused) and self._serve_whole(data):
            return
        if self._receiving is None:
            self._head_bytes += len(data)
        else:
            self.moved = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_without_upgrade(data[int(upgrade.args[0]) :])
        except httptools.HttpParserError:
            if self._refusal is None:
                self._refusal = _bad_http("The request is not valid HTTP/1.1.")
        if self._head_bytes:
            self._note_part_of_head(len(data))
        if self._refusal is not None:
            self._give_up_body()
            self._refuse_when_free()

    def pause_writing(self) -> None:
        """Make the producer wait for a client that does not read."""
        self._is_write_paused = True
        if self._flow is not None:
            self._flow.pause()
        self._unsent_bytes = self._transport.get_write_buffer_size()
        self._limit(self._limits.stall_s)

    def resume_writing(self) -> None:
        """Let the producer go on."""
        self._is_write_paused = False
        if not self._is_lingering:
            self._limit(inf if self._is_serving else self._limits.idle_s)
        if self._flow is not None:
            self._flow.resume()
        elif not self._is_serving and self._pending and not self._transport.is_closing():
            self._serve_next()

    # httptools

    def on_message_begin(self) -> None:
        """Take note that what comes next is no request of its own."""
        self._is_between = False

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        if self._refused_upgrade is None:
            self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those after the body are trailers and are dropped."""
        if self._receiving is None:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Check the head; begin to serve at once where the body is to be streamed."""
        if self._refusal is not None or self._refused_upgrade is not None:
            return
        try:
            request = self._request_of_head()
        except GatewayError as error:
            self._refusal = error
            return
        self._receiving = request
        if self._parser.should_upgrade() and not _FRAMING.isdisjoint(request.first):
            self._refused_upgrade = request
        self._body_limit = limit = self._app.body_limit(request)
        if limit is not None and (request.content_length or 0) > limit:
            self._refusal = _too_large(limit)
            return
        if b"expect" in request.first and not self._is_serving:
            self._transport.write(_CONTINUE)
        if limit is None:
            request.stream = EdgeBody(self)
            self._enqueue(request)
        if not self._is_serving:
            self.limit_s = self._limits.body_s
            self.moved = True

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        request = self._receiving
        if request is None or self._refusal is not None:
            return
        if request.stream is not None:
            cast(EdgeBody, request.stream).note_piece(piece)
            return
        # Grown in place: a list of pieces lets two-byte chunks cost twenty times their size.
        if not self._body:
            self._body = piece
        elif isinstance(self._body, bytearray):
            self._body += piece
        else:
            self._body = bytearray(self._body) + piece
        if self._body_limit is not None and len(self._body) > self._body_limit:
            self._refusal = _too_large(self._body_limit)

    def on_message_complete(self) -> None:
        """Serve the request, or let it wait behind the one being served."""
        if self._refused_upgrade is not None:
            return
        self._is_between = True
        request, self._receiving = self._receiving, None
        body, self._body = self._body, b""
        if request is None or self._refusal is not None:
            return
        if request.stream is None:
            request.body = bytes(body)
            self._enqueue(request)
            return
        cast(EdgeBody, request.stream).note_whole()
        if self._is_serving and not self._is_write_paused:
            self._limit(inf)

    # Sink

    def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer in one piece."""
        self.respond_encoded(status, encode_headers(headers), body)

    def respond_encoded(self, status: int, lines: bytes, body: bytes) -> None:
        """Answer in one piece; the lines end each with their line end."""
        head = self._head(status, lines)
        self._has_started = True
        if status in _BODILESS:
            self._transport.write(head + _CRLF)
        else:
            shown = b"" if self._is_head else body
            self._transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), shown))
        self._finish()

    def start(self, status: int, headers: Headers, *, flow: Flow, content_length: int | None = None) -> None:
        """Begin an answer; without a length it is chunked, or ends with the connection for HTTP/1.0."""
        self._flow = flow
        self._has_started = True
        self._is_chunked = False
        framing = b""
        if status in _BODILESS:
            pass
        elif content_length is not None:
            framing = b"content-length: %d\r\n" % content_length
        elif self._is_http10:
            self._keeps_alive = False
        else:
            self._is_chunked = True
            framing = b"transfer-encoding: chunked\r\n"
        self._transport.write(self._head(status, encode_headers(headers)) + framing + _CRLF)

    def write(self, piece: bytes) -> None:
        """Add a piece."""
        if self._is_head or not piece:
            return
        self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._is_chunked else piece)

    def end(self) -> None:
        """Say that the answer is whole."""
        if self._is_chunked and not self._is_head:
            self._transport.write(b"0\r\n\r\n")
        self._finish()

    def abort(self) -> None:
        """Break the connection."""
        self._flow = None
        self._transport.abort()

    # For the app and for EdgeBody.

    def is_answering(self, request: ClientRequest) -> bool:
        """Say whether `request` still waits for the first byte of its answer."""
        return self._is_serving and self._current is request and not self._has_started

    @property
    def is_idle(self) -> bool:
        """Say whether nothing is being received or answered."""
        return not self._is_serving and self._receiving is None and not self._target

    def begin_drain(self) -> None:
        """Close soon if idle; else the answer says so."""
        if self.is_idle:
            self._limit(self._limits.drain_idle_s)

    def close(self) -> None:
        """Close after what is buffered."""
        self._transport.close()

    def pause_body(self) -> None:
        """Let the client's bytes wait in the kernel."""
        if not self._is_body_paused:
            self._is_body_paused = True
            self._transport.pause_reading()
            self._limit(inf)

    def resume_body(self) -> None:
        """Read on."""
        if self._is_body_paused and not self._transport.is_closing():
            self._is_body_paused = False
            self._transport.resume_reading()
            self._limit(self._limits.body_s)

    # Watched

    def expire(self) -> None:
        """Act on the limit of the phase the connection is in."""
        left = self._transport.get_write_buffer_size()
        if left and left < self._unsent_bytes:  # Slow, but reading.
            self._unsent_bytes = left
            self.moved = True
        elif left or self._is_lingering or self.is_idle:
            self._transport.abort()
        elif not self._is_serving:
            self._refusal = RequestTimeoutError("The request did not arrive in time.")
            self._refuse_when_free()
        elif self._receiving is not None:  # A streamed body stopped; its task learns by cancellation.
            self._transport.abort()

    # Within.

    def _serve_whole(self, data: bytes) -> bool:
        """Serve the request that this read is; False where it has to be looked at piece by piece."""
        request = self._app.whole_requests.parse(data, is_loopback=self._is_loopback)
        if request is None:
            return False
        limit = self._app.body_limit(request)
        if limit is None or len(request.body) > limit:
            return False
        self._serve(request, keeps_alive=True)
        return True

    def _limit(self, seconds: float) -> None:
        self.limit_s = seconds
        self.moved = True

    def _note_part_of_head(self, piece_bytes: int) -> None:
        """Give a head its time from its first byte on, and an end: the parser keeps a header until it ends."""
        if self._receiving is not None:
            return
        if self._head_bytes == piece_bytes and not self._is_serving:
            self._limit(self._limits.header_s)
        if self._head_bytes > 2 * self._limits.header_bytes:
            self._refusal = self._refusal or self._head_too_large()

    def _head_too_large(self) -> HeadersTooLargeError:
        limits = self._limits
        message = f"A request may have {limits.header_count} headers of {limits.header_bytes} bytes together."
        return HeadersTooLargeError(message)

    def _check_head_size(self) -> None:
        """Refuse a head that is too large; what was counted may hold a body, too."""
        limits = self._limits
        size = len(self._target) + sum(len(name) + len(value) for name, value in self._headers)
        if size > limits.header_bytes or len(self._headers) > limits.header_count:
            raise self._head_too_large()

    def _request_of_head(self) -> ClientRequest:
        """Give the request of which the head has arrived, and make room for the next."""
        headers = self._headers
        limits = self._limits
        if self._head_bytes > limits.header_bytes or len(headers) > limits.header_count:
            self._check_head_size()
        path, query = split_target(self._target)
        self._target = b""
        self._headers = []
        self._head_bytes = 0
        first = first_values(headers)
        parser = self._parser
        version = parser.get_http_version()
        if version != "1.1" or len(first) != len(headers) or b"transfer-encoding" in first or b"host" not in first:
            _check_framing(headers, first, version)
        length = int(first[b"content-length"]) if b"content-length" in first else None
        is_http10 = version != "1.1"
        is_local = self._is_loopback
        return ClientRequest(
            parser.get_method(),
            path,
            query,
            headers,
            first,
            b"",
            None,
            length,
            is_loopback=is_local,
            is_http10=is_http10,
        )

    def _enqueue(self, request: ClientRequest) -> None:
        keeps_alive = self._parser.should_keep_alive()
        if self._is_serving or self._is_write_paused:  # Answers for who does not read would only pile up.
            self._pending.append((request, keeps_alive))
            if len(self._pending) > self._limits.pending:
                self._refusal = BadRequestError(
                    f"More than {self._limits.pending} requests were sent ahead.", code="too_many_pipelined"
                )
            return
        self._serve(request, keeps_alive=keeps_alive)

    def _serve(self, request: ClientRequest, *, keeps_alive: bool) -> None:
        self._is_serving = True
        self._has_started = False
        self._is_http10 = request.is_http10
        self._keeps_alive = keeps_alive and not request.is_http10
        self._is_head = request.method == b"HEAD"
        self._current = request
        self.limit_s = inf if request.stream is None else self._limits.body_s
        self.moved = True
        serving = self._app.begin(request, self)
        if self._is_serving and self._current is request:
            self._serving = serving

    def _finish(self) -> None:
        """Go on to the next request, or close."""
        self._flow = None
        self._serving = None
        self._is_serving = False
        stream = self._current.stream
        if stream is not None and not cast(EdgeBody, stream).is_whole:
            self._linger()
        elif not self._keeps_alive:
            self._transport.close()
        elif self._is_write_paused:
            self._limit(self._limits.stall_s)
        elif self._pending:
            self._serve_next()
        elif self._refusal is not None:
            self._refuse_when_free()
        elif self._head_bytes:
            self._limit(self._limits.header_s)
        elif self._receiving is not None:
            self._limit(self._limits.body_s)
        else:
            self.limit_s = self._limits.drain_idle_s if self._app.is_draining else self._limits.idle_s
            self.moved = True

    def _serve_next(self) -> None:
        request, keeps_alive = self._pending.popleft()
        self._serve(request, keeps_alive=keeps_alive)

    def _give_up_body(self) -> None:
        """Stop answering a request of which the rest of the body cannot be understood."""
        request, self._receiving = self._receiving, None
        if request is None or request.stream is None:
            return
        if self._pending and self._pending[-1][0] is request:
            self._pending.pop()
        elif self._is_serving and self._current is request:
            serving, self._serving = self._serving, None
            if serving is not None:
                serving.cancel()
            if self._has_started:
                self._transport.abort()
            self._is_serving = False

    def _head(self, status: int, lines: bytes) -> bytes:
        """Give a head up to its framing."""
        if self._app.is_draining:
            self._keeps_alive = False
        head = (_STATUS_LINES.get(status) or _status_line(status)) + lines
        return head if self._keeps_alive else head + b"connection: close\r\n"

    def _refuse_when_free(self) -> None:
        """Answer a broken request once those before it are answered, and read nothing more."""
        if self._is_serving or self._pending or self._refusal is None or self._is_lingering:
            return
        error = self._refusal
        self._keeps_alive = False
        body = render_problem(error)
        head = self._head(error.status, b"content-type: application/json\r\n")
        self._transport.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        self._linger()

    def _linger(self) -> None:
        """Drop what still comes, so that closing does not destroy the answer on its way."""
        self._is_lingering = True
        self._receiving = None
        if self._is_body_paused:
            self._is_body_paused = False
            self._transport.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._limit(self._limits.linger_s)

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Ignore an offer to upgrade, as HTTP allows; what follows is parsed anew."""
        self._parser = httptools.HttpRequestParser(self)
        if self._refused_upgrade is not None:
            # The parser leaves the offer's body unread: parse it behind a head of our own that only frames it.
            framing = [pair for pair in self._refused_upgrade.headers if pair[0] in _FRAMING]
            self._parser.feed_data(encode_head(b"POST / HTTP/1.1", framing))
            self._refused_upgrade = None
        if rest and self._refusal is None:
            self.data_received(rest)


def _status_line(status: int) -> bytes:
    return b"HTTP/1.1 %d %b\r\n" % (status, _REASONS.get(status, b"Status"))


_STATUS_LINES = {status: _status_line(status) for status in _REASONS}


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The request body is larger than {limit} bytes.")


def _is_loopback(host: str) -> bool:
    return host.startswith("127.") or host in ("::1", "::ffff:127.0.0.1")


def _check_framing(headers: Headers, first: Mapping[bytes, bytes], version: str) -> None:
    """Refuse what two servers might read differently and llhttp lets through."""
    if version not in ("1.1", "1.0"):
        problem = "Only HTTP/1.1 and HTTP/1.0 are spoken here."
        raise _bad_http(problem)
    if len(first) != len(headers):
        _refuse_doubles(headers)
    coding = first.get(b"transfer-encoding")
    if coding is not None and (coding.lower() != b"chunked" or version == "1.0"):
        problem = "Only 'Transfer-Encoding: chunked' is understood."
        raise _bad_http(problem)
    if version == "1.1" and b"host" not in first:
        problem = "A request needs a Host header."
        raise _bad_http(problem)


def _refuse_doubles(headers: Headers) -> None:
    names = [name for name, _ in headers]
    for name in (b"host", b"content-length", b"transfer-encoding"):
        if names.count(name) > 1:
            problem = f"A request may have one {name.decode()} header."
            raise _bad_http(problem)


def _bad_http(problem: str) -> BadRequestError:
    return BadRequestError(problem, code="bad_http")
