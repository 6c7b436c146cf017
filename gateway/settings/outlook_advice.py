"""The plan that fits the traffic: fewer and larger stages, longer ones, and wider margins where nothing else helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil

from gateway.domain.default_plan import DAY_S, GATES
from gateway.domain.rollout import (
    ChangeType,
    Control,
    GateName,
    GateRule,
    PassMode,
    Require,
    RolloutPlan,
    Stage,
    StageKind,
)
from gateway.settings.outlook import Traffic, stage_outlooks

MARGINS = (0.05, 0.1, 0.15, 0.2)
LONGEST_STAGE_DAYS = 28
CANARY_DAYS = 7
"""A stage whose purpose is that few are hurt is not worth more."""
_SMALL = 2_500


@dataclass(frozen=True, slots=True)
class Advice:
    """
    A plan that can be met.

    Attributes:
        plan: The plan, or the nearest to one.
        is_met: Whether every gate in it can be met.
        changes: What was changed, in words.
    """

    plan: RolloutPlan
    is_met: bool
    changes: tuple[str, ...]


def advise(plan: RolloutPlan, traffic: Traffic) -> Advice:
    """Give a plan for the same candidate that this traffic can carry; the plan itself where it fits."""
    if all(outlook.is_met for outlook in stage_outlooks(plan, traffic)):
        return Advice(plan, is_met=True, changes=())
    for margin in MARGINS:
        widened, changes = _widened(plan, margin)
        fitted, more = _fitted(widened, traffic)
        if fitted is not None:
            return Advice(fitted, is_met=True, changes=(*changes, *more))
    bare, changes = _bare(plan, traffic)
    return Advice(bare, all(outlook.is_met for outlook in stage_outlooks(bare, traffic)), changes)


def render_plan(plan: RolloutPlan) -> list[str]:
    """Give a plan as lines of the file, to be put where `rollout` stands."""
    lines = [
        "rollout:",
        f"  baseline: {_quoted(plan.baseline)}",
        f"  candidate: {_quoted(plan.candidate)}",
        f"  change_type: {plan.change_type}",
        "  stages:",
    ]
    for stage in plan.stages[:-1]:
        parts = [f"at: {stage.label}", f"min_duration: {_duration(stage.min_duration_s)}"]
        if stage.max_duration_s is not None:
            parts.append(f"max_duration: {_duration(stage.max_duration_s)}")
        if stage.kind is StageKind.SHARE:
            parts += [f"min_users: {stage.min_users}"] if stage.min_users else []
            parts.append(f"gates: [{', '.join(stage.gates)}]")
        if stage.kind is StageKind.SHADOW and stage.sample is not None:
            parts.append(f"sample: {stage.sample * 100:g}%")
        parts += ["approve: true"] if stage.needs_approval else []
        lines.append(f"    - {{{', '.join(parts)}}}")
    lines.append(f"    - {{at: {plan.stages[-1].label}}}")
    lines += [f"  gates: {{{', '.join(written)}}}"] if (written := list(_written(plan.gates))) else []
    lines += ["  control: equal"] if plan.control is Control.EQUAL else []
    return lines


def _widened(plan: RolloutPlan, margin: float) -> tuple[RolloutPlan, tuple[str, ...]]:
    gates = {
        name: replace(rule, margin=margin)
        if name in (GateName.QUALITY, GateName.PRIMARY) and rule.margin < margin
        else rule
        for name, rule in plan.gates.items()
    }
    if gates == plan.gates:
        return plan, ()
    return replace(plan, gates=gates), (f"a margin of {margin * 100:g}%",)


def _fitted(plan: RolloutPlan, traffic: Traffic) -> tuple[RolloutPlan | None, tuple[str, ...]]:
    """Give the plan with stages long enough, or dropped where that is too long; None where none is left."""
    stages: list[Stage] = []
    changes: list[str] = []
    last_share = max(
        (index for index, stage in enumerate(plan.stages[:-1]) if stage.kind is StageKind.SHARE), default=-1
    )
    for index, stage in enumerate(plan.stages[:-1]):
        so_far = replace(plan, stages=(*stages, replace(stage, max_duration_s=None), plan.stages[-1]))
        outlook = stage_outlooks(so_far, traffic)[-1]
        needs = {gate.gate: gate.days for gate in outlook.gates}
        limit = LONGEST_STAGE_DAYS if index == last_share else CANARY_DAYS
        kept = tuple(name for name in stage.gates if (days := needs.get(name, 0.0)) is not None and days <= limit)
        is_blind = stage.kind is StageKind.SHARE and (GateName.ERRORS in stage.gates) and GateName.ERRORS not in kept
        if index != last_share and (is_blind or outlook.min_users_days > limit):
            changes.append(f"no stage at {stage.label}")
            continue
        if index == last_share and (len(kept) < len(stage.gates) or outlook.min_users_days > limit):
            return None, ()
        changes += [f"{name} not asked at {stage.label}" for name in stage.gates if name not in kept]
        days = max([stage.min_duration_s / DAY_S, outlook.min_users_days, *(needs.get(name) or 0.0 for name in kept)])
        stages.append(_lasting(replace(stage, gates=kept), days, plan.change_type))
        if stages[-1].min_duration_s > stage.min_duration_s:
            changes.append(f"{_duration(stages[-1].min_duration_s)} at {stage.label}")
    fitted = replace(plan, stages=(*stages, plan.stages[-1]))
    is_met = all(outlook.is_met for outlook in stage_outlooks(fitted, traffic))
    return (fitted if is_met else None), tuple(changes)


def _lasting(stage: Stage, days: float, change: ChangeType) -> Stage:
    """Give the stage, lasting so many days at least: whole ones, and whole weeks for a new feature's verdict."""
    least_s = stage.min_duration_s
    if days * DAY_S > least_s:
        is_weekly = change is ChangeType.NEW_FEATURE and GateName.PRIMARY in stage.gates
        least_s = (ceil(days / 7) * 7 if is_weekly else ceil(days)) * DAY_S
    longest_s = max(stage.max_duration_s or 0.0, 2 * least_s)
    return replace(stage, min_duration_s=least_s, max_duration_s=longest_s)


def _bare(plan: RolloutPlan, traffic: Traffic) -> tuple[RolloutPlan, tuple[str, ...]]:
    """Give the plan that asks about errors alone, with a person's yes: quality cannot be measured here."""
    stages = [stage for stage in plan.stages[:-1] if stage.kind is not StageKind.SHARE]
    stage = Stage(StageKind.SHARE, 5_000, DAY_S, None, 0, (GateName.ERRORS,), needs_approval=True)
    outlook = stage_outlooks(replace(plan, stages=(stage, plan.stages[-1])), traffic)[0]
    days = max(gate.days or 0.0 for gate in outlook.gates)
    stages.append(_lasting(stage, max(7.0, days), plan.change_type))
    changes = ("one stage at 50%", "errors alone, and a person who has read answers says yes")
    return replace(plan, stages=(*stages, plan.stages[-1])), changes


def _written(gates: Mapping[GateName, GateRule]) -> list[str]:
    written = []
    for name, rule in gates.items():
        default, parts = GATES[name], []
        if rule.margin != default.margin:
            parts.append(f"margin: {rule.margin * 100:g}%")
        if rule.ratio != default.ratio:
            parts.append(f"ratio: {rule.ratio:g}")
        if rule.alpha != default.alpha:
            parts.append(f"alpha: {rule.alpha:g}")
        parts += ["require: better"] if rule.require is Require.BETTER else []
        parts += ["pass_mode: proof"] if rule.pass_mode is PassMode.PROOF else []
        parts += ["strict: true"] if rule.is_strict else []
        parts += [f"on_fail: {rule.on_fail}"] if rule.on_fail is not default.on_fail else []
        if parts:
            written.append(f"{name}: {{{', '.join(parts)}}}")
    return written


def _duration(seconds: float) -> str:
    for unit, size in (("d", DAY_S), ("h", 3_600.0), ("m", 60.0)):
        if seconds >= size and abs(seconds / size - round(seconds / size, 1)) < 1e-6:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _quoted(name: str) -> str:
    is_plain = name.replace("-", "").replace("_", "").replace(".", "").isalnum() and not name[0].isdigit()
    return name if is_plain else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
