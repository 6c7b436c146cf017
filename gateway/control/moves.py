"""
The ways between a rollout's phases, and what each of them does to stage and weight.

Nothing else in the house changes a rollout's phase or weight: `machine` and `commands` decide which way is taken,
and take it here. Weights come from the plan's stages, from STEP_BACKS, or are 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from gateway.control.journal import DecisionKind
from gateway.control.rollout import EpochMark, Rollout, RolloutPhase
from gateway.domain.release import BUCKETS
from gateway.domain.rollout import Control, GateName, RolloutPlan, Stage, StageKind

MAX_EPOCH = 0xFFFF
"""An epoch has 16 bits in a request id; after the last comes 0."""

STEP_BACKS = (500, 2_500)
"""What a signal steps back to, by the article: 5 or 25 %."""

MAX_MARKS = 1_000
"""Epochs remembered per rollout: more than any plan and a busy person make."""


DORMANT_FOR_S = 30 * 86_400.0
"""A rollout whose content was gone for longer begins anew when it comes back."""


class Move(StrEnum):
    """What happens to a rollout."""

    STAGED = "goes to a stage"
    ENDED = "reaches the last stage"
    PASSED = "passes, approval wanted"
    HELD = "is held"
    PAUSED = "is paused"
    ROLLED_BACK = "is rolled back"
    LET_GO = "lets its holdback go"


_P = RolloutPhase
_UNDER_WAY = (_P.PROGRESSING, _P.AWAITING_APPROVAL, _P.HOLDING, _P.PAUSED, _P.COMPLETE, _P.FINISHED)

TRANSITIONS: dict[tuple[RolloutPhase, Move], RolloutPhase] = {
    **{(phase, Move.STAGED): _P.PROGRESSING for phase in (*_UNDER_WAY, _P.ROLLED_BACK)},
    **{(phase, Move.ENDED): _P.COMPLETE for phase in (*_UNDER_WAY, _P.ROLLED_BACK)},
    **{(phase, Move.PAUSED): _P.PAUSED for phase in _UNDER_WAY},
    **{(phase, Move.ROLLED_BACK): _P.ROLLED_BACK for phase in _UNDER_WAY},
    (_P.PROGRESSING, Move.PASSED): _P.AWAITING_APPROVAL,
    (_P.PROGRESSING, Move.HELD): _P.HOLDING,
    (_P.AWAITING_APPROVAL, Move.HELD): _P.HOLDING,
    (_P.COMPLETE, Move.LET_GO): _P.FINISHED,
}
"""Pairs that are missing do not happen. Out of ROLLED_BACK there are two ways, and both are a person's `resume`."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A journal entry before it has a number; fields as in `journal.Entry`."""

    kind: DecisionKind
    sentence: str
    rule: str
    arm: str = ""
    who: str = "controller"
    why: str = ""
    from_weight: int = 0
    to_weight: int = 0
    from_stage: str = ""
    to_stage: str = ""
    epoch: int = 0
    evidence: Mapping[str, Any] = field(default_factory=dict)


def drafted(
    before: Rollout,
    after: Rollout,
    kind: DecisionKind,
    sentence: str,
    *,
    rule: str,
    who: str = "controller",
    why: str = "",
    evidence: Mapping[str, Any] | None = None,
) -> Draft:
    """Give the entry for what led from `before` to `after`."""
    return Draft(
        kind=kind,
        sentence=sentence,
        rule=rule,
        arm=after.plan.candidate,
        who=who,
        why=why,
        from_weight=before.weight,
        to_weight=after.weight,
        from_stage=before.at.label,
        to_stage=after.at.label,
        epoch=after.epoch,
        evidence=evidence or {},
    )


def weight_at(plan: RolloutPlan, stage: int) -> int:
    """Give a stage's buckets; the last gives up the holdback when it is 100 %."""
    weight = plan.stages[stage].weight
    is_last = stage == len(plan.stages) - 1
    return BUCKETS - plan.holdback.share if is_last and weight == BUCKETS else weight


def gates_of(stage: Stage) -> tuple[GateName, ...]:
    """Give the gates that have to pass; an internal stage always asks for critical failures."""
    is_asked = stage.kind is not StageKind.INTERNAL or GateName.CRITICAL in stage.gates
    return stage.gates if is_asked else (GateName.CRITICAL, *stage.gates)


def first_with_traffic(plan: RolloutPlan) -> int:
    """Give the first stage that users are bucketed in; the last where there is none."""
    shares = (number for number, stage in enumerate(plan.stages) if stage.kind is StageKind.SHARE)
    return next(shares, len(plan.stages) - 1)


def stage_within(plan: RolloutPlan, weight: int) -> int:
    """Give the last stage with traffic of at most `weight` buckets; the first with traffic where all have more."""
    first = first_with_traffic(plan)
    within = [number for number in range(first, len(plan.stages)) if weight_at(plan, number) <= weight]
    return within[-1] if within else first


def control_of(plan: RolloutPlan, weight: int) -> int:
    """Give how many of the baseline's buckets are compared with the candidate's `weight`."""
    rest = BUCKETS - weight
    return min(weight, rest) if plan.control is Control.EQUAL else rest


def reweighted(rollout: Rollout, weight: int, *, unix_ms: int) -> Rollout:
    """Give it with another weight, in the next epoch; with the same weight, as it is."""
    if weight == rollout.weight:
        return rollout
    epoch = (rollout.epoch + 1) & MAX_EPOCH
    mark = EpochMark(epoch, unix_ms, weight, control_of(rollout.plan, weight))
    return replace(rollout, weight=weight, epoch=epoch, epochs=(*rollout.epochs, mark)[-MAX_MARKS:])


def moved(rollout: Rollout, move: Move, *, reason: str = "", by: str = "controller") -> Rollout:
    """
    Give it in the phase that `move` leads to.

    Raises:
        ValueError: There is no such way: whoever asks has to look first.
    """
    phase = TRANSITIONS.get((rollout.phase, move))
    if phase is None:
        msg = f"a rollout that is {rollout.phase} is never one that {move}"
        raise ValueError(msg)
    return replace(rollout, phase=phase, reason=reason, by=by)


def entered(rollout: Rollout, stage: int, *, unix_ms: int, by: str = "controller") -> Rollout:
    """Give it at the beginning of a stage."""
    is_last = stage == len(rollout.plan.stages) - 1
    there = replace(
        moved(rollout, Move.ENDED if is_last else Move.STAGED, by=by),
        stage=stage,
        entered_unix_ms=unix_ms,
        dwelt_s=0.0,
        held_s=0.0,
        approved_by="",
        is_extended=False,
        passed=_passed_before(rollout, stage),
    )
    return reweighted(there, weight_at(rollout.plan, stage), unix_ms=unix_ms)


def _passed_before(rollout: Rollout, stage: int) -> tuple[str, ...]:
    """Give what is passed when it enters a stage: what it leaves upwards now, and of what is below what it had left."""
    before = enumerate(rollout.plan.stages[:stage])
    return tuple(one.label for number, one in before if number >= rollout.stage or one.label in rollout.passed)


def resumed_stage(rollout: Rollout) -> int:
    """
    Give where a rollout begins again after a rollback: the first stage with traffic.

    Or a stage before that which it had not passed: nobody skips one by rolling back in it.
    """
    first = first_with_traffic(rollout.plan)
    before = rollout.plan.stages[:first]
    return next((number for number, one in enumerate(before) if one.label not in rollout.passed), first)


def rolled_back(rollout: Rollout, *, reason: str, by: str, unix_ms: int) -> Rollout:
    """Give it with nobody on the candidate; who approved what came before is asked again."""
    gone = replace(moved(rollout, Move.ROLLED_BACK, reason=reason, by=by), approved_by="")
    return reweighted(gone, 0, unix_ms=unix_ms)


def is_to_return(rollout: Rollout) -> bool:
    """
    Say whether it goes on where it stood when its content is gone and comes back.

    Not an edit that came to its end: what it led to is what the next edit comes from. To edit it away and back again
    are two edits, and each reaches people through a rollout of its own.
    """
    has_ended = rollout.phase in (RolloutPhase.COMPLETE, RolloutPhase.FINISHED)
    return not (rollout.plan.is_edit and has_ended)


def step_back_target(plan: RolloutPlan, wanted: int | None) -> int:
    """Give the largest weight allowed that is at most `wanted`; 0 where none is."""
    allowed = {*STEP_BACKS, *(weight_at(plan, number) for number in range(len(plan.stages)))}
    bound = STEP_BACKS[0] if wanted is None else wanted
    return max((weight for weight in allowed if weight <= bound), default=0)
