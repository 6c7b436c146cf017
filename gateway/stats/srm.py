"""Sample ratio mismatch: do the arms have the users that their buckets should bring them?"""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, exp, gamma, inf, lgamma, log, sqrt
from typing import NamedTuple

ALARM_AT = 1_000.0
"""Odds against the planned shares at which `sequential` alarms: false in at most one of a thousand experiments."""

CONCENTRATION = 1_000.0
"""How close to the plan the alternative expects the shares: broken splits are off by points, not by halves."""


class ChiSquare(NamedTuple):
    """
    The fixed-sample test.

    Attributes:
        statistic: Σ (seen − expected)²/expected.
        p: P(one at least as large though the shares are as planned).
    """

    statistic: float
    p: float


def chi_square(counts: Sequence[int], shares: Sequence[float]) -> ChiSquare | None:
    """
    Give Pearson's test of the arms' users against their planned shares.

    For one look, when the experiment is over: looked at 400 times with p < 0.001 it is false in 2 % of sound
    experiments. While it runs use `sequential`.

    Args:
        counts: Distinct users by arm; independent of each other.
        shares: Planned shares or buckets by arm, above 0, in the same order; they need not add up to 1.

    Returns:
        Statistic and p, or None without users.

    Raises:
        ValueError: Fewer than two arms, lengths differ, a count is negative or a share not above 0.

    Source:
        Pearson (1900), Phil. Mag. 50:157-175; for experiments Fabijan et al., KDD 2019.

    >>> seen = chi_square([5000, 5250], [0.5, 0.5])
    >>> round(seen.statistic, 4), round(seen.p, 4)
    (6.0976, 0.0135)
    """
    expected_shares = _shares_of(counts, shares)
    n = sum(counts)
    if not n:
        return None
    expected = [n * share for share in expected_shares]
    statistic = sum((seen - mean) ** 2 / mean for seen, mean in zip(counts, expected, strict=True))
    return ChiSquare(statistic, chi_square_above(statistic, degrees=len(counts) - 1))


def sequential(counts: Sequence[int], shares: Sequence[float]) -> float:
    """
    Give the odds against the planned shares, to be looked at as often as one likes.

    The likelihood mixed over Dirichlet(1000 · shares) against that of the plan: a martingale from 1, so that P(it ever
    reaches 1000 though the shares are as planned) ≤ 0.1 %.

    Args:
        counts: Distinct users by arm, each counted when first exposed, in one epoch.
        shares: Planned shares or buckets by arm, above 0, in the same order; they need not add up to 1.

    Returns:
        Λ ≥ 0; 1 without users; infinite where it is too large for a float. Alarm at 1000.

    Raises:
        ValueError: Fewer than two arms, lengths differ, a count is negative or a share not above 0.

    Source:
        Lindon & Malek, NeurIPS 2022, arXiv:2011.03567.

    >>> sequential([0, 0], [1, 1]), sequential([500, 500], [1, 1]) < 1, sequential([900, 1100], [1, 19]) > 1000
    (1.0, True, True)
    """
    planned = _shares_of(counts, shares)
    n = sum(counts)
    log_odds = lgamma(CONCENTRATION) - lgamma(CONCENTRATION + n)
    for count, share in zip(counts, planned, strict=True):
        prior = CONCENTRATION * share
        log_odds += lgamma(prior + count) - lgamma(prior) - count * log(share)
    return exp(log_odds) if log_odds < 700 else inf


def chi_square_above(statistic: float, *, degrees: int) -> float:
    """
    Give P(χ² ≥ statistic), by the finite sums that whole degrees of freedom have.

    Args:
        statistic: 0 or more.
        degrees: 1 or more.

    Source:
        Abramowitz & Stegun (1964), 26.4.4 and 26.4.5.

    >>> round(chi_square_above(3.841459, degrees=1), 6), round(chi_square_above(11.070498, degrees=5), 6)
    (0.05, 0.05)
    """
    half = statistic / 2
    is_odd = degrees % 2
    above = erfc(sqrt(half)) if is_odd else 0.0
    for i in range(degrees // 2):
        power = i + is_odd / 2
        above += exp(-half) * half**power / gamma(power + 1)
    return above


def _shares_of(counts: Sequence[int], shares: Sequence[float]) -> list[float]:
    if len(counts) < 2 or len(counts) != len(shares) or min(counts) < 0 or min(shares) <= 0:
        msg = f"counts {list(counts)} do not go with shares {list(shares)}"
        raise ValueError(msg)
    total = sum(shares)
    return [share / total for share in shares]
