"""Sizes are those of the tables they came from."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, exp

import numpy as np
import pytest

from gateway.stats.power import (
    anytime_inflation,
    balanced_units,
    detectable_lift,
    e_process_requests,
    log_e_expected,
    non_inferiority_n,
    of_candidate,
    power_of,
    two_means_n,
    two_rates_n,
    two_rates_n_arcsine,
)

ROWS = [
    (0.80, 0.84, 1139.64, 1137.59, 1446.94, 1444.19),
    (0.80, 0.824, 3276.05, 3274.01, 4159.16, 4156.42),
    (0.80, 0.816, 7492.21, 7490.17, 9511.66, 9508.92),
    (0.90, 0.927, 1339.23, 1337.19, 1700.33, 1697.59),
    (0.90, 0.918, 3155.84, 3153.79, 4006.55, 4003.80),
]


@pytest.mark.parametrize(("rate", "other", "one", "one_unpooled", "two", "two_unpooled"), ROWS)
def test_article(rate: float, other: float, one: float, one_unpooled: float, two: float, two_unpooled: float) -> None:
    """The article's five rows as recomputed in decisions.md § 3, one- and two-sided, pooled and not."""
    found = [two_rates_n(rate, other, sides=s, is_pooled=p) for s in (1, 2) for p in (True, False)]
    assert found == pytest.approx([one, one_unpooled, two, two_unpooled], abs=6e-3)


@pytest.mark.parametrize(
    ("n", "rate", "other", "two_sided", "one_sided"),
    [
        (1200, 0.80, 0.84, 0.723, 0.818),
        (3300, 0.80, 0.824, 0.704, 0.803),
        (7500, 0.80, 0.816, 0.701, 0.800),
        (2100, 0.90, 0.927, 0.876, 0.929),
        (4700, 0.90, 0.918, 0.859, 0.918),
    ],
)
def test_power(n: int, rate: float, other: float, two_sided: float, one_sided: float) -> None:
    """Power at the article's own sizes (decisions.md § 3)."""
    found = power_of(n, rate, other), power_of(n, rate, other, sides=1)
    assert found == pytest.approx((two_sided, one_sided), abs=6e-4)


@pytest.mark.parametrize("sides", [1, 2])
def test_oracles(sides: int) -> None:
    """Statsmodels' NormalIndPower agrees on means, and on rates by the arcsine."""
    from statsmodels.stats.power import NormalIndPower  # type: ignore[import-untyped]
    from statsmodels.stats.proportion import proportion_effectsize  # type: ignore[import-untyped]

    towards = "two-sided" if sides == 2 else "larger"
    means = NormalIndPower().solve_power(0.1, alpha=0.05, power=0.8, alternative=towards)
    assert two_means_n(1.0, 0.1, sides=sides) == pytest.approx(means, rel=1e-4)
    h = proportion_effectsize(0.84, 0.8)
    rates = NormalIndPower().solve_power(h, alpha=0.05, power=0.8, alternative=towards)
    assert two_rates_n_arcsine(0.8, 0.84, sides=sides) == pytest.approx(rates, rel=1e-4)


@pytest.mark.parametrize("n", [500, 1139.64, 20_000])
def test_detectable(n: float) -> None:
    """The smallest lift found is the one whose size is n, and where not even perfection shows it is None."""
    lift = detectable_lift(n, 0.8, sides=1)
    assert lift is not None
    assert two_rates_n(0.8, 0.8 * (1 + lift), sides=1) == pytest.approx(n, rel=1e-6)
    assert detectable_lift(5, 0.95) is None


@pytest.mark.parametrize(
    ("rate", "margin", "equal", "candidate"),
    [
        (0.70, 0.05, 2120, 1116),
        (0.80, 0.05, 1237, 651),
        (0.90, 0.05, 550, 290),
        (0.95, 0.05, 261, 138),
        (0.70, 0.10, 530, 279),
        (0.80, 0.10, 310, 163),
        (0.90, 0.10, 138, 73),
        (0.95, 0.10, 66, 35),
    ],
)
def test_non_inferiority(rate: float, margin: float, equal: int, candidate: int) -> None:
    """The table of decisions.md § 1.6: in two equal arms, and the candidate's at 5 % against all the rest."""
    n = non_inferiority_n(rate, margin)
    assert ceil(n) == equal
    assert ceil(of_candidate(n, share=0.05)) == candidate


def test_balanced() -> None:
    """A candidate of 651 against 12,369 knows as much as two arms of 1,237."""
    assert balanced_units(651, 12_369) == pytest.approx(2 * 1237, rel=1e-3)
    assert balanced_units(0, 0) == 0.0


@pytest.mark.parametrize(
    ("rate", "ratio", "requests"),
    [
        (0.005, 3, 1278),
        (0.005, 5, 447),
        (0.005, 10, 135),
        (0.01, 2, 1820),
        (0.01, 2.5, 985),
        (0.01, 3, 624),
        (0.01, 5, 221),
        (0.01, 10, 76),
        (0.03, 2.5, 358),
        (0.03, 3, 218),
        (0.03, 10, 29),
    ],
)
def test_e_process(rate: float, ratio: float, requests: int) -> None:
    """Simulated medians of decisions.md § 1.1 at a 5 % share and alpha .001, within a quarter."""
    assert e_process_requests(rate, ratio) == pytest.approx(requests, rel=0.25)


def test_e_process_fixture() -> None:
    """F24 of decisions.md § 7 at w = 500/10,000 comes from the same bets, up to users who leave the risk set."""
    assert exp(log_e_expected(20, 95, 0.05)) == pytest.approx(24316.2, rel=0.25)


def test_e_process_never() -> None:
    """A ratio that is hardly one takes for ever."""
    assert e_process_requests(1e-9, 1.0001) is None


def test_inflation() -> None:
    """Any number of looks cost 1.6 to 1.9 times the units at power .8 (decisions.md § 1.6)."""
    assert 1.6 < anytime_inflation() < 1.9
    assert 1.6 < anytime_inflation(sides=2) < 1.9


@pytest.mark.slow
def test_inflation_simulated() -> None:
    """Paths of that length, looked at 300 times, cross the sequence in 78 to 83 % of 4,000 runs."""
    import numpy as np

    from gateway.stats.anytime import half_width

    planned, looks, runs = 6.18, 300, 4000
    n = np.arange(1, looks + 1) / looks * planned * anytime_inflation()
    steps = np.random.default_rng(1).normal(n[0], n[0] ** 0.5, (runs, looks))
    line = np.array([k * half_width(k, se=k**-0.5, alpha=0.05, n_star=planned, sides=1) for k in n])
    assert 0.78 < float((np.cumsum(steps, axis=1) > line).any(axis=1).mean()) < 0.83


REFUSED: list[Callable[[], object]] = [
    lambda: two_rates_n(0.5, 0.5),
    lambda: two_rates_n_arcsine(0.5, 0.5),
    lambda: two_means_n(0.0, 1.0),
    lambda: power_of(0, 0.5, 0.6),
    lambda: e_process_requests(0.1, 1.0),
    lambda: two_rates_n(0.5, 0.6, sides=3),
    lambda: non_inferiority_n(0.5, 1.0),
]


@pytest.mark.parametrize("planned", REFUSED)
def test_refuses(planned: Callable[[], object]) -> None:
    """Equal rates, no spread, no units, no ratio, three sides and a margin of everything are refused."""
    with pytest.raises(ValueError, match=r"not|cannot"):
        planned()


def test_smaller_arm_varies_more() -> None:
    """Where the smaller arm is the one that varies more, more units are needed, and fewer where it varies less."""
    less, even, more = (
        two_rates_n(rate, other, share=share, is_pooled=False)
        for rate, other, share in ((0.8, 0.84, 0.1), (0.8, 0.84, 0.5), (0.84, 0.8, 0.1))
    )
    assert less < even < more


@pytest.mark.parametrize(("rate", "other"), [(0.8, 0.84), (0.84, 0.8), (0.05, 0.08)])
def test_unequal_arms_have_the_power(rate: float, other: float) -> None:
    """A tenth against nine tenths: the pooled z test of 20,000 drawn experiments finds it in 80 of 100."""
    few = round(of_candidate(two_rates_n(rate, other, share=0.1), share=0.1))
    many, chance = 9 * few, np.random.default_rng(3)
    one, two = chance.binomial(few, other, 20_000), chance.binomial(many, rate, 20_000)
    pooled = (one + two) / (few + many)
    z = (one / few - two / many) / np.sqrt(pooled * (1 - pooled) * (1 / few + 1 / many))
    assert float((np.abs(z) > 1.959964).mean()) == pytest.approx(0.8, abs=0.015)
