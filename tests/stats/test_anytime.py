"""Promises of gateway.stats.anytime."""

from __future__ import annotations

from math import inf, log, sqrt

import pytest

from gateway.stats.anytime import (
    always_valid_p,
    half_width,
    interval,
    log_rate_odds,
    lower_bound,
    msprt,
    tuning,
    upper_bound,
)


def test_tuning_gives_f5() -> None:
    """ρ for alpha 5 % and 5,000 units is that of fixture F5."""
    assert tuning(alpha=0.05, n_star=5000) == pytest.approx(0.03984007, abs=5e-9)


@pytest.mark.parametrize(
    ("n", "expected", "ratio"),
    [(1000, 0.106375, 1.716), (5000, 0.042924, 1.549), (10_000, 0.030615, 1.562), (100_000, 0.010552, 1.703)],
)
def test_half_width_gives_f6(n: int, expected: float, ratio: float) -> None:
    """Half widths are those of fixture F6, and so much wider than one look's."""
    width = half_width(n, se=1 / sqrt(n), alpha=0.05, n_star=5000)
    assert width == pytest.approx(expected, abs=1e-6)
    assert width / (1.959964 / sqrt(n)) == pytest.approx(ratio, abs=1e-3)


def test_one_side_is_nearer() -> None:
    """A bound at alpha is nearer than an interval at alpha, and further than one at twice alpha."""
    one = half_width(2000, se=0.02, alpha=0.05, n_star=2000, sides=1)
    assert half_width(2000, se=0.02, alpha=0.1, n_star=2000) < one < half_width(2000, se=0.02, alpha=0.05, n_star=2000)


def test_bounds_lie_about_the_estimate() -> None:
    """Lower and upper bound are as far from the estimate, and inside the interval's ends."""
    low, high = interval(0.3, 0.01, 2000, 0.05, 2000)
    lower, upper = lower_bound(0.3, 0.01, 2000, 0.05, 2000), upper_bound(0.3, 0.01, 2000, 0.05, 2000)
    assert upper - 0.3 == pytest.approx(0.3 - lower)
    assert low < lower < 0.3 < upper < high


@pytest.mark.parametrize("n", [300, 2000, 50_000])
def test_odds_and_interval_agree(n: int) -> None:
    """Where the interval just touches 0, the odds at the same tuning are 1/alpha."""
    se, alpha = 3 / sqrt(n), 0.05
    tau = tuning(alpha=alpha, n_star=2000) * se * sqrt(n)
    touching = half_width(n, se=se, alpha=alpha, n_star=2000)
    assert msprt(touching, se=se, tau=tau) == pytest.approx(1 / alpha)


def test_odds_of_nothing_are_below_one() -> None:
    """No difference is evidence for none, and overwhelming ones are infinite, not errors."""
    assert msprt(0.0, se=0.01, tau=0.01) == pytest.approx(sqrt(0.5))
    assert msprt(5.0, se=0.001, tau=1.0) == inf


@pytest.mark.parametrize(("e_value", "p"), [(0.0, 1.0), (1.0, 1.0), (20.0, 0.05), (inf, 0.0)])
def test_p_is_one_over_e(e_value: float, p: float) -> None:
    """The always-valid p is 1/e, at most 1."""
    assert always_valid_p(e_value) == p


def test_rate_odds_give_confseqs_numbers() -> None:
    """
    The beta-binomial mixture and its bound are those of confseq's own unit test.

    TestTwoSidedBetaBinomialMixture in gostevehoward/confseq, test/uniform_boundaries_unittest.cpp: s = 10 at v = 100,
    g = .2, h = .8 is 135 of 625 against .2, and the bound is 31.4308.
    """
    assert log_rate_odds(135, 625, rate=0.2, alpha=0.05, n_star=625) == pytest.approx(-0.6941012, abs=1e-7)
    assert log_rate_odds(125 + 31.4308, 625, rate=0.2, alpha=0.05, n_star=625) == pytest.approx(log(20), abs=1e-5)


def test_rate_odds_keep_their_level() -> None:
    """Looked at after each of 400 trials, a rate of 10 % is ever outside in at most 5 % of 4,000 runs; seed 9."""
    import numpy as np

    seen = np.random.default_rng(9).random((4_000, 400)) < 0.1
    counts = seen.cumsum(axis=1)
    outside = np.zeros(4_000, dtype=bool)
    for n in range(1, 401):
        odds = np.array([log_rate_odds(k, n, rate=0.1, alpha=0.05, n_star=200) for k in range(n + 1)])
        outside |= odds[counts[:, n - 1]] >= log(20)
    assert 0.005 < outside.mean() <= 0.05


@pytest.mark.parametrize(
    ("n", "se", "alpha", "n_star", "sides"),
    [
        (0, 1, 0.05, 10, 2),
        (5, -1, 0.05, 10, 2),
        (5, 1, 0, 10, 2),
        (5, 1, 0.05, 0, 2),
        (5, 1, 0.05, 9, 3),
        (5, 1, 0.5, 9, 1),
    ],
)
def test_refuses(n: float, se: float, alpha: float, n_star: float, sides: int) -> None:
    """What is no sequence is refused."""
    with pytest.raises(ValueError):
        half_width(n, se=se, alpha=alpha, n_star=n_star, sides=sides)
    with pytest.raises(ValueError, match="spread"):
        msprt(0.1, se=0.0, tau=1.0)
    with pytest.raises(ValueError, match="never"):
        always_valid_p(-1.0)
