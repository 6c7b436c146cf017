"""How signals stand: what people see of them between trips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, isfinite
from typing import Any

from gateway.domain.rollout import Action, Signal, SignalKind
from gateway.gates.cost import CostRules
from gateway.gates.failing import FailingRules, times
from gateway.gates.latency import KINDS, LatencyRules
from gateway.gates.margin import MarginRule
from gateway.gates.ratings import RatingRules


@dataclass(frozen=True, slots=True)
class Reading:
    """
    One signal, as it stands now.

    Attributes:
        signal: Its name in the plan.
        arm: The arm watched.
        action: What it would do.
        value: Candidate over baseline (of `safety_margin` the difference of shares); None while there is none.
        threshold: Beyond which it acts.
        state: The same in words, with the evidence there is and the evidence it needs.
        inactive: Why traffic cannot decide it now; None where it can.
        numbers: Counts, rates, evidence, by plain names; JSON values only.
    """

    signal: str
    arm: str
    action: Action
    value: float | None
    threshold: float
    state: str
    inactive: str | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)


def failing_reading(rules: FailingRules, signal: Signal, arm: str, *, alpha: float, is_crowd: bool) -> Reading:
    """Read ERRORS or SAFETY; `is_crowd` says that both arms have enough users for a quick test."""
    rates = rules.rates(signal)
    ratio = rates.ratio
    state = (
        f"{times(ratio)} baseline; acts above {signal.ratio:g} ×; evidence {rules.e_value:.2g} of {1 / alpha:.0f}"
        f" needed; {rates.failing} of {signal.min_failing_users} failing users"
    )
    numbers = {**rates.numbers, "e_value": min(rules.e_value, 1e300), "e_value_needed": 1 / alpha, "alpha": alpha}
    numbers["share"] = rules.share
    value = ratio if ratio is not None and isfinite(ratio) else None
    inactive = None
    if not rules.share:
        inactive = "the candidate has no share of users to compare"
    elif rules.share >= 1 and not rules.has_frozen:
        inactive = "no baseline is left and none was seen before: only a total outage can act"
    elif not is_crowd:
        inactive = "fewer than 20 users seen: no quick test is valid with so few"
    return Reading(signal.name, arm, signal.action, value, signal.ratio, state, inactive, numbers)


def rating_reading(rules: RatingRules, signal: Signal, arm: str, *, alpha: float) -> Reading:
    """Read DOWN_RATE or COMPLETION."""
    candidate, baseline = rules.tallies
    ratio, sign = rules.ratio, -1.0 if signal.kind is SignalKind.COMPLETION else 1.0
    bound = None if rules.lower is None else exp(sign * rules.lower)
    beyond = "below" if sign < 0 else "above"
    surely = "not looked at closer" if bound is None else f"bound {bound:.2f} ×"
    state = (
        f"{times(ratio)} baseline; acts {beyond} {signal.ratio:g} × when the bound is {beyond} 1; {surely};"
        f" {candidate.ratings} ratings of {candidate.users} users today"
    )
    numbers = {
        "candidate_ratings": candidate.ratings, "candidate_users": candidate.users, "candidate_rate": candidate.rate,
        "baseline_ratings": baseline.ratings, "baseline_users": baseline.users, "baseline_rate": baseline.rate,
        "bound_of_ratio": bound, "alpha_per_day": alpha / rules.n_days,
    }  # fmt: skip
    return Reading(signal.name, arm, signal.action, ratio, signal.ratio, state, rules.lacking(signal), numbers)


def latency_reading(rules: LatencyRules, signal: Signal, arm: str) -> Reading:
    """Read LATENCY: of streams or of the others, whichever the candidate has more of."""
    kind = max(range(len(KINDS)), key=lambda one: rules.requests(one)[0])
    slowness = rules.last.get(kind)
    ratio = slowness.all.ratio if slowness else rules.ratio(kind)
    n_beyond = rules.n_beyond(kind, signal.ratio)
    state = (
        f"{times(ratio)} baseline ({KINDS[kind]}); acts above {signal.ratio:g} × when three of six stretches are;"
        f" {n_beyond} of six are"
    )
    requests = rules.requests(kind)
    numbers = {
        "of": KINDS[kind], "candidate_requests": requests[0], "baseline_requests": requests[1], "n_beyond": n_beyond,
        "ratio_low": slowness.low if slowness else None,
    }  # fmt: skip
    return Reading(signal.name, arm, signal.action, ratio, signal.ratio, state, rules.lacking(kind), numbers)


def cost_reading(rules: CostRules, signal: Signal, arm: str) -> Reading:
    """Read COST."""
    (n, mean), (baseline_n, baseline_mean) = rules.means
    low = min((spent.low for spent in rules.spent), default=None)
    surely = "not looked at closer" if low is None else f"surely above {low:.2f} ×"
    state = f"{times(rules.ratio)} baseline per request; acts above {signal.ratio:g} ×; {surely}"
    numbers = {
        "candidate_requests": n, "candidate_mean_usd": mean, "baseline_requests": baseline_n,
        "baseline_mean_usd": baseline_mean, "ratio_low": low,
    }  # fmt: skip
    return Reading(signal.name, arm, signal.action, rules.ratio, signal.ratio, state, rules.lacking(), numbers)


def margin_reading(rule: MarginRule, margin: float, arm: str) -> Reading:
    """Read a split's `stop_on_safety`."""
    difference = rule.difference
    low = "not looked at closer" if rule.lower is None else f"surely above {rule.lower:+.1%}"
    seen = "no difference yet" if difference is None else f"{difference:+.1%} against the baseline"
    state = f"{seen}; acts when surely above {margin:+.1%}; {low}"
    return Reading("stop_on_safety", arm, Action.ROLLBACK, difference, margin, state, rule.lacking(), rule.numbers)
