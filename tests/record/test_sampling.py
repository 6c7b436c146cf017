"""Sampling: decided first, as the OpenTelemetry SDK would, and paid for by those sampled alone."""

from __future__ import annotations

import logging

import pytest
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from gateway.record.sampling import Sampler, is_exporting_traces, open_sampler, render_attempt
from gateway.telemetry.otlp import Signal, read_otlp
from gateway.wire.trace_context import parse_traceparent

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{SPAN}-01".encode()
UNSAMPLED = SAMPLED[:-1] + b"0"
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


def opened(name: str, ratio: str = "") -> Sampler | None:
    """Give what an environment asks for, with somewhere to send to."""
    return open_sampler({**ENDPOINT, "OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": ratio})


def test_trace_is_continued() -> None:
    """The caller's trace goes on, its span is the parent, its state travels."""
    trace = Sampler(0.0).sample(SAMPLED, [b"a=b", b"c=d"])
    assert trace is not None
    assert (trace.trace_id, trace.parent_id, trace.state) == (TRACE, SPAN, "a=b,c=d")
    assert len(trace.span_id) == 16 and trace.span_id != SPAN


@pytest.mark.parametrize("parent", [None, b"", b"00-zz", SAMPLED.upper()])
def test_trace_begins_here(parent: bytes | None) -> None:
    """Without a valid parent a trace begins, and a state that came with a wrong one is left out."""
    trace = Sampler(1.0).sample(parent, [b"a=b"])
    assert trace is not None
    assert (trace.parent_id, trace.state) == ("", "")
    assert parse_traceparent(f"00-{trace.trace_id}-{trace.span_id}-01".encode()) is not None


def test_attempts_have_spans() -> None:
    """Every attempt has a span of its own, and its provider is told of that one."""
    sampler = Sampler(1.0)
    trace = sampler.sample(SAMPLED)
    assert trace is not None
    first = sampler.begin_attempt(trace, unix_ms=1_000, provider="a", model_sent="m")
    second = sampler.begin_attempt(trace, unix_ms=1_001, provider="b")
    assert trace.attempts == [first, second] and first.span_id != second.span_id
    assert render_attempt(trace, second) == f"00-{TRACE}-{second.span_id}-01".encode()


@pytest.mark.parametrize(
    ("name", "ratio", "alone", "sampled", "unsampled"),
    [
        ("always_on", "", True, True, True),
        ("parentbased_always_on", "", True, True, False),
        ("", "", True, True, False),
        ("parentbased_always_off", "", False, True, False),
        ("parentbased_traceidratio", "0", False, True, False),
        ("parentbased_traceidratio", "1", True, True, False),
        ("traceidratio", "0", False, False, False),
        ("traceidratio", "1.0", True, True, True),
        ("traceidratio", "", True, True, True),
        ("ParentBased_Always_On", "", True, True, False),
    ],
)
def test_named_samplers(name: str, ratio: str, alone: bool, sampled: bool, unsampled: bool) -> None:
    """Each standard sampler decides as its name says: alone, and below either kind of parent."""
    sampler = opened(name, ratio)
    assert sampler is not None
    kept = [sampler.sample(parent) is not None for parent in (None, SAMPLED, UNSAMPLED)]
    assert kept == [alone, sampled, unsampled]


@pytest.mark.parametrize("ratio", [0.0, 0.001, 0.1, 0.5, 0.999, 1.0])
def test_ratio_is_the_sdks(ratio: float) -> None:
    """The SDK, given the same ratio and trace, decides the same; below parents and for traces begun here."""
    theirs, every = TraceIdRatioBased(ratio), Sampler(1.0, seed=b"ids")
    ours = Sampler(ratio, follows_parent=False)
    for _ in range(500):
        trace = every.sample(None)
        assert trace is not None
        wanted = theirs.should_sample(None, int(trace.trace_id, 16), "x").decision is Decision.RECORD_AND_SAMPLE
        assert (ours.sample(f"00-{trace.trace_id}-{SPAN}-00".encode()) is not None) == wanted
    kept = [trace for trace in (ours.sample(None) for _ in range(500)) if trace is not None]
    decisions = {theirs.should_sample(None, int(trace.trace_id, 16), "x").decision for trace in kept}
    assert decisions <= {Decision.RECORD_AND_SAMPLE}


def test_ratio_keeps_its_share() -> None:
    """A tenth is a tenth."""
    sampler = Sampler(0.1, seed=b"fixed")
    kept = sum(sampler.sample(None) is not None for _ in range(20_000))
    assert 1_870 < kept < 2_130


def test_ids_differ() -> None:
    """Two processes' samplers, and one sampler's requests, never share an id."""
    traces = [sampler.sample(None) for sampler in (Sampler(), Sampler()) for _ in range(2_000)]
    assert len({trace.trace_id for trace in traces if trace}) == 4_000
    assert len({trace.span_id for trace in traces if trace}) == 4_000


def test_unsampled_is_said() -> None:
    """A trace begun here and not sampled has a parent to hand on that says so."""
    parent = parse_traceparent(Sampler(0.0).render_unsampled())
    assert parent is not None and not parent.is_sampled


@pytest.mark.parametrize(
    ("environ", "is_exporting"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://a"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, True),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": ""}, True),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "True"}, False),
    ],
)
def test_nothing_unasked(environ: dict[str, str], is_exporting: bool) -> None:
    """Traces are sampled where they can be sent, and nowhere else."""
    assert is_exporting_traces(environ) == is_exporting
    assert (open_sampler(environ) is not None) == is_exporting
    assert (Signal.TRACES in read_otlp(environ).targets) == is_exporting


def test_always_off_costs_nothing() -> None:
    """There is no sampler at all where nothing could ever be sampled."""
    assert opened("always_off") is None


@pytest.mark.parametrize(("name", "ratio"), [("jaeger_remote", ""), ("traceidratio", "most"), ("traceidratio", "1.5")])
def test_unknown_is_said(name: str, ratio: str, caplog: pytest.LogCaptureFixture) -> None:
    """What is not known is the default instead, and the log says so."""
    with caplog.at_level(logging.WARNING):
        sampler = opened(name, ratio)
    assert sampler is not None and sampler.sample(None) is not None
    assert len(caplog.records) == 1


def test_nan_is_no_ratio() -> None:
    """A ratio that is not a number stops nothing."""
    sampler = opened("traceidratio", "nan")
    assert sampler is not None and sampler.sample(None) is not None
