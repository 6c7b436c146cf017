"""A rate's confidence sequence covers at every look, and is as narrow as it may be."""

from __future__ import annotations

import random
from itertools import accumulate
from math import exp

import pytest

from gateway.stats.rate import log_beta, rate_sequence


def test_no_trials() -> None:
    """Nothing seen is everything possible."""
    assert rate_sequence(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "trials"), [(0, 50), (50, 50), (3, 40), (800, 1000)])
def test_ends_balance(successes: int, trials: int) -> None:
    """Each end is where the mixture is 1/alpha times as likely; failures mirror successes."""
    low, high = rate_sequence(successes, trials)
    mirrored = rate_sequence(trials - successes, trials)
    assert (low, high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low), abs=1e-9)
    assert low <= successes / trials <= high


def test_closed_form() -> None:
    """With no success the upper end has a closed form: (1 − p)^n = alpha·B(½, n + ½)/B(½, ½)."""
    expected = 1 - exp((log_beta(0.5, 350.5) - log_beta(0.5, 0.5) + -2.995732274) / 350)
    assert rate_sequence(0, 350, alpha=0.05).high == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("rate", [0.005, 0.2, 0.97])
def test_covers_at_every_look(rate: float) -> None:
    """Looked at twenty times in 400 trials, it misses the truth at some look in less than 5 % of 100 runs."""
    rng = random.Random(7)
    missed = 0
    for _ in range(100):
        seen = list(accumulate(rng.random() < rate for _ in range(400)))
        missed += any(rate_sequence(seen[n - 1], n).excludes(rate) for n in range(20, 401, 20))
    assert missed < 5


@pytest.mark.parametrize(("successes", "trials", "alpha"), [(3, 2, 0.05), (-1, 2, 0.05), (1, 2, 0.0)])
def test_refuses(successes: int, trials: int, alpha: float) -> None:
    """What cannot be is a ValueError."""
    with pytest.raises(ValueError, match="not"):
        rate_sequence(successes, trials, alpha=alpha)
