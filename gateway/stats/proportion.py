"""Rates: one, and the difference of two. For a margin other than zero see `stats.score`."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

from gateway.stats.interval import Interval

NORMAL = NormalDist()


def wilson(successes: float, trials: float, *, confidence: float = 0.95) -> Interval | None:
    """
    Give Wilson's score interval for a rate.

    Unlike the textbook p ± z·se it stays inside [0, 1] and still says something useful at 0 failures, which is where
    a healthy canary spends its life.

    Args:
        successes: How often it happened, 0 ≤ successes ≤ trials.
        trials: How often it could have. Trials must be independent: retries of one request are one trial.
        confidence: Coverage wanted, in (0, 1). Holds for one look; to look as often as you like use `stats.anytime`.

    Returns:
        The interval, or None with no trials: no data is not a rate of zero.

    Raises:
        ValueError: Counts are negative, successes exceed trials, or confidence is outside (0, 1).

    Source:
        Wilson (1927), JASA 22:209-212; Brown, Cai & DasGupta (2001), Statistical Science 16:101-133.

    >>> i = wilson(0, 200)
    >>> round(i.low, 4), round(i.high, 4)
    (0.0, 0.0188)
    """
    require_counts(successes, trials)
    require_open_unit(confidence)
    if not trials:
        return None
    z = NORMAL.inv_cdf(0.5 + confidence / 2)
    rate = successes / trials
    center = (rate + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    # At 0 and at all the ends are exact; subtraction would leave a rounding error of either sign.
    low = 0.0 if successes == 0 else max(0.0, center - half)
    return Interval(low, 1.0 if successes == trials else min(1.0, center + half))


class ZTest(NamedTuple):
    """
    A test of two rates for equality.

    Attributes:
        difference: First minus second.
        z: In standard errors under equality.
        p_two_sided: P(a difference this large either way).
        p_greater: P(a difference this large upwards).
    """

    difference: float
    z: float
    p_two_sided: float
    p_greater: float


def z_test(successes: float, trials: float, other_successes: float, other_trials: float) -> ZTest | None:
    """
    Compare two rates by the pooled z test.

    Args:
        successes: Of the first, 0 ≤ successes ≤ trials.
        trials: Of the first; independent. At least 5 successes and 5 failures in each, or it is optimistic.
        other_successes: Of the second.
        other_trials: Of the second.

    Returns:
        The test, or None without trials or where nothing or everything succeeded in both.

    Raises:
        ValueError: Counts are negative or successes exceed trials.

    Source:
        Fleiss, Levin & Paik (2003), Statistical Methods for Rates and Proportions, §3.2, without correction.

    >>> t = z_test(840, 1000, 800, 1000)
    >>> round(t.z, 6), round(t.p_two_sided, 6), round(t.p_greater, 6)
    (2.328101, 0.019907, 0.009953)
    """
    require_counts(successes, trials)
    require_counts(other_successes, other_trials)
    if not trials or not other_trials:
        return None
    pooled = (successes + other_successes) / (trials + other_trials)
    variance = pooled * (1 - pooled) * (1 / trials + 1 / other_trials)
    if variance <= 0:
        return None
    difference = successes / trials - other_successes / other_trials
    z = difference / sqrt(variance)
    return ZTest(difference, z, 2 * NORMAL.cdf(-abs(z)), NORMAL.cdf(-z))


def newcombe(
    successes: float, trials: float, other_successes: float, other_trials: float, *, confidence: float = 0.95
) -> Interval | None:
    """
    Give Newcombe's interval for the difference of two rates, first minus second.

    Args:
        successes: Of the first, 0 ≤ successes ≤ trials.
        trials: Of the first; independent.
        other_successes: Of the second.
        other_trials: Of the second.
        confidence: Coverage, in (0, 1); one look.

    Returns:
        The interval, inside [−1, 1], or None without trials in one of them.

    Raises:
        ValueError: Counts are negative, successes exceed trials, or confidence is outside (0, 1).

    Source:
        Newcombe (1998), Statistics in Medicine 17:873-890, method 10.

    >>> i = newcombe(56, 70, 48, 80)
    >>> round(i.low, 4), round(i.high, 4)
    (0.0524, 0.3339)
    """
    one = wilson(successes, trials, confidence=confidence)
    two = wilson(other_successes, other_trials, confidence=confidence)
    if one is None or two is None:
        return None
    rate, other = successes / trials, other_successes / other_trials
    down = sqrt((rate - one.low) ** 2 + (two.high - other) ** 2)
    up = sqrt((one.high - rate) ** 2 + (other - two.low) ** 2)
    return Interval(rate - other - down, rate - other + up)


def require_counts(successes: float, trials: float) -> None:
    """
    Refuse counts that cannot be.

    Raises:
        ValueError: Counts are negative or successes exceed trials.
    """
    if not 0 <= successes <= trials:
        msg = f"successes lie between 0 and trials, not {successes} of {trials}"
        raise ValueError(msg)


def require_open_unit(*shares: float) -> None:
    """
    Refuse shares outside (0, 1).

    Raises:
        ValueError: One of them is.
    """
    for share in shares:
        if not 0 < share < 1:
            msg = f"this lies in (0, 1), not {share}"
            raise ValueError(msg)
