"""One rate, looked at as often as one likes: exact, from the first trial on."""

from __future__ import annotations

from math import lgamma, log

from gateway.stats.interval import Interval
from gateway.stats.proportion import require_counts, require_open_unit


def rate_sequence(successes: float, trials: float, *, alpha: float = 0.05, prior: float = 0.5) -> Interval:
    """
    Give the beta-binomial confidence sequence of a rate.

    P(the truth is ever outside) ≤ alpha, over all looks together, without any approximation: the ratio of the
    likelihood mixed over a Beta(prior, prior) to that at the truth is a martingale that starts at 1.

    Args:
        successes: 0 ≤ successes ≤ trials. Fractions are right as well: of values in [0, 1] with the same mean none
            spreads further than zeros and ones, so the sum of unit means may stand here.
        trials: Independent of each other; units, where their values are not.
        alpha: In (0, 1); over both ends.
        prior: Above 0; a half is sharpest near 0 and 1, where failures and catastrophes live.

    Returns:
        The interval inside [0, 1]; all of it without trials.

    Raises:
        ValueError: Counts cannot be, or alpha is outside (0, 1), or prior is not above 0.

    Source:
        Robbins (1970), Ann. Math. Statist. 41:1397-1409; Howard, Ramdas, McAuliffe & Sekhon (2021), Ann. Statist.
        49:1055-1080, §3.

    >>> i = rate_sequence(0, 350)
    >>> round(i.low, 4), round(i.high, 4)
    (0.0, 0.0184)
    """
    require_counts(successes, trials)
    require_open_unit(alpha)
    if prior <= 0:
        msg = f"a prior lies above 0, not {prior}"
        raise ValueError(msg)
    if not trials:
        return Interval(0.0, 1.0)
    failures = trials - successes
    mixed = log_beta(prior + successes, prior + failures) - log_beta(prior, prior)

    def is_outside(rate: float) -> bool:
        likelihood = (successes * log(rate) if successes else 0.0) + (failures * log(1 - rate) if failures else 0.0)
        return mixed - likelihood >= -log(alpha)

    seen = successes / trials
    low, high = 0.0, 1.0
    outside, inside = 0.0, seen
    for _ in range(60 if successes else 0):
        low = (outside + inside) / 2
        outside, inside = (low, inside) if low <= 0 or is_outside(low) else (outside, low)
    outside, inside = 1.0, seen
    for _ in range(60 if failures else 0):
        high = (outside + inside) / 2
        outside, inside = (high, inside) if high >= 1 or is_outside(high) else (outside, high)
    return Interval(low, high)


def log_beta(a: float, b: float) -> float:
    """
    Give the logarithm of the beta function.

    >>> round(log_beta(2, 3), 4)
    -2.4849
    """
    return lgamma(a) + lgamma(b) - lgamma(a + b)
