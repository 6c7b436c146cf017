"""What is said about rollouts: one sentence a product owner understands, and the names of things in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.control.rollout import Rollout, RolloutPhase
from gateway.domain.release import BUCKETS
from gateway.domain.rollout import RolloutPlan, StageKind
from gateway.gates.verdict import GateVerdict, Verdict

_SPANS = ((86_400.0, "day"), (3_600.0, "hour"), (60.0, "minute"), (1.0, "second"))


def percent(buckets: int) -> str:
    """
    Give buckets as people write them.

    >>> percent(250)
    '2.5 %'
    """
    return f"{buckets * 100 / BUCKETS:g} %"


def span(seconds: float) -> str:
    """
    Give a length of time in its largest unit.

    >>> span(86_400), span(5_400), span(0)
    ('1 day', '1.5 hours', '0 seconds')
    """
    for size, name in _SPANS:
        if seconds >= size or size == 1.0:
            number = f"{seconds / size:.3g}"
            return f"{number} {name}{'' if number == '1' else 's'}"
    raise AssertionError


def place_of(plan: RolloutPlan, stage: int, weight: int) -> str:
    """Give who gets the candidate, in words."""
    kind = plan.stages[stage].kind
    if weight:
        rest = BUCKETS - weight
        is_held_back = stage == len(plan.stages) - 1 and plan.stages[stage].weight == BUCKETS and rest
        return f"{percent(weight)} + {percent(rest)} holdback" if is_held_back else f"{percent(weight)} of users"
    return {StageKind.INTERNAL: "internal users", StageKind.SHADOW: "copies of requests"}.get(kind, "nobody")


def name_of(rollout: Rollout) -> str:
    """Give what is rolled out, and where."""
    return f"{rollout.plan.candidate} on {rollout.plan.route}"


def standing_words(rollout: Rollout) -> str:
    """Give how a rollout stands, for answers that refuse."""
    plan = rollout.plan
    where = f"{plan.candidate} on {plan.route} is at {place_of(plan, rollout.stage, rollout.weight)}"
    phase = {
        RolloutPhase.PROGRESSING: f"progressing, stage {rollout.stage + 1} of {len(plan.stages)}",
        RolloutPhase.AWAITING_APPROVAL: "every gate passed, waiting for a person's approval",
        RolloutPhase.HOLDING: "holding",
        RolloutPhase.PAUSED: "paused",
        RolloutPhase.COMPLETE: "complete",
        RolloutPhase.FINISHED: "finished",
        RolloutPhase.ROLLED_BACK: "rolled back",
    }[rollout.phase]
    said = f" by {rollout.by}: {rollout.reason}" if rollout.reason else ""
    return f"{where} ({phase}{said}; version {rollout.version})"


def started(rollout: Rollout) -> str:
    """Say that it begins."""
    plan = rollout.plan
    edit = "an edit of what everybody gets becomes a rollout: " if plan.is_edit else ""
    where = place_of(plan, rollout.stage, rollout.weight)
    stays = rollout.at.min_duration_s
    next_thing = f" It stays there for at least {span(stays)}." if stays else ""
    skip = f" To skip it: sluice promote {plan.route} --to 100%." if plan.is_edit else ""
    return (
        f"{edit}{plan.candidate} begins on {plan.route} with {where}, compared with {plan.baseline}.{next_thing}{skip}"
    )


def promoted(before: Rollout, after: Rollout, verdicts: Sequence[GateVerdict] | None) -> str:
    """Say that it goes one stage on, and on what grounds."""
    plan = after.plan
    to = place_of(plan, after.stage, after.weight)
    passed = [str(one.gate) for one in verdicts or () if one.verdict is Verdict.PASS]
    grounds = (
        f"passed {listed(passed)}" if passed else f"stayed {span(before.dwelt_s)} without a trip; no gate asks more"
    )
    return f"{plan.candidate} on {plan.route} goes from {before.at.label} to {to}: it {grounds}.{_next(after)}"


def _next(rollout: Rollout) -> str:
    if rollout.is_last:
        held = rollout.plan.holdback
        if rollout.at.weight == BUCKETS and held.share:
            return (
                f" {percent(held.share)} stay on {rollout.plan.baseline} for {span(held.held_for_s)}, to compare with."
            )
        return " It is the last stage; watching goes on."
    stage = rollout.at
    gates = f", then {listed(map(str, stage.gates))} must pass" if stage.gates else ""
    return f" It stays there for at least {span(stage.min_duration_s)}{gates}."


def insufficient(verdicts: Iterable[GateVerdict]) -> str:
    """Say what is missing, in the gates' own words."""
    open_ones = [one for one in verdicts if one.verdict is not Verdict.PASS]
    return "; ".join(f"{one.gate}: {one.sentence}" for one in open_ones) or "a gate has not answered"


def listed(names: Iterable[str]) -> str:
    """
    Give names as people list them.

    >>> listed(["errors", "quality", "primary"])
    'errors, quality and primary'
    """
    known = list(names)
    return " and ".join([", ".join(known[:-1]), known[-1]] if len(known) > 1 else known)


def stages_of(plan: RolloutPlan) -> str:
    """Give a plan's stages as they are asked for."""
    return listed(stage.label for stage in plan.stages)
