"""
A rollout's life: what each event makes of it.

Theory of operation
===================
PROGRESSING spends time in a stage. Once the stage has lasted its least time its gates are asked: all pass, and it
goes one stage on, or to AWAITING_APPROVAL where a person has to say yes; one fails, and what its `on_fail` says is
done; anything else, silence included, leaves it where it is, until the stage's longest time is over and it ends in
HOLDING. The last stage is COMPLETE, where a holdback is kept, and FINISHED, where it was let go.

A trip acts in every phase, for harm does not wait for a person to come back from lunch: ROLLED_BACK is 0 and latched,
PAUSED after a step back is 5 or 25 %. A signal that has acted is not heard again for some hours, or until a person has
let the rollout go on: the facts that made it act are still in its window. If it then acts a second time, that is 0.

Only three things raise a weight: a stage that was passed, a person, and a new content, which is another rollout. The
weight never rises by itself after it was lowered, so nothing flaps, and no data never promotes.

This file reads no clock and raises nothing: the caller brings the event and the time, keeps what comes out, and
writes the drafts into the journal. The picture in docs/architecture.md is drawn from TRANSITIONS, which stands in
`moves` beside what each way does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.control import words
from gateway.control.commands import Asked, obey
from gateway.control.journal import DecisionKind
from gateway.control.moves import (
    DORMANT_FOR_S,
    TRANSITIONS,
    Draft,
    control_of,
    drafted,
    entered,
    is_to_return,
    reweighted,
    rolled_back,
    step_back_target,
    weight_at,
)
from gateway.control.progress import elapsed
from gateway.control.rollout import EpochMark, Latch, Rollout, RolloutPhase
from gateway.control.trips import tripped
from gateway.domain.rollout import RolloutPlan
from gateway.gates.verdict import GateVerdict, Trip

__all__ = [
    "TRANSITIONS",
    "Asked",
    "Closed",
    "Draft",
    "Elapsed",
    "Event",
    "Replanned",
    "Tripped",
    "Withdrawn",
    "begin",
    "step",
]


@dataclass(frozen=True, slots=True)
class Elapsed:
    """
    Time went by.

    Attributes:
        seconds: How much since the last time, by a monotonic clock; what is below 0 counts as 0.
        verdicts: What the stage's gates say, if they were asked; None where they were not or nobody knows.
    """

    seconds: float
    verdicts: tuple[GateVerdict, ...] | None = None


@dataclass(frozen=True, slots=True)
class Tripped:
    """A signal acts."""

    trip: Trip


@dataclass(frozen=True, slots=True)
class Replanned:
    """The file has other thresholds, durations or stages for the same content."""

    plan: RolloutPlan


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The file no longer has the rollout."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A latch on this candidate is closed that the rollout does not know of."""

    latch: Latch


Event = Elapsed | Tripped | Asked | Replanned | Withdrawn | Closed
Stepped = tuple[Rollout, tuple[Draft, ...]]


def begin(plan: RolloutPlan, *, unix_ms: int, epoch: int) -> Stepped:
    """
    Give a rollout at its first stage.

    Args:
        plan: What it follows.
        unix_ms: Now.
        epoch: The release's epoch from now on, 0 to 65,535; another than the one before.
    """
    weight = weight_at(plan, 0)
    mark = EpochMark(epoch, unix_ms, weight, control_of(plan, weight))
    rollout = Rollout(
        plan=plan,
        phase=RolloutPhase.COMPLETE if len(plan.stages) == 1 else RolloutPhase.PROGRESSING,
        weight=weight,
        epoch=epoch,
        started_unix_ms=unix_ms,
        entered_unix_ms=unix_ms,
        epochs=(mark,),
    )
    draft = drafted(rollout, rollout, DecisionKind.STARTED, words.started(rollout), rule="file")
    return rollout, (replace(draft, from_weight=0, from_stage=""),)


def step(rollout: Rollout, event: Event, *, unix_ms: int) -> Stepped:
    """
    Give the rollout after `event`, and what is to be journalled about it.

    Whatever does not concern it leaves it alone: a trip of another arm, a command that is refused.

    Args:
        rollout: As it stands.
        event: What happened.
        unix_ms: Now; for display and epochs, nothing is decided by it.
    """
    if rollout.is_withdrawn:
        return rollout, ()
    after, drafts = _stepped(rollout, event, unix_ms)
    return (_numbered(rollout, after) if drafts else after), drafts


def _stepped(rollout: Rollout, event: Event, unix_ms: int) -> Stepped:
    match event:
        case Elapsed():
            return elapsed(rollout, event.seconds, event.verdicts, unix_ms)
        case Tripped():
            return tripped(rollout, event.trip, unix_ms)
        case Asked():
            return obey(rollout, event.command, unix_ms=unix_ms)
        case Replanned():
            return _replanned(rollout, event.plan, unix_ms)
        case Withdrawn():
            return _withdrawn(rollout, unix_ms)
        case Closed():
            return _closed(rollout, event.latch, unix_ms)


def _numbered(before: Rollout, after: Rollout) -> Rollout:
    """Count the version up when a person would see a change; alerts and time are none."""
    same_time = replace(after, dwelt_s=before.dwelt_s, held_s=before.held_s, quiet_s=before.quiet_s)
    return after if same_time == before else replace(after, version=before.version + 1)


def _closed(rollout: Rollout, latch: Latch, unix_ms: int) -> Stepped:
    if rollout.phase is RolloutPhase.ROLLED_BACK:
        return rollout, ()
    gone = rolled_back(rollout, reason=latch.sentence, by=latch.by, unix_ms=unix_ms)
    sentence = f"{words.name_of(rollout)} is at 0, its breaker was closed by {latch.by}: {latch.sentence}"
    kind, why = DecisionKind.ROLLED_BACK, latch.sentence if latch.cause == "person" else ""
    draft = drafted(rollout, gone, kind, sentence, rule=latch.rule, who=latch.by, why=why, evidence=latch.evidence)
    return gone, (draft,)


def _replanned(rollout: Rollout, plan: RolloutPlan, unix_ms: int) -> Stepped:
    if plan == rollout.plan:
        return rollout, ()
    before, old = rollout, rollout.plan
    at = rollout.at
    same = [number for number, one in enumerate(plan.stages) if (one.kind, one.weight) == (at.kind, at.weight)]
    # A plan without this stage is taken up at its last one that gives the candidate no more than it has.
    within = [number for number in range(len(plan.stages)) if weight_at(plan, number) <= rollout.weight]
    stage = (same or within[-1:] or [0])[0]
    rollout = replace(rollout, plan=plan, stage=stage)
    if rollout.phase in (
        RolloutPhase.PROGRESSING,
        RolloutPhase.AWAITING_APPROVAL,
        RolloutPhase.HOLDING,
        RolloutPhase.COMPLETE,
    ):
        rollout = _fitted(rollout, is_same=bool(same), unix_ms=unix_ms)
    elif rollout.phase is RolloutPhase.PAUSED:
        # It stays paused, at a weight that this plan has.
        rollout = reweighted(rollout, step_back_target(plan, rollout.weight), unix_ms=unix_ms)
    changed = [name for name in _PLAN_PARTS if getattr(old, name) != getattr(plan, name)]
    sentence = (
        f"The plan of {words.name_of(rollout)} changed ({words.listed(changed)}); the rollout goes on at "
        f"{words.place_of(plan, rollout.stage, rollout.weight)}."
    )
    return rollout, (
        drafted(before, rollout, DecisionKind.REPLANNED, sentence, rule="file", evidence={"changed": changed}),
    )


_PLAN_PARTS = tuple(name for name in RolloutPlan.__dataclass_fields__ if name != "content")


def _fitted(rollout: Rollout, *, is_same: bool, unix_ms: int) -> Rollout:
    """Give it at a place that its new plan has, and never higher than before unless the holdback got smaller."""
    is_complete = rollout.phase is RolloutPhase.COMPLETE
    if is_same and is_complete is rollout.is_last:
        return reweighted(rollout, weight_at(rollout.plan, rollout.stage), unix_ms=unix_ms)
    return entered(rollout, rollout.stage, unix_ms=unix_ms)


def _withdrawn(rollout: Rollout, unix_ms: int) -> Stepped:
    gone = replace(rollout, is_withdrawn=True, withdrawn_unix_ms=unix_ms)
    plan = rollout.plan
    if rollout.phase is RolloutPhase.FINISHED:
        sentence = f"The rollout of {words.name_of(rollout)} had finished and is no longer in the file."
    else:
        at = words.place_of(plan, rollout.stage, rollout.weight)
        back = f", and goes on from there if it is back unchanged within {words.span(DORMANT_FOR_S)}"
        back = back if is_to_return(rollout) else ""
        sentence = f"The rollout of {words.name_of(rollout)} is no longer in the file: it ended at {at}{back}."
    return gone, (drafted(rollout, gone, DecisionKind.ENDED, sentence, rule="file"),)
