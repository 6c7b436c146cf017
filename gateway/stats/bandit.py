"""
What a bandit goes by: which arm is probably the best, and how traffic follows it.

The weight of an arm is the probability that it is the best (Thompson's rule, drawn for a whole batch of users at once),
computed by quadrature: the same sums give the same weights on every machine. numpy is imported where it is used, so
that whoever only adds sums up does without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.stats.moments import Moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grid = NDArray[Any]

NODES = 12
"""Per panel: exact for polynomials of degree 23."""

_REACHES = (0.0, 1.0, 2.2, 4.0, 6.5, 11.0, 20.0, 36.0)
"""Where panels end, in standard deviations of every arm: narrow where something happens, wide in the tails."""

_SMALL = (0.25, 0.04, 0.005)
"""Of a rate's distance from 0 and from 1: a density like x^0.3 has no derivative there."""


@dataclass(frozen=True, slots=True)
class RewardSums:
    """
    Sums over units' rewards, possibly discounted: each unit then counts for less than 1.

    Attributes:
        n: How many, or their weights summed up; 0 or more.
        total: Sum of weight times reward, in the reward's unit.
        squares: Sum of weight times reward squared.
    """

    n: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def __add__(self, other: RewardSums) -> RewardSums:
        """
        Give the sums over both.

        >>> RewardSums(2, 1, 1) + RewardSums(3, 2, 2)
        RewardSums(n=5, total=3, squares=3)
        """
        return RewardSums(self.n + other.n, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> float | None:
        """Give the mean reward; None of nobody."""
        return self.total / self.n if self.n > 0 else None


def discounted(sums: RewardSums, days: float, *, half_life_days: float | None) -> RewardSums:
    """
    Give what sums are worth some days later: a reward of one half-life ago counts for a half.

    Discounting for two days is discounting for one, twice; and sums may be added before or after. So it does not
    matter how often it is done.

    Args:
        sums: As they were.
        days: Since then, 0 or more.
        half_life_days: Above 0; None where nothing ever fades.

    Raises:
        ValueError: Days are negative, or the half-life is not above 0.

    Source:
        Garivier & Moulines (2011), ALT, LNAI 6925:174-188 (discounted UCB), continuous in time.

    >>> discounted(RewardSums(100, 80, 80), 30.0, half_life_days=30.0)
    RewardSums(n=50.0, total=40.0, squares=40.0)
    """
    if days < 0 or (half_life_days is not None and half_life_days <= 0):
        msg = f"nothing fades for {days} days with a half-life of {half_life_days}"
        raise ValueError(msg)
    kept = 1.0 if half_life_days is None else 2.0 ** (-days / half_life_days)
    return RewardSums(sums.n * kept, sums.total * kept, sums.squares * kept)


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """
    Sums over units that rewarded more than once, of their counts n and totals S.

    Attributes:
        units: How many.
        n_squares: Σ n².
        cross: Σ n·S.
        total_squares: Σ S².
    """

    units: int
    n_squares: float
    cross: float
    total_squares: float


def design_effect(sums: RewardSums, clusters: ClusterSums) -> float:
    """
    Give how many times more a mean varies than if every reward came from somebody else.

    Who likes an answer today likes it tomorrow: thirty days of one unit are not thirty units. Sums divided by this
    are worth what they seem.

    Args:
        sums: Of all rewards of one arm, each counting 1.
        clusters: Of the same rewards, by unit.

    Returns:
        1 or more; 1 where there is too little to tell.

    Source:
        Kish (1965), Survey Sampling, § 8.2; Rao & Scott (1992), Biometrics 48:577-585, who divide counts by it.

    >>> design_effect(RewardSums(8, 4, 4), ClusterSums(4, 16, 8, 8))
    2.6666666666666665
    """
    if clusters.units < 2 or sums.n <= 0:
        return 1.0
    mean = sums.total / sums.n
    alone = sums.squares - sums.n * mean * mean
    if alone <= 0:
        return 1.0
    together = clusters.total_squares - 2 * mean * clusters.cross + mean * mean * clusters.n_squares
    return max(1.0, together * clusters.units / (clusters.units - 1) / alone)


def thinned(sums: RewardSums, effect: float) -> RewardSums:
    """
    Give sums as of so many times fewer rewards, of the same mean and spread.

    Args:
        sums: As counted.
        effect: From `design_effect`, 1 or more.

    Raises:
        ValueError: It is less than 1.

    >>> thinned(RewardSums(100, 80, 80), 4.0)
    RewardSums(n=25.0, total=20.0, squares=20.0)
    """
    if not effect >= 1:
        msg = f"rewards of the same units are never worth more than others', as by {effect}"
        raise ValueError(msg)
    return RewardSums(sums.n / effect, sums.total / effect, sums.squares / effect)


class BetaBelief(NamedTuple):
    """
    What is believed of a rate: a Beta distribution.

    Attributes:
        a: 1 and successes, at least 1.
        b: 1 and failures, at least 1.
    """

    a: float
    b: float

    @property
    def mean(self) -> float:
        """Give the rate that is expected."""
        return self.a / (self.a + self.b)


class NormalBelief(NamedTuple):
    """
    What is believed of a mean: a normal distribution.

    Attributes:
        mean: In the reward's unit.
        sd: Likewise, above 0.
    """

    mean: float
    sd: float


Beliefs = Sequence[BetaBelief] | Sequence[NormalBelief]
"""Of one kind, one per arm."""


def belief_of_rate(sums: RewardSums) -> BetaBelief:
    """
    Give what is believed of a rate that nothing was known of before.

    Args:
        sums: Of rewards from 0 to 1; a unit that succeeded half of the time may count as 0.5.

    Raises:
        ValueError: Rewards are not all from 0 to 1.

    >>> belief_of_rate(RewardSums(100, 80, 80))
    BetaBelief(a=81.0, b=21.0)
    """
    # Sums that were discounted a thousand times may be a rounding error outside.
    slack = 1e-9 * (1 + sums.n)
    if not -slack <= sums.total <= sums.n + slack:
        msg = f"no rate comes from {sums.total} successes of {sums.n}"
        raise ValueError(msg)
    return BetaBelief(1.0 + max(0.0, sums.total), 1.0 + max(0.0, sums.n - sums.total))


def beliefs_of_means(arms: Sequence[RewardSums]) -> tuple[NormalBelief, ...]:
    """
    Give what is believed of means: a prior as wide as the rewards of all arms together, and what each arm said.

    On rewards scaled to mean 0 and variance 1 that is a prior of N(0, 1): one unit's worth of doubt. Each arm's own
    variance counts, with one unit of the pooled one beside it, so that three equal rewards are not certainty.

    Returns:
        One per arm, in the reward's unit; all alike where rewards do not differ at all.

    >>> [round(x, 3) for belief in beliefs_of_means([RewardSums(4, 8, 20), RewardSums(0, 0, 0)]) for x in belief]
    [2.0, 0.447, 2.0, 1.0]
    """
    pooled = sum(arms, RewardSums())
    if pooled.n <= 0:
        return tuple(NormalBelief(0.0, 1.0) for _ in arms)
    middle = pooled.total / pooled.n
    variance = max(0.0, pooled.squares / pooled.n - middle * middle)
    # Rounding leaves about this much of a variance that is none.
    if variance <= 1e-12 * middle * middle:
        return tuple(NormalBelief(middle, 1.0) for _ in arms)
    return tuple(_belief_of_mean(arm, middle, variance) for arm in arms)


def _belief_of_mean(arm: RewardSums, middle: float, variance: float) -> NormalBelief:
    if arm.n <= 0:
        return NormalBelief(middle, sqrt(variance))
    mean = arm.total / arm.n
    spread = max(0.0, arm.squares - arm.n * mean * mean)
    own = (spread + variance) / (arm.n + 1)
    precision = 1 / variance + arm.n / own
    return NormalBelief((middle / variance + arm.total / own) / precision, 1 / sqrt(precision))


def best_probabilities(arms: Beliefs) -> tuple[float, ...]:
    """
    Give the probability of each arm that it is the best.

    P(i is best) = ∫ f_i(x) Π_{j≠i} F_j(x) dx, by Gauss-Legendre quadrature on panels that are as narrow as each arm's
    density asks for. No dice: the same sums give the same weights.

    Args:
        arms: What is believed of each, one or more, all rates or all means.

    Returns:
        One per arm, adding up to 1 but for rounding; right to 1e-6 from no units to millions.

    Raises:
        ValueError: No arms, kinds mixed, or a distribution that is none.

    Source:
        Thompson (1933), Biometrika 25:285-294; Scott (2010), Appl. Stochastic Models Bus. Ind. 26:639-658, eq. 5.

    >>> [round(p, 4) for p in best_probabilities([BetaBelief(2, 1), BetaBelief(1, 1)])]
    [0.6667, 0.3333]
    """
    return tuple(float(p) for p in _judged(arms)[0])


def expected_regret(arms: Beliefs, weights: Sequence[float]) -> float:
    """
    Give what a user loses on average because not everybody gets the best arm, as far as is known.

    Args:
        arms: What is believed of each.
        weights: Their shares, adding up to 1.

    Returns:
        E[best] − Σ weight · E[arm], in the reward's unit; 0 or more.

    Raises:
        ValueError: As of `best_probabilities`, or not as many weights as arms.

    >>> round(expected_regret([BetaBelief(1, 1), BetaBelief(1, 1)], [0.5, 0.5]), 6)
    0.166667
    """
    _, expected_best = _judged(arms)
    means = [arm.mean for arm in arms]
    mean = sum(weight * value for value, weight in zip(means, weights, strict=True))
    return max(0.0, expected_best - mean)


def best_of_rates(a: Grid, b: Grid) -> Grid:
    """
    Give the probability of each arm that it is the best, for many bandits at once.

    Args:
        a: (bandits, arms), 1 and successes.
        b: (bandits, arms), 1 and failures.

    Returns:
        (bandits, arms); each row adds up to 1, and is what `best_probabilities` gives for it.
    """
    return _best_of_rates(a, b)[0]


def with_floor(weights: Sequence[float], explore: float) -> tuple[float, ...]:
    """
    Give weights of which a share is divided equally: f + (1 − K·f)·w with f = explore/K.

    Additive, so it keeps order and proportion of what is above the floor; clipping and dividing again would not.

    Args:
        weights: Adding up to 1.
        explore: In [0, 1].

    Raises:
        ValueError: Explore is outside [0, 1], or the weights are none.

    >>> [round(w, 3) for w in with_floor([1.0, 0.0, 0.0, 0.0, 0.0], 0.10)]
    [0.92, 0.02, 0.02, 0.02, 0.02]
    """
    _require_shares(weights)
    if not 0 <= explore <= 1:
        msg = f"explore is a share of the traffic, not {explore}"
        raise ValueError(msg)
    return tuple(explore / len(weights) + (1 - explore) * weight for weight in weights)


def weights_in_buckets(weights: Sequence[float], *, buckets: int = 10_000) -> tuple[int, ...]:
    """
    Give whole buckets for weights: largest remainder, of equal ones the earlier.

    Args:
        weights: Of the arms, adding up to 1.
        buckets: How many there are, 0 or more.

    Returns:
        One per arm, adding up to `buckets`; each less than one bucket from its weight.

    Raises:
        ValueError: The weights are none, or buckets is negative.

    Source:
        Hamilton's method of apportionment (1792).

    >>> weights_in_buckets([1 / 3, 1 / 3, 1 / 3])
    (3334, 3333, 3333)
    """
    _require_shares(weights)
    if buckets < 0:
        msg = f"there are no {buckets} buckets"
        raise ValueError(msg)
    # Floats of equal meaning differ in the last digit, and that must not decide who is first.
    exact = [round(weight / sum(weights) * buckets, 6) for weight in weights]
    whole = [int(share) for share in exact]
    by_remainder = sorted(range(len(weights)), key=lambda at: (whole[at] - exact[at], at))
    for at in by_remainder[: buckets - sum(whole)]:
        whole[at] += 1
    return tuple(whole)


def moved_at_most(now: Sequence[int], wanted: Sequence[int], max_moved: int) -> tuple[int, ...]:
    """
    Go from some buckets towards others, in their direction, moving no more than so many.

    Args:
        now: Buckets per arm.
        wanted: As many in all.
        max_moved: 0 or more: half of the sum of |new − now| (the total variation) is at most this.

    Returns:
        Buckets per arm, as many in all, each between now and wanted.

    Raises:
        ValueError: The sums differ, or max_moved is negative.

    >>> moved_at_most([2000, 2000, 2000], [4000, 1500, 500], 500)
    (2500, 1875, 1625)
    """
    if sum(now) != sum(wanted) or len(now) != len(wanted) or max_moved < 0:
        msg = f"{max_moved} buckets cannot go from {list(now)} to {list(wanted)}"
        raise ValueError(msg)
    gains = [max(0, new - old) for old, new in zip(now, wanted, strict=True)]
    losses = [max(0, old - new) for old, new in zip(now, wanted, strict=True)]
    if sum(gains) <= max_moved:
        return tuple(wanted)
    won = weights_in_buckets([gain / sum(gains) for gain in gains], buckets=max_moved)
    lost = weights_in_buckets([loss / sum(losses) for loss in losses], buckets=max_moved)
    return tuple(old + more - less for old, more, less in zip(now, won, lost, strict=True))


def moments_of(sums: RewardSums) -> Moments:
    """
    Give the moments of rewards that were not discounted.

    >>> moments_of(RewardSums(2, 6.0, 20.0))
    Moments(n=2, mean=3.0, m2=2.0)
    """
    return Moments.of_sums(round(sums.n), sums.total, sums.squares)


def _require_shares(weights: Sequence[float]) -> None:
    is_shares = bool(weights) and all(isfinite(weight) and weight >= 0 for weight in weights)
    if not is_shares or abs(sum(weights) - 1) > 1e-6:
        msg = f"{list(weights)} are no shares of one whole"
        raise ValueError(msg)


def _judged(arms: Beliefs) -> tuple[Grid, float]:
    """Give P(best) of one bandit's arms, and the expectation of the best one's value."""
    import numpy as np

    rates = [arm for arm in arms if isinstance(arm, BetaBelief)]
    means = [arm for arm in arms if isinstance(arm, NormalBelief)]
    if not arms or (rates and means):
        msg = "one arm is the best of some, all rates or all means"
        raise ValueError(msg)
    first, second = np.asarray([arms], dtype=np.float64).transpose(2, 0, 1)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        msg = f"nothing finite is believed by {list(arms)}"
        raise ValueError(msg)
    best, value = _best_of_rates(first, second) if rates else _best_of_means(first, second)
    return best[0], float(value[0])


def _best_of_rates(a: Grid, b: Grid) -> tuple[Grid, Grid]:
    import numpy as np

    if min(a.min(), b.min()) < 1:
        msg = "a belief about a rate begins at Beta(1, 1)"
        raise ValueError(msg)
    mean = a / (a + b)
    sd = np.sqrt(mean * (1 - mean) / (a + b + 1))
    reaches = np.asarray([*_REACHES, *(-each for each in _REACHES[1:])])
    small = np.asarray(_SMALL)
    spots = (
        mean[..., None] + sd[..., None] * reaches,
        mean[..., None] * small,
        1 - (1 - mean[..., None]) * small,
    )
    inner = np.clip(np.concatenate(spots, axis=-1).reshape(len(a), -1), 0.0, 1.0)
    ends = np.broadcast_to(np.asarray([0.0, 1.0]), (len(a), 2))
    at, width = _panels(np.concatenate([inner, ends], axis=-1))
    # Nodes of panels without width may lie on 0 or 1; they weigh nothing.
    at = np.clip(at, 1e-300, 1 - 2**-53)
    log_density = (a - 1)[..., None, None] * np.log(at)[:, None] + (b - 1)[..., None, None] * np.log1p(-at)[:, None]
    return _integrated(at, width, log_density)


def _best_of_means(mean: Grid, sd: Grid) -> tuple[Grid, Grid]:
    import numpy as np

    if sd.min() <= 0:
        msg = "a belief about a mean has a spread above 0"
        raise ValueError(msg)
    reaches = np.asarray([*_REACHES[:-1], *(-each for each in _REACHES[1:-1])])
    at, width = _panels((mean[..., None] + sd[..., None] * reaches).reshape(len(mean), -1))
    z = (at[:, None] - mean[..., None, None]) / sd[..., None, None]
    return _integrated(at, width, -0.5 * z * z)


def _panels(edges: Grid) -> tuple[Grid, Grid]:
    """Give nodes (bandits, panels, NODES), and panels' half widths (bandits, panels, 1)."""
    import numpy as np

    edges = np.sort(edges, axis=-1)
    half = np.diff(edges, axis=-1)[..., None] / 2
    nodes, _, _ = _rule()
    return edges[:, :-1, None] + half * (1 + nodes), half


def _integrated(at: Grid, half: Grid, log_density: Grid) -> tuple[Grid, Grid]:
    """Give P(best) (bandits, arms) and E[best] (bandits) from log densities (bandits, arms, panels, NODES)."""
    import numpy as np

    _, weights, upto = _rule()
    density = np.exp(log_density - log_density.max(axis=(2, 3), keepdims=True))
    mass = density * (half * weights)[:, None]
    whole = mass.sum(axis=(2, 3), keepdims=True)
    panel = mass.sum(axis=3, keepdims=True)
    before = np.cumsum(panel, axis=2) - panel
    below = np.clip((before + half[:, None] * (density @ upto.T)) / whole, 0.0, 1.0)
    arms = range(density.shape[1])
    first = np.stack([mass[:, one] / whole[:, one] * _product(below, one) for one in arms], axis=1)
    best = first.sum(axis=(2, 3))
    value = (first * at[:, None]).sum(axis=(1, 2, 3))
    return best / best.sum(axis=1, keepdims=True), value / best.sum(axis=1)


def _product(below: Grid, one: int) -> Grid:
    """Give the probability that all arms but one are below."""
    import numpy as np

    product: Grid = np.delete(below, one, axis=1).prod(axis=1)
    return product


@cache
def _rule() -> tuple[Grid, Grid, Grid]:
    """Give nodes and weights on [−1, 1], and the matrix that integrates from −1 to each node what is known at all."""
    import numpy as np

    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    legendre = np.polynomial.legendre.legvander(nodes, NODES)
    # ∫ P_k from −1 is (P_{k+1} − P_{k−1}) / (2k + 1), and t + 1 for k = 0.
    rising = [nodes + 1, *(legendre[:, k + 1] - legendre[:, k - 1] for k in range(1, NODES))]
    upto = sum(np.outer(rise, weights * legendre[:, k]) / 2 for k, rise in enumerate(rising))
    return nodes, weights, np.asarray(upto)
