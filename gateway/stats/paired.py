"""
Two measurements of the same thing, pair by pair, where pairs come in clusters: differences, ratios, quantiles.

Columns are of equal length; pairs with a NaN on either side are left out. None means "not enough": fewer than
`MIN_PAIRS` pairs or `MIN_UNITS` clusters. `clustered_pairs` says how intervals are made.
"""

from __future__ import annotations

from math import ceil, exp, inf, log, nan, sqrt
from typing import Any

from gateway.stats.clustered_pairs import (
    Column,
    Paired,
    Spread,
    codes_of,
    half_and_p,
    mean_spread,
    ready_of,
    shrunk_effect,
    t_at,
)
from gateway.stats.proportion import require_open_unit


def mean_difference(first: Column, second: Column, units: Column, *, confidence: float = 0.95) -> Paired | None:
    """
    Give the mean of second − first.

    Args:
        first: A number per pair.
        second: Likewise.
        units: The cluster of each pair, integers.
        confidence: Two-sided coverage, in (0, 1); one look.

    Returns:
        The difference, or None with too few pairs or clusters.

    Raises:
        ValueError: Confidence is outside (0, 1).

    Source:
        Bell & McCaffrey (2002), Survey Methodology 28:169-181 (CR2 and Satterthwaite's degrees of freedom), which for
        a mean have closed forms; Pustejovsky & Tipton (2018), JBES 36:672-683.
    """
    import numpy as np

    require_open_unit(confidence)
    ready = ready_of(units, first, second)
    if ready is None:
        return None
    code, n_units, (one, two) = ready
    gap = two - one
    effect = float(gap.mean())
    spread = mean_spread(code, n_units, gap - effect, np.ones_like(gap))
    half, p = half_and_p(effect, spread, confidence)
    ends = (effect - half, effect + half)
    return Paired(float(one.mean()), float(two.mean()), effect, *ends, p, *spread, len(gap), n_units)


def rate_difference(first: Column, second: Column, units: Column, *, confidence: float = 0.95) -> Paired | None:
    """
    Give the difference of two rates of the same pairs, second − first, from pairs where only one of the two happened.

    A pair is added to each kind of discordance (Bonett and Price), after the counts are brought down by a design
    effect: how much more the clusters' sums vary than pairs would. Seen in few clusters it is drawn towards that of a
    correlation of 0.1 within clusters, so that no event in 10,000 pairs of 50 users is not taken for 10,000
    independent assurances. With no event at all the interval is about ±2.8 / effective pairs, near the rule of three.

    Args:
        first: 0 or 1 per pair.
        second: Likewise.
        units: The cluster of each pair, integers.
        confidence: Two-sided coverage, in (0, 1); one look.

    Returns:
        The difference, or None with too few pairs or clusters.

    Raises:
        ValueError: Confidence is outside (0, 1).

    Source:
        Bonett & Price (2012), J. Educ. Behav. Stat. 37:479-488; Rao & Scott (1992), Biometrics 48:577-585 for effective
        counts.
    """
    import numpy as np

    require_open_unit(confidence)
    ready = ready_of(units, first, second)
    if ready is None:
        return None
    code, n_units, (one, two) = ready
    gap = two - one
    n, effect = len(gap), float(gap.mean())
    spread = mean_spread(code, n_units, gap - effect, np.ones_like(gap))
    n_up, n_down = int((gap > 0).sum()), int((gap < 0).sum())
    n_effective = n / _design_effect(code, gap, spread)
    up, down = n_up * n_effective / n, n_down * n_effective / n
    more, fewer = (up + 1) / (n_effective + 2), (down + 1) / (n_effective + 2)
    center = more - fewer
    # Never less than what the clusters themselves show.
    se = max(sqrt((more + fewer - center**2) / (n_effective + 2)), spread.se * n_effective / (n_effective + 2))
    half, p = half_and_p(center, Spread(se, spread.degrees), confidence)
    low, high = min(effect, max(-1.0, center - half)), max(effect, min(1.0, center + half))
    return Paired(float(one.mean()), float(two.mean()), effect, low, high, p, se, spread.degrees, n, n_units)


def sum_ratio(first: Column, second: Column, units: Column, *, confidence: float = 0.95) -> Paired | None:
    """
    Give Σsecond / Σfirst: of costs, tokens, lengths, where a large pair counts for what it is.

    Args:
        first: A number per pair, at least 0.
        second: Likewise.
        units: The cluster of each pair, integers.
        confidence: Two-sided coverage, in (0, 1); one look.

    Returns:
        The ratio, with an interval symmetrical on the log scale, and none around 0; None with too few pairs or
        clusters, or where Σfirst is not above 0. `first` and `second` are the means per pair.

    Raises:
        ValueError: Confidence is outside (0, 1).

    Source:
        The delta method over clusters (Cochran 1977, §2.11; Deng, Knoblich & Lu 2018), corrected as in
        `mean_difference` with clusters weighed by their share of Σfirst.
    """
    require_open_unit(confidence)
    ready = ready_of(units, first, second)
    if ready is None:
        return None
    code, n_units, (one, two) = ready
    total, other = float(one.sum()), float(two.sum())
    if total <= 0 or other < 0:
        return None
    ratio = other / total
    if not ratio:
        return Paired(total / len(one), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, inf, len(one), n_units)
    spread = mean_spread(code, n_units, two - ratio * one, one)
    relative = Spread(spread.se / ratio, spread.degrees)
    return _ratio(total / len(one), other / len(one), ratio, relative, len(one), n_units, confidence)


def geometric_ratio(first: Column, second: Column, units: Column, *, confidence: float = 0.95) -> Paired | None:
    """
    Give the ratio of geometric means, second over first: how many times as long a typical pair takes.

    Args:
        first: A number per pair; pairs with one not above 0 are left out.
        second: Likewise.
        units: The cluster of each pair, integers.
        confidence: Two-sided coverage, in (0, 1); one look.

    Returns:
        The ratio, or None with too few pairs or clusters.

    Raises:
        ValueError: Confidence is outside (0, 1).

    Source:
        `mean_difference` of logarithms.
    """
    found = mean_difference(_logs(first), _logs(second), units, confidence=confidence)
    if found is None:
        return None
    spread = Spread(found.se, found.degrees)
    counts = (found.n_pairs, found.n_units)
    return _ratio(exp(found.first), exp(found.second), exp(found.effect), spread, *counts, confidence)


def quantile_ratio(
    first: Column, second: Column, units: Column, q: float, *, confidence: float = 0.95
) -> Paired | None:
    """
    Give the ratio of the two sides' quantiles, second over first.

    Each side's bounds are order statistics at ranks widened by how its clusters vary; on the log scale the two are
    put together with the correlation that pairs and clusters give their ranks, on the side that matters (MOVER).

    Args:
        first: A number per pair, above 0.
        second: Likewise.
        units: The cluster of each pair, integers.
        q: In (0, 1).
        confidence: Two-sided coverage, in (0, 1); one look.

    Returns:
        The ratio, or None with too few pairs or clusters, or fewer than 5 pairs beyond the quantile. `p` is read off
        the interval as if it were normal on the log scale.

    Raises:
        ValueError: `q` or `confidence` is outside (0, 1).

    Source:
        Deng, Knoblich & Lu (2018), KDD, §4 for the ranks; Zou & Donner (2008), Stat. Med. 27:1693-1702, with the
        correlation term, for the combination.
    """
    import numpy as np

    require_open_unit(confidence, q)
    ready = ready_of(units, _logs(first), _logs(second))
    if ready is None or len(ready[0]) * min(q, 1 - q) < 5:
        return None
    code, n_units, sides = ready
    n = len(code)
    bounds, influences, degrees = [], [], inf
    for side in sides:
        ordered = np.sort(side)
        value = float(ordered[max(0, int(np.ceil(q * n)) - 1)])
        below = (side <= value).astype(float)
        influence = below - below.mean()
        spread = mean_spread(code, n_units, influence, np.ones_like(side))
        degrees = spread.degrees
        reach = t_at(0.5 + confidence / 2, degrees) * spread.se
        low, high = (ordered[_place(rank, n)] for rank in (q - reach, q + reach))
        bounds.append((float(low), value, float(high)))
        influences.append(np.bincount(code, influence, n_units))
    (one_low, one, one_high), (two_low, two, two_high) = bounds
    correlation = _correlation(*influences)
    low = two - one - _mover(two - two_low, one_high - one, correlation)
    high = two - one + _mover(two_high - two, one - one_low, correlation)
    se = (high - low) / (2 * t_at(0.5 + confidence / 2, degrees))
    p = half_and_p(two - one, Spread(se, degrees), confidence)[1]
    return Paired(exp(one), exp(two), exp(two - one), exp(low), exp(high), p, se, degrees, n, n_units)


def mean(values: Column, units: Column, *, confidence: float = 0.95) -> Paired | None:
    """
    Give the mean of numbers that come in clusters, as `effect` and `second`; nothing is tested.

    Source:
        As `mean_difference`.
    """
    import numpy as np

    column = np.asarray(values, dtype=float)
    found = mean_difference(np.zeros_like(column), column, units, confidence=confidence)
    if found is None:
        return None
    kept = (found.se, found.degrees, found.n_pairs, found.n_units)
    return Paired(nan, found.second, found.effect, found.low, found.high, nan, *kept)


def contrast(
    values: Column, units: Column, other_values: Column, other_units: Column, *, confidence: float = 0.95
) -> Paired | None:
    """
    Give mean(values) − mean(other_values) of two sets of pairs that may have clusters in common.

    Args:
        values: A number per pair.
        units: The cluster of each, integers.
        other_values: Of the pairs they are compared with.
        other_units: Likewise; equal integers are the same cluster in both.
        confidence: Two-sided coverage, in (0, 1); one look.

    Returns:
        The difference, `first` being the others' mean; None with too few pairs or clusters in either.

    Raises:
        ValueError: Confidence is outside (0, 1).

    Source:
        Cluster-robust least squares on a dummy for the set (Liang & Zeger 1986), in closed form, with G/(G−1); degrees
        of freedom the smaller of both means' by Bell and McCaffrey.
    """
    import numpy as np

    require_open_unit(confidence)
    mine, others = ready_of(units, values), ready_of(other_units, other_values)
    if mine is None or others is None:
        return None
    means, degrees = [], inf
    for whose, n_whose, (side,) in (mine, others):
        means.append(float(side.mean()))
        degrees = min(degrees, mean_spread(whose, n_whose, side - means[-1], np.ones_like(side)).degrees)
    kept, other_kept = (_kept(*both) for both in ((units, values), (other_units, other_values)))
    code, n_units = codes_of(np.concatenate([kept, other_kept]))
    one, two = mine[2][0], others[2][0]
    influence = np.concatenate([(one - means[0]) / len(one), (means[1] - two) / len(two)])
    sums = np.bincount(code, influence, n_units)
    se = sqrt(float((sums**2).sum()) * n_units / (n_units - 1))
    effect = means[0] - means[1]
    half, p = half_and_p(effect, Spread(se, degrees), confidence)
    counts = (len(one) + len(two), n_units)
    return Paired(means[1], means[0], effect, effect - half, effect + half, p, se, degrees, *counts)


def _ratio(
    first: float, second: float, ratio: float, relative: Spread, n_pairs: int, n_units: int, confidence: float
) -> Paired:
    half, p = half_and_p(log(ratio), relative, confidence)
    ends = (ratio * exp(-half), ratio * exp(half))
    return Paired(first, second, ratio, *ends, p, *relative, n_pairs, n_units)


def _kept(units: Column, values: Column) -> Any:
    import numpy as np

    return np.asarray(units)[np.isfinite(np.asarray(values, dtype=float))]


def _logs(column: Column) -> Any:
    import numpy as np

    numbers = np.asarray(column, dtype=float)
    positive = numbers > 0
    return np.where(positive, np.log(np.where(positive, numbers, 1.0)), nan)


def _design_effect(code: Any, gap: Any, spread: Spread) -> float:
    """Give how many pairs of these clusters are worth one independent pair, at least 1."""
    import numpy as np

    n = len(gap)
    simple = float(gap.var()) / (n - 1)
    seen = spread.se**2 / simple if simple > 0 else 1.0
    n_struck = len(np.unique(code[gap != 0]))
    return shrunk_effect(seen, n_struck, np.bincount(code))


def _place(rank: float, n: int) -> int:
    return max(0, min(n - 1, ceil(rank * n) - 1))


def _correlation(one: Any, two: Any) -> float:
    scale = sqrt(float((one**2).sum()) * float((two**2).sum()))
    return float((one * two).sum()) / scale if scale > 0 else 0.0


def _mover(one: float, two: float, correlation: float) -> float:
    return sqrt(max(0.0, one * one + two * two - 2 * correlation * one * two))
