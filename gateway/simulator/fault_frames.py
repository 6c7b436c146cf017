"""Faults of streams: odd framings that clients must bear, and streams that lie about their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import orjson

from gateway.simulator.chat_shape import DONE
from gateway.simulator.fault import SEGMENT_GAP_S, Fault, Harm, Mode, Order, Phase
from gateway.simulator.other_shapes import render_error
from gateway.simulator.question import Api
from gateway.simulator.responses_shape import response_event
from gateway.simulator.script import Pause, Reply, Send, Step, framed, framed_end, framed_head, play_of, render_whole

_Pieces = tuple[bytes, ...]
_Change = Callable[[_Pieces, int, Order, Api], _Pieces]


def _changing(change: _Change) -> Callable[[Reply, Order, Api], Iterator[Step]]:
    """Give the script that plays the reply with its pieces changed; the change is told how many end it."""

    def script(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
        return play_of(replace(reply, pieces=change(reply.pieces, reply.n_end, order, api)))

    return script


def _crlf(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    return tuple(piece.replace(b"\n", b"\r\n") for piece in pieces)


def _cr(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    return tuple(piece.replace(b"\n", b"\r") for piece in pieces)


def _comments(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    return tuple(b": keepalive\n" + piece for piece in pieces)


def _openrouter(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    return (b": OPENROUTER PROCESSING\n\n" * 3, *pieces)


def _id_lines(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    return tuple(b"id: %d\n" % number + piece for number, piece in enumerate(pieces))


def _pings(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    return (b"event: ping\n\n", *pieces)


def _byte_order_mark(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    return (b"\xef\xbb\xbf" + pieces[0], *pieces[1:])


def _no_space(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    return tuple(piece.replace(b"data: ", b"data:", 1).replace(b"event: ", b"event:", 1) for piece in pieces)


def _multi_line(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    # Only before a key of the outermost object: a newline inside a JSON string would not be JSON.
    return tuple(piece.replace(b'{"id":', b'{\ndata: "id":', 1) for piece in pieces)


def _azure(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    safe = {"filtered": False, "severity": "safe"}
    verdict = {name: safe for name in ("hate", "self_harm", "sexual", "violence")}
    first: dict[str, Any] = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
    first["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": verdict}]
    return (b"data: " + orjson.dumps(first) + b"\n\n", *pieces)


def _long_line(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    n_bytes = order.number(10) * 1024 * 1024
    padded = pieces[0].replace(b'"object":', b'"obfuscation":"' + b"x" * n_bytes + b'","object":', 1)
    return (padded, *pieces[1:])


def _no_done(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    return tuple(piece for piece in pieces if piece != DONE)


def _more_after_done(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    return (*pieces, pieces[0], pieces[-1])


def _no_finish(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    n_meaningful = len(pieces) - n_end
    return pieces[: n_meaningful - 1] + pieces[n_meaningful:]


def _truncated(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    return _no_finish(pieces, n_end, order, api)[: len(pieces) - n_end - 1]


def _usage_lost(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    return tuple(piece for piece in pieces if b'"choices":[]' not in piece)


def _half_event(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    kept = _half(pieces, n_end, order)
    return (*kept[:-1], kept[-1][: len(kept[-1]) // 2])


def _error_event(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    kept = _half(pieces, n_end, order)
    if api is Api.RESPONSES:
        fields = {"code": "server_error", "message": "The model crashed.", "param": None}
        return (*kept, response_event("error", len(kept), fields))
    return (*kept, b"data: " + render_error(500, "The model crashed.", code="server_error") + b"\n\n")


def _error_flat(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    error = {"type": "error", "code": "server_error", "message": "The model crashed.", "param": None}
    return (*_half(pieces, n_end, order), b"event: error\ndata: " + orjson.dumps(error) + b"\n\n")


def _error_first(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    return (b"data: " + render_error(500, "The model crashed.", code="server_error") + b"\n\n", DONE)


def _response_failed(pieces: _Pieces, n_end: int, order: Order, api: Api) -> _Pieces:
    kept = _half(pieces, n_end, order)
    begun = orjson.loads(pieces[0].partition(b"data: ")[2])
    response = begun.get("response", {"id": "resp_failed", "object": "response", "output": []})
    response |= {"status": "failed", "error": {"code": "server_error", "message": "The model crashed."}}
    return (*kept, response_event("response.failed", len(kept), {"response": response}))


def _half(pieces: _Pieces, n_end: int, order: Order) -> _Pieces:
    n_meaningful = len(pieces) - n_end
    return pieces[: max(1, min(order.number(n_meaningful // 2), n_meaningful - 1))]


def _split_utf8(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    """Cut inside every character of more than one byte."""
    whole = render_whole(reply)
    start = 0
    for at in range(1, len(whole)):
        if whole[at] & 0xC0 == 0x80:
            yield Send(whole[start:at])
            yield Pause(SEGMENT_GAP_S)
            start = at
    yield Send(whole[start:])


def _separate(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    yield Send(framed_head(reply))
    for piece in reply.pieces:
        # The length line, the event, and the line end in three writes: chunk borders fall anywhere.
        length, _, rest = framed(reply, piece).partition(b"\r\n")
        for run in (length + b"\r", b"\n" + rest[: len(rest) // 2], rest[len(rest) // 2 :]):
            yield Send(run)
            yield Pause(SEGMENT_GAP_S)
    yield Send(framed_end(reply))


def _one_chunk(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    return play_of(replace(reply, pieces=(reply.body,), n_start=0, n_end=0, first_s=0.0, gap_s=0.0))


def _odd_chunks(reply: Reply, order: Order, api: Api) -> Iterator[Step]:
    size = max(1, order.number(7))
    body = reply.body
    cuts = tuple(body[at : at + size] for at in range(0, len(body), size))
    return play_of(replace(reply, pieces=cuts, n_start=0, n_end=0, first_s=0.0, gap_s=0.0))


_M, _A = Phase.MID, Phase.AFTER
_STREAM = (Mode.STREAM,)


def _odd(name: str, summary: str, change: _Change) -> Fault:
    return Fault(name, summary, _changing(change), {_M: Harm.NONE}, _STREAM)


def _ending(name: str, summary: str, change: _Change, harm: Harm, phase: Phase = _M) -> Fault:
    return Fault(name, summary, _changing(change), {phase: harm}, _STREAM)


FAULTS = (
    _odd("crlf", "lines end in CR LF", _crlf),
    _odd("cr-only", "lines end in CR", _cr),
    _odd("comments", "a keepalive comment line before every event", _comments),
    _odd("openrouter", "`: OPENROUTER PROCESSING` comments with empty lines, first", _openrouter),
    _odd("id-lines", "an `id:` line in every event", _id_lines),
    _odd("pings", "`event: ping` without data first, which official clients choke on", _pings),
    _odd("byte-order-mark", "a UTF-8 BOM first, which official Python clients choke on", _byte_order_mark),
    _odd("no-space", "`data:` without the space", _no_space),
    _odd("multi-line", "an event's JSON over two `data:` lines", _multi_line),
    _odd("azure", "a first chunk with prompt_filter_results and no choices", _azure),
    _odd("long-line", "a first event of ARG MiB, 10", _long_line),
    Fault("split-utf8", "a TCP segment border inside every long character", _split_utf8, {_M: Harm.NONE}, _STREAM),
    Fault("odd-segments", "TCP segment borders inside chunks and CR LF", _separate, {_M: Harm.NONE}, _STREAM),
    Fault("one-chunk", "all events in one HTTP chunk", _one_chunk, {_M: Harm.NONE}, _STREAM),
    Fault("odd-chunks", "HTTP chunks of ARG bytes, 7, across events", _odd_chunks, {_M: Harm.NONE}, _STREAM),
    _ending("no-done", "no `[DONE]`, the finish was sent", _no_done, Harm.NONE, _A),
    _ending("done-then-more", "goes on after `[DONE]`", _more_after_done, Harm.NONE, _A),
    _ending("no-usage", "the usage chunk is missing", _usage_lost, Harm.NONE, _A),
    _ending("no-finish", "`[DONE]` without a finish_reason", _no_finish, Harm.NONE),
    _ending("truncated", "every token, then neither finish nor `[DONE]`, in order", _truncated, Harm.CUT),
    _ending("half-event", "ends in the middle of an event, in order", _half_event, Harm.CUT),
    _ending("error-event", "an error object as an event, halfway", _error_event, Harm.ERROR_EVENT),
    _ending("error-flat", "`event: error` with a flat object, halfway", _error_flat, Harm.ERROR_EVENT),
    _ending("error-first", "an error object as the first event, then `[DONE]`", _error_first, Harm.ERROR_EVENT),
    _ending("response-failed", "`response.failed`, halfway", _response_failed, Harm.ERROR_EVENT),
)
