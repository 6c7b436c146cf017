"""
What a plan will need at a given traffic: users for each gate, days for each stage, and what can never be met.

These are plans, not promises: users are taken to arrive evenly and each day's to be new to the rollout; those who come
back every day make fewer. A comparison that may be looked at every hour needs about 1.7 times the users of one look.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log
from statistics import NormalDist

from gateway.domain.default_plan import DAY_S
from gateway.domain.release import BUCKETS
from gateway.domain.rollout import Control, GateName, GateRule, PassMode, Require, RolloutPlan, Stage, StageKind
from gateway.stats.power import anytime_inflation, e_process_requests, non_inferiority_n, of_candidate, two_rates_n

SEEN_RATIO = 5.0
SEEN_ALPHA = 0.001
"""What the errors gate wants to have been able to see, without proof."""
MIN_FAILING_UNITS = 20
MIN_UNITS = 100
"""Per arm, before a comparison of means says anything."""
POWER = 0.8
INTERNAL_REQUESTS = 20


@dataclass(frozen=True, slots=True)
class Traffic:
    """
    What comes in, and how well it goes.

    Attributes:
        users_per_day: Distinct users, above 0.
        requests_per_user: A day, above 0.
        base_error: Share of requests that fail, in (0, 1).
        base_quality: Share of answers that are good, in (0, 1).
        rated: Share of users of whom feedback is known, in (0, 1].
    """

    users_per_day: float
    requests_per_user: float = 5.0
    base_error: float = 0.01
    base_quality: float = 0.8
    rated: float = 1.0

    def requests_per_s(self, share: float) -> float:
        """Give requests per second of a share of users."""
        return self.users_per_day * self.requests_per_user * share / DAY_S


@dataclass(frozen=True, slots=True)
class GateOutlook:
    """
    What one gate of one stage needs.

    Attributes:
        gate: Which.
        users: Exposed users of the candidate that it needs, if they all came in this stage; None for no number of them.
        days: From the stage's start until it can pass; what earlier stages saw counts. None for never.
        is_met: Whether that is within the stage's longest time.
    """

    gate: GateName
    users: int | None
    days: float | None
    is_met: bool


@dataclass(frozen=True, slots=True)
class StageOutlook:
    """
    How one stage will go.

    Attributes:
        stage: Which.
        users: The candidate's exposed users at the end of its least duration.
        days: Until every gate that can be met is, and at least its least duration.
        min_users_days: Until `min_users` were exposed.
        gates: Each of them.
    """

    stage: Stage
    users: int
    days: float
    min_users_days: float
    gates: tuple[GateOutlook, ...]

    @property
    def is_met(self) -> bool:
        """Tell whether it can be left by itself."""
        longest_s = self.stage.max_duration_s
        is_in_time = longest_s is None or self.min_users_days * DAY_S <= longest_s
        return is_in_time and all(gate.is_met for gate in self.gates)


def stage_outlooks(plan: RolloutPlan, traffic: Traffic) -> tuple[StageOutlook, ...]:
    """Give how each stage but the last will go; what earlier stages saw counts for later ones."""
    known = 0.0
    outlooks = []
    for stage in plan.stages[:-1]:
        outlook = _stage_outlook(plan, stage, traffic, known)
        known += per_day(plan, stage, traffic) * outlook.days
        outlooks.append(outlook)
    return tuple(outlooks)


def per_day(plan: RolloutPlan, stage: Stage, traffic: Traffic) -> float:
    """Give the users per arm, as of two equal arms, that a stage adds in a day."""
    share = stage.weight / BUCKETS
    if not 0 < share < 1:
        return 0.0
    other = share if plan.control is Control.EQUAL else 1 - share
    return 2 * traffic.users_per_day * share * other / (share + other)


def users_wanted(plan: RolloutPlan, rule: GateRule, traffic: Traffic) -> float | None:
    """Give the users per arm, of two equal arms, that a gate of means needs; None for no number of them."""
    inflation = anytime_inflation(alpha=rule.alpha, power=POWER)
    if rule.name is GateName.ERRORS:
        if rule.pass_mode is not PassMode.PROOF:
            return None
        z = NormalDist().inv_cdf(1 - rule.alpha) + NormalDist().inv_cdf(POWER)
        odds = (1 - traffic.base_error) / traffic.base_error
        return 2 * odds * (z / log(rule.ratio)) ** 2 * inflation
    base = traffic.base_quality
    if rule.name is GateName.PRIMARY and rule.require is Require.BETTER:
        lifted = base * (1 + rule.margin)
        if lifted >= 1:
            return None
        units = two_rates_n(base, lifted, alpha=rule.alpha, power=POWER, sides=1) * inflation
    else:
        units = non_inferiority_n(base, rule.margin, alpha=rule.alpha, power=POWER) * inflation
    return max(MIN_UNITS, units) / traffic.rated


def compared_share(plan: RolloutPlan, stage: Stage) -> float:
    """Give the candidate's share of all that are compared, in (0, 1)."""
    return 0.5 if plan.control is Control.EQUAL else stage.weight / BUCKETS


def _stage_outlook(plan: RolloutPlan, stage: Stage, traffic: Traffic, known: float) -> StageOutlook:
    least = stage.min_duration_s / DAY_S
    users_per_day = traffic.users_per_day * stage.weight / BUCKETS
    if stage.kind is not StageKind.SHARE:
        return StageOutlook(stage, 0, least, 0.0, ())
    gates = tuple(_gate_outlook(plan, stage, plan.gates[name], traffic, known) for name in stage.gates)
    min_users_days = stage.min_users / users_per_day
    waits = [gate.days for gate in gates if gate.days is not None and gate.is_met]
    days = max([least, min_users_days, *waits])
    if stage.max_duration_s is not None:
        days = min(days, max(least, stage.max_duration_s / DAY_S))
    return StageOutlook(stage, int(users_per_day * least), days, min_users_days, gates)


def _gate_outlook(plan: RolloutPlan, stage: Stage, rule: GateRule, traffic: Traffic, known: float) -> GateOutlook:
    users_per_day = traffic.users_per_day * stage.weight / BUCKETS
    longest_s = stage.max_duration_s
    if rule.name is GateName.ERRORS and rule.pass_mode is PassMode.NO_EVIDENCE:
        users = _users_to_see(plan, stage, traffic)
        days: float | None = users / users_per_day
    elif rule.name in (GateName.QUALITY, GateName.SEGMENTS) and not plan.quality_metrics:
        users, days = 0, 0.0
    elif rule.name is GateName.SEGMENTS and not rule.is_strict:
        # A segment with too few users is shown, and keeps nothing from passing.
        wanted = users_wanted(plan, rule, traffic)
        users, days = _users_of(plan, stage, wanted), 0.0
    else:
        wanted = users_wanted(plan, rule, traffic)
        if wanted is None:
            return GateOutlook(rule.name, None, None, is_met=False)
        users = _users_of(plan, stage, wanted)
        gained = per_day(plan, stage, traffic)
        # At 100 % nobody is left to compare with.
        days = max(0.0, wanted - known) / gained if gained else None
    is_met = days is not None and (longest_s is None or days * DAY_S <= longest_s)
    return GateOutlook(rule.name, users, days, is_met)


def _users_of(plan: RolloutPlan, stage: Stage, wanted: float | None) -> int:
    share = compared_share(plan, stage)
    return 0 if wanted is None or not 0 < share < 1 else ceil(of_candidate(wanted, share=share))


def _users_to_see(plan: RolloutPlan, stage: Stage, traffic: Traffic) -> int:
    """Give the users after whose requests five times the failures would have shown."""
    share = min(0.99, compared_share(plan, stage))
    base = min(0.19, traffic.base_error)
    requests = e_process_requests(base, SEEN_RATIO, share=share, alpha=SEEN_ALPHA)
    users = 0.0 if requests is None else requests / traffic.requests_per_user
    return max(MIN_FAILING_UNITS, stage.min_users, ceil(users))


def enough_users_per_day(plan: RolloutPlan, traffic: Traffic) -> float | None:
    """Give the users a day from which on every gate can be met in time; None where no number of them is enough."""
    low, high = 1.0, 1e9
    if not _is_enough(plan, traffic, high):
        return None
    while high > low * 1.01:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if _is_enough(plan, traffic, middle) else (middle, high)
    return float(ceil(high))


def _is_enough(plan: RolloutPlan, traffic: Traffic, users_per_day: float) -> bool:
    many = Traffic(users_per_day, traffic.requests_per_user, traffic.base_error, traffic.base_quality, traffic.rated)
    return all(stage.is_met for stage in stage_outlooks(plan, many))
