"""
From a sampled outcome to its spans: one for the request as it was served, one for every attempt at a provider.

The request's span is HTTP's (SERVER); those of the attempts carry `gen_ai.*` (CLIENT), so that a backend that adds
up tokens or money over spans counts each once, with the attempt that answered. Neither prompts nor answers, user
ids, keys or addresses of clients stand on any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.span import TraceState
from opentelemetry.trace.status import Status, StatusCode

from gateway.domain.outcome import Fault, Safety
from gateway.domain.provider import Provider
from gateway.domain.variant import Api
from gateway.record.outcome import Outcome
from gateway.record.trace import AttemptSpan, Trace
from gateway.telemetry import instruments as names
from gateway.telemetry.conventions import FLAG_REASONS, OPERATIONS, provider_name_of

SCOPE: Final = InstrumentationScope("sluice")
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_API_TYPES = {Api.CHAT: "chat_completions", Api.RESPONSES: "responses"}
MAX_NAME_CHARS = 128
"""Of a model that a client or a provider made up."""

Value = str | bool | int | float | tuple[str, ...]
Attributes = dict[str, Value]


class SpanMaker:
    """Makes spans for one process's exporter."""

    def __init__(self, resource: Resource, providers: Callable[[], Mapping[str, Provider]] = dict) -> None:
        """
        Make it.

        Args:
            resource: Who speaks: `service.name` and its like.
            providers: Gives those of the table in use by name, for `server.address` and the convention's word for
                them; one it does not know keeps its plain name.
        """
        self._resource = resource
        self._providers = providers

    def spans_of(self, outcome: Outcome) -> list[ReadableSpan]:
        """Give the spans of a request, its own last; none where it was not sampled."""
        trace = outcome.trace
        if trace is None:
            return []
        state = _state_of(trace.state)
        own = _context(trace.trace_id, trace.span_id, state)
        spans = [
            self._attempt_span(outcome, attempt, own, is_answer=attempt is trace.attempts[-1])
            for attempt in trace.attempts
        ]
        spans.append(self._request_span(outcome, trace, own))
        return spans

    def _request_span(self, outcome: Outcome, trace: Trace, own: SpanContext) -> ReadableSpan:
        is_ours = outcome.fault in (Fault.GATEWAY, Fault.PROVIDER) or outcome.status >= 500
        path = "/v1" if outcome.api is None else f"/v1{outcome.api.value}"
        return ReadableSpan(
            f"POST {path}",
            context=own,
            parent=_context(trace.trace_id, trace.parent_id, own.trace_state, is_remote=True)
            if trace.parent_id
            else None,
            resource=self._resource,
            attributes=_request_attributes(outcome, path),
            kind=SpanKind.SERVER,
            # A client's mistake is not an error of this server: HTTP's convention for SERVER spans.
            status=Status(StatusCode.ERROR, outcome.error_code) if is_ours else Status(),
            start_time=_nanos(outcome.unix_ms),
            end_time=_nanos(outcome.unix_ms + outcome.duration_ms),
            instrumentation_scope=SCOPE,
        )

    def _attempt_span(
        self, outcome: Outcome, attempt: AttemptSpan, own: SpanContext, *, is_answer: bool
    ) -> ReadableSpan:
        model = _shown(attempt.model_sent or outcome.model_requested)
        operation = "chat" if outcome.api is None else OPERATIONS[outcome.api]
        attributes: Attributes = {names.OPERATION: operation, names.REQUEST_MODEL: model}
        attributes |= self._place_of(attempt.provider)
        if outcome.api in _API_TYPES:
            attributes["openai.api.type"] = _API_TYPES[outcome.api]
        if outcome.is_stream:
            attributes["gen_ai.request.stream"] = True
        if attempt.status:
            attributes["http.response.status_code"] = attempt.status
        error = _attempt_error(outcome, attempt, is_answer=is_answer)
        if error is not None:
            attributes[names.ERROR_TYPE] = error
        if is_answer and attempt.status == 200:
            attributes |= _answer_attributes(outcome, attempt)
        return ReadableSpan(
            f"{operation} {model}".rstrip(),
            context=_context(f"{own.trace_id:032x}", attempt.span_id, own.trace_state),
            parent=own,
            resource=self._resource,
            attributes=attributes,
            kind=SpanKind.CLIENT,
            status=Status(StatusCode.ERROR, error) if error is not None else Status(),
            start_time=_nanos(attempt.start_unix_ms),
            end_time=_nanos(attempt.start_unix_ms + attempt.duration_ms),
            instrumentation_scope=SCOPE,
        )

    def _place_of(self, name: str) -> Attributes:
        provider = self._providers().get(name)
        place: Attributes = {names.PROVIDER: name}
        if provider is None:
            return place | {names.PROVIDER_NAME: name}
        return place | {
            names.PROVIDER_NAME: provider_name_of(provider.host, name),
            "server.address": provider.host,
            "server.port": provider.port,
        }


def _request_attributes(outcome: Outcome, path: str) -> Attributes:
    attributes = _without_none(
        {
            "http.request.method": "POST",
            "http.route": path,
            "http.response.status_code": outcome.status or None,
            names.ERROR_TYPE: _request_error(outcome),
            "sluice.request_id": outcome.request_id or None,
            "sluice.config.version": outcome.config_version,
            names.ROUTE: outcome.route,
            names.VARIANT: outcome.served,
            names.REASON: None if outcome.reason is None else outcome.reason.value,
            names.FAULT: None if outcome.fault is Fault.NONE else outcome.fault.value,
            "sluice.attempts": outcome.attempts,
            "sluice.cost_usd": outcome.cost_usd,
            names.SAFETY_CLASS: None if outcome.safety is Safety.NONE else outcome.safety.value,
            names.SAFETY_CATEGORY: outcome.safety_category,
            "sluice.valid_format": outcome.is_valid_format,
            "sluice.truncated": outcome.is_truncated or None,
            "sluice.client_gone": outcome.is_client_gone or None,
            names.MODEL_REQUESTED: _shown(outcome.model_requested) or None,
        }
    )
    return attributes | _flag_attributes(outcome)


def _flag_attributes(outcome: Outcome) -> Attributes:
    """Give what was decided, in the feature-flag convention's words; never for whom."""
    if outcome.release is None or outcome.arm is None:
        return {}
    return {
        names.RELEASE: outcome.release,
        names.ARM: outcome.arm,
        "sluice.epoch": outcome.epoch,
        "feature_flag.key": outcome.release,
        "feature_flag.result.variant": outcome.arm,
        "feature_flag.result.reason": "unknown" if outcome.reason is None else FLAG_REASONS[outcome.reason],
        "feature_flag.provider.name": "sluice",
        "feature_flag.version": str(outcome.config_version),
    }


def _answer_attributes(outcome: Outcome, attempt: AttemptSpan) -> Attributes:
    # The first token's time counts from the request; the span may have begun later, after a failed attempt.
    waited_ms = attempt.start_unix_ms - outcome.unix_ms
    first_ms = outcome.ttft_ms if outcome.is_stream else None
    return _without_none(
        {
            names.RESPONSE_MODEL: _shown(outcome.model_served or "") or None,
            "gen_ai.response.finish_reasons": (outcome.finish_reason[:MAX_NAME_CHARS],)
            if outcome.finish_reason
            else None,
            "gen_ai.response.time_to_first_chunk": None if first_ms is None else max(first_ms - waited_ms, 0.0) / 1_000,
            "gen_ai.usage.input_tokens": outcome.input_tokens,
            "gen_ai.usage.output_tokens": outcome.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": outcome.cached_tokens or None,
            "gen_ai.usage.reasoning.output_tokens": outcome.reasoning_tokens or None,
            names.IS_ESTIMATED: outcome.is_estimated or None,
        }
    )


def _attempt_error(outcome: Outcome, attempt: AttemptSpan, *, is_answer: bool) -> str | None:
    if attempt.error_code is not None:
        return attempt.error_code
    if attempt.status >= 400:
        return str(attempt.status)
    # A stream that broke after its 200 is known to the request alone.
    return outcome.error_code if is_answer and outcome.fault is Fault.PROVIDER else None


def _request_error(outcome: Outcome) -> str | None:
    if outcome.error_code is not None:
        return outcome.error_code
    return str(outcome.status) if outcome.status >= 400 else None


def _context(trace_id: str, span_id: str, state: TraceState, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote, _SAMPLED, state)


def _state_of(joined: str) -> TraceState:
    return TraceState([(key, value) for key, _, value in (part.partition("=") for part in joined.split(",")) if key])


def _nanos(unix_ms: float) -> int:
    return round(unix_ms * 1_000) * 1_000


def _shown(name: str) -> str:
    return name[:MAX_NAME_CHARS]


def _without_none(attributes: Mapping[str, Value | None]) -> Attributes:
    return {key: value for key, value in attributes.items() if value is not None}
