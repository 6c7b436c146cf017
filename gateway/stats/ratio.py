"""Ratios: of two sums over the same units (cost per request), and of two arms' means on the log scale."""

from __future__ import annotations

from math import exp, log, sqrt
from statistics import NormalDist
from typing import NamedTuple

from gateway.stats.interval import Interval
from gateway.stats.moments import PairMoments
from gateway.stats.proportion import require_open_unit


class Estimate(NamedTuple):
    """
    A number and its standard error, in the same unit.

    Attributes:
        value: The number.
        se: Its standard error, at least 0.
    """

    value: float
    se: float


def ratio_mean(units: PairMoments) -> Estimate | None:
    """
    Give Σx/Σd over units with its standard error by the delta method.

    Var(R) = Σ(x_u − R·d_u)²/(m − 1) · m/(Σd)²: requests of one user are not independent, users are.

    Args:
        units: Pairs (x, d) by unit: its costs and its requests, say. d's mean above 0.

    Returns:
        The ratio, or None with fewer than two units or where Σd is not above 0.

    Source:
        Deng, Knoblich & Lu (2018), KDD; Cochran (1977), Sampling Techniques, §2.11.

    >>> e = ratio_mean(PairMoments.of([(2.0, 1.0), (2.0, 2.0), (5.0, 3.0)]))
    >>> round(e.value, 4), round(e.se, 4)
    (1.5, 0.25)
    """
    m = units.x.n
    if m < 2 or units.y.mean <= 0:
        return None
    value = units.x.mean / units.y.mean
    # Residuals x − R·d have mean 0, so their squares follow from the centred moments alone.
    spread = units.x.m2 - 2 * value * units.cross + value * value * units.y.m2
    return Estimate(value, sqrt(max(0.0, spread) / (m - 1) * m) / (m * units.y.mean))


def log_ratio(candidate: Estimate, baseline: Estimate) -> Estimate | None:
    """
    Give ln(candidate/baseline) of two independent estimates, by the delta method.

    Args:
        candidate: Its estimate.
        baseline: Its estimate.

    Returns:
        The log ratio, or None unless both are above 0. Normal enough while each se is below a third of its value.

    Source:
        Katz, Baptista, Azen & Pike (1978), Biometrics 34:469-474, for rates; the delta method in general.

    >>> e = log_ratio(Estimate(1.2, 0.06), Estimate(1.0, 0.05))
    >>> round(e.value, 4), round(e.se, 4)
    (0.1823, 0.0707)
    """
    if candidate.value <= 0 or baseline.value <= 0:
        return None
    relative = (candidate.se / candidate.value) ** 2 + (baseline.se / baseline.value) ** 2
    return Estimate(log(candidate.value / baseline.value), sqrt(relative))


def ratio_interval(log_scale: Estimate, *, confidence: float = 0.95) -> Interval:
    """
    Give the interval of a ratio from its logarithm.

    Args:
        log_scale: From `log_ratio`.
        confidence: Two-sided coverage, in (0, 1); one look.

    Raises:
        ValueError: Confidence is outside (0, 1).

    Source:
        Normal approximation on the log scale.

    >>> i = ratio_interval(Estimate(0.0, 0.1))
    >>> round(i.low, 3), round(i.high, 3)
    (0.822, 1.217)
    """
    require_open_unit(confidence)
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * log_scale.se
    return Interval(exp(log_scale.value - half), exp(log_scale.value + half))


def winsorized(values: list[float], *, share: float = 0.995) -> list[float]:
    """
    Give `values` with those above their `share` quantile brought down to it.

    One user with a thousand-dollar day must not decide a comparison; the number shown to people stays the raw mean.

    Args:
        values: In any order; empty is allowed.
        share: In (0, 1).

    Raises:
        ValueError: Share is outside (0, 1).

    Source:
        Dixon & Tukey (1968), Technometrics 10:83-98; one-sided.

    >>> winsorized([1.0, 2.0, 3.0, 100.0], share=0.75)
    [1.0, 2.0, 3.0, 3.0]
    """
    require_open_unit(share)
    if not values:
        return []
    cap = sorted(values)[max(0, min(len(values) - 1, int(len(values) * share + 1e-9) - 1))]
    return [min(value, cap) for value in values]
