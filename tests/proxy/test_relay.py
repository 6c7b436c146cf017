"""Tests for gateway.proxy.relay: what the client is told when a stream ends, in order or not."""

from __future__ import annotations

import orjson
import pytest

from gateway.clock import SettableClock
from gateway.domain.variant import Api
from gateway.errors import GatewayError
from gateway.proxy.relay import EventRelay, relay_raw
from gateway.wire.stream import StreamTap
from tests.fakes.sink import RecordingSink
from tests.fakes.upstream import (
    DONE,
    LAST_CHUNK,
    STREAM_HEAD,
    Fin,
    Pause,
    Reset,
    ScriptedUpstream,
    Step,
    answer,
    chunk,
    event,
)
from tests.proxy.upstream.test_connection import ask
from tests.proxy.upstream.test_pool import pool_to

CREATED = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":0,'
    b'"response":{"id":"resp_7","model":"m"}}\n\n'
)


async def relayed(script: tuple[Step, ...], api: Api = Api.CHAT) -> tuple[RecordingSink, GatewayError | None]:
    """Relay what `script` sends."""
    async with ScriptedUpstream([script]) as upstream, pool_to(upstream.port) as pool:
        response = await ask(pool)
        sink = RecordingSink()
        relay = EventRelay(api, StreamTap(api), sink, SettableClock(unix_ms=5_000), model="m")
        error = await relay.run(response, [(b"x-a", b"1")])
        response.release()
        return sink, error


async def test_whole_stream_passes() -> None:
    """A whole stream passes byte for byte, and is ended."""
    script = (STREAM_HEAD + event("a"), Pause(0.02), event("b", finish=True) + DONE + LAST_CHUNK)
    sink, error = await relayed(script)
    assert (error, sink.ended, sink.status) == (None, "end", 200)
    assert sink.body.count(b"data: ") == 3
    assert (sink.header(b"x-a"), sink.header(b"x-accel-buffering")) == (b"1", b"no")


@pytest.mark.parametrize("end", [Fin(), Reset()], ids=["end", "reset"])
async def test_finished_is_finished(end: Step) -> None:
    """A stream that said it was finished is, however its connection ends."""
    sink, error = await relayed((STREAM_HEAD + event("a", finish=True), Pause(0.05), end))
    assert (error, sink.ended) == (None, "end")
    assert b"error" not in sink.body


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ((LAST_CHUNK,), "upstream_truncated"),
        ((Fin(),), "upstream_broken"),
        ((Pause(0.03), Reset()), "upstream_broken"),
        ((Pause(1),), "upstream_idle_timeout"),
        ((chunk(b'data: {"choices":[{"del') + LAST_CHUNK,), "upstream_truncated"),
    ],
)
async def test_truncated_chat_never_looks_whole(script: tuple[Step, ...], code: str) -> None:
    """A chat stream that ends early ends with an error chunk and neither a finish nor `[DONE]`."""
    sink, error = await relayed((STREAM_HEAD + event("a"), Pause(0.02), *script))
    assert error is not None
    assert error.code == code
    assert sink.ended == "end"
    last = sink.body.split(b"\n\n")[-2]
    assert orjson.loads(last.removeprefix(b"data: "))["error"]["code"] == code
    assert b"[DONE]" not in sink.body
    assert b'"finish_reason":"' not in sink.body


async def test_truncated_responses_fail() -> None:
    """A responses stream that ends early ends with `response.failed`, its id and the next number."""
    sink, error = await relayed((STREAM_HEAD + chunk(CREATED), Pause(0.02), Fin()), Api.RESPONSES)
    assert error is not None
    kind, payload = sink.body.removeprefix(CREATED).strip().split(b"\n")
    failed = orjson.loads(payload.removeprefix(b"data: "))
    assert (kind, failed["type"], failed["sequence_number"]) == (b"event: response.failed", "response.failed", 1)
    assert (failed["response"]["id"], failed["response"]["status"]) == ("resp_7", "failed")


async def test_halfway_in_a_huge_event() -> None:
    """In the middle of an event that was passed on in pieces only a broken connection tells the truth."""
    start = b'data: {"choices":[{"delta":{"content":"' + b"x" * 100_000
    sink, error = await relayed((STREAM_HEAD + chunk(start), Pause(0.02), LAST_CHUNK))
    assert error is not None
    assert sink.ended == "abort"


async def test_raw_passes() -> None:
    """A raw body passes with its length; one cut short breaks the client's connection, too."""
    async with ScriptedUpstream([(answer(b"hello"),)]) as upstream, pool_to(upstream.port) as pool:
        sink = RecordingSink()
        response = await ask(pool)
        assert await relay_raw(response, [], sink) is None
        assert (sink.body, sink.content_length, sink.ended) == (b"hello", 5, "end")
        response.release()


async def test_raw_cut_short_breaks() -> None:
    """A raw body cut short breaks the client's connection: nothing else would tell it."""
    async with (
        ScriptedUpstream([(STREAM_HEAD + event("a"), Pause(0.02), Fin())]) as upstream,
        pool_to(upstream.port) as pool,
    ):
        sink = RecordingSink()
        response = await ask(pool)
        assert await relay_raw(response, [], sink) is not None
        assert sink.ended == "abort"
        response.release()
