"""
The snapshot as Prometheus reads it, in its text format or OpenMetrics, whichever the scraper prefers.

Names follow OpenTelemetry's rules for Prometheus: dots become underscores, units are spelt out, counters
end in `_total`. So it does not matter whether a dashboard's numbers were scraped here or came by OTLP.

prometheus_client says what a scraper wants and, in the tests, what the lines should be; writing them here
costs 4 µs a line where it takes 53, and a thousand routes make a hundred thousand lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client.exposition import choose_encoder

from gateway.telemetry.accumulate import OVERFLOW_KEY, Buckets, MetricSnapshot, Point, Snapshot
from gateway.telemetry.instruments import OVERFLOW, Instrument, Kind

_UNITS = {"s": "seconds", "By": "bytes"}
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]+")


class Page(NamedTuple):
    """
    An answer to a scrape.

    Attributes:
        body: The text.
        content_type: Which format it is.
    """

    body: bytes
    content_type: str


def render_prometheus(snapshot: Snapshot, accept: str = "") -> Page:
    """
    Give the page for a scraper's Accept header.

    Blocks for a few milliseconds per thousand lines; run it in a thread.
    """
    _, content_type = choose_encoder(accept)
    is_open = content_type.startswith("application/openmetrics-text")
    lines = [line for metric in snapshot.metrics for line in _lines_of(metric, is_open=is_open)]
    if is_open:
        lines.append("# EOF")
    return Page("\n".join([*lines, ""]).encode(), content_type)


def name_of(instrument: Instrument) -> str:
    """
    Give an instrument's name as Prometheus shows it, without what a histogram's parts end in.

    >>> from gateway.telemetry.instruments import COST_USD, OPERATION_DURATION
    >>> name_of(OPERATION_DURATION), name_of(COST_USD)
    ('gen_ai_client_operation_duration_seconds', 'sluice_cost_usd_total')
    """
    return _family_name_of(instrument) + ("_total" if instrument.kind is Kind.COUNTER else "")


def label_of(attribute: str) -> str:
    """
    Give an attribute's name as a label.

    >>> label_of("gen_ai.request.model")
    'gen_ai_request_model'
    """
    return _NOT_IN_NAMES.sub("_", attribute)


def _unit_of(instrument: Instrument) -> str:
    if instrument.unit == "1" and instrument.kind is Kind.GAUGE:
        return "ratio"
    return _UNITS.get(instrument.unit, "")


def _family_name_of(instrument: Instrument) -> str:
    unit = _unit_of(instrument)
    return _NOT_IN_NAMES.sub("_", instrument.name) + (f"_{unit}" if unit else "")


def _lines_of(metric: MetricSnapshot, *, is_open: bool) -> Iterator[str]:
    """Give one instrument's lines; in OpenMetrics a counter's family goes without `_total`, and units are told."""
    instrument = metric.instrument
    name, family = name_of(instrument), _family_name_of(instrument)
    header = family if is_open else name
    yield f"# HELP {header} {_escaped(instrument.description)}"
    yield f"# TYPE {header} {instrument.kind.value}"
    if is_open and (unit := _unit_of(instrument)):
        yield f"# UNIT {header} {unit}"
    labels = [f'{label_of(attribute)}="' for attribute in instrument.attributes]
    has_overflow = any(point.key == OVERFLOW_KEY for point in metric.points)
    for point in metric.points:
        shown = _labels_of(labels, point, has_overflow=has_overflow)
        if isinstance(point.value, Buckets):
            yield from _bucket_lines(name, shown, instrument.bounds, point.value)
        else:
            yield f"{name}{{{shown}}} {float(point.value)!r}" if shown else f"{name} {float(point.value)!r}"


def _labels_of(labels: list[str], point: Point, *, has_overflow: bool) -> str:
    """Give a series' labels; every series of a family has every label."""
    is_overflow = point.key == OVERFLOW_KEY
    values = ("",) * len(labels) if is_overflow else point.key
    shown = ",".join([f'{label}{_escaped(value)}"' for label, value in zip(labels, values, strict=True)])
    if not has_overflow:
        return shown
    mark = f'{label_of(OVERFLOW)}="{"true" if is_overflow else ""}"'
    return f"{shown},{mark}" if shown else mark


def _bucket_lines(name: str, shown: str, bounds: tuple[float, ...], buckets: Buckets) -> Iterator[str]:
    before = f"{shown}," if shown else ""
    n_below = 0
    for bound, count in zip((*bounds, "+Inf"), buckets.counts, strict=True):
        n_below += count
        yield f'{name}_bucket{{{before}le="{bound}"}} {n_below}'
    around = f"{{{shown}}}" if shown else ""
    yield f"{name}_count{around} {buckets.count}"
    yield f"{name}_sum{around} {float(buckets.total)!r}"


def _escaped(text: str) -> str:
    # Nearly no value has any of the three, and looking costs less than replacing.
    if "\\" in text or '"' in text or "\n" in text:
        return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return text
