"""A rate of events that come in clusters (users who rate often), safe to put on the log scale when events are few."""

from __future__ import annotations

from collections.abc import Iterable
from math import log, sqrt

from gateway.stats.ratio import Estimate


def clustered_rate(units: Iterable[tuple[float, float]]) -> Estimate | None:
    """
    Give Σx/Σd over units, half an event added, with the larger of two standard errors.

    One is the delta method's over units, which sees users who always complain; the other the binomial's, which does
    not collapse when the few events there are happen to be spread evenly, or are none. Half an event keeps the
    logarithm finite (Haldane, Anscombe) and moves the rate towards a half by less than its standard error.

    Args:
        units: (x, d) by unit: its events and its trials, 0 ≤ x ≤ d; weights may make them fractions, of which d
            together count as trials.

    Returns:
        The rate, above 0 and below 1; or None with fewer than two units or no trials.

    Source:
        Cochran (1977), Sampling Techniques, §2.11 for the ratio; Anscombe (1956), Biometrika 43:461-464 for the half.

    >>> e = clustered_rate([(0, 1)] * 50)
    >>> round(e.value, 4), round(e.se, 4)
    (0.0098, 0.0138)
    """
    pairs = list(units)
    m = len(pairs)
    events = sum(x for x, _ in pairs)
    trials = sum(d for _, d in pairs)
    if m < 2 or trials <= 0:
        return None
    rate = (events + 0.5) / (trials + 1)
    raw = events / trials
    between = sum((x - raw * d) ** 2 for x, d in pairs) * m / (m - 1) / trials**2
    return Estimate(rate, sqrt(max(between, rate * (1 - rate) / (trials + 1))))


def share_of_units(events: Iterable[float], trials: float) -> Estimate | None:
    """
    Give Σx/Σd where d is known only in all, with a standard error that is never too small.

    Σ(x_u − R·d_u)² needs every unit's trials. Σx_u² is larger by R²·Σd_u² on average, for units that are alike and
    for units that are not, and one event more keeps it from 0. For rare events the difference is a few percent.

    Args:
        events: By unit with at least one.
        trials: Of all units.

    Returns:
        The share, or None without trials.

    Source:
        Cochran (1977), §2.11, with the cross term left out: E Σ(x − R·d)² = E Σx² − R²·Σd² when a unit's rate and
        its number of trials are unrelated.

    >>> e = share_of_units([1.0, 2.0, 1.0], 1000)
    >>> round(e.value, 4), round(e.se, 5)
    (0.004, 0.00265)
    """
    if trials <= 0:
        return None
    known = list(events)
    return Estimate(sum(known) / trials, sqrt(sum(x * x for x in known) + 1.0) / trials)


def log_ratio_at_null(candidate: Estimate, baseline: Estimate) -> Estimate | None:
    """
    Give ln(candidate/baseline) with a standard error that would still do if there were no difference.

    The plain one is taken at what was seen: of a few ratings that happened to be bad it is too small, which is just
    when one is about to act. The candidate's is therefore also taken at the baseline's rate, its clusters' share of the
    variance unchanged, and the larger counts.

    Args:
        candidate: A rate in (0, 1) and its standard error, as of `clustered_rate`.
        baseline: Likewise.

    Returns:
        The log ratio, or None where a rate is not inside (0, 1).

    Source:
        The score principle (Miettinen & Nurminen 1985, Stat. Med. 4:213-226) on the delta method's log ratio.

    >>> e = log_ratio_at_null(Estimate(0.4, 0.09), Estimate(0.2, 0.01))
    >>> round(e.value, 3), round(e.se, 3)
    (0.693, 0.371)
    """
    if not (0 < candidate.value < 1 and 0 < baseline.value < 1):
        return None
    null = baseline.value * (1 - baseline.value) / (candidate.value * (1 - candidate.value))
    own = max(candidate.se / candidate.value, candidate.se * sqrt(null) / baseline.value)
    return Estimate(log(candidate.value / baseline.value), sqrt(own**2 + (baseline.se / baseline.value) ** 2))
