"""The absolute rule: a run of failures so long, and of so many users, that no ratio needs to be estimated."""

from __future__ import annotations

from math import floor, log

LEAST_RUN = 5
"""Fewer users in a row prove nothing even where nobody ever failed."""

BASELINE_LOOKED_AT = 20
LEAST_BASELINE = 5
"""With fewer of the baseline's requests known, an outage of both arms cannot be told from one of the candidate."""


def run_length(rate: float, *, requests_expected: int, alpha: float) -> int:
    """
    Give how many distinct users must fail in a row before it is an outage.

    A run can begin at any request, so the chance of one anywhere is at most rate^m for each of them; m is the least
    for which all together stay under a tenth of `alpha`.

    Args:
        rate: Usual failure rate of requests, in [0, 1). Of distinct users: one who always fails is one in the run.
        requests_expected: Of the candidate, over the horizon that alpha is for; 0 or more.
        alpha: Of the whole rule, in (0, 1).

    Returns:
        m, at least 5: rate^m · requests_expected < alpha / 10.

    Raises:
        ValueError: The rate is outside [0, 1), alpha outside (0, 1), or requests are negative.

    Source:
        Union bound over the places a run may begin; decisions.md § 1.1.

    >>> run_length(0.01, requests_expected=1_800_000, alpha=0.004)
    5
    >>> run_length(0.2, requests_expected=1_800_000, alpha=0.004)
    14
    """
    if not 0 <= rate < 1 or not 0 < alpha < 1 or requests_expected < 0:
        msg = f"no run has rate {rate}, {requests_expected} requests, alpha {alpha}"
        raise ValueError(msg)
    if not rate or not requests_expected:
        return LEAST_RUN
    # The least whole number strictly above: at equality the product is not yet under the line.
    return max(LEAST_RUN, floor(log(alpha / (10 * requests_expected)) / log(rate)) + 1)


def recent_rate(failed: int, looked_at: int) -> float:
    """
    Give the failure rate that the baseline's last requests speak for, leaning upwards.

    `run_length` from a usual rate of 1 % is 5 or 6, and while a provider fails three requests in ten of *both* arms,
    such runs come by the dozen an hour although fewer than half of the baseline's fail. So the larger of the usual
    rate and this one goes into it.

    Args:
        failed: Of the baseline's last requests, 0 ≤ failed ≤ looked_at.
        looked_at: How many are known; 20 as a rule.

    Returns:
        (failed + 1)/(looked_at + 2), in (0, 1).

    Source:
        Laplace's rule of succession (1774); that it suffices is simulated in docs/statistics.md.

    >>> round(recent_rate(0, 20), 3), run_length(recent_rate(0, 20), requests_expected=1_800_000, alpha=0.004)
    (0.045, 8)
    """
    return (failed + 1) / (looked_at + 2)
