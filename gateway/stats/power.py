"""
How much is needed: units, requests and the smallest effect that a plan could find.

All sizes are real numbers of units per arm (round up), by normal approximation. Unless said otherwise both arms are
equally large; `of_candidate` turns such a size into the candidate's, when its share is smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import asin, exp, log, sqrt
from statistics import NormalDist

from gateway.stats.anytime import half_width
from gateway.stats.proportion import require_open_unit

NORMAL = NormalDist()

HAZARDS = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
"""Hazard ratios that the e-process bets on, and how much on each (decisions.md § 1.1)."""
STAKES = (0.15, 0.25, 0.20, 0.15, 0.10, 0.10, 0.05)


def two_rates_n(
    rate: float,
    other: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    sides: int = 2,
    is_pooled: bool = True,
    share: float = 0.5,
) -> float:
    """
    Give the units per arm that tell two rates apart.

    Args:
        rate: One rate, in (0, 1).
        other: The other, unequal.
        alpha: Of the test, in (0, 1).
        power: P(it finds the difference), in (0, 1).
        sides: 1 or 2.
        is_pooled: The test pools the variance under equality (as the usual z test does).
        share: The other's share of both arms, in (0, 1); where not half, the answer is what `of_candidate` takes.

    Raises:
        ValueError: Something is out of range or the rates are equal.

    Source:
        Fleiss, Levin & Paik (2003), §4.2; for unequal arms §4.3.

    >>> round(two_rates_n(0.8, 0.84, sides=1), 2), round(two_rates_n(0.8, 0.84, is_pooled=False), 2)
    (1139.64, 1444.19)
    """
    require_test(rate, other, alpha, power, sides)
    require_open_unit(share)
    if rate == other:
        msg = "two equal rates cannot be told apart"
        raise ValueError(msg)
    z_alpha, z_power = NORMAL.inv_cdf(1 - alpha / sides), NORMAL.inv_cdf(power)
    apart = 2 * (share * rate * (1 - rate) + (1 - share) * other * (1 - other))
    mean = (1 - share) * rate + share * other
    null = 2 * mean * (1 - mean) if is_pooled else apart
    return ((z_alpha * sqrt(null) + z_power * sqrt(apart)) / (rate - other)) ** 2


def two_rates_n_arcsine(rate: float, other: float, *, alpha: float = 0.05, power: float = 0.8, sides: int = 2) -> float:
    """
    Give the units per arm by the arcsine transformation, which some calculators use.

    Raises:
        ValueError: Something is out of range or the rates are equal.

    Source:
        Cohen (1988), Statistical Power Analysis, §6.4.

    >>> round(two_rates_n_arcsine(0.8, 0.84, sides=1))
    1137
    """
    require_test(rate, other, alpha, power, sides)
    if rate == other:
        msg = "two equal rates cannot be told apart"
        raise ValueError(msg)
    h = 2 * asin(sqrt(rate)) - 2 * asin(sqrt(other))
    return 2 * ((NORMAL.inv_cdf(1 - alpha / sides) + NORMAL.inv_cdf(power)) / h) ** 2


def two_means_n(sd: float, effect: float, *, alpha: float = 0.05, power: float = 0.8, sides: int = 2) -> float:
    """
    Give the units per arm that find a difference of means.

    Args:
        sd: Standard deviation between units, above 0.
        effect: The difference, in the same unit, not 0.
        alpha: Of the test, in (0, 1).
        power: In (0, 1).
        sides: 1 or 2.

    Raises:
        ValueError: Something is out of range.

    Source:
        Normal approximation, 2(z_alpha + z_power)²(sd/effect)².

    >>> round(two_means_n(1.0, 0.1), 1)
    1569.8
    """
    require_open_unit(alpha, power)
    if sd <= 0 or effect == 0 or sides not in (1, 2):
        msg = f"sd above 0, an effect and one or two sides, not {sd}, {effect}, {sides}"
        raise ValueError(msg)
    return 2 * ((NORMAL.inv_cdf(1 - alpha / sides) + NORMAL.inv_cdf(power)) * sd / effect) ** 2


def power_of(n: float, rate: float, other: float, *, alpha: float = 0.05, sides: int = 2) -> float:
    """
    Give P(the pooled z test finds the difference) with `n` units per arm.

    Args:
        n: Units per arm, above 0.
        rate: One rate, in (0, 1).
        other: The other.
        alpha: In (0, 1).
        sides: 1 or 2.

    Raises:
        ValueError: Something is out of range.

    Source:
        `two_rates_n`, solved for the power; the far side of a two-sided test is neglected.

    >>> round(power_of(1200, 0.8, 0.84, sides=1), 3), round(power_of(1200, 0.8, 0.84), 3)
    (0.818, 0.723)
    """
    require_test(rate, other, alpha, 0.5, sides)
    if n <= 0:
        msg = f"units are above 0, not {n}"
        raise ValueError(msg)
    mean = (rate + other) / 2
    apart = rate * (1 - rate) + other * (1 - other)
    z_alpha = NORMAL.inv_cdf(1 - alpha / sides)
    return NORMAL.cdf((abs(rate - other) * sqrt(n) - z_alpha * sqrt(2 * mean * (1 - mean))) / sqrt(apart))


def detectable_lift(n: float, rate: float, *, alpha: float = 0.05, power: float = 0.8, sides: int = 2) -> float | None:
    """
    Give the smallest relative lift of a rate that `n` units per arm could find: the MDE.

    Args:
        n: Units per arm, above 0.
        rate: The baseline's, in (0, 1).
        alpha: In (0, 1).
        power: In (0, 1).
        sides: 1 or 2.

    Returns:
        The lift, 0.05 for 5 %; None where not even a rate of 1 would be found.

    Raises:
        ValueError: Something is out of range.

    Source:
        `two_rates_n`, solved for the effect by bisection.

    >>> round(detectable_lift(1139.64, 0.8, sides=1), 3)
    0.05
    """
    require_test(rate, rate, alpha, power, sides)
    highest = (1 - 1e-9) / rate - 1
    if n <= 0 or power_of(n, rate, rate * (1 + highest), alpha=alpha, sides=sides) < power:
        return None
    return bisected(lambda lift: power_of(n, rate, rate * (1 + lift), alpha=alpha, sides=sides) < power, 0.0, highest)


def non_inferiority_n(rate: float, margin: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """
    Give the units per arm that prove an equally good candidate no worse than a relative margin.

    Args:
        rate: Both arms' true rate, in (0, 1).
        margin: Relative, in (0, 1): 0.05 asks for at least 95 % of the baseline's rate.
        alpha: One-sided, in (0, 1).
        power: In (0, 1).

    Raises:
        ValueError: Something is out of range.

    Source:
        Blackwelder (1982), Controlled Clinical Trials 3:345-353. At one look; times `anytime_inflation` at any number.

    >>> round(non_inferiority_n(0.8, 0.05), 1)
    1236.5
    """
    require_open_unit(rate, margin, alpha, power)
    wanted = NORMAL.inv_cdf(1 - alpha) + NORMAL.inv_cdf(power)
    return 2 * rate * (1 - rate) * (wanted / (margin * rate)) ** 2


def of_candidate(n_per_arm: float, *, share: float) -> float:
    """
    Give the candidate's units that are worth `n_per_arm` in each of two equal arms.

    Args:
        n_per_arm: Units in each of two equally large arms.
        share: The candidate's share of all compared units, in (0, 1); 0.05 against all the rest.

    Raises:
        ValueError: Share is outside (0, 1).

    Source:
        1/n_c + 1/n_b = 2/n with n_b = n_c(1 − share)/share.

    >>> round(of_candidate(1236.5, share=0.05)), round(of_candidate(1236.5, share=0.5))
    (651, 1236)
    """
    require_open_unit(share)
    return n_per_arm / (2 * (1 - share))


def balanced_units(candidate: float, baseline: float) -> float:
    """
    Give how many units in two equal arms together know as much as these two.

    Args:
        candidate: Its units, at least 0.
        baseline: Its units, at least 0.

    >>> balanced_units(50, 50), round(balanced_units(50, 950))
    (100.0, 190)
    """
    together = candidate + baseline
    return 4.0 * candidate * baseline / together if together else 0.0


@lru_cache(maxsize=64)  # asked for with a handful of levels, thousands of times
def anytime_inflation(*, alpha: float = 0.05, power: float = 0.8, sides: int = 1) -> float:
    """
    Give how many times more units a comparison needs that may be looked at any number of times.

    Args:
        alpha: In (0, 1), over one or two sides.
        power: P(some look up to then finds the effect), in (0, 1).
        sides: 1 or 2.

    Raises:
        ValueError: Something is out of range.

    Source:
        The confidence sequence of `stats.anytime`, tuned to the size a single look would need; the chance of crossing
        its curve by that of crossing the curve's tangent (Siegmund 1985, Sequential Analysis, eq. 3.15), within 2 %.

    >>> round(anytime_inflation(), 2), round(anytime_inflation(alpha=0.01), 2)
    (1.78, 1.55)
    """
    require_open_unit(alpha, power)
    planned = (NORMAL.inv_cdf(1 - alpha / sides) + NORMAL.inv_cdf(power)) ** 2

    # On the scale of sums: one unit's deviation is 1, the effect is 1, so `planned` units suffice for one look.
    def line(n: float) -> float:
        return n * half_width(n, se=1 / sqrt(n), alpha=alpha, n_star=planned, sides=sides)

    def is_short(factor: float) -> bool:
        n = factor * planned
        slope = (line(n * 1.0001) - line(n * 0.9999)) / (n * 0.0002)
        start, drift = line(n) - slope * n, 1 - slope
        first = NORMAL.cdf((drift * n - start) / sqrt(n))
        return first + exp(2 * drift * start) * NORMAL.cdf((-start - drift * n) / sqrt(n)) < power

    return bisected(is_short, 1.0, 20.0)


def e_process_requests(rate: float, ratio: float, *, share: float = 0.05, alpha: float = 0.001) -> float | None:
    """
    Give the candidate's requests after which the e-process over failures passes 1/alpha, along its expected path.

    Independent requests are assumed; by users, whose failures are counted once, it takes longer. It stays within a
    fifth of the simulated median, and is a quarter above it at a ratio of 2.

    Args:
        rate: The baseline's failure rate, in (0, 1).
        ratio: Candidate over baseline, above 1; the candidate's rate is at most 1.
        share: The candidate's share of compared slots, in (0, 1).
        alpha: In (0, 1).

    Returns:
        Requests, or None where the path never gets there.

    Raises:
        ValueError: Something is out of range.

    Source:
        ter Schure, Pérez-Ortiz, Ly & Grünwald (2024), NEJSDS, doi 10.51387/24-NEJSDS65; hazards and stakes as here.

    >>> round(e_process_requests(0.01, 5.0))
    227
    """
    require_open_unit(rate, share, alpha)
    if ratio <= 1:
        msg = f"a ratio to detect lies above 1, not {ratio}"
        raise ValueError(msg)
    failing = min(1.0, rate * ratio)
    others = rate * (1 - share) / share

    def is_short(requests: float) -> bool:
        return log_e_expected(requests * failing, requests * others, share) < -log(alpha)

    most = 1e12
    return None if is_short(most) else bisected(is_short, 0.0, most)


def log_e_expected(candidate: float, baseline: float, share: float) -> float:
    """
    Give the logarithm of the e-process after so many failures, real numbers allowed.

    >>> round(exp(log_e_expected(3, 0, 0.05)), 1)
    470.9
    """
    terms = []
    for hazard, stake in zip(HAZARDS, STAKES, strict=True):
        theta = share * hazard / (share * hazard + 1 - share)
        terms.append(log(stake) + candidate * log(theta / share) + baseline * log((1 - theta) / (1 - share)))
    top = max(terms)
    return top + log(sum(exp(term - top) for term in terms))


def bisected(is_short: Callable[[float], bool], low: float, high: float) -> float:
    """Give where `is_short` turns from true to false between `low` and `high`; to a part in 2⁶⁰ of the span."""
    for _ in range(60):
        middle = (low + high) / 2
        if is_short(middle):
            low = middle
        else:
            high = middle
    return high


def require_test(rate: float, other: float, alpha: float, power: float, sides: int) -> None:
    """
    Refuse what no test can be planned with.

    Raises:
        ValueError: Something is out of range.
    """
    require_open_unit(rate, other, alpha, power)
    if sides not in (1, 2):
        msg = f"a test has one side or two, not {sides}"
        raise ValueError(msg)
