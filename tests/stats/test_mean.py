"""Welch's comparison gives others' numbers, and the adjustment removes what was known before."""

from __future__ import annotations

import random

import pytest

from gateway.stats.mean import cuped, cuped_theta, welch
from gateway.stats.moments import Moments, PairMoments


def test_welch() -> None:
    """Sums of GrowthBook's own tests (decisions.md § 7, F1): difference, standard error, p and interval."""
    control = Moments.of_sums(3407, 1396.87, 52377.9767)
    test = welch(Moments.of_sums(3461, 2422.7, 134698.29), control)
    assert test is not None
    assert (test.difference, test.se, test.p_two_sided) == pytest.approx((0.29, 0.12478, 0.02016), abs=5e-6)
    assert test.interval == pytest.approx((0.04538, 0.53462), abs=5e-6)
    assert test.p_greater == pytest.approx(test.p_two_sided / 2)


def test_welch_oracle() -> None:
    """SciPy's ttest_ind with unequal variances says the same of small samples."""
    from scipy.stats import ttest_ind  # type: ignore[import-untyped]

    first, second = [1.0, 4.0, 2.5, 8.0], [3.0, 3.5, 9.0, 10.0, 12.0]
    test, oracle = welch(Moments.of(first), Moments.of(second)), ttest_ind(first, second, equal_var=False)
    assert test is not None
    assert (test.p_two_sided, test.degrees) == pytest.approx((oracle.pvalue, oracle.df))


def test_welch_knows_nothing() -> None:
    """One value in an arm, or no spread at all, is None."""
    assert welch(Moments.of([1.0]), Moments.of([1.0, 2.0])) is None
    assert welch(Moments.of([1.0, 1.0]), Moments.of([2.0, 2.0])) is None


def test_welch_refuses() -> None:
    """A confidence of 1 is nobody's."""
    with pytest.raises(ValueError, match="lies in"):
        welch(Moments(), Moments(), confidence=1.0)


def test_cuped() -> None:
    """At a correlation of .7 half the variance is left: 1 − ρ² = .51 (decisions.md § 1.7)."""
    rng = random.Random(3)
    pairs = [(x, 0.7 * x + 0.51**0.5 * rng.gauss(0, 1)) for x in (rng.gauss(0, 1) for _ in range(20_000))]
    arm = PairMoments.of(pairs)
    theta = cuped_theta(arm)
    assert theta == pytest.approx(0.7, abs=0.02)
    adjusted = cuped(arm, theta=theta or 0.0, x_mean=arm.x.mean)
    assert (adjusted.variance or 0) / (arm.y.variance or 1) == pytest.approx(0.51, abs=0.02)


def test_cuped_keeps_means_apart() -> None:
    """An arm whose users were better before gets its head start taken off."""
    lucky = PairMoments.of([(11.0, 6.0), (13.0, 7.0)])
    assert cuped(lucky, theta=0.5, x_mean=10.0).mean == pytest.approx(5.5)


def test_cuped_without_history() -> None:
    """Where nothing was known before there is nothing to adjust by."""
    assert cuped_theta(PairMoments.of([(0.0, 1.0), (0.0, 2.0)])) is None
