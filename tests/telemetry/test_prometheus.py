"""The page is what Prometheus' own parsers read, to the number."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import pytest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from gateway.clock import SettableClock
from gateway.telemetry import instruments as metrics
from gateway.telemetry.accumulate import Accumulator, Buckets, Snapshot
from gateway.telemetry.instruments import INSTRUMENTS, Instrument, Kind
from gateway.telemetry.prometheus import label_of, name_of, render_prometheus

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def numbers_of(page: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Give every sample, labels without a value left out."""
    return {
        (sample.name, frozenset((name, value) for name, value in sample.labels.items() if value)): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def filled(max_series: int = 2_000) -> Accumulator:
    """Give an accumulator in which every instrument has two series."""
    accumulator = Accumulator(SettableClock(unix_ms=1_000), max_series=max_series)
    for number, instrument in enumerate(INSTRUMENTS):
        for word in ("a", 'b"\\\n') if instrument.attributes else ("",):
            accumulator.add(instrument, tuple(word for _ in instrument.attributes), number + 0.1)
    return accumulator


class Reference(Collector):
    """The same snapshot by prometheus_client's own families."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        for metric in self._snapshot.metrics:
            instrument = metric.instrument
            kind = {
                Kind.COUNTER: CounterMetricFamily, Kind.GAUGE: GaugeMetricFamily, Kind.HISTOGRAM: HistogramMetricFamily
            }[instrument.kind]  # fmt: skip
            name = name_of(instrument).removesuffix("_total")
            family: Any = kind(name, instrument.description, labels=list(map(label_of, instrument.attributes)))
            bounds = [*map(str, instrument.bounds), "+Inf"]
            for point in metric.points:
                if isinstance(point.value, Buckets):
                    summed = list(zip(bounds, accumulate(point.value.counts), strict=True))
                    family.add_metric(list(point.key), summed, point.value.total)
                else:
                    family.add_metric(list(point.key), point.value)
            yield family


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_same_as_the_library(accept: str) -> None:
    """Every sample, type and help text is what prometheus_client would have written."""
    snapshot = filled().snapshot()
    encode, content_type = choose_encoder(accept)
    page = render_prometheus(snapshot, accept)
    parse = openmetrics.text_string_to_metric_families if accept else text_string_to_metric_families
    ours, theirs = list(parse(page.body.decode())), list(parse(encode(Reference(snapshot)).decode()))
    assert page.content_type == content_type
    assert [(each.name, each.type, each.documentation) for each in ours] == [
        (each.name, each.type, each.documentation) for each in theirs
    ]
    assert [each.samples for each in ours] == [each.samples for each in theirs]


@pytest.mark.parametrize("accept", ["", OPENMETRICS, "application/openmetrics-text"])
def test_parsers_read_it(accept: str) -> None:
    """Prometheus' parsers find every instrument and nothing wrong, in both formats."""
    page = render_prometheus(filled().snapshot(), accept)
    is_open = page.content_type.startswith("application/openmetrics-text")
    parse = openmetrics.text_string_to_metric_families if is_open else text_string_to_metric_families
    assert is_open is bool(accept)
    assert len(list(parse(page.body.decode()))) == len(INSTRUMENTS)


def test_numbers_are_exact() -> None:
    """A counter's float and a large count come out as they went in."""
    accumulator = Accumulator(SettableClock())
    place = ("support", "v8", "current", "current")
    accumulator.add(metrics.COST_USD, (*place, "false"), 0.1 + 0.2)
    accumulator.add(metrics.TOKENS, (*place, "input", "false"), 9_007_199_254_740_991)
    numbers = numbers_of(render_prometheus(accumulator.snapshot()).body.decode())
    assert sorted(numbers.values()) == [0.1 + 0.2, 9_007_199_254_740_991]


def test_histograms_are_cumulated() -> None:
    """A bucket holds what is below it too, and the last one everything."""
    accumulator = Accumulator(SettableClock())
    for seconds in (0.001, 0.02, 0.021, 1e6):
        accumulator.add(metrics.STORE_COMMIT_DURATION, (), seconds)
    name = name_of(metrics.STORE_COMMIT_DURATION)
    numbers = numbers_of(render_prometheus(accumulator.snapshot()).body.decode())
    counts = {dict(labels)["le"]: value for (sample, labels), value in numbers.items() if sample == f"{name}_bucket"}
    assert (counts["0.001"], counts["0.01"], counts["0.025"], counts["5.0"], counts["+Inf"]) == (1, 1, 3, 3, 4)
    assert numbers[f"{name}_count", frozenset()] == 4
    assert numbers[f"{name}_sum", frozenset()] == pytest.approx(1_000_000.042)


def test_overflow_is_marked() -> None:
    """The series that takes what is too many says so, and has no other label."""
    accumulator = Accumulator(SettableClock(), max_series=1)
    accumulator.add(metrics.REQUESTS_WITHOUT_USER, ("a",), 1)
    accumulator.add(metrics.REQUESTS_WITHOUT_USER, ("b",), 2)
    numbers = numbers_of(render_prometheus(accumulator.snapshot()).body.decode())
    name = name_of(metrics.REQUESTS_WITHOUT_USER)
    assert numbers[name, frozenset({("otel_metric_overflow", "true")})] == 2
    assert numbers[name, frozenset({("sluice_route", "a")})] == 1


@pytest.mark.parametrize(
    ("kind", "unit", "expected"),
    [
        (Kind.COUNTER, "{request}", "toy_total"),
        (Kind.COUNTER, "By", "toy_bytes_total"),
        (Kind.GAUGE, "1", "toy_ratio"),
        (Kind.COUNTER, "1", "toy_total"),
        (Kind.HISTOGRAM, "s", "toy_seconds"),
    ],
)
def test_units_are_spelt_out(kind: Kind, unit: str, expected: str) -> None:
    """Names end as OpenTelemetry's rules for Prometheus have it."""
    assert name_of(Instrument("toy", kind, unit, "Toys")) == expected


def test_labels_have_underscores() -> None:
    """Every attribute becomes a label that old parsers read too."""
    assert label_of("gen_ai.request.model") == "gen_ai_request_model"
    assert all(label_of(name).isidentifier() for each in INSTRUMENTS for name in each.attributes)
