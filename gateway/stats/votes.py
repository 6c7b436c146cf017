"""Votes on pairs that come in clusters: the share of wins, and whether they could be chance."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, nan, sqrt
from typing import Any

from gateway.stats.clustered_pairs import (
    Column,
    Paired,
    Spread,
    half_and_p,
    mean_spread,
    ready_of,
    shrunk_effect,
    t_at,
)
from gateway.stats.paired import rate_difference
from gateway.stats.proportion import require_open_unit


@dataclass(frozen=True, slots=True)
class Tally:
    """
    What votes on pairs come to, each pair asked in both orders. Rates are shares in [0, 1].

    Attributes:
        n_judged: Pairs with a vote in both orders.
        n_wins: Of the second side, in both orders.
        n_losses: Likewise of the first.
        n_inconsistent: Pairs whose orders do not agree; they count as ties.
        win_rate: Of the second side among decisive pairs, tested against a half; None with too few.
        preference: Share of wins minus share of losses among all judged, ties counted; None with too few.
        first_rate: Share of the votes that are no ties for what stood first, tested against a half.
        sign_p: Exact two-sided sign test on decisive pairs, as if each were of another cluster.
        wilcoxon_p: Signed ranks of clusters' mean votes, two-sided; None with too few.
    """

    n_judged: int
    n_wins: int
    n_losses: int
    n_inconsistent: int
    win_rate: Paired | None
    preference: Paired | None
    first_rate: Paired | None
    sign_p: float
    wilcoxon_p: float | None


def tally(in_order: Column, swapped: Column, units: Column, *, confidence: float = 0.95) -> Tally | None:
    """
    Count votes on pairs that were asked in both orders: only what both agree on counts, the rest are ties.

    Args:
        in_order: The vote with the first side standing first: -1 for the first side, 0 a tie, 1 for the second; NaN
            for none.
        swapped: Likewise with the second side standing first; -1 still means the first side.
        units: The cluster of each pair, integers.
        confidence: Two-sided coverage, in (0, 1); one look.

    Returns:
        The tally, or None where no pair has both votes.

    Raises:
        ValueError: Confidence is outside (0, 1).

    Source:
        Zheng et al. (2023), NeurIPS, §3.4, for both orders; `share`, `rate_difference`, `sign_p`, `signed_rank_p`.
    """
    import numpy as np

    one, two, whose = np.asarray(in_order, dtype=float), np.asarray(swapped, dtype=float), np.asarray(units)
    known = np.isfinite(one) & np.isfinite(two)
    if not known.any():
        return None
    one, two, whose = one[known], two[known], whose[known]
    vote = np.where(one == two, one, 0.0)
    won, lost = (vote > 0).astype(float), (vote < 0).astype(float)
    n_wins, n_losses = int(won.sum()), int(lost.sum())
    for_first = (one < 0).astype(float) + (two > 0)
    return Tally(
        n_judged=len(vote),
        n_wins=n_wins,
        n_losses=n_losses,
        n_inconsistent=int((one != two).sum()),
        win_rate=share(won, won + lost, whose, confidence=confidence),
        preference=rate_difference(lost, won, whose, confidence=confidence),
        first_rate=share(for_first, (one != 0).astype(float) + (two != 0), whose, confidence=confidence),
        sign_p=sign_p(n_wins, n_wins + n_losses),
        wilcoxon_p=signed_rank_p(vote, whose),
    )


def share(
    hits: Column, trials: Column, units: Column, *, null: float | None = 0.5, confidence: float = 0.95
) -> Paired | None:
    """
    Give Σhits/Σtrials, a share such as a win rate among decisive pairs, with Wilson's interval on effective trials.

    Args:
        hits: Per pair, 0 to its trials.
        trials: Per pair: mostly 1, or 0 for pairs that do not count.
        units: The cluster of each pair, integers.
        null: What the share is tested against, in (0, 1); None for no test.
        confidence: Two-sided coverage, in (0, 1); one look.

    Returns:
        The share as `effect` and `second`, with `n_pairs` counting those with trials; None with too few of them.

    Raises:
        ValueError: `null` or `confidence` is outside (0, 1).

    Source:
        Wilson (1927), JASA 22:209-212; Korn & Graubard (1998), Survey Methodology 24:193-201 for effective trials with
        t; the test is the score test at the null with the same effective trials.
    """
    import numpy as np

    require_open_unit(confidence, 0.5 if null is None else null)
    wanted = np.asarray(trials, dtype=float)
    counted = np.where(wanted > 0, wanted, nan)
    ready = ready_of(units, hits, counted)
    if ready is None:
        return None
    code, n_units, (won, tried) = ready
    total = float(tried.sum())
    rate = float(won.sum()) / total
    spread = mean_spread(code, n_units, won - rate * tried, tried)
    n_effective = total / _share_design_effect(code, won, tried, spread)
    t = t_at(0.5 + confidence / 2, spread.degrees)
    middle = (rate + t * t / (2 * n_effective)) / (1 + t * t / n_effective)
    half = t * sqrt(rate * (1 - rate) / n_effective + t * t / (4 * n_effective**2)) / (1 + t * t / n_effective)
    p = nan
    if null is not None:
        score = Spread(sqrt(null * (1 - null) / n_effective), spread.degrees)
        p = half_and_p(rate - null, score, confidence)[1]
    se = sqrt(max(rate * (1 - rate), 1 / (n_effective + 4)) / n_effective)
    ends = (max(0.0, middle - half), min(1.0, middle + half))
    return Paired(nan, rate, rate, *ends, p, se, spread.degrees, len(won), n_units)


def sign_p(wins: float, decisive: float) -> float:
    """
    Give the exact two-sided sign test: P(as lopsided or more, were both sides as likely).

    Args:
        wins: Of one side; effective counts may be fractions and are rounded towards a draw.
        decisive: Of both, ties left out.

    Source:
        Conover (1999), Practical Nonparametric Statistics, §3.4; McNemar's exact test on discordant pairs is the same.

    >>> round(sign_p(8, 10), 4), sign_p(0, 0)
    (0.1094, 1.0)
    """
    from scipy.special import bdtr  # type: ignore[import-untyped]

    n = int(decisive)
    fewer = min(wins, decisive - wins)
    return min(1.0, 2.0 * float(bdtr(min(n, ceil(fewer)), n, 0.5))) if n else 1.0


def signed_rank_p(values: Column, units: Column) -> float | None:
    """
    Give Wilcoxon's signed-rank test on clusters' means, two-sided: whether most of them lean one way.

    Returns:
        The p-value, 1 where every mean is 0; None with fewer than `MIN_UNITS` clusters.

    Source:
        Wilcoxon (1945), Biometrics Bulletin 1:80-83, normal approximation with ties, zeros left out.
    """
    import numpy as np

    ready = ready_of(units, values)
    if ready is None:
        return None
    code, n_units, (column,) = ready
    means = np.bincount(code, column, n_units) / np.bincount(code, minlength=n_units)
    means = means[means != 0]
    if not len(means):
        return 1.0
    ranks = _ranks(np.abs(means))
    spread = sqrt(float((ranks**2).sum()))
    return half_and_p(float((ranks * np.sign(means)).sum()), Spread(spread, inf), 0.95)[1]


def _share_design_effect(code: Any, won: Any, tried: Any, spread: Spread) -> float:
    import numpy as np

    total = float(tried.sum())
    rate = float(won.sum()) / total
    simple = rate * (1 - rate) / (total - 1)
    seen = spread.se**2 / simple if simple > 0 else 1.0
    fewer = won if rate <= 0.5 else tried - won
    n_struck = len(np.unique(code[fewer > 0]))
    return shrunk_effect(seen, n_struck, np.bincount(code, tried))


def _ranks(values: Any) -> Any:
    """Give ranks from 1, those that are tied sharing the mean of theirs; scipy.stats takes a second to import."""
    import numpy as np

    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
