"""Moments add, and give what the values would have given."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.stats.moments import Moments, PairMoments

VALUES = st.lists(st.floats(-1e6, 1e6), max_size=30)


@given(VALUES, VALUES)
def test_adding(first: list[float], second: list[float]) -> None:
    """The moments of two streams together are those of the streams chained."""
    added, whole = Moments.of(first) + Moments.of(second), Moments.of([*first, *second])
    assert added.n == whole.n
    assert added.mean == pytest.approx(whole.mean, abs=1e-6)
    assert added.m2 == pytest.approx(whole.m2, rel=1e-6, abs=1e-3)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_variance(values: list[float]) -> None:
    """The variance is the standard library's."""
    assert Moments.of(values).variance == pytest.approx(statistics.variance(values), rel=1e-6, abs=1e-6)


def test_digits_are_kept() -> None:
    """At a mean of 1e9 and a spread of 0.083 the short sum of squares would answer 1258 (house.md § 3)."""
    moments = Moments.of(1e9 + step / 100 for step in range(100))
    assert moments.variance == pytest.approx(0.0841666, rel=1e-5)


def test_from_sums() -> None:
    """n, Σx and Σx² say the same as the values; rounding never makes a spread negative."""
    assert Moments.of_sums(3, 6.0, 14.0) == Moments.of([1.0, 2.0, 3.0])
    assert Moments.of_sums(2, 2.0, 1.9999999).m2 == 0.0
    assert Moments.of_sums(0, 0.0, 0.0) == Moments()


def test_too_few() -> None:
    """One value has a mean and no spread: None, not zero."""
    assert (Moments.of([3.0]).variance, Moments.of([3.0]).se, Moments().variance) == (None, None, None)
    assert PairMoments.of([(1.0, 2.0)]).covariance is None


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=20), st.integers(0, 20))
def test_pairs_add(pairs: list[tuple[float, float]], cut: int) -> None:
    """Wherever a stream of pairs is cut, its parts add up to the library's covariance."""
    added = PairMoments.of(pairs[:cut]) + PairMoments.of(pairs[cut:])
    expected = statistics.covariance([x for x, _ in pairs], [y for _, y in pairs])
    assert added.covariance == pytest.approx(expected, rel=1e-6, abs=1e-5)
