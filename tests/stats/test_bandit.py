"""Bandits' weights: against other ways to the same number, from nothing known to a million users."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats  # type: ignore[import-untyped]
from scipy.special import betaln  # type: ignore[import-untyped]

from gateway.stats.bandit import (
    BetaBelief,
    ClusterSums,
    NormalBelief,
    RewardSums,
    belief_of_rate,
    beliefs_of_means,
    best_of_rates,
    best_probabilities,
    design_effect,
    discounted,
    expected_regret,
    moments_of,
    moved_at_most,
    thinned,
    weights_in_buckets,
    with_floor,
)

FLAT = BetaBelief(1.0, 1.0)
SHARES = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=10).filter(lambda weights: sum(weights) > 0.01)


def by_scipy(arms: list[BetaBelief]) -> list[float]:
    """Give P(best) by adaptive quadrature of each density times the others' distribution functions."""
    found = []
    for one in arms:
        others = [arm for arm in arms if arm is not one]

        def density(x: float, one: BetaBelief = one, others: list[BetaBelief] = others) -> float:
            return float(stats.beta.pdf(x, *one) * np.prod([stats.beta.cdf(x, *other) for other in others]))

        mean, reach = one.mean, 12 * stats.beta.std(*one)
        low, high = max(0.0, mean - reach), min(1.0, mean + reach)
        found.append(integrate.quad(density, low, high, points=[mean], limit=200, epsabs=1e-9)[0])
    return found


@pytest.mark.parametrize(
    "arms",
    [
        [FLAT, BetaBelief(81, 21), BetaBelief(40, 10)],
        [BetaBelief(800_001, 200_001), BetaBelief(800_501, 199_501), BetaBelief(800_301, 199_701)],
        [BetaBelief(1.3, 1_000.0), BetaBelief(2.2, 800.0), BetaBelief(1.0, 10_000.0)],
        [BetaBelief(900_000, 3.5), BetaBelief(90, 1.0), BetaBelief(9_000.0, 2.0)],
    ],
    ids=["flat", "million", "rare", "nearly always"],
)
def test_rates_against_scipy(arms: list[BetaBelief]) -> None:
    """Narrow or flat, in the middle or at an end: what adaptive quadrature finds, to a millionth."""
    assert best_probabilities(arms) == pytest.approx(by_scipy(arms), abs=2e-6)


def test_rates_by_formula() -> None:
    """Of two arms with whole numbers the sum of Evan Miller's "Formulas for Bayesian A/B Testing", eq. 6."""
    a, b, c, d = 21, 81, 31, 71
    k = np.arange(c)
    second = float(np.exp(betaln(a + k, b + d) - np.log(d + k) - betaln(1 + k, d) - betaln(a, b)).sum())
    assert best_probabilities([BetaBelief(a, b), BetaBelief(c, d)]) == pytest.approx((1 - second, second), abs=1e-9)


def test_rates_against_dice() -> None:
    """Of ten arms what 200,000 draws say, to four standard errors."""
    arms = [BetaBelief(80.0 + at, 30.0 - at) for at in range(10)]
    a, b = np.asarray(arms).T
    drawn = np.bincount(np.random.default_rng(5).beta(a, b, (200_000, 10)).argmax(axis=1), minlength=10) / 200_000
    assert best_probabilities(arms) == pytest.approx(drawn, abs=4 * 0.5 / sqrt(200_000))


def test_two_means_by_formula() -> None:
    """Of two normal beliefs the first is better with Φ of their distance over its spread, however narrow one is."""
    for first, second in (((1.0, 2.0), (0.0, 1.0)), ((0.3, 1e-6), (0.0, 1.0)), ((900.0, 3.0), (905.0, 4.0))):
        z = (first[0] - second[0]) / sqrt(first[1] ** 2 + second[1] ** 2)
        found = best_probabilities([NormalBelief(*first), NormalBelief(*second)])
        assert found[0] == pytest.approx(stats.norm.cdf(z), abs=1e-9)


@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(1, 1e6)), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_probabilities_add_up(arms: list[tuple[float, float]]) -> None:
    """Whatever is believed, probabilities are from 0 to 1, add up to 1, and do not depend on the order of arms."""
    found = best_probabilities([BetaBelief(*arm) for arm in arms])
    assert sum(found) == pytest.approx(1.0, abs=1e-12) and min(found) >= 0
    assert best_probabilities([BetaBelief(*arm) for arm in reversed(arms)]) == pytest.approx(found[::-1], abs=1e-9)


def test_alike_and_alone() -> None:
    """Arms that are believed alike share equally, and one alone has it all."""
    assert best_probabilities([BetaBelief(301, 101)] * 5) == pytest.approx([0.2] * 5, abs=1e-12)
    assert best_probabilities([FLAT]) == (1.0,)


def test_far_apart() -> None:
    """An arm that is surely worse has a probability of 0, not a failure."""
    assert best_probabilities([BetaBelief(1, 1e6), BetaBelief(1e6, 1)]) == pytest.approx((0.0, 1.0), abs=1e-12)
    assert best_probabilities([NormalBelief(0, 1e-9), NormalBelief(1e6, 1e-9)]) == pytest.approx((0.0, 1.0))


def test_many_at_once() -> None:
    """Many bandits at once are each what one alone is."""
    a, b = np.array([[81.0, 85.0, 1.0], [1.0, 2.0, 3.0]]), np.array([[21.0, 17.0, 1.0], [1.0, 1.0, 9.0]])
    alone = [best_probabilities([BetaBelief(*arm) for arm in zip(*row, strict=True)]) for row in zip(a, b, strict=True)]
    assert best_of_rates(a, b) == pytest.approx(np.array(alone), abs=1e-9)


def test_refuses_no_beliefs() -> None:
    """No arms, kinds mixed, and distributions that are none are errors."""
    mixed: list[BetaBelief] = [FLAT, NormalBelief(0, 1)]  # type: ignore[list-item]
    wrong: list[list[BetaBelief] | list[NormalBelief]]
    wrong = [[], mixed, [BetaBelief(0.5, 1)], [NormalBelief(0, 0)], [NormalBelief(inf, 1)]]
    for arms in wrong:
        with pytest.raises(ValueError, match=r"best of some|begins at|spread|finite"):
            best_probabilities(arms)


def test_regret() -> None:
    """Giving everybody the best of many draws loses nothing; of two flat ones half of everybody loses a third."""
    arms = [BetaBelief(81, 21), BetaBelief(70, 32), BetaBelief(75, 27)]
    a, b = np.asarray(arms).T
    dice = np.random.default_rng(6).beta(a, b, (200_000, 3)).max(axis=1).mean() - arms[0].mean
    assert expected_regret(arms, [1.0, 0.0, 0.0]) == pytest.approx(dice, abs=5e-4)
    assert expected_regret([NormalBelief(1, 1), NormalBelief(1, 1)], [1, 0]) == pytest.approx(1 / sqrt(np.pi), abs=1e-9)


@given(st.floats(0, 400), st.floats(0, 400), st.floats(0.5, 90))
def test_fading_composes(first: float, second: float, half_life: float) -> None:
    """However often sums are discounted, and before or after they are added, they are the same."""
    sums = RewardSums(200.0, 150.0, 150.0)
    twice = discounted(discounted(sums, first, half_life_days=half_life), second, half_life_days=half_life)
    once = discounted(sums, first + second, half_life_days=half_life)
    assert (twice.n, twice.total) == pytest.approx((once.n, once.total), rel=1e-9)
    both = discounted(sums + sums, first, half_life_days=half_life)
    assert both.n == pytest.approx(2 * discounted(sums, first, half_life_days=half_life).n)


def test_fading() -> None:
    """Two half-lives leave a quarter; without one nothing fades; time does not run backwards."""
    sums = RewardSums(100.0, 80.0, 80.0)
    assert discounted(sums, 60.0, half_life_days=30.0) == RewardSums(25.0, 20.0, 20.0)
    assert discounted(sums, 60.0, half_life_days=None) == sums
    for days, half_life in ((-1.0, 30.0), (1.0, 0.0)):
        with pytest.raises(ValueError, match="nothing fades"):
            discounted(sums, days, half_life_days=half_life)


def test_belief_of_a_rate() -> None:
    """Nothing known is flat; a rounding error below 0 is none; more successes than users are an error."""
    assert belief_of_rate(RewardSums()) == FLAT
    assert belief_of_rate(RewardSums(5.0, 5.0 + 1e-12, 5.0)) == BetaBelief(6.0 + 1e-12, 1.0)
    with pytest.raises(ValueError, match="no rate"):
        belief_of_rate(RewardSums(5.0, 6.0, 6.0))


def test_beliefs_of_means() -> None:
    """Means are drawn to the pooled one by one unit's worth, in whatever unit rewards are."""
    arms = [RewardSums(100, 100 * 3.0, 100 * 9.0 + 100), RewardSums(100, 100 * 5.0, 100 * 25.0 + 100), RewardSums()]
    first, second, unknown = beliefs_of_means(arms)
    assert (first.mean, second.mean) == pytest.approx((3.0, 5.0), abs=0.02) and first.sd == pytest.approx(0.1, rel=0.01)
    assert unknown == NormalBelief(4.0, sqrt(2))
    scaled = beliefs_of_means([RewardSums(arm.n, arm.total * 1e3, arm.squares * 1e6) for arm in arms])
    assert best_probabilities(scaled) == pytest.approx(best_probabilities([first, second, unknown]), abs=1e-9)


def test_rewards_that_do_not_differ() -> None:
    """Where all rewards are equal, or there are none, all arms are believed alike."""
    for arms in ([RewardSums(50, 35, 24.5), RewardSums(30, 21, 14.7)], [RewardSums(), RewardSums()]):
        assert best_probabilities(beliefs_of_means(arms)) == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize(("n_arms", "most"), [(3, 0.933), (5, 0.920), (10, 0.910)])
def test_floor(n_arms: int, most: float) -> None:
    """A winner gets 90 % and its part of the rest: decisions.md § 1.9."""
    weights = with_floor([1.0] + [0.0] * (n_arms - 1), 0.10)
    assert weights[0] == pytest.approx(most, abs=5e-4) and sum(weights) == pytest.approx(1)
    assert weights[1] == pytest.approx(0.10 / n_arms)


def test_floor_refuses() -> None:
    """Shares that are no shares are errors."""
    with pytest.raises(ValueError, match="share of the traffic"):
        with_floor([1.0], 1.1)
    with pytest.raises(ValueError, match="no shares"):
        with_floor([0.5, 0.6], 0.1)


@given(SHARES, st.integers(0, 10_000))
def test_buckets(weights: list[float], buckets: int) -> None:
    """Buckets add up, and none is a whole one away from its weight."""
    whole = sum(weights)
    shares = [weight / whole for weight in weights]
    found = weights_in_buckets(shares, buckets=buckets)
    assert sum(found) == buckets
    assert all(abs(got - share * buckets) < 1.001 for got, share in zip(found, shares, strict=True))


def test_buckets_of_equal_shares() -> None:
    """Of equal remainders the earlier wins, whatever floats make of a seventh."""
    assert weights_in_buckets([1 / 7] * 7) == (1429, 1429, 1429, 1429, 1428, 1428, 1428)
    with pytest.raises(ValueError, match="no -1 buckets"):
        weights_in_buckets([1.0], buckets=-1)


@given(SHARES, st.data())
@settings(max_examples=60, deadline=None)
def test_moves(weights: list[float], data: st.DataObject) -> None:
    """No more than allowed is moved, all of it is used, and no arm overshoots or turns back."""
    other = data.draw(st.lists(st.floats(0.01, 1.0), min_size=len(weights), max_size=len(weights)))
    now, wanted = (weights_in_buckets([x / sum(shares) for x in shares]) for shares in (weights, other))
    most = data.draw(st.integers(0, 10_000))
    new = moved_at_most(now, wanted, most)
    apart = sum(max(0, b - a) for a, b in zip(now, wanted, strict=True))
    assert sum(max(0, b - a) for a, b in zip(now, new, strict=True)) == min(most, apart)
    assert all(min(a, b) <= c <= max(a, b) for a, b, c in zip(now, wanted, new, strict=True))


def test_moves_refuse() -> None:
    """Buckets do not come from nowhere."""
    with pytest.raises(ValueError, match="cannot go"):
        moved_at_most([10, 0], [5, 6], 3)


def test_moments() -> None:
    """Plain sums are moments, and their mean is None of nobody."""
    moments = moments_of(RewardSums(4, 10.0, 30.0))
    assert (moments.n, moments.mean, moments.m2) == (4, 2.5, 5.0)
    assert RewardSums().mean is None


def clustered(counts: np.ndarray, totals: np.ndarray) -> tuple[RewardSums, ClusterSums]:
    """Give both kinds of sums of units' counts and successes."""
    n, total = float(counts.sum()), float(totals.sum())
    squares = (float((counts * counts).sum()), float((counts * totals).sum()), float((totals * totals).sum()))
    return RewardSums(n, total, total), ClusterSums(len(counts), *squares)


def test_design_effect() -> None:
    """Ten rewards of each unit with an intraclass correlation of 0.3 are worth 10/3.7 of others: 1 + (n − 1)·ICC."""
    rng, counts = np.random.default_rng(7), np.full(40_000, 10)
    own = rng.beta(0.8 * 0.7 / 0.3, 0.2 * 0.7 / 0.3, len(counts))
    assert design_effect(*clustered(counts, rng.binomial(counts, own))) == pytest.approx(3.7, rel=0.03)
    assert design_effect(*clustered(counts, rng.binomial(counts, 0.8))) == pytest.approx(1.0, abs=0.03)


def test_design_effect_of_little() -> None:
    """Nobody, one unit, or rewards that are all alike have none; and it never makes rewards worth more."""
    for counts, totals in (([], []), ([5], [3]), ([2, 3], [2, 3]), ([2, 2], [1, 1])):
        assert design_effect(*clustered(np.asarray(counts, dtype=int), np.asarray(totals, dtype=int))) == 1.0
    with pytest.raises(ValueError, match="never worth more"):
        thinned(RewardSums(1, 1, 1), 0.9)
