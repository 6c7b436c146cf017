"""Means of independent units: Welch's comparison from moments, and the adjustment by what was known before."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from gateway.stats.interval import Interval
from gateway.stats.moments import Moments, PairMoments
from gateway.stats.proportion import require_open_unit


class WelchTest(NamedTuple):
    """
    Two means compared.

    Attributes:
        difference: First minus second, in the unit of the values.
        se: Its standard error.
        degrees: Degrees of freedom.
        p_two_sided: P(a difference this large either way).
        p_greater: P(a difference this large upwards).
        interval: Two-sided, at the confidence asked for.
    """

    difference: float
    se: float
    degrees: float
    p_two_sided: float
    p_greater: float
    interval: Interval


def welch(first: Moments, second: Moments, *, confidence: float = 0.95) -> WelchTest | None:
    """
    Compare two means without assuming equal spread.

    Args:
        first: Of independent units: means per user, not requests of the same users.
        second: Likewise.
        confidence: Two-sided coverage of the interval, in (0, 1); one look.

    Returns:
        The comparison, or None with fewer than two values in one, or no spread in both.

    Raises:
        ValueError: Confidence is outside (0, 1).

    Source:
        Welch (1947), Biometrika 34:28-35; Satterthwaite (1946) for the degrees of freedom. On scores with two humps it
        keeps its size from 30 units on.

    >>> t = welch(Moments.of_sums(3461, 2422.7, 134698.29), Moments.of_sums(3407, 1396.87, 52377.9767))
    >>> round(t.difference, 3), round(t.se, 5), round(t.p_two_sided, 5)
    (0.29, 0.12478, 0.02016)
    """
    require_open_unit(confidence)
    if first.se is None or second.se is None:
        return None
    one, two = first.se**2, second.se**2
    if one + two <= 0:
        return None
    from scipy.special import stdtr, stdtrit  # type: ignore[import-untyped]  # here: no trip needs it

    se = sqrt(one + two)
    degrees = (one + two) ** 2 / (one * one / (first.n - 1) + two * two / (second.n - 1))
    difference = first.mean - second.mean
    below = float(stdtr(degrees, -difference / se))
    half = float(stdtrit(degrees, 0.5 + confidence / 2)) * se
    p_two_sided = 2 * float(stdtr(degrees, -abs(difference) / se))
    return WelchTest(difference, se, degrees, p_two_sided, below, Interval(difference - half, difference + half))


def cuped_theta(*arms: PairMoments) -> float | None:
    """
    Give how much of a unit's earlier value to subtract from its later one, pooled over arms.

    The adjusted mean, y − θ(x − x̄), has its variance times 1 − ρ². One θ for all arms keeps the comparison unbiased.

    Args:
        arms: Per arm, pairs (x before, y after) by unit; x measured before anybody was exposed.

    Returns:
        θ = Σcov(x, y)/Σvar(x) within arms, or None where x does not vary.

    Source:
        Deng, Xu, Kohavi & Walker (2013), WSDM, §3.2.

    >>> cuped_theta(PairMoments.of([(1.0, 2.0), (2.0, 4.0)]), PairMoments.of([(5.0, 1.0), (6.0, 3.0)]))
    2.0
    """
    spread = sum(arm.x.m2 for arm in arms)
    return sum(arm.cross for arm in arms) / spread if spread > 0 else None


def cuped(arm: PairMoments, *, theta: float, x_mean: float) -> Moments:
    """
    Give an arm's moments after the adjustment.

    Args:
        arm: Pairs (x before, y after) by unit.
        theta: From `cuped_theta`.
        x_mean: Mean of x over all arms, in its unit: the same for every arm.

    >>> cuped(PairMoments.of([(1.0, 2.0), (2.0, 4.0)]), theta=2.0, x_mean=1.0)
    Moments(n=2, mean=2.0, m2=0.0)
    """
    m2 = arm.y.m2 - 2 * theta * arm.cross + theta * theta * arm.x.m2
    return Moments(arm.y.n, arm.y.mean - theta * (arm.x.mean - x_mean), max(0.0, m2))
