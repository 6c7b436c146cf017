"""The absolute rule, request by request: all of the candidate's fail, or a share of both arms'."""

from __future__ import annotations

import numpy as np

from gateway.stats.outage import BASELINE_LOOKED_AT, LEAST_BASELINE, recent_rate, run_length


def first_run(
    chance: np.random.Generator,
    *,
    requests: int,
    share: float,
    rate: float,
    usual_rate: float,
    requests_expected: int,
    alpha: float,
    is_wary: bool = True,
) -> bool:
    """
    Tell whether the rule speaks in a stretch in which both arms fail alike.

    Args:
        chance: Seeded.
        requests: Of both arms, each of another user.
        share: The candidate's.
        rate: At which they fail.
        usual_rate: Known from before.
        requests_expected: Of the candidate over the horizon.
        alpha: Of the rule.
        is_wary: Whether the rate of the baseline's last twenty counts too, or the usual one alone.
    """
    mine = chance.random(requests) < share
    failed = chance.random(requests) < rate
    position = np.flatnonzero(mine)
    ok = np.flatnonzero(~failed[mine])
    # Length of the unbroken run that ends at each of the candidate's requests.
    last_ok = np.full(position.size, -1)
    last_ok[ok] = ok
    length = np.arange(position.size) - np.maximum.accumulate(last_ok) if position.size else np.zeros(0, np.int64)
    least = run_length(usual_rate, requests_expected=requests_expected, alpha=alpha)
    others_failed = np.concatenate([[0], np.cumsum(failed[~mine])])
    for at in np.flatnonzero(length >= least):
        known = int(position[at] - at)
        looked_at = min(BASELINE_LOOKED_AT, known)
        n_failed = int(others_failed[known] - others_failed[known - looked_at])
        if looked_at < LEAST_BASELINE or 2 * n_failed >= looked_at:
            continue
        worst = max(usual_rate, recent_rate(n_failed, looked_at)) if is_wary else usual_rate
        if length[at] >= run_length(worst, requests_expected=requests_expected, alpha=alpha):
            return True
    return False
