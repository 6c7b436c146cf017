"""
Quantiles from log-bucket sketches that merge exactly, and their ratio when a unit's values resemble each other.

A sketch is a plain mapping from bucket to count; bucket i holds the values in (γ^(i−1), γ^i] with γ = 1.01/0.99, so
every quantile is within 1 % of the true one, and merging is adding. The same sketches come from minute rollups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, exp, log, sqrt
from statistics import NormalDist

from gateway.stats.interval import Interval

Sketch = dict[int, int]
"""Bucket to count."""

GAMMA = 1.01 / 0.99
PER_LOG = 1.0 / log(GAMMA)
LEAST = 1e-3
"""Values below share one bucket: a microsecond, where values are milliseconds."""


def bucket_of(value: float) -> int:
    """
    Give the bucket of a value.

    >>> bucket_of(1.0), bucket_of(100.0)
    (0, 231)
    """
    return ceil(log(max(value, LEAST)) * PER_LOG)


def value_of(bucket: int) -> float:
    """
    Give the value that stands for a bucket, within 1 % of all in it.

    >>> round(value_of(bucket_of(100.0)))
    100
    """
    return 2.0 * exp(bucket / PER_LOG) / (GAMMA + 1.0)


def sketch_of(values: Iterable[float]) -> Sketch:
    """
    Give the sketch of `values`.

    >>> sketch_of([1.0, 1.0, 100.0])
    {0: 2, 231: 1}
    """
    sketch: Sketch = {}
    for value in values:
        bucket = bucket_of(value)
        sketch[bucket] = sketch.get(bucket, 0) + 1
    return sketch


def merged(sketches: Iterable[Mapping[int, int]]) -> Sketch:
    """
    Give all sketches together, exactly.

    >>> merged([{0: 2}, {0: 1, 5: 1}])
    {0: 3, 5: 1}
    """
    together: Sketch = {}
    for sketch in sketches:
        for bucket, count in sketch.items():
            together[bucket] = together.get(bucket, 0) + count
    return together


def quantile(sketch: Mapping[int, int], q: float) -> float | None:
    """
    Give the smallest value that at least a share `q` of a sketch's values do not exceed.

    Args:
        sketch: Bucket to count.
        q: In [0, 1].

    Returns:
        The value within 1 %, or None of an empty sketch.

    Raises:
        ValueError: `q` is outside [0, 1].

    Source:
        Masson, Rim & Lee (2019), DDSketch, PVLDB 12:2195-2205.

    >>> round(quantile(sketch_of(range(1, 101)), 0.95))
    95
    """
    if not 0 <= q <= 1:
        msg = f"a quantile's share lies in [0, 1], not {q}"
        raise ValueError(msg)
    total = sum(sketch.values())
    if not total:
        return None
    wanted = max(1, ceil(q * total - 1e-9))
    for bucket in sorted(sketch):
        wanted -= sketch[bucket]
        if wanted <= 0:
            return value_of(bucket)
    return value_of(max(sketch))


@dataclass(frozen=True, slots=True)
class ClusteredQuantile:
    """
    A quantile of values that come in clusters.

    Attributes:
        value: The quantile, in the unit of the values.
        low: Value at the lower rank, at `confidence`.
        high: Value at the upper rank.
        se_rank: Standard error of the rank, a share.
        n_values: Values in all.
        n_units: Units they come from.
    """

    value: float
    low: float
    high: float
    se_rank: float
    n_values: int
    n_units: int


def clustered_quantile(
    by_unit: Sequence[Mapping[int, int]], q: float, *, confidence: float = 0.95
) -> ClusteredQuantile | None:
    """
    Give a quantile and its interval by order statistics, with a cluster-robust standard error of the rank.

    se_rank² = Σ_u (S_u − q·N_u)² · U/(U−1) / n², S_u counting unit u's values up to the quantile: ten slow requests
    of one user are one slow user, not ten. The bounds are the values at ranks q ± z·se_rank.

    Args:
        by_unit: A sketch per unit.
        q: In (0, 1).
        confidence: Two-sided coverage, in (0, 1), for one look; units must be independent of each other.

    Returns:
        The quantile, or None with fewer than two units.

    Raises:
        ValueError: `q` or `confidence` is outside (0, 1).

    Source:
        Deng, Knoblich & Lu (2018), KDD, §4; Yao, Li & Lu (2024). Where a bound's rank passes 0 or 1 it is the
        smallest or largest value seen, which is too narrow: take at least 200 values from 20 units.

    >>> c = clustered_quantile([sketch_of([v]) for v in range(1, 1001)], 0.95)
    >>> round(c.value), round(c.low), round(c.high), c.n_units
    (944, 944, 963, 1000)
    """
    if not (0 < q < 1 and 0 < confidence < 1):
        msg = f"q and confidence lie in (0, 1), not {q}, {confidence}"
        raise ValueError(msg)
    units = [sketch for sketch in by_unit if sketch]
    if len(units) < 2:
        return None
    together = merged(units)
    n = sum(together.values())
    cut = bucket_at(together, q)
    # A bucket holds many values: count the share up to and with it, not q itself, or the ties would look like noise.
    share = sum(count for bucket, count in together.items() if bucket <= cut) / n
    spread = 0.0
    for sketch in units:
        below = sum(count for bucket, count in sketch.items() if bucket <= cut)
        spread += (below - share * sum(sketch.values())) ** 2
    se_rank = sqrt(spread * len(units) / (len(units) - 1)) / n
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    low = value_of(bucket_at(together, max(0.0, q - z * se_rank)))
    high = value_of(bucket_at(together, min(1.0, q + z * se_rank)))
    return ClusteredQuantile(value_of(cut), low, high, se_rank, n, len(units))


def bucket_at(sketch: Mapping[int, int], q: float) -> int:
    """
    Give the bucket in which a sketch's quantile lies.

    Raises:
        ValueError: The sketch is empty.

    >>> bucket_at({3: 1, 7: 1}, 0.5), bucket_at({3: 1, 7: 1}, 0.51)
    (3, 7)
    """
    wanted = max(1, ceil(q * sum(sketch.values()) - 1e-9))
    for bucket in sorted(sketch):
        wanted -= sketch[bucket]
        if wanted <= 0:
            return bucket
    msg = "an empty sketch has no quantile"
    raise ValueError(msg)


def without_largest(by_unit: Sequence[Mapping[int, int]], q: float, n: int) -> list[Mapping[int, int]]:
    """
    Give all but the `n` units that hold the quantile up: those with most values above it.

    Args:
        by_unit: A sketch per unit.
        q: In (0, 1).
        n: At least 0; all are left out where there are no more.

    Raises:
        ValueError: `q` is outside (0, 1).

    >>> without_largest([{0: 9}, {0: 5, 9: 4}, {0: 8, 9: 1}], 0.5, 1)
    [{0: 9}, {0: 8, 9: 1}]
    """
    if not 0 < q < 1:
        msg = f"q lies in (0, 1), not {q}"
        raise ValueError(msg)
    units = [sketch for sketch in by_unit if sketch]
    if len(units) <= n:
        return []
    cut = bucket_at(merged(units), q)
    # Of any unit's values a share 1 - q may be above: many requests alone hold nothing up.
    beyond = [sum(count * ((bucket > cut) - (1 - q)) for bucket, count in sketch.items()) for sketch in units]
    kept = sorted(range(len(units)), key=beyond.__getitem__)[: len(units) - n]
    return [units[at] for at in sorted(kept)]


@dataclass(frozen=True, slots=True)
class QuantileRatio:
    """
    The ratio of two arms' quantiles.

    Attributes:
        ratio: Candidate over baseline.
        interval: At the confidence asked for.
        log_se: Standard error of its logarithm.
        candidate: The candidate's quantile.
        baseline: The baseline's.
    """

    ratio: float
    interval: Interval
    log_se: float
    candidate: ClusteredQuantile
    baseline: ClusteredQuantile


def quantile_ratio(
    candidate: Sequence[Mapping[int, int]],
    baseline: Sequence[Mapping[int, int]],
    q: float,
    *,
    confidence: float = 0.95,
) -> QuantileRatio | None:
    """
    Give the ratio of two arms' quantiles with a cluster-robust interval.

    Each arm's bounds on the log scale are added in quadrature on the side that matters (MOVER), so that the long
    upper tail of latencies does not make the lower bound look better than it is.

    Args:
        candidate: A sketch per unit.
        baseline: Likewise; no unit in both.
        q: In (0, 1).
        confidence: Two-sided coverage in (0, 1); one look.

    Returns:
        The ratio, or None with fewer than two units in an arm.

    Raises:
        ValueError: `q` or `confidence` is outside (0, 1).

    Source:
        `clustered_quantile`; Donner & Zou (2012), Stat. Methods Med. Res. 21:347-359 for the combination.

    >>> slow = [sketch_of([3.0 * v]) for v in range(1, 400)]
    >>> r = quantile_ratio(slow, [sketch_of([v]) for v in range(1, 400)], 0.95)
    >>> round(r.ratio, 1), r.interval.low > 2.5
    (3.0, True)
    """
    one = clustered_quantile(candidate, q, confidence=confidence)
    two = clustered_quantile(baseline, q, confidence=confidence)
    if one is None or two is None:
        return None
    center = log(one.value / two.value)
    down = sqrt(log(one.value / one.low) ** 2 + log(two.high / two.value) ** 2)
    up = sqrt(log(one.high / one.value) ** 2 + log(two.value / two.low) ** 2)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    interval = Interval(exp(center - down), exp(center + up))
    return QuantileRatio(exp(center), interval, (down + up) / (2 * z), one, two)
