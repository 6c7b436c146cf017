"""What a sampled request leaves for its spans, which are made where the exporter lives."""

from __future__ import annotations

import msgspec


class AttemptSpan(msgspec.Struct, array_like=True, gc=False):
    """
    One attempt at one provider.

    Attributes:
        span_id: 16 hex digits; the provider was sent it in `traceparent`.
        start_unix_ms: When it was sent.
        duration_ms: Until its answer ended, or it failed.
        provider: Whose provider.
        model_sent: What was asked for; None when the client's own went through.
        status: What came back; 0 when nothing did.
        error_code: Why it failed; None when it did not.
    """

    span_id: str
    start_unix_ms: float
    duration_ms: float
    provider: str
    model_sent: str | None = None
    status: int = 0
    error_code: str | None = None


class Trace(msgspec.Struct, array_like=True, gc=False):
    """
    A sampled request's place in its trace.

    Attributes:
        trace_id: 32 hex digits.
        parent_id: The caller's span, 16 hex digits; empty when the trace begins here.
        span_id: Our own span for the whole request, parent of the attempts.
        state: `tracestate` as it came.
        attempts: In the order they were sent.
    """

    trace_id: str
    parent_id: str
    span_id: str
    state: str
    attempts: list[AttemptSpan]
