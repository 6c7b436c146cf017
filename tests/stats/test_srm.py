"""Promises of gateway.stats.srm."""

from __future__ import annotations

from math import inf, log
from random import Random

import pytest

from gateway.stats.srm import ALARM_AT, chi_square, chi_square_above, sequential


@pytest.mark.parametrize(
    ("counts", "shares", "statistic", "p"),
    [
        ([821588, 815482], [50, 50], 22.774369, 1.82179e-06),
        ([5000, 5250], [50, 50], 6.097561, 0.0135369),
        ([9400, 600], [95, 5], 21.052632, 4.468e-06),
        ([500, 480, 520], [1, 1, 1], 1.6, 0.449329),
    ],
)
def test_gives_f13(counts: list[int], shares: list[float], statistic: float, p: float) -> None:
    """The fixed test is scipy's: fixture F13."""
    seen = chi_square(counts, shares)
    assert seen is not None
    assert seen.statistic == pytest.approx(statistic, rel=1e-6)
    assert seen.p == pytest.approx(p, rel=1e-4)


@pytest.mark.parametrize("degrees", range(1, 12))
def test_upper_tail_is_scipys(degrees: int) -> None:
    """The finite sums are scipy's χ² tail, far out too."""
    from scipy.stats import chi2  # type: ignore[import-untyped]

    for statistic in (0.0, 0.3, 4.0, 25.0, 120.0):
        assert chi_square_above(statistic, degrees=degrees) == pytest.approx(
            float(chi2.sf(statistic, degrees)), rel=1e-9
        )


def test_sequential_is_a_mixture() -> None:
    """The odds are those of predicting user by user from the users before: Lindon & Malek, equation 5."""
    chance, counts, log_odds = Random(2), [0, 0, 0], 0.0
    planned = [0.5, 0.3, 0.2]
    for _ in range(500):
        arm = chance.choices(range(3), planned)[0]
        log_odds += log((1000 * planned[arm] + counts[arm]) / (1000 + sum(counts))) - log(planned[arm])
        counts[arm] += 1
    assert log(sequential(counts, planned)) == pytest.approx(log_odds, abs=1e-9)


@pytest.mark.parametrize(("n", "share", "planned"), [(4_700, 0.47, 0.5), (8_200, 0.06, 0.05)])
def test_finds_what_the_contract_says(n: int, share: float, planned: float) -> None:
    """50/50 gone to 47/53 is found about 4,700 users in, 5 % gone to 6 % about 8,200: decisions.md § 1.7."""
    found = [size for size in range(100, 20_000, 100) if _odds(size, share, planned) >= ALARM_AT]
    assert n * 0.7 < found[0] < n * 1.4


def _odds(n: int, share: float, planned: float) -> float:
    mine = round(n * share)
    return sequential([mine, n - mine], [planned, 1 - planned])


def test_is_seldom_false() -> None:
    """Looked at after every user of 2,000, at odds of 20, it is false in at most a twentieth of 400 runs; seed 4."""
    chance, n_false = Random(4), 0
    for _ in range(400):
        log_odds, counts = 0.0, [0, 0]
        for n in range(2_000):
            arm = int(chance.random() >= 0.1)
            share = (0.1, 0.9)[arm]
            log_odds += log((1000 * share + counts[arm]) / (1000 + n) / share)
            counts[arm] += 1
            if log_odds >= log(20):
                n_false += 1
                break
    assert n_false <= 20


def test_nobody_is_no_mismatch() -> None:
    """Without users there is no statistic, and the odds are even."""
    assert chi_square([0, 0], [1, 1]) is None
    assert sequential([0, 0], [1, 1]) == 1.0


def test_everybody_in_one_arm_is_beyond_floats() -> None:
    """Odds too large for a float are infinite."""
    assert sequential([0, 10_000_000], [1, 1]) == inf


@pytest.mark.parametrize(("counts", "shares"), [([1], [1]), ([1, 2], [1]), ([-1, 2], [1, 1]), ([1, 2], [0, 1])])
def test_refuses(counts: list[int], shares: list[float]) -> None:
    """One arm alone, arms without shares, and shares of nothing are refused."""
    with pytest.raises(ValueError, match="do not go"):
        chi_square(counts, shares)
    with pytest.raises(ValueError, match="do not go"):
        sequential(counts, shares)
