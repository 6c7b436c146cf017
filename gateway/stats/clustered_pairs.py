"""
What pairs in clusters are judged by: how far a mean may be off when whole clusters, not pairs, are independent.

Everything paired is linearised to one number per pair, summed by cluster, and judged by the spread of those sums with
Bell and McCaffrey's correction (CR2) and a t distribution whose degrees of freedom are few where a few clusters hold
most of the pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import Any, NamedTuple

MIN_PAIRS = 20
MIN_UNITS = 10

PRIOR_CORRELATION = 0.1
"""Within clusters, of rare events, while there are too few to see it."""

PRIOR_CLUSTERS = 4
"""How many clusters with an event the prior is worth."""

Column = Any
"""A number per pair, as numpy takes it: an array or a list."""


@dataclass(frozen=True, slots=True)
class Paired:
    """
    The second measurement against the first.

    Attributes:
        first: Of the first: its mean, rate, mean per pair, geometric mean or quantile; NaN where there is only one.
        second: Of the second.
        effect: Second minus first, second over first, or the share itself: the function says which.
        low: Lower end of the interval, in the unit of the effect.
        high: Upper end.
        p: Two-sided: P(as far from no effect, if there were none); NaN where nothing is tested.
        se: Standard error; of ratios that of their logarithm.
        degrees: Of freedom of the t distribution behind the interval.
        n_pairs: Pairs in it.
        n_units: Clusters they come from.
    """

    first: float
    second: float
    effect: float
    low: float
    high: float
    p: float
    se: float
    degrees: float
    n_pairs: int
    n_units: int


class Spread(NamedTuple):
    """
    How far a mean may be off.

    Attributes:
        se: Its standard error.
        degrees: Of freedom.
    """

    se: float
    degrees: float


def mean_spread(code: Any, n_units: int, residuals: Any, weights: Any) -> Spread:
    """
    Give the standard error of Σ(w·y)/Σw from its weighted residuals, and its degrees of freedom.

    Args:
        code: The cluster of each row, 0 to n_units − 1, each occurring.
        n_units: Clusters, at least 2.
        residuals: w·(y − mean) per row, with sum 0.
        weights: w per row, at least 0, with a sum above 0.

    Source:
        Bell & McCaffrey (2002), in closed form: with m_g a cluster's share of the weight, its sum is divided by
        √(1 − m_g), and the degrees of freedom are 1/(Σm² + (Σm²/(1−m))² − Σm⁴/(1−m)²). That is for pairs unrelated
        within clusters; where they are seen to be related, large clusters count for more and the degrees are those of
        Satterthwaite (1946) for sums with variances m·(1 + (m − 1)·ρ), if fewer.
    """
    import numpy as np

    total = float(weights.sum())
    part = np.bincount(code, weights, n_units) / total
    sums = np.bincount(code, residuals, n_units)
    # One cluster with all the weight leaves nothing to learn from: no correction makes up for that.
    rest = np.maximum(1 - part, 1e-9)
    variance = float((sums**2 / rest).sum()) / total**2
    lifted = part**2 / rest
    degrees = 1 / (float((part**2).sum()) + float(lifted.sum()) ** 2 - float((lifted**2).sum()))
    lumpy = _lumpy_degrees(part * len(residuals), sums, residuals)
    return Spread(sqrt(variance), max(1.0, min(degrees, lumpy)))


def _lumpy_degrees(sizes: Any, sums: Any, residuals: Any) -> float:
    size = float((sizes**2).sum() / sizes.sum())
    alone = float((residuals**2).sum())
    if size <= 1 or alone <= 0:
        return inf
    correlation = min(1.0, (float((sums**2).sum()) / alone - 1) / (size - 1))
    if correlation <= 0:
        return inf
    variances = sizes * (1 + (sizes - 1) * correlation).clip(0)
    return float(variances.sum() ** 2 / (variances**2).sum()) - 1


def t_at(below: float, degrees: float) -> float:
    """
    Give the value that Student's t does not exceed with probability `below`.

    >>> round(t_at(0.975, 10), 3), round(t_at(0.975, inf), 3)
    (2.228, 1.96)
    """
    from scipy.special import ndtri, stdtrit  # type: ignore[import-untyped]

    return float(stdtrit(degrees, below) if degrees < 1e6 else ndtri(below))


def half_and_p(effect: float, spread: Spread, confidence: float) -> tuple[float, float]:
    """Give half the width of an interval, and the two-sided p of no effect."""
    from scipy.special import ndtr, stdtr

    half = t_at(0.5 + confidence / 2, spread.degrees) * spread.se
    if spread.se <= 0:
        return 0.0, 1.0 if abs(effect) < 1e-12 else 0.0
    z = -abs(effect) / spread.se
    return half, 2 * float(stdtr(spread.degrees, z) if spread.degrees < 1e6 else ndtr(z))


def ready_of(units: Column, *columns: Column) -> tuple[Any, int, list[Any]] | None:
    """Give the clusters as 0 to n − 1, their number, and the columns, NaNs left out everywhere; None with too few."""
    import numpy as np

    numbers = [np.asarray(column, dtype=float) for column in columns]
    known = np.isfinite(numbers[0])
    for column in numbers[1:]:
        known &= np.isfinite(column)
    if int(known.sum()) < MIN_PAIRS:
        return None
    code, n_units = codes_of(np.asarray(units)[known])
    if n_units < MIN_UNITS:
        return None
    return code, n_units, [column[known] for column in numbers]


def codes_of(units: Column) -> tuple[Any, int]:
    """
    Give clusters as 0 to n − 1, in the order of their integers, and n.

    >>> codes_of([7, 3, 7])[0].tolist()
    [1, 0, 1]
    """
    import numpy as np

    column = np.asarray(units)
    if column.dtype.kind == "i" and len(column) and column.min() >= 0 and column.max() < 8 * len(column):
        # Small integers need no sorting, and most columns of a report are coded already.
        is_there = np.bincount(column) > 0
        return (np.cumsum(is_there) - 1)[column], int(is_there.sum())
    found, code = np.unique(column, return_inverse=True)
    return code, len(found)


def shrunk_effect(seen: float, n_struck: int, sizes: Any) -> float:
    """
    Give a design effect: how many pairs of these clusters are worth one independent pair, at least 1.

    Args:
        seen: As it looks: the clusters' variance over that of as many independent pairs.
        n_struck: Clusters with an event. Few say little, so it is drawn towards that of `PRIOR_CORRELATION`.
        sizes: Pairs per cluster.

    Source:
        Kish (1965), Survey Sampling, §5.4, for 1 + (m − 1)·ρ.
    """
    size = float((sizes**2).sum() / sizes.sum())
    prior = 1 + (size - 1) * PRIOR_CORRELATION
    return max(1.0, (n_struck * seen + PRIOR_CLUSTERS * prior) / (n_struck + PRIOR_CLUSTERS))


def n_clusters(units: Column) -> int:
    """
    Give how many clusters there are.

    >>> n_clusters([3, 3, 8])
    2
    """
    import numpy as np

    return codes_of(np.asarray(units))[1]


def coded(*units: Column) -> list[Column]:
    """
    Give the clusters of several columns as small integers, equal ones equal in all of them.

    >>> [column.tolist() for column in coded([9, 4], [4])]
    [[1, 0], [0]]
    """
    import numpy as np

    columns = [np.asarray(column) for column in units]
    filled = [column for column in columns if len(column)]
    code = codes_of(np.concatenate(filled))[0] if filled else np.zeros(0, dtype=np.int64)
    ends = np.cumsum([len(column) for column in columns])
    return np.split(code, ends[:-1])


def ones_like(column: Column) -> Column:
    """
    Give as many ones.

    >>> ones_like([0.0, 2.0]).tolist()
    [1.0, 1.0]
    """
    import numpy as np

    return np.ones(len(column))
