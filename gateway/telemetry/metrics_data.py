"""A snapshot as the OpenTelemetry SDK's own values, which its exporters take as if the SDK had counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.metrics import export as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from gateway.telemetry.accumulate import OVERFLOW_KEY, Buckets, Key, MetricSnapshot, Point, Snapshot
from gateway.telemetry.instruments import OVERFLOW, Instrument, Kind

_NS_PER_MS = 1_000_000


class MetricsWriter:
    """
    Makes MetricsData of one snapshot after another.

    With `is_delta` each tells what is new since the last that arrived: the caller says which did.
    """

    def __init__(self, resource: Resource, scope: InstrumentationScope, *, is_delta: bool = False) -> None:
        self._resource = resource
        self._scope = scope
        self._is_delta = is_delta
        self._arrived: tuple[int, dict[tuple[Instrument, Key], Point]] | None = None

    def write(self, snapshot: Snapshot) -> sdk.MetricsData:
        """Give the snapshot as MetricsData."""
        metrics = [self._metric(metric, snapshot.unix_ms) for metric in snapshot.metrics]
        scope = sdk.ScopeMetrics(scope=self._scope, metrics=metrics, schema_url="")
        return sdk.MetricsData([sdk.ResourceMetrics(resource=self._resource, scope_metrics=[scope], schema_url="")])

    def note_arrived(self, snapshot: Snapshot) -> None:
        """Take note that the collector has this one."""
        if self._is_delta:
            points = {(metric.instrument, point.key): point for metric in snapshot.metrics for point in metric.points}
            self._arrived = snapshot.unix_ms, points

    def _metric(self, metric: MetricSnapshot, unix_ms: int) -> sdk.Metric:
        instrument = metric.instrument
        points = metric.points
        if self._is_delta and instrument.kind is not Kind.GAUGE:
            points = tuple(self._since_arrived(instrument, point) for point in points)
        return sdk.Metric(
            instrument.name, instrument.description, instrument.unit, self._body(instrument, points, unix_ms)
        )

    def _body(self, instrument: Instrument, points: tuple[Point, ...], unix_ms: int) -> Any:
        temporality = sdk.AggregationTemporality.DELTA if self._is_delta else sdk.AggregationTemporality.CUMULATIVE
        if instrument.kind is Kind.HISTOGRAM:
            return sdk.Histogram([_histogram_point(instrument, point, unix_ms) for point in points], temporality)
        numbers = [_number_point(instrument, point, unix_ms) for point in points]
        if instrument.kind is Kind.GAUGE:
            return sdk.Gauge(numbers)
        return sdk.Sum(numbers, temporality, is_monotonic=True)

    def _since_arrived(self, instrument: Instrument, point: Point) -> Point:
        unix_ms, points = self._arrived or (0, {})
        before = points.get((instrument, point.key))
        start_unix_ms = max(unix_ms, point.start_unix_ms)
        if before is None or before.start_unix_ms != point.start_unix_ms or _size_of(before) > _size_of(point):
            return Point(point.key, start_unix_ms, point.value)  # it began, or began anew
        return Point(point.key, start_unix_ms, _difference(point.value, before.value))


def attributes_of(instrument: Instrument, key: Key) -> Mapping[str, str]:
    """Give a series' attributes; those that it does not have are left out."""
    if key == OVERFLOW_KEY:
        return {OVERFLOW: "true"}
    return {name: value for name, value in zip(instrument.attributes, key, strict=True) if value}


def _number_point(instrument: Instrument, point: Point, unix_ms: int) -> sdk.NumberDataPoint:
    assert not isinstance(point.value, Buckets)
    return sdk.NumberDataPoint(
        attributes=attributes_of(instrument, point.key),
        start_time_unix_nano=point.start_unix_ms * _NS_PER_MS,
        time_unix_nano=unix_ms * _NS_PER_MS,
        value=point.value,
    )


def _histogram_point(instrument: Instrument, point: Point, unix_ms: int) -> sdk.HistogramDataPoint:
    buckets = point.value
    assert isinstance(buckets, Buckets)
    return sdk.HistogramDataPoint(
        attributes=attributes_of(instrument, point.key),
        start_time_unix_nano=point.start_unix_ms * _NS_PER_MS,
        time_unix_nano=unix_ms * _NS_PER_MS,
        count=buckets.count,
        sum=buckets.total,
        bucket_counts=buckets.counts,
        explicit_bounds=instrument.bounds,
        # Optional in OTLP, and of no use over all time: not kept.
        min=None,  # type: ignore[arg-type]
        max=None,  # type: ignore[arg-type]
    )


def _size_of(point: Point) -> float:
    return point.value.count if isinstance(point.value, Buckets) else point.value


def _difference(now: float | Buckets, before: float | Buckets) -> float | Buckets:
    if isinstance(now, Buckets) and isinstance(before, Buckets):
        counts = tuple(late - early for late, early in zip(now.counts, before.counts, strict=True))
        return Buckets(counts, now.count - before.count, now.total - before.total)
    assert not isinstance(now, Buckets)
    assert not isinstance(before, Buckets)
    return now - before
