"""Paired differences, ratios and quantiles, clustered."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import exp, log
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm  # type: ignore[import-untyped]
from scipy import stats  # type: ignore[import-untyped]

from gateway.stats.clustered_pairs import Paired
from gateway.stats.paired import (
    contrast,
    geometric_ratio,
    mean,
    mean_difference,
    quantile_ratio,
    rate_difference,
    sum_ratio,
)

Columns = tuple[Any, Any, Any]


def drawn(seed: int, *, n_users: int = 80, ratio: float = 1.2) -> Columns:
    """Give times of both sides and their users: some with one pair, some with many, and users differ."""
    chance = np.random.default_rng([7, seed])
    users = np.repeat(np.arange(n_users), np.maximum(1, chance.lognormal(1.2, 0.9, n_users).astype(int)))
    n = len(users)
    asked = chance.normal(6, 0.3, n_users)[users] + chance.normal(0, 0.2, n)
    taste = chance.normal(0, 0.15, n_users)[users]
    first = np.exp(asked + chance.normal(0, 0.4, n))
    return first, np.exp(asked + taste + log(ratio) + chance.normal(0, 0.4, n)), users


def certain(found: Paired | None) -> Paired:
    """Give what must have been found."""
    assert found is not None
    return found


def test_mean_difference_is_robust_regression() -> None:
    """The difference is least squares' with cluster-robust errors (statsmodels), up to CR2 over CR1."""
    first, second, users = drawn(1, n_users=300)
    found = certain(mean_difference(first, second, users))
    oracle = sm.OLS(second - first, np.ones(len(users))).fit(cov_type="cluster", cov_kwds={"groups": users})
    assert found.effect == pytest.approx(oracle.params[0])
    assert found.se == pytest.approx(oracle.bse[0], rel=0.03)


def test_mean_difference_of_single_pairs() -> None:
    """Where every pair is of another user it is the paired t test (scipy)."""
    chance = np.random.default_rng(2)
    first, second = chance.normal(0, 1, (2, 50))
    found = certain(mean_difference(first, second, np.arange(50)))
    oracle = stats.ttest_rel(second, first)
    interval = oracle.confidence_interval(0.95)
    assert found.p == pytest.approx(oracle.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_geometric_ratio() -> None:
    """It is the mean difference of logarithms; what is not above 0 is left out."""
    first, second, users = drawn(3)
    found = certain(geometric_ratio(np.append(first, 0.0), np.append(second, 1.0), np.append(users, 1)))
    logs = certain(mean_difference(np.log(first), np.log(second), users))
    assert (found.effect, found.low, found.high) == pytest.approx((exp(logs.effect), exp(logs.low), exp(logs.high)))
    assert found.first == pytest.approx(stats.gmean(first))


def test_sum_ratio() -> None:
    """It is the ratio of sums, with the error a cluster jackknife gives."""
    first, second, users = drawn(4, n_users=300)
    found = certain(sum_ratio(first, second, users))
    left_out = [log(second[users != one].sum() / first[users != one].sum()) for one in range(300)]
    assert found.effect == pytest.approx(second.sum() / first.sum())
    assert found.se == pytest.approx(np.std(left_out) * np.sqrt(299), rel=0.05)


def test_sum_ratio_of_nothing() -> None:
    """What costs nothing is surely cheaper; against what costs nothing there is no ratio."""
    free = certain(sum_ratio(np.ones(50), np.zeros(50), range(50)))
    assert (free.effect, free.high, free.p) == (0.0, 0.0, 0.0)
    assert sum_ratio(np.zeros(50), np.ones(50), range(50)) is None


def test_quantile_ratio() -> None:
    """It is the ratio of both sides' quantiles, with about the error of a cluster bootstrap."""
    first, second, users = drawn(5, n_users=400)
    found = certain(quantile_ratio(first, second, users, 0.9))
    chance = np.random.default_rng(6)
    rows = [np.flatnonzero(users == one) for one in range(400)]
    again = []
    for _ in range(300):
        drawn_rows = np.concatenate([rows[one] for one in chance.integers(0, 400, 400)])
        again.append(log(np.quantile(second[drawn_rows], 0.9) / np.quantile(first[drawn_rows], 0.9)))
    assert found.effect == pytest.approx(np.quantile(second, 0.9) / np.quantile(first, 0.9), rel=0.02)
    assert found.se == pytest.approx(np.std(again), rel=0.3)


def test_quantile_of_few() -> None:
    """Fewer than five pairs beyond a quantile say nothing about it."""
    first, second, _ = drawn(7)
    assert quantile_ratio(first[:90], second[:90], range(90), 0.95) is None
    assert quantile_ratio(first[:120], second[:120], range(120), 0.95) is not None


def test_rate_difference() -> None:
    """Without clusters it is Bonett and Price's interval: their formula, by hand, for 4 and 12 of 100."""
    first = np.repeat([0.0, 1.0, 0.0], [12, 4, 84])
    second = np.repeat([1.0, 0.0, 0.0], [12, 4, 84])
    found = certain(rate_difference(first, second, range(100)))
    up, down = 13 / 102, 5 / 102
    half = stats.t.ppf(0.975, 99) * np.sqrt((up + down - (up - down) ** 2) / 102)
    assert found.effect == pytest.approx(0.08)
    assert (found.low, found.high) == pytest.approx((up - down - half, up - down + half), rel=0.02)


@pytest.mark.parametrize(
    ("n_users", "per_user", "reach"), [(1_000, 1, 0.0028), (10_000, 1, 0.00028), (50, 200, 0.0057)]
)
def test_no_discordance(n_users: int, per_user: int, reach: float) -> None:
    """No event in n pairs excludes about three of n; less where few users have them all."""
    none = np.zeros(n_users * per_user)
    found = certain(rate_difference(none, none, np.repeat(np.arange(n_users), per_user)))
    assert found.effect == 0.0
    assert found.p == pytest.approx(1.0)
    assert (-found.low, found.high) == pytest.approx((reach, reach), rel=0.05)


def test_events_of_one_user() -> None:
    """One user who fails two hundred times is one user."""
    users = np.repeat(np.arange(100), 200)
    found = certain(rate_difference(np.zeros(20_000), (users == 3).astype(float), users))
    assert found.p > 0.05
    assert found.low <= 0


def test_contrast_is_robust_regression() -> None:
    """Two sets with users in common: least squares on a dummy with cluster-robust errors (statsmodels)."""
    first, second, users = drawn(8, n_users=200)
    kept = np.arange(len(users)) % 3 == 0
    found = certain(contrast(second, users, first[kept], users[kept]))
    both, groups = np.concatenate([second, first[kept]]), np.concatenate([users, users[kept]])
    dummy = sm.add_constant(np.repeat([1.0, 0.0], [len(users), int(kept.sum())]))
    oracle = sm.OLS(both, dummy).fit(cov_type="cluster", cov_kwds={"groups": groups})
    assert found.effect == pytest.approx(oracle.params[1])
    assert found.se == pytest.approx(oracle.bse[1], rel=0.02)
    assert contrast(second, users, [], []) is None


def test_mean() -> None:
    """A mean has an interval and no test."""
    found = certain(mean([0.5] * 20 + [1.0] * 20, range(40)))
    assert found.effect == 0.75
    assert found.low < 0.75 < found.high
    assert np.isnan(found.p)


TRUE: dict[str, tuple[Callable[[Any, Any, Any], Paired | None], float]] = {
    "geometric": (geometric_ratio, 1.2),
    "sum": (sum_ratio, 1.2 * exp(0.15**2 / 2)),
    "median": (lambda first, second, users: quantile_ratio(first, second, users, 0.5), 1.2),
}


@pytest.mark.parametrize("name", TRUE)
def test_coverage(name: str) -> None:
    """Of 300 experiments with 80 users of unequal weight at least 92 % of the intervals hold the truth."""
    read, true = TRUE[name]
    found = [certain(read(*drawn(seed))) for seed in range(300)]
    assert np.mean([one.low <= true <= one.high for one in found]) >= 0.92


def test_coverage_of_rates() -> None:
    """Likewise of rates, where users meet failures often or never."""
    n_held = 0
    for seed in range(300):
        chance = np.random.default_rng([9, seed])
        users = np.repeat(np.arange(100), chance.integers(1, 15, 100))
        habit = chance.beta(0.1, 1.9, 100)[users]
        first = (chance.random(len(users)) < habit).astype(float)
        second = (chance.random(len(users)) < habit * 0.9 + 0.05).astype(float)
        found = certain(rate_difference(first, second, users))
        n_held += found.low <= 0.045 <= found.high
    assert n_held >= 0.92 * 300


def test_time() -> None:
    """A hundred thousand pairs take less than a second, all together."""
    first, second, users = (column[:100_000] for column in drawn(10, n_users=30_000))
    certain(geometric_ratio(first[:1_000], second[:1_000], users[:1_000]))
    begun_s = time.process_time()
    for read in (mean_difference, sum_ratio, geometric_ratio):
        certain(read(first, second, users))
    certain(rate_difference(first > 900, second > 900, users))
    for q in (0.5, 0.95):
        certain(quantile_ratio(first, second, users, q))
    assert len(users) > 95_000
    assert time.process_time() - begun_s < 4


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_refusals(confidence: float) -> None:
    """A confidence that is none is refused."""
    with pytest.raises(ValueError, match="0"):
        mean_difference([1.0], [1.0], [1], confidence=confidence)
