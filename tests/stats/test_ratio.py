"""Ratios by the delta method have the spread that simulation gives them."""

from __future__ import annotations

import random
from math import exp, log

import pytest

from gateway.stats.moments import Moments, PairMoments
from gateway.stats.ratio import Estimate, log_ratio, ratio_interval, ratio_mean, winsorized


def test_ratio_formula() -> None:
    """Var(R) = Σ(x − R·d)²/(m − 1)·m/(Σd)², written out for three users."""
    units = [(2.0, 1.0), (2.0, 2.0), (5.0, 3.0)]
    spread = sum((x - 1.5 * d) ** 2 for x, d in units) / 2 * 3 / 36
    assert ratio_mean(PairMoments.of(units)) == pytest.approx((1.5, spread**0.5))


def test_ratio_spread() -> None:
    """Over 400 draws of 200 users the estimates scatter as their standard errors say, within 10 %."""
    rng = random.Random(5)
    drawn = []
    for _ in range(400):
        users = [(rng.randint(1, 9), rng.gauss(1.0, 0.3)) for _ in range(200)]
        drawn.append(ratio_mean(PairMoments.of((d * cost, float(d)) for d, cost in users)))
    known = [estimate for estimate in drawn if estimate is not None]
    scatter = Moments.of(estimate.value for estimate in known).variance or 0.0
    assert scatter**0.5 == pytest.approx(sum(e.se for e in known) / len(known), rel=0.1)


def test_ratio_knows_nothing() -> None:
    """One user, or nothing to divide by, is None."""
    assert ratio_mean(PairMoments.of([(1.0, 1.0)])) is None
    assert ratio_mean(PairMoments.of([(1.0, 0.0), (2.0, 0.0)])) is None


def test_katz() -> None:
    """7 of 34 against 1 of 34: Katz's log interval, 0.91 to 54 (Fagerland et al. 2015, table of ratios)."""
    rates = [(7 / 34, 34), (1 / 34, 34)]
    ours, theirs = (Estimate(p, (p * (1 - p) / n) ** 0.5) for p, n in rates)
    ratio = log_ratio(ours, theirs)
    assert ratio is not None
    assert ratio.value == pytest.approx(log(7))
    assert ratio_interval(ratio) == pytest.approx((0.91, 54), rel=6e-3)


def test_interval_is_symmetric_in_logs() -> None:
    """Its ends multiply to the square of the ratio."""
    low, high = ratio_interval(Estimate(0.2, 0.1), confidence=0.9)
    assert low * high == pytest.approx(exp(0.4))


def test_no_logarithm() -> None:
    """A mean of 0 has no log ratio."""
    assert log_ratio(Estimate(0.0, 0.1), Estimate(1.0, 0.1)) is None


def test_winsorized() -> None:
    """Only what is above the quantile is touched, and order stays."""
    values = [1.0, 900.0, *([2.0] * 998)]
    assert winsorized(values) == [1.0, 2.0, *([2.0] * 998)]
    assert winsorized([]) == []
