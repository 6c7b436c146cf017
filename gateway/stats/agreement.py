"""How far judges can be believed: against people, against themselves in the other order, and against chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from statistics import NormalDist
from typing import Any

from gateway.stats.interval import Interval
from gateway.stats.proportion import require_open_unit, wilson
from gateway.stats.votes import sign_p

N_RESAMPLES = 2_000
SEED = 20_240_611


@dataclass(frozen=True, slots=True)
class Kappa:
    """
    Agreement of two raters beyond chance.

    Attributes:
        n: Things both rated.
        agreement: Share rated alike.
        interval: Wilson's, of that share.
        by_chance: Share that would be rated alike by chance.
        kappa: 1 for always alike, 0 for no better than chance; NaN where both always said the same one thing.
        low: Lower end of kappa's interval.
        high: Upper end.
    """

    n: int
    agreement: float
    interval: Interval
    by_chance: float
    kappa: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Position:
    """
    What the place of an answer does to a judge's vote.

    Attributes:
        n_pairs: Pairs with a vote in both orders.
        consistency: Share of them with the same vote in both.
        interval: Wilson's, of that share.
        n_first: Votes for what stood first, of both orders, ties left out.
        n_second: Likewise for what stood second.
        bias: Share of votes for the first beyond a half: .15 means 65 to 35. 0 where there are none.
        low: Lower end of the bias, by the spread of what pairs lean to, normal approximation.
        high: Upper end.
        p: Exact, two-sided: P(as uneven, were the place nothing to the judge); by pairs, not by votes.
    """

    n_pairs: int
    consistency: float
    interval: Interval
    n_first: int
    n_second: int
    bias: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class WinRate:
    """
    How often the second of two sides wins among decisive pairs.

    Attributes:
        n_wins: Of the second.
        n_losses: Of the first.
        n_ties: Neither.
        rate: Wins among decisive pairs; NaN without any.
        wilson: As if every pair were of another user; None without any.
        clustered: By drawing users anew; None without any.
        sign_p: Exact sign test on decisive pairs, two-sided.
    """

    n_wins: int
    n_losses: int
    n_ties: int
    rate: float
    wilson: Interval | None
    clustered: Interval | None
    sign_p: float


def kappa(ratings: Iterable[tuple[int, int]], *, confidence: float = 0.95) -> Kappa | None:
    """
    Give Cohen's kappa of two raters, unweighted.

    Args:
        ratings: For each thing, what one rater said and what the other did; any numbers.
        confidence: Two-sided coverage, in (0, 1).

    Returns:
        The agreement, or None where nothing was rated by both.

    Raises:
        ValueError: Confidence is outside (0, 1).

    Source:
        Cohen (1960), EPM 20:37-46; standard error by Fleiss, Cohen & Everitt (1969), Psychological Bulletin 72:323-327.

    >>> found = kappa([(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15)
    >>> round(found.kappa, 3), found.agreement
    (0.4, 0.7)
    """
    require_open_unit(confidence)
    cells = Counter(ratings)
    n = cells.total()
    if not n:
        return None
    ours, theirs = Counter[int](), Counter[int]()
    for (one, two), count in cells.items():
        ours[one] += count
        theirs[two] += count
    alike = sum(count for (one, two), count in cells.items() if one == two) / n
    chance = sum(ours[one] * theirs[one] for one in ours) / n**2
    found = (alike - chance) / (1 - chance) if chance < 1 else nan
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * _kappa_se(cells, ours, theirs, alike, chance)
    share = _wilson(round(alike * n), n, confidence)
    return Kappa(n, alike, share, chance, found, max(-1.0, found - half), min(1.0, found + half))


def position(in_order: Sequence[int], swapped: Sequence[int], *, confidence: float = 0.95) -> Position | None:
    """
    Tell what the place of an answer does to a judge, from votes on pairs that were asked in both orders.

    Args:
        in_order: -1 for the first side, 0 for a tie, 1 for the second, with the first side standing first.
        swapped: Likewise with the second side standing first; -1 still means the first side.
        confidence: Two-sided coverage, in (0, 1).

    Returns:
        The bias, or None where there is no pair.

    Raises:
        ValueError: The sequences differ in length, or confidence is outside (0, 1).

    Source:
        Zheng et al. (2023), NeurIPS, §3.4, for consistency; the test is McNemar's exact one: a judge that looks at the
        answers alone votes for the first place in one order and for the second in the other, so only pairs whose two
        votes lean to one place tell, and without a bias they lean either way as often.
    """
    require_open_unit(confidence)
    pairs = list(zip(in_order, swapped, strict=True))
    if not pairs:
        return None
    n_alike = sum(one == two for one, two in pairs)
    n_first = sum((one < 0) + (two > 0) for one, two in pairs)
    n_second = sum((one > 0) + (two < 0) for one, two in pairs)
    leans = [two - one for one, two in pairs]
    to_first, to_second = sum(lean > 0 for lean in leans), sum(lean < 0 for lean in leans)
    low, high = _swaying_ends(leans, n_first + n_second, confidence)
    votes = n_first + n_second
    return Position(
        n_pairs=len(pairs),
        consistency=n_alike / len(pairs),
        interval=_wilson(n_alike, len(pairs), confidence),
        n_first=n_first,
        n_second=n_second,
        bias=n_first / votes - 0.5 if votes else 0.0,
        low=low,
        high=high,
        p=sign_p(to_first, to_first + to_second),
    )


def win_rate(
    votes: Sequence[int],
    units: Sequence[int],
    *,
    confidence: float = 0.95,
    n_resamples: int = N_RESAMPLES,
    seed: int = SEED,
) -> WinRate:
    """
    Give how often the second side wins among decisive pairs, with users drawn anew as clusters.

    Args:
        votes: -1 for the first side, 0 for a tie, 1 for the second.
        units: The user of each pair, integers.
        confidence: Two-sided coverage, in (0, 1).
        n_resamples: How often users are drawn.
        seed: The same seed gives the same interval.

    Raises:
        ValueError: The sequences differ in length, or confidence is outside (0, 1).

    Source:
        Wilson (1927), JASA 22:209-212; Davison & Hinkley (1997), §3.8, for the bootstrap of clusters, percentiles.
    """
    require_open_unit(confidence)
    if len(votes) != len(units):
        message = f"{len(votes)} votes of {len(units)} units"
        raise ValueError(message)
    n_wins, n_losses = sum(vote > 0 for vote in votes), sum(vote < 0 for vote in votes)
    decisive = n_wins + n_losses
    return WinRate(
        n_wins=n_wins,
        n_losses=n_losses,
        n_ties=len(votes) - decisive,
        rate=n_wins / decisive if decisive else nan,
        wilson=wilson(n_wins, decisive, confidence=confidence),
        clustered=_bootstrapped(votes, units, confidence, n_resamples, seed) if decisive else None,
        sign_p=sign_p(n_wins, decisive),
    )


def _kappa_se(
    cells: Counter[tuple[int, int]], ours: Counter[int], theirs: Counter[int], alike: float, chance: float
) -> float:
    """Give kappa's standard error for an interval, not for a test of zero."""
    n = cells.total()
    if chance >= 1:
        return nan
    found = (alike - chance) / (1 - chance)
    on, off = 0.0, 0.0
    for (one, two), count in cells.items():
        share = count / n
        if one == two:
            on += share * (1 - (ours[one] + theirs[one]) / n * (1 - found)) ** 2
        else:
            off += share * ((theirs[one] + ours[two]) / n) ** 2
    variance = on + (1 - found) ** 2 * off - (found - chance * (1 - found)) ** 2
    return sqrt(max(0.0, variance) / n) / (1 - chance)


def _swaying_ends(leans: Sequence[int], n_votes: int, confidence: float) -> tuple[float, float]:
    """Give the ends of the bias: a pair's lean is its votes for the first place minus those for the second."""
    if not n_votes:
        return -0.5, 0.5
    n = len(leans)
    mean = sum(leans) / n
    spread = sum((lean - mean) ** 2 for lean in leans) / max(1, n - 1)
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * sqrt(spread / n)
    # Half of the leans per vote is the share for the first place beyond a half.
    scale = n / (2 * n_votes)
    return max(-0.5, (mean - half) * scale), min(0.5, (mean + half) * scale)


def _bootstrapped(
    votes: Sequence[int], units: Sequence[int], confidence: float, n_resamples: int, seed: int
) -> Interval:
    import numpy as np

    cast = np.asarray(votes)
    _, code = np.unique(np.asarray(units), return_inverse=True)
    n_units = int(code.max()) + 1
    wins, decisive = np.bincount(code, cast > 0, n_units), np.bincount(code, cast != 0, n_units)
    draw = np.random.default_rng(seed)
    rates: list[Any] = []
    # By lots: a hundred thousand users drawn two thousand times at once would be gigabytes.
    for _ in range(n_resamples):
        times = np.bincount(draw.integers(0, n_units, n_units), minlength=n_units)
        total = float(times @ decisive)
        rates.append(float(times @ wins) / total if total else 0.5)
    ends = np.quantile(rates, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(ends[0]), float(ends[1]))


def _wilson(successes: int, trials: int, confidence: float) -> Interval:
    found = wilson(successes, trials, confidence=confidence)
    return found if found is not None else Interval(0.0, 1.0)
