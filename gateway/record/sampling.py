"""
Whether a request becomes part of a trace: decided first, before any work is done for it.

The sampler is the one OTEL_TRACES_SAMPLER names; the arithmetic is the OpenTelemetry SDK's, so that
two programs given the same ratio keep the same traces. Nothing of the SDK is imported here: every
worker has a sampler, and spans are made where the exporter lives.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Mapping, Sequence

from gateway.record.trace import AttemptSpan, Trace
from gateway.wire.trace_context import (
    TraceParent,
    is_unsampled,
    parse_traceparent,
    parse_tracestate,
    render_traceparent,
)

log = logging.getLogger(__name__)

_ALL = 1 << 64
_LOW_DIGITS = 16
DEFAULT_SAMPLER = "parentbased_always_on"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class Sampler:
    """
    Decides which requests are traced, and hands out ids.

    Ids come from a generator seeded by the system once: they have to be unlike each other, not
    unguessable, and a system call for each would cost more than all the rest. Belongs to the process
    that made it: a copy carried over a fork would hand out the same ids twice.
    """

    def __init__(self, ratio: float = 1.0, *, follows_parent: bool = True, seed: bytes | None = None) -> None:
        """
        Make a sampler.

        Args:
            ratio: Share of traces kept where the caller does not decide, in [0, 1].
            follows_parent: Whether the caller's own decision, where there is one, is taken over.
            seed: For tests; random otherwise.
        """
        self._bound = round(ratio * _ALL)
        self._follows_parent = follows_parent
        self._bits = random.Random(os.urandom(32) if seed is None else seed).getrandbits

    def sample(self, traceparent: bytes | None, tracestate: Sequence[bytes] = ()) -> Trace | None:
        """
        Give a request its place in a trace, or None where it is not sampled.

        Args:
            traceparent: As the client sent it; None where it sent none.
            tracestate: Every header of that name, in order.
        """
        if traceparent is not None:
            # Only what matched can be left at once: a wrong header is as none, and the trace may begin here.
            if self._follows_parent and is_unsampled(traceparent):
                return None
            parent = parse_traceparent(traceparent)
            if parent is not None:
                if not self._keeps(parent):
                    return None
                return Trace(parent.trace_id, parent.span_id, self._span_id(), parse_tracestate(tracestate), [])
        low = self._bits(64)
        if low >= self._bound:
            return None
        return Trace(f"{self._bits(64) or 1:016x}{low:016x}", "", self._span_id(), "", [])

    def begin_attempt(
        self, trace: Trace, *, unix_ms: float, provider: str, model_sent: str | None = None
    ) -> AttemptSpan:
        """Add an attempt to a trace; its end is the caller's to fill in."""
        attempt = AttemptSpan(self._span_id(), unix_ms, 0.0, provider, model_sent)
        trace.attempts.append(attempt)
        return attempt

    def render_unsampled(self) -> bytes:
        """
        Give the `traceparent` of a trace that begins here and is not sampled.

        For requests without one of their own, so that whoever is called does not begin a trace in our stead.
        """
        trace_id = f"{self._bits(128) or 1:032x}"
        return render_traceparent(trace_id, self._span_id(), is_sampled=False)

    def _keeps(self, parent: TraceParent) -> bool:
        if self._follows_parent:
            return parent.is_sampled
        return int(parent.trace_id[_LOW_DIGITS:], 16) < self._bound

    def _span_id(self) -> str:
        return f"{self._bits(64) or 1:016x}"


def render_attempt(trace: Trace, attempt: AttemptSpan) -> bytes:
    """Give the `traceparent` an attempt is sent with."""
    return render_traceparent(trace.trace_id, attempt.span_id)


def is_exporting_traces(environ: Mapping[str, str]) -> bool:
    """
    Say whether the OTEL_ variables ask for traces to be sent somewhere.

    They do when an endpoint is named, or OTEL_TRACES_EXPORTER is `otlp`. Unlike the SDK's own default, nothing is
    sent to localhost unasked.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = {name.strip().lower() for name in environ.get("OTEL_TRACES_EXPORTER", "").split(",")} - {""}
    if exporters:
        return "otlp" in exporters
    return any(environ.get(name, "").strip() for name in _ENDPOINTS)


def open_sampler(environ: Mapping[str, str]) -> Sampler | None:
    """
    Give the sampler that OTEL_TRACES_SAMPLER and _ARG describe; None when no trace is ever sent.

    As the specification has it, a name or a ratio that is not known is said in the log and replaced by the
    default: a telemetry setting stops nothing.
    """
    if not is_exporting_traces(environ):
        return None
    name = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower() or DEFAULT_SAMPLER
    if name == "always_off":
        return None
    follows_parent = name.startswith("parentbased_")
    root = name.removeprefix("parentbased_")
    if root == "always_on":
        return Sampler(1.0, follows_parent=follows_parent)
    if root == "always_off":
        return Sampler(0.0, follows_parent=follows_parent)
    if root == "traceidratio":
        return Sampler(_ratio_of(environ.get("OTEL_TRACES_SAMPLER_ARG", "")), follows_parent=follows_parent)
    log.warning("unknown sampler, the default is used", extra={"sampler": name[:64], "used": DEFAULT_SAMPLER})
    return Sampler(1.0, follows_parent=True)


def _ratio_of(text: str) -> float:
    if not text.strip():
        return 1.0
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1.0
    if 0.0 <= ratio <= 1.0:
        return ratio
    log.warning("OTEL_TRACES_SAMPLER_ARG is no ratio between 0 and 1, all is sampled", extra={"got": text[:64]})
    return 1.0
