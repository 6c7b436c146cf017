"""Tests for gateway.proxy.whole: what comes in one read is read as the long way reads it, or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.edge import EdgeConnection
from gateway.proxy.edge_app import EdgeLimits
from gateway.proxy.exchange import ClientRequest
from gateway.proxy.sweep import Sweep
from gateway.proxy.whole import MAX_HEADERS, WholeRequests, WholeResponses

BODY = b'{"model": "support"}'
HEAD = b"POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: h\r\nX-User-Id: ana\r\nContent-Length: %d\r\n"
PLAIN = HEAD % len(BODY) + b"\r\n" + BODY
ANSWER_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: r\r\n"


class Never(WholeRequests):
    """Sends everything the long way."""

    def parse(self, data: bytes, *, is_loopback: bool) -> ClientRequest | None:
        return None


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.is_open = True

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.is_open = False

    def close(self) -> None:
        self.is_open = False

    def is_closing(self) -> bool:
        return not self.is_open

    def write_eof(self) -> None:
        pass

    def can_write_eof(self) -> bool:
        return True

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 1)


@dataclass
class Answers:
    """An app that answers at once and keeps what it was asked."""

    whole_requests: WholeRequests
    limits: EdgeLimits = field(default_factory=EdgeLimits)
    is_draining: bool = False
    asked: list[tuple[object, ...]] = field(default_factory=list)

    def body_limit(self, request: ClientRequest) -> int | None:
        return 1000

    def begin(self, request: ClientRequest, sink: EdgeConnection) -> Any:
        asked = (request.method, request.path, request.query, request.headers, request.first, request.body)
        self.asked.append((*asked, request.content_length, request.is_http10, request.is_loopback))
        sink.respond(200, [(b"content-type", b"application/json")], b"{}")

    def note_connected(self, connection: EdgeConnection) -> None:
        pass

    def note_closed(self, connection: EdgeConnection) -> None:
        pass


class NoTime:
    """A loop in which no time passes."""

    def call_later(self, *_: Any, **__: Any) -> Any:
        return None


def story(whole_requests: WholeRequests, reads: list[bytes]) -> tuple[object, ...]:
    """Give what a connection understood of `reads` and what it said."""
    app, wire = Answers(whole_requests), Wire()
    loop = cast(asyncio.AbstractEventLoop, NoTime())
    connection = EdgeConnection(app, Sweep(loop, tick_s=60), loop)
    connection.connection_made(cast(asyncio.Transport, wire))
    for read in reads:
        if wire.is_open:
            connection.data_received(read)
    return app.asked, wire.written, wire.is_open


LINES = [
    b"Host: h\r\n",
    b"host: other\r\n",
    b"X-User-Id: ana\r\n",
    b"x-user-id: bob\r\n",
    b"X-Long: a\r\n b\r\n",
    b"X-Bare: a\n",
    b"X-Empty:\r\n",
    b"X-Blank: \r\n",
    b"X-Padded:   a b  \r\n",
    b"X-Tab:\ta\r\n",
    b"X-Tight:a\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: %d\r\n" % len(BODY),
    b"Content-Length: 1\r\n",
    b"Expect: 100-continue\r\n",
    b"TE: trailers\r\n",
    b"Bad Name: x\r\n",
    b"X-Ctl: \x01\r\n",
]
HARMLESS = {b"X-Empty:\r\n", b"X-Blank: \r\n", b"X-Padded:   a b  \r\n", b"Connection: keep-alive\r\n"}
FIRSTS = [
    b"POST /v1/chat/completions HTTP/1.1\r\n",
    b"POST /v1/chat/completions HTTP/1.0\r\n",
    b"POST /v1/../admin HTTP/1.1\r\n",
    b"POST http://h/v1/chat/completions HTTP/1.1\r\n",
    b"\r\nPOST /v1/chat/completions HTTP/1.1\r\n",
    b"post /v1/chat/completions HTTP/1.1\r\n",
    b"POST /v1/chat/completions HTTP/2.0\r\n",
]
BODIES = [BODY, b"14\r\n" + BODY + b"\r\n0\r\n\r\n", b"", BODY + PLAIN, BODY + b"POST /v1/x HTTP/1.1\r\nX: }"]
MESSAGES = st.builds(
    lambda first, lines, body: first + b"".join(lines) + b"\r\n" + body,
    st.sampled_from(FIRSTS),
    st.lists(st.sampled_from(LINES), max_size=6),
    st.sampled_from(BODIES),
)


@given(st.lists(st.one_of(MESSAGES, st.just(PLAIN)), min_size=1, max_size=3), st.integers(0, 400))
def test_says_what_the_long_way_says(reads: list[bytes], cut: int) -> None:
    """Whatever comes, in whatever reads, both ways understand the same and answer the same."""
    pieces = [piece for read in reads for piece in (read[:cut], read[cut:]) if piece]
    for told in (reads, pieces):
        assert story(WholeRequests(), told) == story(Never(), told)


def test_takes_the_plain_case() -> None:
    """A request like those the SDKs send needs no second look, one after the other."""
    requests = WholeRequests()
    for _ in range(3):
        request = requests.parse(PLAIN, is_loopback=True)
        assert request is not None
        assert (request.method, request.path, request.query, request.body) == (
            b"POST",
            b"/v1/chat/completions",
            b"?a=b",
            BODY,
        )
        assert request.headers == [(b"host", b"h"), (b"x-user-id", b"ana"), (b"content-length", b"20")]


@pytest.mark.parametrize("line", [line for line in LINES if line not in HARMLESS])
def test_leaves_the_rest(line: bytes) -> None:
    """A header twice, folded, hop-by-hop or wrong is for the long way; the next plain request is not."""
    requests = WholeRequests()
    special = requests.parse(HEAD % len(BODY) + line + b"\r\n" + BODY, is_loopback=True)
    assert special is None
    assert requests.parse(PLAIN, is_loopback=True) is not None


def test_counts_headers() -> None:
    """More headers than most servers take are for the long way, which refuses them."""
    many = b"".join(b"x-%d: 1\r\n" % number for number in range(MAX_HEADERS))
    assert WholeRequests().parse(HEAD % len(BODY) + many + b"\r\n" + BODY, is_loopback=True) is None


@pytest.mark.parametrize("cut", range(len(PLAIN)))
def test_a_piece_is_not_whole(cut: int) -> None:
    """No part of a request is taken for one, and it spoils nothing."""
    requests = WholeRequests()
    assert requests.parse(PLAIN[:cut], is_loopback=False) is None
    assert requests.parse(PLAIN[cut:], is_loopback=False) is None or cut == 0
    assert requests.parse(PLAIN, is_loopback=False) is not None


def test_answer_by_length_and_in_chunks() -> None:
    """Both framings that providers use give the same body."""
    by_length = ANSWER_HEAD + b"Content-Length: 2\r\n\r\n{}"
    in_chunks = ANSWER_HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    responses = WholeResponses()
    for raw in (by_length, in_chunks, by_length):
        whole = responses.parse(raw)
        assert whole is not None
        assert (whole.status, whole.first[b"x-request-id"], whole.body) == (200, b"r", b"{}")


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER_HEAD + b"Content-Length: 2\r\n\r\n{}",
        ANSWER_HEAD + b"Content-Length: 3\r\n\r\n{}",
        ANSWER_HEAD + b"Content-Length: 1\r\n\r\n{}",
        ANSWER_HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}",
        ANSWER_HEAD + b"Content-Length: 2\r\n\r\n{}" + ANSWER_HEAD + b"Content-Length: 2\r\n\r\n{}",
        ANSWER_HEAD + b"Vary: a\r\nVary: b\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_answers_for_the_long_way(raw: bytes) -> None:
    """An end that only closing tells, a second message, a header twice: looked at piece by piece."""
    responses = WholeResponses()
    assert responses.parse(raw) is None
    assert responses.parse(ANSWER_HEAD + b"Content-Length: 2\r\n\r\n{}") is not None


def test_parser_takes_what_is_c() -> None:
    """The parser looks its callbacks up once, on whatever object it is given: what this module stands on."""
    seen: dict[bytes, bytes] = {}
    catch = type("Catch", (), {"on_header": staticmethod(seen.setdefault)})()
    httptools.HttpRequestParser(catch).feed_data(PLAIN)
    assert seen[b"X-User-Id"] == b"ana"
