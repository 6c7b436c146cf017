"""What `sluice check` says about rollouts and splits at a given traffic: for a product owner first, then in numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from gateway.cli.check_experiments import experiment_outlook
from gateway.domain.default_plan import DAY_S
from gateway.domain.release import BUCKETS
from gateway.domain.rollout import Plan, RolloutPlan, Signal, SplitPlan
from gateway.settings.outlook import (
    GateOutlook,
    StageOutlook,
    Traffic,
    compared_share,
    enough_users_per_day,
    stage_outlooks,
)
from gateway.settings.outlook_advice import Advice, advise, render_plan
from gateway.settings.outlook_signal import SignalOutlook, signal_outlooks
from gateway.stats.power import anytime_inflation, detectable_lift


@dataclass(frozen=True, slots=True)
class Outlook:
    """
    What one release will need.

    Attributes:
        plan: Its plan.
        sentence: What, how sure, what next.
        is_met: Whether every gate can be met by itself.
        lines: The numbers, for people.
        plain: The same, for scripts.
    """

    plan: Plan
    sentence: str
    is_met: bool
    lines: tuple[str, ...]
    plain: dict[str, Any]


def outlooks_of(plans: Iterable[Plan], traffic: Traffic) -> list[Outlook]:
    """Give what each plan needs."""
    return [_of_rollout(plan, traffic) if isinstance(plan, RolloutPlan) else _of_split(plan, traffic) for plan in plans]


def needs_of(plans: Iterable[Plan], traffic: Traffic) -> list[str]:
    """Give a line per rollout that can be said without knowing the traffic: from how many users a day it works."""
    lines = []
    for plan in plans:
        if isinstance(plan, RolloutPlan):
            soonest = shown_days(sum(stage.min_duration_s for stage in plan.stages) / DAY_S)
            enough = enough_users_per_day(plan, traffic)
            needs = (
                "no traffic meets all its gates" if enough is None else f"all its gates need {enough:,.0f} users a day"
            )
            lines.append(f"{plan.route}: through in {soonest} at the soonest; {needs} (--users-per-day N says more)")
    return lines


def _of_rollout(plan: RolloutPlan, traffic: Traffic) -> Outlook:
    stages = stage_outlooks(plan, traffic)
    advice = advise(plan, traffic)
    soonest = sum(stage.min_duration_s for stage in plan.stages) / DAY_S
    expected = sum(stage.days for stage in stages)
    first = next(stage for stage in plan.stages if stage.weight)
    signals = _signals_at(plan.signals, traffic, first.weight, compared_share(plan, first), plan.horizon_s)
    is_met = all(stage.is_met for stage in stages)
    enough = enough_users_per_day(plan, traffic)
    sentence = _sentence(plan, stages, soonest, expected, signals, first.label)
    lines = [
        f"  soonest promotion to {plan.stages[-1].label}: {shown_days(soonest)}; "
        f"soonest rollback, of a total outage at {first.label}: {_outage(signals)}",
        *(line for stage in stages for line in _stage_lines(stage)),
        f"  signals, at {first.label}:",
        *(f"    {_signal_line(signal)}" for signal in signals),
        *_advice_lines(advice, enough),
    ]
    plain = {
        "release": plan.release,
        "route": plan.route,
        "sentence": sentence,
        "is_met": is_met,
        "soonest_days": soonest,
        "expected_days": expected if is_met else None,
        "enough_users_per_day": enough,
        "stages": [_plain_stage(stage) for stage in stages],
        "signals": [asdict(signal) for signal in signals],
        "recommended": None
        if not advice.changes
        else {"is_met": advice.is_met, "changes": list(advice.changes), "yaml": "\n".join(render_plan(advice.plan))},
    }
    return Outlook(plan, sentence, is_met, tuple(lines), plain)


def _signals_at(
    signals: Iterable[Signal], traffic: Traffic, weight: int, share: float, horizon_s: float
) -> tuple[SignalOutlook, ...]:
    # At 100 % nobody is left to compare with but a holdback.
    return signal_outlooks(tuple(signals), traffic, weight=weight, share=min(share, 0.98), horizon_s=horizon_s)


def _sentence(
    plan: RolloutPlan,
    stages: tuple[StageOutlook, ...],
    soonest: float,
    expected: float,
    signals: tuple[SignalOutlook, ...],
    label: str,
) -> str:
    stuck = next((stage for stage in stages if not stage.is_met), None)
    outage = _outage(signals)
    broken = f"; if every answer broke at {label} it would be rolled back after {outage}" if outage != "never" else ""
    if stuck is not None:
        what = ", ".join(_why_stuck(stuck))
        return (
            f"{plan.route}: {plan.candidate!r} would stop at {stuck.stage.label} and wait for a person, "
            f"for want of users ({what}){broken}."
        )
    when = f"after {shown_days(expected)}" if expected > soonest * 1.05 else f"after {shown_days(soonest)}, as planned,"
    approvals = sum(stage.stage.needs_approval for stage in stages)
    people = f" and {approvals} approval{'s' if approvals > 1 else ''}" if approvals else ""
    return (
        f"{plan.route}: a {plan.candidate!r} as good as {plan.baseline!r} would probably reach "
        f"{plan.stages[-1].label} {when}{people}{broken}."
    )


def _why_stuck(stage: StageOutlook) -> list[str]:
    whys = [
        f"the gate {gate.gate} can never pass"
        if gate.users is None
        else f"the gate {gate.gate} needs {gate.users:,} of its users"
        for gate in stage.gates
        if not gate.is_met
    ]
    return whys or [f"min_users is {stage.stage.min_users:,}"]


def _stage_lines(outlook: StageOutlook) -> list[str]:
    stage = outlook.stage
    least, longest = stage.min_duration_s / DAY_S, stage.max_duration_s
    until = f" to {shown_days(longest / DAY_S)}" if longest is not None else ""
    users = f", {outlook.users:,} users of the candidate by then" if stage.weight else ""
    line = f"  {stage.label}: {shown_days(least)}{until}{users}"
    if stage.needs_approval:
        line += "; a person approves"
    return [line, *(f"    {_gate_line(gate, stage.max_duration_s)}" for gate in outlook.gates)]


def _gate_line(gate: GateOutlook, longest_s: float | None) -> str:
    if gate.users is None or gate.days is None:
        return f"{gate.gate}: no number of users is enough"
    if gate.users == 0:
        return f"{gate.gate}: nothing to look at, it passes"
    if gate.is_met:
        seen = "" if gate.days else " (shown, not waited for)" if gate.gate == "segments" else " (seen before)"
        when = f": after {shown_days(gate.days)}" if gate.days else seen
        return f"{gate.gate} needs {gate.users:,} users{when}"
    assert longest_s is not None
    return f"{gate.gate} needs {gate.users:,} users: {shown_days(gate.days)}, and has {shown_days(longest_s / DAY_S)}"


def _signal_line(signal: SignalOutlook) -> str:
    if signal.outage_hours is not None:
        seen = "" if signal.detects is None else f"; within a day it sees {signal.detects:.2g}× the baseline or worse"
        hours = "never" if signal.hours is None else shown_days(signal.hours / 24)
        return f"{signal.name}: 3× after {hours}, a total outage after {shown_days(signal.outage_hours / 24)}{seen}"
    if signal.hours is None or signal.detects is None:
        return f"{signal.name} sleeps: {signal.why_not}"
    return f"{signal.name}: {signal.detects:.2g}× after {shown_days(signal.hours / 24)}"


def _advice_lines(advice: Advice, enough: float | None) -> list[str]:
    if not advice.changes:
        return []
    how = "" if enough is None else f", or wait until there are {enough:,.0f} users a day"
    opening = "this plan could be met" if advice.is_met else "no plan can be met; this one comes nearest"
    return [
        f"  {opening} ({', '.join(advice.changes)}){how}; the rest of `rollout` stays:",
        *(f"    {line}" for line in render_plan(advice.plan)),
    ]


def _of_split(plan: SplitPlan, traffic: Traffic) -> Outlook:
    weights = dict(plan.weights)
    smallest = min((weight for weight in weights.values() if weight), default=0)
    candidates = {arm: weight for arm, weight in weights.items() if arm != plan.baseline and weight}
    if not candidates or not weights[plan.baseline]:
        sentence = f"{plan.route}: one arm has everybody, and nothing is compared."
        return Outlook(plan, sentence, True, (), {"release": plan.release, "route": plan.route, "sentence": sentence})
    per_day = traffic.users_per_day * smallest / BUCKETS
    days = float(ceil(max(plan.min_duration_s / DAY_S, plan.min_users / per_day)))
    n_per_arm = per_day * days * traffic.rated / anytime_inflation(sides=2)
    lift = detectable_lift(n_per_arm, traffic.base_quality)
    arm, weight = min(candidates.items(), key=lambda pair: pair[1])
    share = weight / (weight + weights[plan.baseline])
    signals = _signals_at(plan.signals, traffic, weight, share, 30 * DAY_S)
    found = (
        "no difference would be found then" if lift is None else f"it would find a difference of {lift * 100:.2g}% then"
    )
    sentence, is_met = f"{plan.route}: a first verdict after {shown_days(days)}; {found}.", True
    told = experiment_outlook(plan, traffic)
    if told is not None:
        sentence, is_met = told
    lines = (f"  signals, on {arm}:", *(f"    {_signal_line(signal)}" for signal in signals))
    plain = {
        "release": plan.release,
        "route": plan.route,
        "sentence": sentence,
        "soonest_days": days,
        "detectable_lift": lift,
        "signals": [asdict(signal) for signal in signals],
    }
    return Outlook(plan, sentence, is_met, lines, plain)


def _plain_stage(outlook: StageOutlook) -> dict[str, Any]:
    return {
        "stage": outlook.stage.label,
        "users": outlook.users,
        "days": outlook.days,
        "is_met": outlook.is_met,
        "gates": [asdict(gate) for gate in outlook.gates],
    }


def _outage(signals: Iterable[SignalOutlook]) -> str:
    hours = [signal.outage_hours for signal in signals if signal.outage_hours is not None]
    return shown_days(min(hours) / 24) if hours else "never"


def shown_days(days: float) -> str:
    """
    Give a length of time as one would say it.

    >>> shown_days(1.2), shown_days(0.25), shown_days(0.003)
    ('1.2 days', '6 hours', '4.3 minutes')
    """
    for size, noun in ((1.0, "day"), (1 / 24, "hour"), (1 / 1440, "minute")):
        if days >= size * 0.95:
            count = days / size
            shown = f"{count:.2g}" if count < 10 else f"{count:,.0f}"
            return f"{shown} {noun}" if shown == "1" else f"{shown} {noun}s"
    return "less than a minute" if days > 0 else "no time"
