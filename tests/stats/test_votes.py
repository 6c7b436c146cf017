"""Votes in both orders."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]
from statsmodels.stats.proportion import proportion_confint  # type: ignore[import-untyped]

from gateway.stats.votes import Tally, share, sign_p, signed_rank_p, tally

NAN = float("nan")


def counted(in_order: list[float], swapped: list[float]) -> Tally:
    """Tally votes of as many users."""
    found = tally(in_order, swapped, range(len(in_order)))
    assert found is not None
    return found


def test_share_is_wilson() -> None:
    """Without clusters it is Wilson's interval (statsmodels), but for t in place of z."""
    found = share([1.0] * 300 + [0.0] * 200, [1.0] * 500, range(500))
    assert found is not None
    assert (found.low, found.high) == pytest.approx(proportion_confint(300, 500, method="wilson"), abs=0.0005)
    assert found.p == pytest.approx(2 * stats.t.sf(0.1 / np.sqrt(0.25 / 500), 499), rel=0.01)


def test_share_of_clusters() -> None:
    """Votes of one user who always says the same are worth hardly more than one."""
    hits = np.repeat(np.arange(40) % 5 < 3, 25).astype(float)
    users = np.repeat(np.arange(40), 25)
    found = share(hits, np.ones(1_000), users)
    assert found is not None
    assert found.high - found.low == pytest.approx(2 * 2.02 * np.sqrt(0.24 / 40), rel=0.15)


def test_share_counts_trials() -> None:
    """Pairs without a trial do not count; with too few that do there is no share."""
    found = share([1.0, 0.0] * 50, [1.0, 0.0] * 50, range(100), null=None)
    assert found is not None
    assert (found.effect, found.n_pairs, found.high) == (1.0, 50, 1.0)
    assert found.low == pytest.approx(proportion_confint(50, 50, method="wilson")[0], abs=0.005)
    assert share([1.0] * 10 + [0.0] * 90, [1.0] * 10 + [0.0] * 90, range(100)) is None


def test_coverage() -> None:
    """Of 300 experiments where users lean one way or the other at least 92 % of the intervals hold the truth."""
    n_held = 0
    for seed in range(300):
        chance = np.random.default_rng([5, seed])
        users = np.repeat(np.arange(80), chance.integers(1, 12, 80))
        leaning = chance.beta(6 * 0.65, 6 * 0.35, 80)[users]
        found = share(chance.random(len(users)) < leaning, np.ones(len(users)), users)
        n_held += found is not None and found.low <= 0.65 <= found.high
    assert n_held >= 0.92 * 300


@pytest.mark.parametrize(("wins", "decisive"), [(8, 10), (5, 10), (0, 7), (61, 100)])
def test_sign(wins: int, decisive: int) -> None:
    """It is scipy's exact binomial test."""
    assert sign_p(wins, decisive) == pytest.approx(stats.binomtest(wins, decisive).pvalue)


def test_signed_ranks() -> None:
    """It is scipy's Wilcoxon test on users' means, zeros left out."""
    chance = np.random.default_rng(3)
    values, users = chance.integers(-1, 2, 200) + (chance.random(200) < 0.2), np.repeat(np.arange(50), 4)
    means = values.reshape(50, 4).mean(axis=1)
    oracle = stats.wilcoxon(means, zero_method="wilcox", correction=False, method="approx")
    assert signed_rank_p(values, users) == pytest.approx(oracle.pvalue)
    assert signed_rank_p(np.zeros(50), range(50)) == 1.0
    assert signed_rank_p([1.0] * 5, range(5)) is None


def test_both_orders_must_agree() -> None:
    """A win counts where both orders say so; the others are ties, and pairs with one vote only are left out."""
    votes = counted([1, 1, -1, -1, 0, 0, NAN, 1], [1, -1, -1, 1, 0, 1, 1, NAN])
    assert (votes.n_judged, votes.n_wins, votes.n_losses, votes.n_inconsistent) == (6, 1, 1, 3)
    assert votes.win_rate is None
    assert tally([NAN], [1.0], [1]) is None


def test_place_is_exposed() -> None:
    """A judge that always takes what stands first wins nobody anything, and is seen through."""
    votes = counted([-1.0] * 60, [1.0] * 60)
    assert (votes.n_wins, votes.n_losses, votes.n_inconsistent) == (0, 0, 60)
    assert votes.first_rate is not None
    assert votes.first_rate.effect == 1.0
    assert votes.first_rate.p < 1e-6


def test_all_ties() -> None:
    """Ties alone are an answer: hardly any can be worse."""
    votes = counted([0.0] * 300, [0.0] * 300)
    assert votes.win_rate is None
    assert votes.preference is not None
    assert votes.preference.low > -0.02
