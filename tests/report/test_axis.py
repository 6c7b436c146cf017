"""A line of numbers: no effect is on it, its ends are where the intervals are, its numbers are round."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.report.axis import Axis, axis_of

_ENDS = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).map(lambda ends: (min(ends), max(ends)))


@given(st.lists(_ENDS, max_size=20))
def test_no_effect_is_on_it(intervals: list[tuple[float, float]]) -> None:
    """Whatever is drawn, 0 lies strictly inside, and five round numbers at most stand below the line."""
    axis = axis_of([each for each in intervals if max(map(abs, each)) > 1e-9])
    ticks = axis.ticks()
    assert axis.low < 0 < axis.high and 0.0 in ticks and len(ticks) <= 5 and list(ticks) == sorted(ticks)


def test_ends_are_held() -> None:
    """Intervals of one size are inside, with room to spare."""
    axis = axis_of([(-0.02, 0.04), (0.01, 0.07)])
    assert all(0 < axis.at(end) < 1 for end in (-0.02, 0.0, 0.04, 0.07))


def test_one_wide_interval_is_cut() -> None:
    """One that is a hundred times the others' does not turn them into dots."""
    axis = axis_of([(0.01, 0.02), (0.0, 0.03), (-5.0, 5.0)])
    assert axis.high < 0.2 and not axis.holds(5.0) and axis.at(5.0) == 1.0
    assert axis_of([(-9.0, 9.0)], reach=1.0).high < 1.2


@pytest.mark.parametrize("ends", [(-inf, inf), (nan, 1.0), (0.0, 0.0)])
def test_nothing_to_hold(ends: tuple[float, float]) -> None:
    """Intervals without an end, or of no width at 0, leave a line that can still be drawn."""
    assert axis_of([ends]) == axis_of([]) == Axis(-1.0, 1.0)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (-1.0, 1.0, (-1.0, -0.5, 0.0, 0.5, 1.0)),
        (-0.0453, 0.0493, (-0.04, -0.02, 0.0, 0.02, 0.04)),
        (-3.0, 250.0, (0.0, 100.0, 200.0)),
    ],
)
def test_round_numbers(low: float, high: float, ticks: tuple[float, ...]) -> None:
    """One, two or five of something, and never so many that they run into each other."""
    assert Axis(low, high).ticks() == ticks
