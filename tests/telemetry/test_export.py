"""What leaves over OTLP is what was counted, and a collector that is away holds up nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource

from gateway.clock import SystemClock
from gateway.domain.release import Reason
from gateway.record.feedback import Feedback
from gateway.record.outcome import Outcome
from gateway.record.spans import SpanMaker
from gateway.record.trace import AttemptSpan, Trace
from gateway.telemetry import instruments as metrics
from gateway.telemetry.accumulate import Accumulator, Buckets
from gateway.telemetry.events import EventKind, EventMaker
from gateway.telemetry.export import OtlpExport
from gateway.telemetry.instruments import INSTRUMENTS, Kind
from gateway.telemetry.metrics_data import attributes_of
from gateway.telemetry.otlp import read_otlp
from tests.fakes.collector import Collector, grpc_collector, http_collector, plain

QUICK = {"OTEL_METRIC_EXPORT_INTERVAL": "50", "OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_BLRP_SCHEDULE_DELAY": "20"}


FILLED = [each for each in INSTRUMENTS if each not in (metrics.EXPORTS, metrics.EXPORT_DROPPED)]


@pytest.fixture(name="collector", params=["http/protobuf", "grpc"])
async def _collector(request: pytest.FixtureRequest) -> AsyncIterator[Collector]:
    """Give a real receiver, one for each way OTLP travels."""
    if request.param == "grpc":
        with ExitStack() as stack:
            yield stack.enter_context(grpc_collector())
    else:
        async with http_collector() as collector:
            yield collector


def export_to(endpoint: str, accumulator: Accumulator, **environ: str) -> OtlpExport:
    """Give the export that an operator gets who names `endpoint`."""
    settings = read_otlp({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **QUICK, **environ})
    events = EventMaker(frozenset(EventKind), config_hash=lambda version: f"hash-{version}", judge=lambda _: "good")

    def open_spans(resource: Resource) -> Any:
        return SpanMaker(resource).spans_of

    told = {"version": "1.2.3", "instance": "here"}
    return OtlpExport(settings, accumulator, clock=SystemClock(), open_spans=open_spans, events=events, **told)


def protocol_of(collector: Collector, request: pytest.FixtureRequest) -> str:
    """Give the way a collector is spoken to."""
    return str(request.node.callspec.params["collector"])


def filled() -> Accumulator:
    """Give an accumulator with two series in every instrument that has attributes; exports count themselves."""
    accumulator = Accumulator(SystemClock())
    for number, instrument in enumerate(FILLED):
        for word in ("a", "") if instrument.attributes else ("",):
            for value in (number, number + 0.5):
                accumulator.add(instrument, tuple(word for _ in instrument.attributes), value)
    return accumulator


async def test_all_that_is_counted_arrives(collector: Collector, request: pytest.FixtureRequest) -> None:
    """Every series of every instrument arrives with its value, unit and meaning, decoded by the official protobufs."""
    accumulator = filled()
    expected = {metric.instrument.name: metric for metric in accumulator.snapshot().metrics}
    export = export_to(collector.endpoint, accumulator, OTEL_EXPORTER_OTLP_PROTOCOL=protocol_of(collector, request))
    export.open()
    await collector.wait("metrics")
    await export.close()
    for instrument in FILLED:
        told = collector.newest[instrument.name]
        assert (told.unit, told.description) == (instrument.unit, instrument.description)
        body = getattr(told, told.WhichOneof("data") or "")
        found = {frozenset(plain(point.attributes).items()): point for point in body.data_points}
        for point in expected[instrument.name].points:
            arrived = found[frozenset(attributes_of(instrument, point.key).items())]
            begun_unix_ms = 0 if instrument.kind is Kind.GAUGE else point.start_unix_ms
            assert arrived.start_time_unix_nano == begun_unix_ms * 1_000_000
            if isinstance(point.value, Buckets):
                assert tuple(arrived.bucket_counts) == point.value.counts
                assert (arrived.count, arrived.sum) == (point.value.count, point.value.total)
                assert tuple(arrived.explicit_bounds) == instrument.bounds
            else:
                assert (arrived.as_int or arrived.as_double) == point.value


async def test_resource_says_who(collector: Collector, request: pytest.FixtureRequest) -> None:
    """The environment's names and headers travel along."""
    environ = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol_of(collector, request),
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=se%20cret",
        "OTEL_SERVICE_NAME": "ours",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=prod",
    }
    export = export_to(collector.endpoint, filled(), **environ)
    export.open()
    (first, *_) = await collector.wait("metrics")
    await export.close()
    told = plain(first.resource_metrics[0].resource.attributes)
    assert (told["service.name"], told["service.version"], told["service.instance.id"]) == ("ours", "1.2.3", "here")
    assert told["deployment.environment.name"] == "prod"
    assert collector.headers[0]["api-key"] == "se cret"


async def test_spans_and_events_arrive(collector: Collector, request: pytest.FixtureRequest) -> None:
    """A sampled request's spans, its flag event and its feedback's event arrive, joined by trace and span."""
    protocol = protocol_of(collector, request)
    export = export_to(collector.endpoint, Accumulator(SystemClock()), OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
    export.open()
    trace = Trace("ab" * 16, "", "cd" * 8, "", [AttemptSpan("ef" * 8, 1_000.0, 5.0, "sim", "m-1", 200)])
    outcome = Outcome(
        config_version=3, unix_ms=1_000, route="support", release="v8", arm="concise", reason=Reason.BUCKET,
        unit_hash=0xABC, status=200, attempts=1, trace=trace,
    )  # fmt: skip
    export.note([outcome, Outcome(status=404)])
    export.note_feedback(Feedback("f", "thumbs", 1.0, None, "so nice", 2_000, 2_000, "support", "v8", 1, arm="concise"))
    await collector.wait("traces")
    await collector.wait("logs")
    await export.close()
    (sent,) = collector.requests["traces"]
    spans = sent.resource_spans[0].scope_spans[0].spans
    assert {span.trace_id for span in spans} == {bytes.fromhex("ab" * 16)} and len(spans) == 2
    records = [
        record
        for sent in collector.requests["logs"]
        for scope in sent.resource_logs[0].scope_logs
        for record in scope.log_records
    ]
    flag, evaluation = sorted(records, key=lambda record: record.event_name)
    assert (flag.event_name, flag.trace_id, flag.span_id) == (
        "feature_flag.evaluation", bytes.fromhex("ab" * 16), bytes.fromhex("cd" * 8),
    )  # fmt: skip
    assert plain(flag.attributes) == {
        "feature_flag.key": "v8",
        "feature_flag.result.variant": "concise",
        "feature_flag.result.reason": "split",
        "feature_flag.provider.name": "sluice",
        "feature_flag.set.id": "support",
        "feature_flag.version": "hash-3",
        "feature_flag.context.id": "0000000000000abc",
    }
    assert plain(evaluation.attributes)["gen_ai.evaluation.score.value"] == 1.0
    assert "so nice" not in str(evaluation)


async def test_delta_is_what_is_new() -> None:
    """With delta temporality each export tells what came since the last one that arrived."""
    accumulator = Accumulator(SystemClock())
    series = accumulator.scalar(metrics.REQUESTS_WITHOUT_USER, ("support",))
    async with http_collector() as collector:
        series.value = 5
        environ = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}
        export = export_to(collector.endpoint, accumulator, **environ)
        export.open()
        await collector.wait("metrics")
        series.value = 12
        await collector.wait("metrics", 3)
        await export.close()
        name = metrics.REQUESTS_WITHOUT_USER.name
        told = [
            metric.sum.data_points[0].as_int
            for request in collector.requests["metrics"]
            for metric in request.resource_metrics[0].scope_metrics[0].metrics
            if metric.name == name
        ]
    assert (told[0], sum(told)) == (5, 12)


async def test_absent_collector_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody listens: the loop is never late for it, one line says so, and closing takes its time and no more."""
    export = export_to("http://127.0.0.1:9", filled(), OTEL_EXPORTER_OTLP_TIMEOUT="200")
    export.open()
    await asyncio.sleep(1.0)
    begun_s = time.monotonic()
    await export.close()
    assert time.monotonic() - begun_s < 20.0
    about = [record for record in caplog.records if "OTLP" in record.getMessage()]
    assert {vars(record)["signal"] for record in about} <= {"metrics", "logs", "traces"}
    assert len(about) <= len({vars(record)["signal"] for record in about})


async def test_nothing_asked_nothing_sent() -> None:
    """Without an endpoint there is no lane and no thread."""
    export = OtlpExport(read_otlp({}), Accumulator(SystemClock()), clock=SystemClock(), version="1", instance="here")
    export.open()
    export.note([Outcome()])
    await export.close()
    assert (export.lanes, export.wants_traces) == ([], False)


def test_lanes_are_counted() -> None:
    """How exports went is itself a metric."""
    accumulator = Accumulator(SystemClock())
    export_to("http://127.0.0.1:9", accumulator)
    counted = {metric.instrument for metric in accumulator.snapshot().metrics}
    assert counted == {metrics.EXPORTS, metrics.EXPORT_DROPPED}
    assert metrics.EXPORTS.kind is Kind.COUNTER
