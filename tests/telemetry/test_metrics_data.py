"""A snapshot becomes what the SDK itself would have made."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics import export as sdk
from opentelemetry.sdk.resources import Resource

from gateway.clock import SettableClock
from gateway.telemetry import instruments as metrics
from gateway.telemetry.accumulate import OVERFLOW_KEY, Accumulator
from gateway.telemetry.metrics_data import MetricsWriter, attributes_of
from gateway.telemetry.otlp import open_scope

COUNTER = metrics.REQUESTS_WITHOUT_USER
SIZES = metrics.STORE_COMMIT_DURATION


@pytest.fixture(name="accumulator")
def _accumulator() -> Accumulator:
    return Accumulator(SettableClock(unix_ms=1_000), max_series=1)


def writer(*, is_delta: bool = False) -> MetricsWriter:
    """Give a writer for a nameless service."""
    return MetricsWriter(Resource({}), open_scope("1"), is_delta=is_delta)


def told(accumulator: Accumulator, by: MetricsWriter, *, arrives: bool = True) -> dict[str, Any]:
    """Give the metrics of one export by name, with the first point of each."""
    snapshot = accumulator.snapshot()
    written = by.write(snapshot)
    if arrives:
        by.note_arrived(snapshot)
    found = written.resource_metrics[0].scope_metrics[0].metrics
    return {metric.name: metric.data for metric in found}


def test_kinds_become_the_sdks(accumulator: Accumulator) -> None:
    """Counters are monotonic sums, gauges gauges, histograms histograms, and the SDK's encoder takes them."""
    accumulator.add(COUNTER, ("support",), 3)
    accumulator.add(SIZES, (), 0.2)
    accumulator.add(metrics.STORE_UP, (), 1)
    by_name = told(accumulator, writer())
    counted = by_name[COUNTER.name]
    assert isinstance(counted, sdk.Sum) and counted.is_monotonic
    assert counted.aggregation_temporality is sdk.AggregationTemporality.CUMULATIVE
    assert isinstance(by_name[SIZES.name], sdk.Histogram) and isinstance(by_name[metrics.STORE_UP.name], sdk.Gauge)
    assert encode_metrics(writer().write(accumulator.snapshot())).ByteSize() > 100


def test_delta_tells_what_is_new(accumulator: Accumulator) -> None:
    """A delta begins where the last one that arrived ended; one that was lost is told again."""
    by = writer(is_delta=True)
    accumulator.add(COUNTER, ("support",), 3)
    assert told(accumulator, by)[COUNTER.name].data_points[0].value == 3
    accumulator.add(COUNTER, ("support",), 4)
    assert told(accumulator, by, arrives=False)[COUNTER.name].data_points[0].value == 4
    accumulator.add(COUNTER, ("support",), 5)
    assert told(accumulator, by)[COUNTER.name].data_points[0].value == 9


def test_delta_of_histograms(accumulator: Accumulator) -> None:
    """Every bucket of a delta is a difference; gauges stay what they are."""
    by = writer(is_delta=True)
    accumulator.add(metrics.STORE_UP, (), 1)
    accumulator.add(SIZES, (), 0.2)
    told(accumulator, by)
    accumulator.add(SIZES, (), 0.2)
    accumulator.add(SIZES, (), 100)
    by_name = told(accumulator, by)
    (point,) = by_name[SIZES.name].data_points
    assert (point.count, point.sum, sum(point.bucket_counts), point.bucket_counts[-1]) == (2, 100.2, 2, 1)
    assert by_name[metrics.STORE_UP.name].data_points[0].value == 1


def test_absent_attributes_are_left_out() -> None:
    """An empty value is none, and the overflow series says what it is."""
    assert attributes_of(metrics.SHADOW_COST_USD, ("support", "")) == {metrics.ROUTE: "support"}
    assert attributes_of(metrics.SHADOW_COST_USD, OVERFLOW_KEY) == {"otel.metric.overflow": "true"}
