"""Planned looks: the books' bounds as intervals, and what they promise kept."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest

from gateway.stats.power import two_rates_n
from gateway.stats.sequence import group_sequential
from gateway.stats.spending import crossing_probability, inflation, lan_demets

FIFTHS = [0.2, 0.4, 0.6, 0.8, 1.0]


def bounds_at(times: list[float], sides: int = 2) -> list[float]:
    """Give the bound of each look."""
    return [group_sequential(0.0, 1.0, times[: at + 1], sides=sides).bound for at in range(len(times))]


def test_bounds() -> None:
    """Lan and DeMets' bounds for five looks and three (decisions.md § 7, F11)."""
    assert bounds_at(FIFTHS) == pytest.approx([4.8769, 3.3570, 2.6803, 2.2898, 2.0310], abs=6e-5)
    assert bounds_at([1 / 3, 2 / 3, 1.0]) == pytest.approx([3.7103, 2.5114, 1.9930], abs=6e-5)


def test_close_to_obrien_fleming() -> None:
    """The last of five looks is as strict as O'Brien and Fleming's 2.040 (F10), to a hundredth."""
    assert bounds_at(FIFTHS)[-1] == pytest.approx(2.040, abs=0.01)


def test_interval() -> None:
    """The repeated interval reaches as many standard errors as the bound says, and decides when 0 is outside."""
    look = group_sequential(0.05, 0.02, FIFTHS)
    assert (look.low, look.high) == pytest.approx((0.05 - 2.0310 * 0.02, 0.05 + 2.0310 * 0.02), abs=1e-5)
    assert look.is_decided and not group_sequential(0.05, 0.025, FIFTHS).is_decided
    assert group_sequential(-0.05, 0.02, FIFTHS).is_decided


def test_one_side() -> None:
    """One side has no upper end, is never decided by a loss, and its single look is the textbook's 1.645."""
    look = group_sequential(-9.0, 1.0, [1.0], sides=1)
    assert (look.high, look.is_decided) == (inf, False)
    assert look.bound == pytest.approx(1.644854, abs=1e-5)


def test_alpha_adds_up() -> None:
    """What is spent and what is left make alpha at every look, and nothing is left after the last."""
    looks = [group_sequential(0.0, 1.0, FIFTHS[: at + 1]) for at in range(5)]
    assert [look.alpha_spent + look.alpha_left for look in looks] == pytest.approx([0.05] * 5)
    assert looks[-1].alpha_left == 0 and looks[0].alpha_spent == pytest.approx(1.08e-6, rel=0.01)


@pytest.mark.parametrize("last", [0.7, 1.0, 1.4])
def test_other_than_planned(last: float) -> None:
    """Fewer units than planned or more: with the last look all of alpha is spent, and no more."""
    times = [0.3, 0.6, last]
    end = group_sequential(0.0, 1.0, times, is_last=True)
    bounds = [*lan_demets(times[:2]), end.bound]
    assert crossing_probability(bounds, [time / last for time in times]) == pytest.approx(0.05, abs=1e-6)


def test_extra_look() -> None:
    """A look that was left out gives its alpha to the next: the bound there is lower."""
    assert bounds_at([0.2, 0.6, 1.0])[1] <= bounds_at(FIFTHS)[2]


@pytest.mark.parametrize("times", [[], [0.5, 0.4], [0.0, 1.0], [0.5, 1.0, 1.2], [-0.1]])
def test_refuses_times(times: list[float]) -> None:
    """Looks' times rise, and none follows the end of the plan."""
    with pytest.raises(ValueError, match="times rise"):
        group_sequential(0.0, 1.0, times)


def test_refuses_the_rest() -> None:
    """No negative standard error, no alpha of 0, no third side."""
    with pytest.raises(ValueError, match="standard error"):
        group_sequential(0.0, -1.0, [1.0])
    with pytest.raises(ValueError):
        group_sequential(0.0, 1.0, [1.0], alpha=0.0)
    with pytest.raises(ValueError, match="one side or two"):
        group_sequential(0.0, 1.0, [0.5, 1.0], sides=3)


def decided(rates: tuple[float, float], per_arm: int, runs: int, *, seed: int) -> float:
    """Give the share of experiments that are decided at one of five looks."""
    rng, found = np.random.default_rng([62, seed]), np.zeros(runs, dtype=bool)
    came = np.zeros((2, runs))
    for at in range(5):
        came += [rng.binomial(round(per_arm / 5), rate, runs) for rate in rates]
        n = round(per_arm / 5) * (at + 1)
        shares = came / n
        se = np.sqrt((shares * (1 - shares)).sum(axis=0) / n)
        found |= np.abs(shares[1] - shares[0]) > group_sequential(0.0, 1.0, FIFTHS[: at + 1]).bound * se
    return float(found.mean())


def test_size() -> None:
    """Of 20,000 experiments in which nothing differs at most 5 % are decided in five looks."""
    runs = 20_000
    assert decided((0.8, 0.8), 1_500, runs, seed=1) <= 0.05 + 2 * sqrt(0.05 * 0.95 / runs)


def test_power() -> None:
    """Planned for 80 % and inflated by 1.028 (Jennison and Turnbull, table 2.4), 80 % find 4 points, to 2 points."""
    grown = inflation(lan_demets(FIFTHS))
    assert grown == pytest.approx(1.028, abs=0.004)
    assert decided((0.80, 0.84), round(two_rates_n(0.80, 0.84) * grown), 20_000, seed=2) == pytest.approx(
        0.80, abs=0.02
    )
