"""Tests for gateway.proxy.observe: outcomes say what happened, whoever answered and however it ended."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from gateway.domain.guard import Guard, GuardAction, GuardKind
from gateway.domain.outcome import Fault, Safety
from gateway.domain.price import Price, Rates
from gateway.domain.table import RoutingTable
from gateway.domain.usage import Usage
from gateway.errors import ContentBlockedError
from gateway.proxy.observe import MAX_MODEL_CHARS, note_attempt_end, note_blame, note_reading, note_signal
from gateway.record.outcome import Outcome
from gateway.record.sampling import Sampler
from gateway.record.trace import AttemptSpan, Trace
from gateway.wire.reading import Reading
from gateway.wire.safety import Signal
from tests.fakes.plane import CHAT, CHAT_STREAM, post, raw_client, serving
from tests.fakes.tables import provider, route, table, variant
from tests.fakes.upstream import (
    DONE,
    LAST_CHUNK,
    STREAM_HEAD,
    Fin,
    Hang,
    Pause,
    ScriptedUpstream,
    Step,
    answer,
    chunk,
    event,
)

PRICE = Price(Rates(1e-6, 4e-6, 0.5e-6))
SECRET = Guard("secrets", GuardKind.PATTERN, GuardAction.BLOCK, pattern="hunter2")
SHAPE = Guard("shape", GuardKind.JSON_SCHEMA, schema=b'{"type":"object"}')


def said(text: str, *, finish: str = "stop") -> bytes:
    """Give a whole chat answer."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 40}}
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    return orjson.dumps({"model": "gpt-x-2026", "choices": choices, "usage": usage})


def guarded_table(port: int, *guards: Guard) -> RoutingTable:
    """Give one route whose only variant has a price and guards."""
    return table([provider(port)], [route([variant("current", guards=guards, price=PRICE)])], default="sim")


async def outcome_of(script: tuple[Step, ...], body: bytes, *guards: Guard, n_bytes: int = 0) -> tuple[bytes, Outcome]:
    """Give what a client got and what was noted; a client that wants `n_bytes` leaves after them."""
    async with (
        ScriptedUpstream([script]) as upstream,
        serving(guarded_table(upstream.port, *guards)) as plane,
        raw_client(plane.port) as client,
    ):
        client.send(post(body))
        got = (await client.reply()).body if not n_bytes else await client.reader.readexactly(n_bytes)
        client.abort()
        await plane.outcomes.until(1)
        return got, plane.outcomes.last


async def test_unary_facts() -> None:
    """Who was asked for what, who answered, how many tokens, what they cost and why it ended."""
    _, outcome = await outcome_of((answer(said("hello")),), CHAT)
    assert (outcome.provider, outcome.model_requested, outcome.model_sent) == ("sim", "support", "m-1")
    assert (outcome.model_served, outcome.finish_reason, outcome.is_estimated) == ("gpt-x-2026", "stop", False)
    assert (outcome.input_tokens, outcome.output_tokens, outcome.cached_tokens) == (100, 10, 40)
    assert outcome.cost_usd == pytest.approx(60e-6 + 20e-6 + 40e-6)


async def test_stream_facts() -> None:
    """A stream's usage and end are read though nobody parses every chunk; without usage it is an estimate."""
    usage = chunk(b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}\n\n')
    whole = STREAM_HEAD + event("a") + event("b", finish=True)
    _, told = await outcome_of((whole + usage + DONE + LAST_CHUNK,), CHAT_STREAM)
    assert (told.input_tokens, told.output_tokens, told.finish_reason, told.is_estimated) == (7, 2, "stop", False)
    _, untold = await outcome_of((whole + DONE + LAST_CHUNK,), CHAT_STREAM)
    assert (untold.output_tokens, untold.is_estimated) == (2, True)


async def test_leaving_is_paid_for() -> None:
    """A client that leaves a stream has cost what came until then."""
    _, outcome = await outcome_of((STREAM_HEAD + event("a") + event("b"), Hang()), CHAT_STREAM, n_bytes=400)
    assert (outcome.is_client_gone, outcome.fault, outcome.is_estimated) == (True, Fault.CLIENT, True)
    assert outcome.cost_usd is not None
    assert outcome.cost_usd > 0


async def test_filter_is_a_matter_of_safety() -> None:
    """A provider that filters its answer is noted so, and is not to blame."""
    _, outcome = await outcome_of((answer(said("", finish="content_filter")),), CHAT)
    assert (outcome.safety, outcome.fault, outcome.status) == (Safety.OUTPUT_BLOCKED, Fault.NONE, 200)


async def test_refused_input() -> None:
    """A 400 for the prompt's content is a matter of safety too."""
    refused = answer(orjson.dumps({"error": {"code": "content_filter", "message": "no"}}), status=400)
    _, outcome = await outcome_of((refused,), CHAT)
    assert (outcome.safety, outcome.fault) == (Safety.INPUT_BLOCKED, Fault.CLIENT)


async def test_guard_blocks() -> None:
    """What a guard blocks never reaches the client, who is told why in words its SDK knows."""
    got, outcome = await outcome_of((answer(said("it is hunter2")),), CHAT, SECRET)
    assert b"hunter2" not in got
    assert orjson.loads(got)["error"]["code"] == ContentBlockedError.code
    assert (outcome.status, outcome.safety, outcome.safety_category) == (400, Safety.OUTPUT_BLOCKED, "secrets")
    assert (outcome.fault, outcome.output_tokens) == (Fault.NONE, 10)


async def test_guard_blocks_a_stream() -> None:
    """A stream ends with an error frame where the guard objects; what was blocked is not in it."""
    script = (STREAM_HEAD + event("it is "), Pause(0.02), event("hun") + event("ter2"), event("x"), Hang())
    got, outcome = await outcome_of(script, CHAT_STREAM, SECRET)
    assert b"ter2" not in got
    assert b"content_blocked" in got
    assert (outcome.safety, outcome.is_truncated, outcome.fault) == (Safety.OUTPUT_BLOCKED, False, Fault.NONE)


async def test_guard_reads_everything() -> None:
    """An answer that guards which block cannot read is not passed on."""
    squeezed = answer(b"\x1f\x8b", more=b"content-encoding: gzip\r\n")
    got, outcome = await outcome_of((squeezed,), CHAT, SECRET)
    assert orjson.loads(got)["error"]["code"] == "upstream_unchecked"
    assert outcome.fault is Fault.PROVIDER


@pytest.mark.parametrize(("text", "is_valid"), [('{"a": 1}', True), ("sorry", False)])
async def test_format_is_noted(text: str, is_valid: bool) -> None:
    """A schema that only flags says whether the answer kept to it, and the client gets it either way."""
    got, outcome = await outcome_of((answer(said(text)),), CHAT, SHAPE)
    assert (got, outcome.is_valid_format, outcome.safety) == (said(text), is_valid, Safety.NONE)


async def test_attempts_are_traced() -> None:
    """Every attempt is a span of its own, which the provider is told; a failed one says so."""
    scripts: list[tuple[Step, ...]] = [(Fin(),), (answer(said("hello")),)]
    both = [variant("current"), variant("spare")]
    async with ScriptedUpstream(scripts) as upstream:
        published = table([provider(upstream.port)], [route(both, fallback=("spare",))])
        async with serving(published, sampler=Sampler(seed=b"x")) as plane, raw_client(plane.port) as client:
            client.send(post(CHAT, headers=(f"traceparent: 00-{'a' * 32}-{'b' * 16}-01",)))
            assert (await client.reply()).status == 200
            await asyncio.sleep(0.01)
        trace = plane.outcomes.last.trace
        assert trace is not None
        assert (trace.trace_id, trace.parent_id) == ("a" * 32, "b" * 16)
        assert [(one.status, one.error_code) for one in trace.attempts] == [(0, "upstream_broken"), (200, None)]
        for seen, attempt in zip(upstream.seen, trace.attempts, strict=True):
            assert seen.head.count(b"traceparent: ") == 1
            assert seen.headers[b"traceparent"] == f"00-{trace.trace_id}-{attempt.span_id}-01".encode()


async def test_model_names_stay_short() -> None:
    """A client may send any model's name; what is kept of it is short."""
    async with ScriptedUpstream([(answer(said("hi")),)]) as upstream, serving(guarded_table(upstream.port)) as plane:
        async with raw_client(plane.port) as client:
            client.send(post(orjson.dumps({"model": "m" * 5000, "messages": []})))
            await client.reply()
        assert len(plane.outcomes.last.model_requested) == MAX_MODEL_CHARS


def test_provider_stays_to_blame() -> None:
    """What came after a provider's failure does not cover it."""
    outcome = Outcome()
    note_blame(outcome, Fault.PROVIDER, "upstream_500")
    note_blame(outcome, Fault.CLIENT, "whatever")
    assert (outcome.fault, outcome.error_code) == (Fault.PROVIDER, "upstream_500")


def test_graver_signal_stays() -> None:
    """A flag does not cover a block."""
    outcome = Outcome()
    note_signal(outcome, Signal(Safety.OUTPUT_BLOCKED, "hate"))
    note_signal(outcome, Signal(Safety.FLAGGED, "mild"))
    assert (outcome.safety, outcome.safety_category) == (Safety.OUTPUT_BLOCKED, "hate")


def test_no_price_no_cost() -> None:
    """Where no price is known the cost is unknown, not nothing."""
    outcome = Outcome()
    note_reading(outcome, Reading(Usage(1, 2)), None, 10)
    assert (outcome.input_tokens, outcome.cost_usd) == (1, None)


def test_attempt_ends_once() -> None:
    """An attempt that has ended keeps how."""
    outcome = Outcome(trace=Trace("", "", "", "", [AttemptSpan("a", 10.0, 0.0, "sim")]))
    note_attempt_end(outcome, 30.0, 503, "x")
    note_attempt_end(outcome, 90.0, 200, None)
    assert outcome.trace is not None
    assert (outcome.trace.attempts[0].duration_ms, outcome.trace.attempts[0].status) == (20.0, 503)
