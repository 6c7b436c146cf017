"""The charts: harm to the right, nothing outside the frame, and numbers for those who see no picture."""

from __future__ import annotations

import re

from gateway.gates.shadow_verdict import Finding, Harm
from gateway.report.shadow_charts import forest, histogram, votes


def finding(effect: float, harm: Harm, *, unit: str = "ratio", **changes: object) -> Finding:
    """Give a finding of a cost, with an interval of a tenth."""
    null, margin = (1.0, 1.5) if unit == "ratio" else (0.0, 0.01)
    low, high = effect - 0.1, effect + 0.1
    return Finding("cost", unit, 1.0, effect, effect, low, high, null, margin, harm, 0.01, **changes)  # type: ignore[arg-type]


def at(svg: str) -> float:
    """Give where the point is."""
    found = re.search(r'<circle cx="([\d.]+)"', svg)
    assert found is not None
    return float(found.group(1))


def test_harm_is_to_the_right() -> None:
    """Whichever way a number gets worse."""
    middle = at(forest([finding(1.0, Harm.UP)]))
    assert at(forest([finding(1.4, Harm.UP)])) > middle > at(forest([finding(0.7, Harm.UP)]))
    assert at(forest([finding(1.4, Harm.DOWN)])) < middle


def test_stays_in_its_frame() -> None:
    """An effect without measure ends at the edge; one that is neither good nor bad is not drawn."""
    assert at(forest([finding(1e9, Harm.UP)])) <= 720 and forest([finding(2.0, Harm.NEITHER)]) == ""


def test_noise_is_drawn() -> None:
    """A variant against itself is shown beneath."""
    assert 'class="noise"' in forest([finding(1.2, Harm.UP, noise_effect=1.0, noise_low=0.9, noise_high=1.1)])


def test_bars() -> None:
    """Similarity and votes: a bar each, and nothing where there is nothing."""
    assert histogram([0.5, 0.5], [0.2, 0.8]).count("<rect") == 2 and histogram([], []) == ""
    assert "shadow 30" in votes(30, 10, 20) and votes(0, 0, 0) == ""
