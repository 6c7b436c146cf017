"""
What a person may ask of a rollout, when it is refused, and what it does.

A refusal is a value: a sentence, how the rollout stands, and what to do instead. A person may always roll back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from gateway.control import words
from gateway.control.journal import DecisionKind
from gateway.control.moves import (
    Draft,
    Move,
    drafted,
    entered,
    moved,
    resumed_stage,
    rolled_back,
    stage_within,
    weight_at,
)
from gateway.control.rollout import Command, CommandKind, Rollout, RolloutPhase

MAX_KEYS = 100
"""Idempotency keys remembered per rollout."""

_P = RolloutPhase
_MOVING = frozenset({_P.PROGRESSING, _P.HOLDING, _P.AWAITING_APPROVAL})


CONTROLLER = "controller"
"""Who a rollback is by when no person asked for it."""


class Reply(StrEnum):
    """How a command ended."""

    DONE = "done"
    ALREADY = "already"
    """Nothing had to be done: it is so, or was done under the same key."""
    CONFLICT = "conflict"
    """Somebody else changed it in between."""
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """No such release."""
    UNKEPT = "unkept"
    """The state directory cannot be written; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    Why a command changes nothing.

    Attributes:
        reply: What kind of refusal.
        sentence: Why, how the rollout stands, and what to do instead.
    """

    reply: Reply
    sentence: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A person asks something of a rollout."""

    command: Command


Obeyed = tuple[Rollout, tuple[Draft, ...]]


def refusal_of(rollout: Rollout, command: Command) -> Refusal | None:
    """Give why `command` would change nothing; None when it would be carried out."""
    if command.key and command.key in rollout.keys:
        return Refusal(Reply.ALREADY, f"done already under this key; {words.standing_words(rollout)}")
    expected = command.expected_version
    if expected is not None and expected != rollout.version:
        seen = f"version {expected} was meant, but somebody changed it since"
        return Refusal(Reply.CONFLICT, f"{seen}: {words.standing_words(rollout)}")
    if not command.who.strip():
        return Refusal(Reply.REFUSED, f"nobody asked: the journal wants a name; {words.standing_words(rollout)}")
    refused = _REFUSALS[command.kind](rollout, command)
    if refused is None:
        return None
    reply, why = refused
    return Refusal(reply, f"{why}; {words.standing_words(rollout)}")


def obey(rollout: Rollout, command: Command, *, unix_ms: int) -> Obeyed:
    """Give the rollout after `command`, and what is to be journalled; as it is when the command is refused."""
    if refusal_of(rollout, command) is not None:
        return rollout, ()
    after, draft = _OBEYS[command.kind](rollout, command, unix_ms)
    if command.key:
        after = replace(after, keys=(*after.keys, command.key)[-MAX_KEYS:])
    return after, (draft,)


Refused = tuple[Reply, str] | None


def _refuse_promote(rollout: Rollout, command: Command) -> Refused:
    if rollout.phase not in _MOVING:
        return _refuse_moving(rollout, "promote") or (Reply.REFUSED, "there is no stage after this one")
    if command.to_weight is None and command.to_stage is None:
        return None
    wanted = _wanted(rollout, command)
    if wanted is None:
        return Reply.REFUSED, f"the plan has no such stage: its stages are {words.stages_of(rollout.plan)}"
    if wanted <= rollout.stage:
        return Reply.REFUSED, "that is no promotion; to go back, set the stage"
    return None


def _refuse_set_stage(rollout: Rollout, command: Command) -> Refused:
    if _wanted(rollout, command) is None:
        return Reply.REFUSED, f"the plan has no such stage: its stages are {words.stages_of(rollout.plan)}"
    if rollout.phase in (_P.PAUSED, _P.ROLLED_BACK):
        return _refuse_moving(rollout, "set its stage")
    if rollout.phase is _P.FINISHED and rollout.plan.is_edit:
        return Reply.REFUSED, "the content before the edit was let go; edit the variant once more"
    return None


def _refuse_moving(rollout: Rollout, what: str) -> Refused:
    if rollout.phase in (_P.PAUSED, _P.ROLLED_BACK):
        return Reply.REFUSED, f"resume it before you {what}"
    return None


def _refuse_pause(rollout: Rollout, _: Command) -> Refused:
    if rollout.phase is _P.PAUSED:
        return Reply.ALREADY, "it is paused already"
    if rollout.phase in (_P.ROLLED_BACK, _P.FINISHED):
        return Reply.REFUSED, "there is nothing to pause"
    return None


def _refuse_resume(rollout: Rollout, _: Command) -> Refused:
    if rollout.phase not in (_P.PAUSED, _P.HOLDING, _P.ROLLED_BACK):
        return Reply.ALREADY, "there is nothing to resume"
    return None


def _refuse_rollback(rollout: Rollout, _: Command) -> Refused:
    return (Reply.ALREADY, "it is rolled back already") if rollout.phase is _P.ROLLED_BACK else None


def _refuse_approve(rollout: Rollout, _: Command) -> Refused:
    if rollout.phase is _P.AWAITING_APPROVAL:
        return None
    return Reply.REFUSED, "it does not wait for approval; to go on without evidence, promote it"


_REFUSALS = {
    CommandKind.PROMOTE: _refuse_promote,
    CommandKind.PAUSE: _refuse_pause,
    CommandKind.RESUME: _refuse_resume,
    CommandKind.ROLLBACK: _refuse_rollback,
    CommandKind.APPROVE: _refuse_approve,
    CommandKind.SET_STAGE: _refuse_set_stage,
}


def _wanted(rollout: Rollout, command: Command) -> int | None:
    """Give the stage that a command names; None when the plan has none such."""
    stages = rollout.plan.stages
    if command.to_stage is not None:
        return command.to_stage if 0 <= command.to_stage < len(stages) else None
    for number, stage in enumerate(stages):
        if stage.weight and command.to_weight in (stage.weight, weight_at(rollout.plan, number)):
            return number
    return None


def _promote(rollout: Rollout, command: Command, unix_ms: int) -> tuple[Rollout, Draft]:
    named = command.to_weight is not None or command.to_stage is not None
    to = _wanted(rollout, command) if named else rollout.stage + 1
    assert to is not None
    after = entered(rollout, to, unix_ms=unix_ms, by=command.who)
    if rollout.phase is _P.AWAITING_APPROVAL and to == rollout.stage + 1:
        return replace(after, approved_by=command.who), _said(
            rollout, after, command, DecisionKind.APPROVED, "approves it"
        )
    evidence = {
        "is_unproven": True,
        "skipped": [stage.label for stage in rollout.plan.stages[rollout.stage : to]],
        "dwelt_s": round(rollout.dwelt_s, 1),
    }
    kind = DecisionKind.COMPLETED if after.phase is _P.COMPLETE else DecisionKind.PROMOTED
    return after, _said(rollout, after, command, kind, "promotes it, unproven,", evidence=evidence)


def _set_stage(rollout: Rollout, command: Command, unix_ms: int) -> tuple[Rollout, Draft]:
    to = _wanted(rollout, command)
    assert to is not None
    after = entered(rollout, to, unix_ms=unix_ms, by=command.who)
    evidence = {"is_unproven": after.weight > rollout.weight}
    return after, _said(rollout, after, command, DecisionKind.STAGE_SET, "sets its stage", evidence=evidence)


def _approve(rollout: Rollout, command: Command, unix_ms: int) -> tuple[Rollout, Draft]:
    to = min(rollout.stage + 1, len(rollout.plan.stages) - 1)
    after = replace(entered(rollout, to, unix_ms=unix_ms, by=command.who), approved_by=command.who)
    return after, _said(rollout, after, command, DecisionKind.APPROVED, "approves it")


def _pause(rollout: Rollout, command: Command, _: int) -> tuple[Rollout, Draft]:
    reason = command.why or "a person paused it"
    after = moved(rollout, Move.PAUSED, reason=reason, by=command.who)
    return after, _said(rollout, after, command, DecisionKind.PAUSED, "pauses it")


def _resume(rollout: Rollout, command: Command, unix_ms: int) -> tuple[Rollout, Draft]:
    if rollout.phase is _P.ROLLED_BACK:
        after = entered(rollout, resumed_stage(rollout), unix_ms=unix_ms, by=command.who)
        # A person's rollback spent no alpha: what was counted goes on counting.
        after = replace(after, n_resumes=rollout.n_resumes + (rollout.by == CONTROLLER))
    elif rollout.weight < weight_at(rollout.plan, rollout.stage):
        # After a step back it climbs again from where it is: each stage has to be passed once more.
        after = entered(rollout, stage_within(rollout.plan, rollout.weight), unix_ms=unix_ms, by=command.who)
        after = replace(after, n_resumes=rollout.n_resumes + 1)
    else:
        after = moved(rollout, Move.ENDED if rollout.is_last else Move.STAGED, by=command.who)
        # A stage that ran out of time gets its time anew; its least time it has behind it.
        dwelt_s = min(rollout.dwelt_s, rollout.at.min_duration_s) if rollout.phase is _P.HOLDING else rollout.dwelt_s
        after = replace(after, dwelt_s=dwelt_s, is_extended=False, n_resumes=rollout.n_resumes + bool(rollout.heard))
    after = replace(after, heard=(), quiet_s=0.0)
    return after, _said(rollout, after, command, DecisionKind.RESUMED, "resumes it")


def _rollback(rollout: Rollout, command: Command, unix_ms: int) -> tuple[Rollout, Draft]:
    reason = command.why or "a person rolled it back"
    after = rolled_back(rollout, reason=reason, by=command.who, unix_ms=unix_ms)
    return after, _said(rollout, after, command, DecisionKind.ROLLED_BACK, "rolls it back")


_OBEYS = {
    CommandKind.PROMOTE: _promote,
    CommandKind.PAUSE: _pause,
    CommandKind.RESUME: _resume,
    CommandKind.ROLLBACK: _rollback,
    CommandKind.APPROVE: _approve,
    CommandKind.SET_STAGE: _set_stage,
}


def _said(
    before: Rollout,
    after: Rollout,
    command: Command,
    kind: DecisionKind,
    does: str,
    *,
    evidence: Mapping[str, Any] | None = None,
) -> Draft:
    plan = after.plan
    was, now = (words.place_of(one.plan, one.stage, one.weight) for one in (before, after))
    where = f"from {was} to {now}" if was != now else f"at {now}"
    why = f" ({command.why})" if command.why else ""
    sentence = f"{plan.candidate} on {plan.route}: {command.who} {does} {where}{why}."
    return drafted(before, after, kind, sentence, rule="command", who=command.who, why=command.why, evidence=evidence)
