"""Spans: as the official encoder sends them, told once, and nothing on them that is anybody's business."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource

from gateway.domain.outcome import Fault, Safety
from gateway.domain.provider import Provider
from gateway.domain.release import Reason
from gateway.domain.variant import Api
from gateway.record.outcome import Outcome
from gateway.record.spans import MAX_NAME_CHARS, SpanMaker
from gateway.record.trace import AttemptSpan, Trace

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT, OWN, FIRST, SECOND = "b7ad6b7169203331", "1" * 16, "2" * 16, "3" * 16
FAILED = AttemptSpan(FIRST, 1_000_010.0, 20.5, "azure", "gpt-a", 503, None)
ANSWERED = AttemptSpan(SECOND, 1_000_050.0, 400.0, "vllm", "llama", 200, None)
PROVIDERS = {"azure": Provider("azure", "https", "ours.openai.azure.com", 443, "/v1")}


def outcome(*attempts: AttemptSpan, parent: str = PARENT, state: str = "a=b,c=d", **changes: Any) -> Outcome:
    """Give a sampled request that went well, with changes."""
    made = Outcome(
        config_version=7,
        unix_ms=1_000_000,
        request_id="req_x",
        api=Api.CHAT,
        route="support",
        release="support-v8",
        epoch=2,
        arm="candidate",
        served="concise",
        reason=Reason.BUCKET,
        unit_hash=123456789,
        segments={"plan": "secret-plan"},
        model_requested="support",
        model_served="llama-3",
        status=200,
        attempts=len(attempts),
        ttft_ms=100.0,
        duration_ms=450.25,
        input_tokens=11,
        output_tokens=5,
        cached_tokens=4,
        reasoning_tokens=2,
        cost_usd=0.25,
        finish_reason="stop",
        trace=Trace(TRACE, parent, OWN, state, list(attempts)),
    )
    return msgspec.structs.replace(made, **changes)


def sent(fact: Outcome) -> list[Span]:
    """Give a request's spans as a collector decodes them."""
    maker = SpanMaker(Resource({"service.name": "sluice"}), lambda: PROVIDERS)
    encoded = type(request := encode_spans(maker.spans_of(fact))).FromString(request.SerializeToString())
    return [span for each in encoded.resource_spans for scope in each.scope_spans for span in scope.spans]


def attributes_of(span: Span) -> dict[str, Any]:
    """Give a span's attributes as plain values."""
    plain: dict[str, Any] = {}
    for pair in span.attributes:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind)
        plain[pair.key] = [each.string_value for each in value.values] if kind == "array_value" else value
    return plain


def test_unsampled_has_none() -> None:
    """A request that is not sampled has no spans."""
    assert SpanMaker(Resource({})).spans_of(outcome(ANSWERED, trace=None)) == []


def test_family_is_right() -> None:
    """Attempts below the request, the request below the caller, all in the caller's trace and state."""
    first, second, own = sent(outcome(FAILED, ANSWERED))
    assert {span.trace_id.hex() for span in (first, second, own)} == {TRACE}
    assert [span.span_id.hex() for span in (first, second, own)] == [FIRST, SECOND, OWN]
    assert [span.parent_span_id.hex() for span in (first, second, own)] == [OWN, OWN, PARENT]
    assert [span.kind for span in (first, second, own)] == [Span.SPAN_KIND_CLIENT] * 2 + [Span.SPAN_KIND_SERVER]
    assert {span.trace_state for span in (first, second, own)} == {"a=b,c=d"}


def test_trace_begun_here_has_no_parent() -> None:
    """Without a caller's span the request's is the root."""
    assert sent(outcome(ANSWERED, parent="", state=""))[-1].parent_span_id == b""


def test_times_are_the_facts() -> None:
    """Beginnings and ends are those that were measured, to the microsecond."""
    first, _, own = sent(outcome(FAILED, ANSWERED))
    assert (first.start_time_unix_nano, first.end_time_unix_nano) == (1_000_010_000_000, 1_000_030_500_000)
    assert (own.start_time_unix_nano, own.end_time_unix_nano) == (1_000_000_000_000, 1_000_450_250_000)


def test_answer_is_on_its_attempt() -> None:
    """Model, usage and finish stand on the attempt that answered."""
    _, answered, _ = sent(outcome(FAILED, ANSWERED, is_stream=True))
    assert answered.name == "chat llama"
    assert attributes_of(answered) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "llama",
        "gen_ai.request.stream": True,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.model": "llama-3",
        "gen_ai.response.time_to_first_chunk": 0.05,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "http.response.status_code": 200,
        "openai.api.type": "chat_completions",
        "sluice.provider": "vllm",
    }


def test_failed_attempt_says_why() -> None:
    """An attempt that failed is an error with its status, its provider's address, and no usage."""
    first, *_ = sent(outcome(FAILED, ANSWERED))
    told = attributes_of(first)
    assert (told["error.type"], first.status.code) == ("503", 2)
    assert (told["gen_ai.provider.name"], told["server.address"]) == ("azure.ai.openai", "ours.openai.azure.com")
    assert not any(key.startswith("gen_ai.usage") for key in told)


def test_usage_is_told_once() -> None:
    """However many attempts there were, adding up over spans gives what was used."""
    told = [attributes_of(span).get("gen_ai.usage.input_tokens") for span in sent(outcome(FAILED, FAILED, ANSWERED))]
    assert told == [None, None, 11, None]


def test_decision_is_on_the_request() -> None:
    """The request's span has the split in the feature-flag convention's words."""
    *_, own = sent(outcome(ANSWERED))
    told = attributes_of(own)
    assert own.name == "POST /v1/chat/completions" and told["http.response.status_code"] == 200
    assert {key[13:]: told[key] for key in told if key.startswith("feature_flag.")} == {
        "key": "support-v8",
        "result.variant": "candidate",
        "result.reason": "split",
        "provider.name": "sluice",
        "version": "7",
    }
    assert (told["sluice.route"], told["sluice.request_id"], told["sluice.cost_usd"]) == ("support", "req_x", 0.25)


def test_broken_stream_is_an_error() -> None:
    """A stream that broke after its 200 is an error of the attempt and of the request."""
    attempt, own = sent(outcome(ANSWERED, fault=Fault.PROVIDER, error_code="upstream_broken", is_truncated=True))
    assert [span.status.code for span in (attempt, own)] == [2, 2]
    assert {attributes_of(span)["error.type"] for span in (attempt, own)} == {"upstream_broken"}


@pytest.mark.parametrize(
    ("status", "fault", "code"), [(400, Fault.CLIENT, 0), (499, Fault.CLIENT, 0), (500, Fault.GATEWAY, 2)]
)
def test_clients_mistakes_are_not_ours(status: int, fault: Fault, code: int) -> None:
    """A request that the client got wrong is no error of this server."""
    (own,) = sent(outcome(status=status, fault=fault, error_code="x"))
    assert own.status.code == code and attributes_of(own)["error.type"] == "x"


def test_safety_is_told() -> None:
    """What was stopped, and by which category."""
    *_, own = sent(outcome(ANSWERED, safety=Safety.OUTPUT_BLOCKED, safety_category="hate"))
    told = attributes_of(own)
    assert (told["sluice.safety.class"], told["sluice.safety.category"]) == ("output_blocked", "hate")


def test_nobody_is_on_it() -> None:
    """Neither the user's hash nor segments are on any span."""
    text = str(sent(outcome(FAILED, ANSWERED)))
    assert "secret-plan" not in text and "123456789" not in text and "context.id" not in text


def test_refused_at_once() -> None:
    """A request that never got anywhere is one plain span."""
    bare = Outcome(unix_ms=5, status=404, fault=Fault.CLIENT, trace=Trace(TRACE, "", OWN, "", []))
    (own,) = sent(bare)
    assert own.name == "POST /v1" and attributes_of(own)["error.type"] == "404"


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("api", list(Api))
def test_everything_is_mapped(reason: Reason, api: Api) -> None:
    """Every reason and every kind of call has the conventions' word."""
    attempt, own = sent(outcome(ANSWERED, reason=reason, api=api))
    assert attempt.name.split()[0] in ("chat", "text_completion", "embeddings")
    assert "feature_flag.result.reason" in attributes_of(own)


def test_long_names_are_cut() -> None:
    """A model's name that somebody made up fills no backend."""
    attempt = msgspec.structs.replace(ANSWERED, model_sent=None)
    spans = sent(outcome(attempt, model_requested="m" * 10_000, model_served="s" * 10_000))
    assert max(len(value) for span in spans for value in map(str, attributes_of(span).values())) <= MAX_NAME_CHARS
