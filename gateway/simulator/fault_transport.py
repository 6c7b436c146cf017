"""Faults of connections and of HTTP framing: what goes wrong below the body."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.simulator.fault import (
    SEGMENT_GAP_S,
    SETTLE_S,
    Fault,
    Harm,
    Order,
    Phase,
    bytes_until,
    n_pieces_until,
    trickle,
)
from gateway.simulator.question import Api
from gateway.simulator.script import (
    Close,
    Hang,
    Pause,
    Reply,
    Reset,
    Send,
    Step,
    framed_head,
    render_head,
    render_whole,
)


def _hang(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    yield Send(bytes_until(reply, order))
    yield Hang()


def _slow_first_byte(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    yield Pause(order.number(2000) / 1000)
    yield Send(render_whole(reply))


def _drip(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    head = framed_head(reply) if order.phase is Phase.MID else b""
    yield Send(head)
    yield from trickle(render_whole(reply)[len(head) :], size=1, gap_s=order.number(1000) / 1000)


def _reset(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    yield Send(bytes_until(reply, order))
    yield Pause(SETTLE_S)
    yield Reset()


def _fin(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    yield Send(bytes_until(reply, order))
    yield Close()


def _fin_tidy(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    if reply.is_stream:
        yield Send(bytes_until(reply, order) + b"0\r\n\r\n")
    else:
        half = reply.body[: min(order.number(len(reply.body) // 2), len(reply.body) - 1)]
        yield Send(render_head(200, reply.headers, ("content-length", str(len(half)))) + half)


def _fin_undelimited(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    head = render_head(reply.status, reply.headers, ("connection", "close"))
    if reply.is_stream:
        run = b"".join(reply.pieces[: n_pieces_until(reply, order)])
    else:
        run = reply.body if order.phase is Phase.AFTER else reply.body[: len(reply.body) // 2]
    yield Send(head + run)
    yield Close()


def _undelimited(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    yield Send(render_head(reply.status, reply.headers, ("connection", "close")) + reply.body)
    yield Close()


def _close_after(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    yield Send(render_whole(reply))
    yield Close()


def _close_next(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    yield Send(render_whole(reply))
    yield Pause(order.number(50) / 1000)
    yield Close()


def _length(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    too_long = order.name == "length-too-long"
    claimed = len(reply.body) + 100 if too_long else max(1, len(reply.body) // 2)
    yield Send(render_head(reply.status, reply.headers, ("content-length", str(claimed))) + reply.body)
    yield Close()


def _bad_chunk(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    yield Send(render_head(200, reply.headers, ("transfer-encoding", "chunked")))
    for piece in reply.pieces[: max(1, len(reply.pieces) // 2)]:
        half = piece if reply.is_stream else piece[: len(piece) // 2]
        yield Send(b"%x\r\n%b\r\n" % (len(half), half))
    yield Send(b"zz\r\nnot a chunk\r\n")
    yield Close()


def _two_lengths(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    framing = (("content-length", "5"), ("transfer-encoding", "chunked"))
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(reply.body), reply.body)
    yield Send(render_head(200, reply.headers, *framing) + body)
    yield Close()


def _segments(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    whole = render_whole(reply)
    at, size = 0, 1
    while at < len(whole):
        yield Send(whole[at : at + size])
        yield Pause(SEGMENT_GAP_S)
        at += size
        size = size * 3 % 251 or 1


def _byte_by_byte(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    head = framed_head(reply)
    yield Send(head)
    # No pause per byte: each is a write of its own, and thousands of them must not take seconds.
    yield from trickle(render_whole(reply)[len(head) :], size=1, gap_s=0.0)


def _garbage(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    yield Send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 220 smtp.example.com ESMTP\r\n\r\n")
    yield Close()


def _interim_flood(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    early = b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n"
    for _ in range(order.number(200) // 2):
        yield Send(early)
    yield Send(render_whole(reply))


def _switching(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    yield Send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n\x81\x02hi")
    yield Hang()


def _many_headers(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    more = tuple((f"x-extra-{number}", f"value {number}") for number in range(order.number(100)))
    yield Send(bytes_with_headers(reply, more))


def _huge_header(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    yield Send(bytes_with_headers(reply, (("x-huge", "a" * (order.number(70) * 1024)),)))


def bytes_with_headers(reply: Reply, more: tuple[tuple[str, str], ...]) -> bytes:
    """Give the whole reply with `more` headers after its own."""
    head = framed_head(reply)
    lines = "".join(f"{name}: {value}\r\n" for name, value in more).encode("latin-1")
    return head[:-2] + lines + b"\r\n" + render_whole(reply)[len(head) :]


_B, _M, _A = Phase.BEFORE, Phase.MID, Phase.AFTER
_BROKEN_ANYWHERE = {_B: Harm.BROKEN, _M: Harm.BROKEN, _A: Harm.TAIL}

FAULTS = (
    Fault(
        "hang",
        "says nothing more; ARG @mid: events or bytes sent before, half",
        _hang,
        {_B: Harm.SILENT, _M: Harm.SILENT, _A: Harm.TAIL},
    ),
    Fault("slow-first-byte", "waits ARG ms, 2000, before the headers", _slow_first_byte, {_B: Harm.SLOW}),
    Fault("drip", "a byte every ARG ms, 1000; @before: the headers too", _drip, {_M: Harm.SLOW, _B: Harm.SLOW}),
    Fault("reset", "RST; ARG @mid: events or bytes sent before, half", _reset, _BROKEN_ANYWHERE),
    Fault("fin", "FIN with the body unfinished; ARG @mid as for reset", _fin, _BROKEN_ANYWHERE),
    Fault("fin-tidy", "half the answer, ended as HTTP wants it, with the last chunk", _fin_tidy, {_M: Harm.CUT}),
    Fault(
        "fin-undelimited",
        "neither length nor chunks, and a FIN halfway that looks like the end",
        _fin_undelimited,
        {_M: Harm.CUT, _A: Harm.TAIL},
    ),
    Fault("undelimited", "neither length nor chunks: the FIN is the end", _undelimited, {_M: Harm.NONE}),
    Fault("close-after", "closes right after the answer without having said so", _close_after, {_A: Harm.NONE}),
    Fault("close-next", "closes the idle connection ARG ms, 50, after the answer", _close_next, {_A: Harm.NONE}),
    Fault("length-too-long", "content-length promises 100 bytes more than come", _length, {_M: Harm.BROKEN}),
    Fault("length-too-short", "content-length is half of what comes", _length, {_M: Harm.CUT}),
    Fault("bad-chunk", "a chunk size that is no number", _bad_chunk, {_M: Harm.BROKEN}),
    Fault("two-lengths", "content-length and chunked at once", _two_lengths, {_B: Harm.BROKEN}),
    Fault("segments", "TCP segments of 1, 3, 9, 27 … bytes", _segments, {_M: Harm.NONE}),
    Fault("byte-by-byte", "every byte of the body a write of its own", _byte_by_byte, {_M: Harm.NONE}),
    Fault("garbage", "bytes that are not HTTP", _garbage, {_B: Harm.BROKEN}),
    Fault("interim-flood", "ARG, 200, interim 100s and 103s before the answer", _interim_flood, {_B: Harm.NONE}),
    Fault("switching", "101 Switching Protocols, unasked", _switching, {_B: Harm.BROKEN}),
    Fault("headers-many", "ARG, 100, more headers", _many_headers, {_B: Harm.NONE}),
    Fault("header-huge", "one header of ARG KiB, 70", _huge_header, {_B: Harm.BROKEN}),
)
