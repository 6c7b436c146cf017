"""A count against a rate known from before: an upper bound of the rate, and evidence that the count exceeds it."""

from __future__ import annotations

from math import exp, log
from statistics import NormalDist

TIMES = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
"""How many times the bound the rate may be: the alternatives."""

PRIOR = (0.15, 0.25, 0.20, 0.15, 0.10, 0.10, 0.05)


def upper_rate(events: int, exposure: float, *, alpha: float) -> float | None:
    """
    Give the one-sided upper bound of a rate.

    Args:
        events: How many happened.
        exposure: Over how many trials.
        alpha: P(the rate is above), in (0, 1).

    Returns:
        The bound per trial, or None without exposure.

    Source:
        Garwood (1936), Biometrika 28:437-442, by the approximation of Wilson & Hilferty (1931), PNAS 17:684-688:
        within 1 % of the exact one.

    >>> round(upper_rate(10, 1.0, alpha=0.05), 2)
    16.96
    """
    if exposure <= 0:
        return None
    k = events + 1
    z = NormalDist().inv_cdf(1 - alpha)
    return float(k * (1 - 1 / (9 * k) + z / (3 * k**0.5)) ** 3 / exposure)


def log_e_above(events: int, expected: float) -> float:
    """
    Give ln of the e-value against "the rate is at most what was expected".

    For each alternative r it is the likelihood ratio r^events · exp(−(r − 1)·expected) of Poisson counts: whoever
    looks, however often, while the rate is at most the expected one, sees the mixture reach 1/α with probability at
    most α. Events that happen at most once per trial are less scattered than Poisson, which only helps.

    Args:
        events: How many happened.
        expected: At most so many were expected, above 0.

    Source:
        Ville (1939); Howard, Ramdas, McAuliffe & Sekhon (2020), Probability Surveys 17:257-317, for Poisson mixtures.

    >>> log_e_above(0, 1.0) < 0 < log_e_above(20, 1.0)
    True
    """
    logs = [log(p) + events * log(r) - (r - 1) * expected for p, r in zip(PRIOR, TIMES, strict=True)]
    top = max(logs)
    return top + log(sum(exp(one - top) for one in logs))


def share_at_most(events: int, expected: float) -> float:
    """
    Give P(X ≤ events) of a Poisson count.

    Args:
        events: At least 0.
        expected: Its mean, at least 0.

    Source:
        The definition, summed from the first term on; expected up to 700.

    >>> round(share_at_most(2, 5.0), 4)
    0.1247
    """
    term = total = exp(-min(expected, 700.0))
    for k in range(1, events + 1):
        term *= expected / k
        total += term
    return min(1.0, total)
