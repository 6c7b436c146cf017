"""Rollouts as operators see them: plain JSON with weights in percent, and sentences a person understands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from gateway.control.rollout import EpochMark, Latch, Rollout, RolloutPhase
from gateway.control.words import place_of
from gateway.domain.release import BUCKETS
from gateway.domain.rollout import RolloutPlan, Signal, SplitPlan, Stage
from gateway.gates.course import Course
from gateway.gates.verdict import GateVerdict, Verdict
from gateway.report.words import duration

Json = dict[str, Any]
Exposed = Mapping[tuple[int, str], int]
"""Exposed units by epoch and arm."""


def rollout_line(rollout: Rollout, latches: Iterable[Latch], verdicts: Sequence[GateVerdict] = ()) -> Json:
    """Give one rollout in short; `verdicts` are what its gates said last, in the plan's order."""
    plan = rollout.plan
    return {
        "release": plan.release,
        "route": plan.route,
        "baseline": plan.baseline,
        "candidate": plan.candidate,
        "change_type": str(plan.change_type),
        "is_edit": plan.is_edit,
        "phase": str(rollout.phase),
        "stage": {"index": rollout.stage, "label": rollout.at.label, "of": len(plan.stages)},
        "weight_pct": percent(rollout.weight),
        "epoch": rollout.epoch,
        "version": rollout.version,
        "is_latched": bool(latches_on(plan.release, latches)),
        "sentence": sentence_of(rollout),
        "waits_for": waits_for(rollout, verdicts),
    }


def rollout_view(
    rollout: Rollout,
    *,
    latches: Sequence[Latch],
    verdicts: Sequence[GateVerdict],
    readings: Sequence[Any],
    exposed: Exposed | None,
) -> Json:
    """
    Give everything about one rollout.

    Args:
        rollout: As it stands.
        latches: All that are closed.
        verdicts: What its gates said last, in the plan's order.
        readings: What its signals read now.
        exposed: Exposed units; None while they cannot be read.
    """
    plan = rollout.plan
    own = latches_on(plan.release, latches)
    return rollout_line(rollout, own) | {
        "waits_for": waits_for(rollout, verdicts),
        "plan": plan_view(plan),
        "reason": rollout.reason,
        "by": rollout.by,
        "approved_by": rollout.approved_by,
        "started_unix_ms": rollout.started_unix_ms,
        "entered_unix_ms": rollout.entered_unix_ms,
        "dwelt_s": round(rollout.dwelt_s, 1),
        "min_duration_s": rollout.at.min_duration_s,
        "max_duration_s": rollout.at.max_duration_s,
        "held_s": round(rollout.held_s, 1),
        "n_resumes": rollout.n_resumes,
        "n_step_backs": rollout.n_step_backs,
        "stepped_back_by": list(rollout.stepped_back_by),
        "gates": msgspec.to_builtins(list(verdicts)),
        "signals": msgspec.to_builtins(list(readings)),
        "alpha": [alpha_view(signal, rollout.n_resumes) for signal in plan.signals],
        "latches": msgspec.to_builtins(own),
        "epochs": [epoch_view(mark, plan, exposed) for mark in rollout.epochs],
        "users": users_view(plan, exposed),
    }


def latches_on(release: str, latches: Iterable[Latch]) -> list[Latch]:
    """Give what is closed of a release; not what would only close again should an old content come back."""
    return [latch for latch in latches if latch.release == release and not latch.is_dormant]


def plan_view(plan: RolloutPlan) -> Json:
    """Give a plan with every number filled in."""
    facts: Json = msgspec.to_builtins(plan)
    return {
        **facts,
        "stages": [stage_view(stage) for stage in plan.stages],
        "gates": {str(name): msgspec.to_builtins(rule) for name, rule in plan.gates.items()},
        "holdback": {"share_pct": percent(plan.holdback.share), "held_for_s": plan.holdback.held_for_s},
    }


def stage_view(stage: Stage) -> Json:
    """Give a stage, its label and its weight in percent."""
    return {"label": stage.label, "weight_pct": percent(stage.weight), **msgspec.to_builtins(stage)}


def split_line(plan: SplitPlan, latches: Iterable[Latch], course: Course | None = None) -> Json:
    """Give one split, or other experiment, in short; `course` is how one stands that divides its own traffic."""
    own = latches_on(plan.release, latches)
    stopped = {latch.arm for latch in own}
    arms = [
        {
            "arm": arm,
            "weight_pct": percent(weight),
            "is_stopped": arm != plan.baseline and bool({arm, ""} & stopped),
        }
        for arm, weight in plan.weights
    ]
    line = {
        "release": plan.release,
        "route": plan.route,
        "kind": str(plan.kind),
        "baseline": plan.baseline,
        "arms": arms,
    }
    if course is None:
        return line
    return line | {"phase": course.phase, "sentence": course.sentence, "epoch": course.epoch}


def split_view(
    plan: SplitPlan, latches: Iterable[Latch], readings: Sequence[Any], course: Course | None = None
) -> Json:
    """Give everything about one split, or other experiment."""
    own = latches_on(plan.release, latches)
    return split_line(plan, own, course) | {
        "plan": msgspec.to_builtins(plan),
        "signals": msgspec.to_builtins(list(readings)),
        "latches": msgspec.to_builtins(own),
        "course": None if course is None else course_view(course),
    }


def course_view(course: Course) -> Json:
    """Give how an experiment stands that divides its own traffic; its plan is told beside."""
    facts: Json = msgspec.to_builtins(course)
    return {name: value for name, value in facts.items() if name != "plan"}


def epoch_view(mark: EpochMark, plan: RolloutPlan, exposed: Exposed | None) -> Json:
    """Give a stretch of constant weights, with its exposed users where they are known."""
    users = None
    if exposed is not None:
        arms = {"candidate": plan.candidate, "baseline": plan.baseline}
        users = {role: exposed.get((mark.epoch, arm), 0) for role, arm in arms.items()}
    return {
        "epoch": mark.epoch,
        "since_unix_ms": mark.since_unix_ms,
        "weight_pct": percent(mark.weight),
        "control_pct": percent(mark.control),
        "users": users,
    }


def users_view(plan: RolloutPlan, exposed: Exposed | None) -> Json | None:
    """
    Give exposed users by role: those of the epoch that saw most.

    Buckets stay with whoever had them, so epochs overlap, and their sum would count people twice. Somebody who came
    in one epoch only may be missing: at least so many it was.
    """
    if exposed is None:
        return None
    arms = {"candidate": plan.candidate, "baseline": plan.baseline}
    return {
        role: max((n for (_, named), n in exposed.items() if named == arm), default=0) for role, arm in arms.items()
    }


def alpha_view(signal: Signal, n_resumes: int) -> Json:
    """Give a signal's ledger: what it may be wrong with over the whole rollout, and what its lives have used."""
    from gateway.stats.alpha import alpha_of_life

    lives = [alpha_of_life(signal.alpha, life) for life in range(n_resumes + 1)]
    return {"signal": signal.name, "alpha": signal.alpha, "of_this_life": lives[-1], "spent": sum(lives)}


def sentence_of(rollout: Rollout) -> str:
    """Give how it stands in one sentence, for a product owner."""
    plan = rollout.plan
    name, reason = f"{plan.candidate} on {plan.route}", rollout.reason.rstrip(".")
    if rollout.phase is RolloutPhase.ROLLED_BACK:
        return f"{name} was rolled back by {rollout.by} and gets nobody: {reason or 'no reason was given'}."
    at = f"{name} is at {place_of(plan, rollout.stage, rollout.weight)}"
    if rollout.phase is RolloutPhase.FINISHED:
        return f"{at}; the holdback was let go."
    if rollout.phase is RolloutPhase.COMPLETE:
        return f"{at}; the rollout is complete and still watched."
    at = f"{at}, stage {rollout.stage + 1} of {len(plan.stages)},"
    if rollout.phase is RolloutPhase.PROGRESSING:
        return f"{at} and goes on by itself."
    if rollout.phase is RolloutPhase.AWAITING_APPROVAL:
        return f"{at} and passed every gate; a person has to say yes."
    verb = "is paused" if rollout.phase is RolloutPhase.PAUSED else "holds"
    return f"{at} and {verb}{f': {reason}' if reason else ''}."


def waits_for(rollout: Rollout, verdicts: Sequence[GateVerdict]) -> str:
    """Give the next thing it waits for, in words."""
    plan, stage = rollout.plan, rollout.at
    if rollout.phase is RolloutPhase.PROGRESSING:
        left_s = stage.min_duration_s - rollout.dwelt_s
        if left_s > 0:
            return f"{duration(left_s)} more at {stage.label}, then its gates are asked"
        open_gates = [one for one in verdicts if one.verdict is not Verdict.PASS]
        if open_gates:
            return f"gate {open_gates[0].gate}: {open_gates[0].sentence}"
        return "the next look at its gates, which comes once an hour"
    left_s = plan.holdback.held_for_s - rollout.held_s
    return {
        RolloutPhase.AWAITING_APPROVAL: f"a person: sluice approve {plan.route}",
        RolloutPhase.HOLDING: f"a person: sluice resume, promote or rollback {plan.route}",
        RolloutPhase.PAUSED: f"a person: sluice resume or rollback {plan.route}",
        RolloutPhase.COMPLETE: f"{duration(max(left_s, 0.0))}, then the holdback is let go",
        RolloutPhase.FINISHED: "nothing",
        RolloutPhase.ROLLED_BACK: f"a person (sluice resume {plan.route}) or a changed {plan.candidate}",
    }[rollout.phase]


def percent(buckets: int) -> float:
    """
    Give buckets in percent.

    >>> percent(250)
    2.5
    """
    return buckets * 100 / BUCKETS
