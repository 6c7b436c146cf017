"""A metric knows which of its values are good, and how long it counts."""

from __future__ import annotations

import pytest

from gateway.domain.metric import Metric, MetricKind

THUMBS = Metric("thumbs", MetricKind.BINARY, attribution_s=60)
FAITHFULNESS = Metric("faithfulness", MetricKind.SCORE, range=(0, 1), good=0.7, catastrophic=0.2)
EDITS = Metric("edits", MetricKind.COUNT)


@pytest.mark.parametrize(
    ("metric", "value", "is_good"),
    [(THUMBS, 1, True), (THUMBS, 0, False), (FAITHFULNESS, 0.7, True), (FAITHFULNESS, 0.69, False), (EDITS, 5, None)],
)
def test_good(metric: Metric, value: float, is_good: bool | None) -> None:
    """Thumbs up are good, scores from their line on; where there is none, nothing is said."""
    assert metric.is_good(value) is is_good


@pytest.mark.parametrize(
    ("metric", "value", "is_catastrophic"),
    [(FAITHFULNESS, 0.2, True), (FAITHFULNESS, 0.21, False), (THUMBS, 0, False)],
)
def test_catastrophic(metric: Metric, value: float, is_catastrophic: bool) -> None:
    """Scores up to the line, itself included."""
    assert metric.is_catastrophic(value) is is_catastrophic


@pytest.mark.parametrize(("metric", "after_ms", "is_late"), [(THUMBS, 60_000, False), (THUMBS, 60_001, True)])
def test_late(metric: Metric, after_ms: int, is_late: bool) -> None:
    """The last millisecond of the window counts."""
    assert metric.is_late(at_unix_ms=1_000 + after_ms, exposed_unix_ms=1_000) is is_late


def test_never_late() -> None:
    """Without a window, everything counts."""
    assert not EDITS.is_late(at_unix_ms=10**14, exposed_unix_ms=0)
