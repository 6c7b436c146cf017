"""Medians, spreads and ratios."""

from __future__ import annotations

from bench.figures import Figure, Series, quantile, series_by_side


def test_median_and_spread() -> None:
    """A series tells its middle and how far it strays from it."""
    series = Series((4.0, 1.0, 2.0))
    assert (series.median, series.low, series.high, series.spread_ratio) == (2.0, 1.0, 4.0, 1.5)


def test_ratio_is_by_round() -> None:
    """A round in which everything was slow changes no ratio."""
    figure = Figure("cpu", "µs", sluice=Series((20.0, 200.0)), nginx=Series((10.0, 100.0)))
    assert figure.ratio == Series((2.0, 2.0))


def test_differences_have_no_ratio() -> None:
    """Nothing is divided by a difference that may be nothing."""
    assert Figure("added", "ms", Series((1.0,)), Series((0.5,)), is_difference=True).ratio is None
    assert Figure("added", "ms", Series((1.0,)), Series((0.0,))).ratio is None
    assert Figure("alone", "s", Series((1.0,))).ratio is None


def test_quantile_is_a_reading() -> None:
    """A quantile is one of the readings, and the highest share is the last."""
    readings = [float(number) for number in range(1, 101)]
    assert [quantile(readings, share) for share in (0.5, 0.99, 1.0)] == [51.0, 100.0, 100.0]


def test_series_by_side() -> None:
    """Rounds become one series per side, in their order."""
    assert series_by_side([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}]) == {
        "a": Series((1.0, 3.0)),
        "b": Series((2.0, 4.0)),
    }
