"""What each signal could see at a given traffic, and how soon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from statistics import NormalDist

from gateway.domain.default_plan import DAY_S
from gateway.domain.release import BUCKETS
from gateway.domain.rollout import Signal, SignalKind
from gateway.settings.outlook import Traffic
from gateway.stats.anytime import half_width
from gateway.stats.power import bisected, e_process_requests

BROKEN = 3.0
"""The fault that speeds are told for: three times the failures."""
MIN_RATINGS = 30
MIN_LATENCIES = 200
MIN_COST_USERS = 100
_POWER_Z = NormalDist().inv_cdf(0.8)


@dataclass(frozen=True, slots=True)
class SignalOutlook:
    """
    What a signal could see at one share.

    Attributes:
        name: Which.
        detects: The smallest ratio it would probably find within a day (of completion, the largest below 1); None for
            nothing.
        hours: Until it finds three times the failures; of other signals, until the ratio it acts on; None for never.
        outage_hours: Until it finds that every answer fails; only of errors and safety.
        why_not: Why it sees nothing; empty where it does.
    """

    name: str
    detects: float | None
    hours: float | None
    outage_hours: float | None = None
    why_not: str = ""


def signal_outlooks(
    signals: Sequence[Signal], traffic: Traffic, *, weight: int, share: float, horizon_s: float
) -> tuple[SignalOutlook, ...]:
    """
    Give what each signal could see.

    Args:
        signals: Those that are on.
        traffic: What comes in.
        weight: The candidate's buckets, above 0.
        share: Its share of those compared, in (0, 1).
        horizon_s: Over which alpha is spread.
    """
    return tuple(_outlook(signal, traffic, weight / BUCKETS, share, horizon_s) for signal in signals)


def _outlook(signal: Signal, traffic: Traffic, of_all: float, share: float, horizon_s: float) -> SignalOutlook:
    per_hour = traffic.requests_per_s(of_all) * 3_600
    if signal.kind in (SignalKind.ERRORS, SignalKind.SAFETY):
        return _failing(signal, traffic, share, per_hour)
    if signal.kind is SignalKind.LATENCY:
        return _counted(signal, per_hour * signal.window_s / 3_600, MIN_LATENCIES, "requests")
    users_per_s = traffic.users_per_day * of_all / DAY_S
    if signal.kind is SignalKind.COST:
        return _counted(signal, users_per_s * signal.window_s, MIN_COST_USERS, "users")
    ratings = users_per_s * traffic.rated * signal.window_s
    if ratings < MIN_RATINGS:
        return _counted(signal, ratings, MIN_RATINGS, "ratings")
    down = 1 - traffic.base_quality
    rate = down if signal.kind is SignalKind.DOWN_RATE else traffic.base_quality
    return _rated(signal, rate, users_per_s * traffic.rated * DAY_S, share, horizon_s)


def _failing(signal: Signal, traffic: Traffic, share: float, per_hour: float) -> SignalOutlook:
    # Safety incidents are rarer than failures; nobody knows by how much, so the same rate stands for both.
    base = min(0.3, max(traffic.base_error, signal.floor))
    alpha = signal.alpha / 2  # Half of it is for the process that began with the rollout.

    def requests_of(ratio: float) -> float | None:
        return e_process_requests(base, ratio, share=share, alpha=alpha)

    broken, outage = requests_of(min(BROKEN, 1 / base)), requests_of(1 / base)
    detects = None
    most = 1 / base
    if outage is not None and outage / per_hour <= 24:

        def is_short(ratio: float) -> bool:
            requests = requests_of(ratio)
            return requests is None or requests / per_hour > 24

        detects = max(signal.ratio, bisected(is_short, 1.01, most))
    return SignalOutlook(
        signal.name,
        detects,
        None if broken is None else broken / per_hour,
        None if outage is None else max(outage, signal.min_failing_users) / per_hour,
        "" if detects is not None else "not even a total outage is found within a day",
    )


def _counted(signal: Signal, seen: float, wanted: int, noun: str) -> SignalOutlook:
    """Tell by how much comes into its window."""
    if seen < wanted:
        why_not = f"needs {wanted} {noun} of the candidate in {_window(signal)}, and gets {seen:.0f}"
        return SignalOutlook(signal.name, None, None, why_not=why_not)
    return SignalOutlook(signal.name, signal.ratio, signal.window_s / 3_600)


def _rated(signal: Signal, rate: float, per_day: float, share: float, horizon_s: float) -> SignalOutlook:
    alpha = signal.alpha / max(1.0, horizon_s / DAY_S)
    sign = 1 if signal.kind is SignalKind.DOWN_RATE else -1

    def reach(days: float) -> float:
        ours = per_day * days
        theirs = ours * (1 - share) / share
        se = sqrt((1 - rate) / rate * (1 / ours + 1 / theirs))
        wide = half_width(ours + theirs, se=se, alpha=alpha, n_star=1_000.0, sides=1)
        return exp(sign * (wide + _POWER_Z * se))

    within = reach(1.0)
    is_seen = within <= signal.ratio if sign > 0 else within >= signal.ratio
    detects = max(within, signal.ratio) if sign > 0 else min(within, signal.ratio)

    def is_short(days: float) -> bool:
        return reach(days) > signal.ratio if sign > 0 else reach(days) < signal.ratio

    days = max(bisected(is_short, 1e-4, 1.0), signal.window_s / DAY_S) if is_seen else None
    why_not = "" if is_seen else f"within a day it would see {detects:.3g} times the baseline, not yet {signal.ratio:g}"
    return SignalOutlook(signal.name, detects, None if days is None else days * 24, why_not=why_not)


def _window(signal: Signal) -> str:
    return f"{signal.window_s / 3_600:g} h" if signal.window_s >= 3_600 else f"{signal.window_s / 60:g} minutes"
