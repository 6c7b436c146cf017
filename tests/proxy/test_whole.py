"""Tests for gateway.proxy.whole: what comes in one read is read as the long way reads it, or not at all."""

from __future__ import annotations

import asyncio
import random
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
from gateway.proxy.whole import MAX_HEADERS, MAX_NAMES, WholeRequests, WholeResponses

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


@given(st.lists(st.one_of(MESSAGES, st.just(PLAIN)), min_size=1, max_size=5), st.integers(0, 400))
def test_says_what_the_long_way_says(reads: list[bytes], cut: int) -> None:
    """Whatever comes, in whatever reads, both ways understand the same and answer the same."""
    pieces = [piece for read in reads for piece in (read[:cut], read[cut:]) if piece]
    for told in (reads, pieces):
        assert story(WholeRequests(), told) == story(Never(), told)


OPENING = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nX-User-Id: %b\r\n%bContent-Length: 20\r\n\r\n"
)


@pytest.mark.parametrize("line", [b"", *LINES])
def test_after_heads_that_began_alike(line: bytes) -> None:
    """What heads have had in common lately is compared as a whole; what follows is read as carefully as ever."""
    reads = [OPENING % (user, b"") + BODY for user in (b"ana", b"bob", b"eve")]
    reads += [OPENING % (b"zoe", line) + BODY, PLAIN, reads[0], reads[0][:40], reads[0][40:], reads[1]]
    assert story(WholeRequests(), reads) == story(Never(), reads)


SHRAPNEL = [
    *(
        b" ",
        b"\t",
        b"\r",
        b"\n",
        b"\r\n",
        b":",
        b": ",
        b"\x00",
        b"\x7f",
        b"\xff",
        b"a",
        b"0",
        b";",
        b",",
        b"x",
        b"_",
        b"+",
    ),
    *(b"%", b"?", b"#", b"\\", b"/../", b"HTTP/1.1 ", b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"Host: x\r\n", b"Connection: close\r\n", b"X: y\r\n", b"1\r\n", b"2\r\n{}\r\n", b"0\r\n\r\n"),
]


def hurt(message: bytes, dice: random.Random) -> bytes:
    """Give a message with up to three bits put in, cut out or written over."""
    for _ in range(dice.choice((0, 0, 1, 1, 2, 3))):
        at, bit = dice.randrange(len(message)), dice.choice(SHRAPNEL)
        rest = dice.choice((at, at + dice.randrange(1, 4), at + len(bit)))
        message = message[:at] + dice.choice((bit, b"")) + message[rest:] or b"x"
    return message


@pytest.mark.parametrize("seed", range(4))
def test_hurt_requests(seed: int) -> None:
    """Requests that are nearly right, one after the other: both ways understand and refuse the same."""
    dice = random.Random(seed)
    for _ in range(400):
        plain = [dice.choice((PLAIN, OPENING % (dice.choice((b"ana", b"bob")), b"") + BODY)) for _ in range(5)]
        reads = [hurt(read, dice) for read in plain]
        assert story(WholeRequests(), reads) == story(Never(), reads)


class Heard:
    """What the parser says of one answer."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.ends: list[bool] = []
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ends.append(self.parser.should_keep_alive())


@pytest.mark.parametrize("seed", range(4))
def test_hurt_answers(seed: int) -> None:
    """An answer that is taken is the one that the parser hears, to its end, on a connection that stays open."""
    dice, responses, n_taken = random.Random(seed), WholeResponses(), 0
    for number in range(2_000):
        framed = dice.choice(
            (b"Content-Length: 2\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        )
        raw = hurt(ANSWER_HEAD + b"Date: %d\r\n" % (number // 9) + framed, dice)
        whole = responses.parse(raw)
        if whole is None:
            continue
        n_taken += 1
        heard = Heard()
        heard.parser.feed_data(raw)
        assert (heard.headers, heard.body, heard.ends) == (list(whole.first.items()), whole.body, [True])
        assert heard.parser.get_status_code() == whole.status
    assert n_taken > 500


def test_headers_are_their_lines() -> None:
    """Each header stands beside its line, also where most of the head was known from before."""
    requests = WholeRequests()
    for user in (b"ana", b"bob", b"eve"):
        request = requests.parse(OPENING % (user, b"") + BODY, is_loopback=True)
        assert request is not None
        assert request.first[b"x-user-id"] == user
        assert request.headers == list(request.first.items())
        assert [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in request.lines)] == (
            request.headers
        )


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
        ANSWER_HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ANSWER_HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ANSWER_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
        ANSWER_HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
        ANSWER_HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\n{}\r\n0\r\n\r\n",
        ANSWER_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n0\r\n\r\n",
        ANSWER_HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ANSWER_HEAD.replace(b"OK", b"O\x01K") + b"Content-Length: 2\r\n\r\n{}",
        ANSWER_HEAD.replace(b"200 OK", b"2000 OK") + b"Content-Length: 2\r\n\r\n{}",
        ANSWER_HEAD.replace(b"200", b"204") + b"Content-Length: 2\r\n\r\n{}",
        ANSWER_HEAD + b"Content-Length: +2\r\n\r\n{}",
    ],
)
def test_answers_for_the_long_way(raw: bytes) -> None:
    """An end that only closing tells, a second message, a header twice: looked at piece by piece."""
    responses = WholeResponses()
    assert responses.parse(raw) is None
    assert responses.parse(ANSWER_HEAD + b"Content-Length: 2\r\n\r\n{}") is not None


def test_answers_within_a_second() -> None:
    """Answers that begin alike, date and all, are each their own; one that differs early is too."""
    responses = WholeResponses()
    head = b"HTTP/1.1 200 OK\r\nDate: %b\r\nContent-Type: application/json\r\nX-Request-Id: %b\r\n"
    for date, name in ((b"12:00:00", b"a"), (b"12:00:00", b"b"), (b"12:00:00", b"c"), (b"12:00:01", b"d")):
        whole = responses.parse(head % (date, name) + b"Content-Length: 2\r\n\r\n{}")
        assert whole is not None
        assert (whole.first[b"date"], whole.first[b"x-request-id"], whole.body) == (date, name, b"{}")
        assert whole.lines[2] == b"X-Request-Id: " + name


def test_names_are_remembered_up_to_a_bound() -> None:
    """Whoever sends ever new names is served, and fills nothing."""
    requests = WholeRequests()
    for number in range(MAX_NAMES + 20):
        request = requests.parse(HEAD % len(BODY) + b"x-%d: 1\r\n\r\n" % number + BODY, is_loopback=True)
        assert request is not None
        assert request.first[b"x-%d" % number] == b"1"
    assert len(requests._names) == MAX_NAMES
