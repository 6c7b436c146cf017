"""
Non-inferiority of rates: score tests and intervals for a difference or a ratio other than the null.

Under the null the two rates are tied by the margin, so their variance has to be estimated under that tie
(Farrington–Manning). Plugging the observed rates in, or pooling them as if they were equal, is wrong exactly where a
margin is asked about; a well-known library does so (statsmodels, issue 10269), hence this file.
"""

from __future__ import annotations

from collections.abc import Callable
from math import acos, cos, inf, pi, sqrt
from statistics import NormalDist
from typing import NamedTuple

from gateway.stats.interval import Interval
from gateway.stats.proportion import require_counts, require_open_unit

NORMAL = NormalDist()


class ScoreTest(NamedTuple):
    """
    A one-sided test against a margin.

    Attributes:
        estimate: The difference or ratio seen, candidate to baseline.
        z: How far above the null, in standard errors under the null.
        p: P(so far above or farther), if the truth were the null: small means non-inferior.
    """

    estimate: float
    z: float
    p: float


class Counts(NamedTuple):
    """
    Two arms' counts.

    Attributes:
        successes: The candidate's.
        trials: The candidate's; independent.
        other_successes: The baseline's.
        other_trials: The baseline's.
    """

    successes: float
    trials: float
    other_successes: float
    other_trials: float


def difference_test(counts: Counts, *, null: float) -> ScoreTest | None:
    """
    Test whether candidate − baseline > `null`, by Farrington and Manning's score.

    Args:
        counts: Two arms' counts.
        null: The difference under the null, in (−1, 1): −0.04 for "no more than four points worse".

    Returns:
        The test, or None without trials in an arm.

    Raises:
        ValueError: Counts cannot be, or `null` is outside (−1, 1).

    Source:
        Farrington & Manning (1990), Statistics in Medicine 9:1447-1454; Miettinen & Nurminen (1985), ibid. 4:213-226.

    >>> t = difference_test(Counts(83, 100, 80, 100), null=-0.1)
    >>> round(t.z, 3), round(t.p, 4)
    (2.327, 0.01)
    """
    require(counts)
    if not -1 < null < 1:
        msg = f"a difference under the null lies in (-1, 1), not {null}"
        raise ValueError(msg)
    if not counts.trials or not counts.other_trials:
        return None
    estimate = counts.successes / counts.trials - counts.other_successes / counts.other_trials
    z = difference_z(counts, null)
    return ScoreTest(estimate, z, NORMAL.cdf(-z))


def ratio_test(counts: Counts, *, null: float) -> ScoreTest | None:
    """
    Test whether candidate / baseline > `null`, by Farrington and Manning's score.

    Args:
        counts: Two arms' counts.
        null: The ratio under the null, above 0: 0.95 for "no more than 5 % worse, relative".

    Returns:
        The test, or None without trials in an arm or where the baseline's rate is 0.

    Raises:
        ValueError: Counts cannot be, or `null` is not above 0.

    Source:
        Farrington & Manning (1990); Koopman (1984), Biometrics 40:513-517.

    >>> t = ratio_test(Counts(830, 1000, 800, 1000), null=0.95)
    >>> round(t.estimate, 4), t.p < 0.001
    (1.0375, True)
    """
    require(counts)
    if null <= 0:
        msg = f"a ratio under the null lies above 0, not {null}"
        raise ValueError(msg)
    if not counts.trials or not counts.other_trials or not counts.other_successes:
        return None
    estimate = (counts.successes / counts.trials) / (counts.other_successes / counts.other_trials)
    z = ratio_z(counts, null)
    return ScoreTest(estimate, z, NORMAL.cdf(-z))


def difference_interval(counts: Counts, *, confidence: float = 0.95) -> Interval | None:
    """
    Give Miettinen and Nurminen's interval for candidate − baseline.

    Args:
        counts: Two arms' counts.
        confidence: Two-sided coverage, in (0, 1); one look. For a one-sided 5 % margin test ask for 0.9.

    Returns:
        The interval inside [−1, 1], or None without trials in an arm.

    Raises:
        ValueError: Counts cannot be, or confidence is outside (0, 1).

    Source:
        Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226; with their N/(N−1).

    >>> i = difference_interval(Counts(56, 70, 48, 80))
    >>> round(i.low, 4), round(i.high, 4)
    (0.0528, 0.3382)
    """
    require(counts)
    require_open_unit(confidence)
    if not counts.trials or not counts.other_trials:
        return None
    total = counts.trials + counts.other_trials
    wanted = NORMAL.inv_cdf(0.5 + confidence / 2) * sqrt(total / (total - 1))
    estimate = counts.successes / counts.trials - counts.other_successes / counts.other_trials

    def z_at(null: float) -> float:
        return difference_z(counts, null)

    low = -1.0 if z_at(-1.0) <= wanted else crossing(z_at, wanted, -1.0, estimate)
    high = 1.0 if z_at(1.0) >= -wanted else crossing(z_at, -wanted, estimate, 1.0)
    return Interval(low, high)


def ratio_interval(counts: Counts, *, confidence: float = 0.95, is_corrected: bool = True) -> Interval | None:
    """
    Give the score interval for candidate / baseline.

    Args:
        counts: Two arms' counts.
        confidence: Two-sided coverage, in (0, 1); one look.
        is_corrected: With N/(N−1) (Miettinen and Nurminen); without it is Koopman's.

    Returns:
        The interval, its upper end infinite where the baseline has no success; None without trials in an arm or
        successes in either.

    Raises:
        ValueError: Counts cannot be, or confidence is outside (0, 1).

    Source:
        Miettinen & Nurminen (1985), Statistics in Medicine 4:213-226; Koopman (1984), Biometrics 40:513-517.

    >>> i = ratio_interval(Counts(36, 40, 16, 80), is_corrected=False)
    >>> round(i.low, 3), round(i.high, 3)
    (2.94, 7.152)
    """
    require(counts)
    require_open_unit(confidence)
    if not counts.trials or not counts.other_trials or not (counts.successes or counts.other_successes):
        return None
    total = counts.trials + counts.other_trials
    wanted = NORMAL.inv_cdf(0.5 + confidence / 2) * (sqrt(total / (total - 1)) if is_corrected else 1.0)

    def z_at(null: float) -> float:
        return ratio_z(counts, null)

    # The ratio lives on (0, ∞): bisect on a scale where both ends are finite.
    low = 0.0 if not counts.successes else unfolded(crossing(lambda s: z_at(unfolded(s)), wanted, 1e-9, 1 - 1e-9))
    high = inf
    if counts.other_successes:
        high = unfolded(crossing(lambda s: z_at(unfolded(s)), -wanted, 1e-9, 1 - 1e-9))
    return Interval(low, high)


def difference_z(counts: Counts, null: float) -> float:
    """Give the distance above a difference of `null`, in standard errors under it; trials above 0."""
    rate, other = counts.successes / counts.trials, counts.other_successes / counts.other_trials
    first, second = tied_by_difference(counts, null)
    variance = first * (1 - first) / counts.trials + second * (1 - second) / counts.other_trials
    return standardized(rate - other - null, variance)


def ratio_z(counts: Counts, null: float) -> float:
    """Give the distance above a ratio of `null`, in standard errors under it; trials above 0."""
    rate, other = counts.successes / counts.trials, counts.other_successes / counts.other_trials
    first, second = tied_by_ratio(counts, null)
    variance = first * (1 - first) / counts.trials + null * null * second * (1 - second) / counts.other_trials
    return standardized(rate - null * other, variance)


def tied_by_difference(counts: Counts, null: float) -> tuple[float, float]:
    """
    Give the likeliest rates (candidate, baseline) among those that differ by `null`.

    Source: the closed root of the cubic in Farrington & Manning (1990), appendix 1.

    >>> [round(rate, 4) for rate in tied_by_difference(Counts(83, 100, 80, 100), 0.0)]
    [0.815, 0.815]
    """
    share = counts.other_trials / counts.trials
    rate, other = counts.successes / counts.trials, counts.other_successes / counts.other_trials
    a = 1 + share
    b = -(1 + share + rate + share * other + null * (share + 2))
    c = null * null + null * (2 * rate + share + 1) + rate + share * other
    d = -rate * null * (1 + null)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a * a) + d / (2 * a)
    under = max(0.0, (b / (3 * a)) ** 2 - c / (3 * a))
    u = sqrt(under) if v > 0 else -sqrt(under)
    turn = (pi + acos(min(1.0, max(-1.0, v / u**3)))) / 3 if u else pi / 2
    first = 2 * u * cos(turn) - b / (3 * a)
    first = min(min(1.0, 1.0 + null), max(max(0.0, null), first))
    return first, min(1.0, max(0.0, first - null))


def tied_by_ratio(counts: Counts, null: float) -> tuple[float, float]:
    """
    Give the likeliest rates (candidate, baseline) among those whose ratio is `null`.

    Source: the quadratic in Farrington & Manning (1990), appendix 1.

    >>> [round(rate, 4) for rate in tied_by_ratio(Counts(83, 100, 80, 100), 1.0)]
    [0.815, 0.815]
    """
    share = counts.other_trials / counts.trials
    rate, other = counts.successes / counts.trials, counts.other_successes / counts.other_trials
    a = 1 + share
    b = -(null * (1 + share * other) + share + rate)
    c = null * (rate + share * other)
    # The smaller root written without a difference of near equals: for large ratios it would lose its digits.
    first = 2 * c / (-b + sqrt(max(0.0, b * b - 4 * a * c)))
    first = min(1.0, max(0.0, first))
    return first, min(1.0, first / null)


def standardized(distance: float, variance: float) -> float:
    """Give distance in standard errors; infinite with no variance, and 0 where there is no distance either."""
    if variance > 0:
        return distance / sqrt(variance)
    return 0.0 if abs(distance) < 1e-12 else inf if distance > 0 else -inf


def unfolded(scale: float) -> float:
    """Give the ratio at a point of (0, 1): 1 at a half."""
    return scale / (1 - scale)


def crossing(z_at: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Give where a falling function meets `wanted` between `low` and `high`, to 1e-12."""
    for _ in range(60):
        middle = (low + high) / 2
        if z_at(middle) > wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def require(counts: Counts) -> None:
    """
    Refuse counts that cannot be.

    Raises:
        ValueError: They are negative, or successes exceed trials.
    """
    require_counts(counts.successes, counts.trials)
    require_counts(counts.other_successes, counts.other_trials)
