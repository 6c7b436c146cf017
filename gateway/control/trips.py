"""What a trip does to a rollout: down to 0, down to 5 or 25 %, a pause, or a word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.control import words
from gateway.control.journal import DecisionKind
from gateway.control.moves import Draft, Move, drafted, moved, reweighted, rolled_back, step_back_target
from gateway.control.rollout import Rollout, RolloutPhase
from gateway.domain.rollout import Action
from gateway.gates.verdict import Trip

Stepped = tuple[Rollout, tuple[Draft, ...]]

HOLD_DOWN_S = 4 * 3_600.0
"""A signal that stepped back is not heard again for so long: its longest window, so that no fact acts twice."""


def tripped(rollout: Rollout, trip: Trip, unix_ms: int) -> Stepped:
    """Give the rollout after `trip`; as it is where the trip is of another arm, or was heard already."""
    if trip.arm != rollout.plan.candidate or rollout.phase is RolloutPhase.ROLLED_BACK:
        return rollout, ()
    match trip.action:
        case Action.ALERT:
            sentence = f"{words.name_of(rollout)}: {trip.sentence}"
            kind = DecisionKind.ALERTED
            return rollout, (drafted(rollout, rollout, kind, sentence, rule=trip.rule, evidence=_about(trip)),)
        case Action.ROLLBACK:
            return to_zero(rollout, trip.sentence, trip.rule, _about(trip), unix_ms)
        case Action.STEP_BACK:
            return stepped_back(rollout, trip, unix_ms)
        case Action.PAUSE:
            return _paused(rollout, trip)


def _paused(rollout: Rollout, trip: Trip) -> Stepped:
    if trip.signal in rollout.heard:
        return rollout, ()
    reason = trip.sentence
    paused = replace(moved(rollout, Move.PAUSED, reason=reason), heard=(*rollout.heard, trip.signal), quiet_s=0.0)
    sentence = f"{words.name_of(rollout)} is paused at {words.percent(rollout.weight)}: {reason}"
    return paused, (drafted(rollout, paused, DecisionKind.PAUSED, sentence, rule=trip.rule, evidence=_about(trip)),)


def stepped_back(rollout: Rollout, trip: Trip, unix_ms: int) -> Stepped:
    """Give the rollout lower and paused; at 0 when the same signal did so before."""
    if trip.signal in rollout.heard and rollout.quiet_s < HOLD_DOWN_S:
        return rollout, ()
    if trip.signal in rollout.stepped_back_by:
        again = f"{trip.signal} for the second time: {trip.sentence}"
        return to_zero(rollout, again, trip.rule, _about(trip), unix_ms)
    target = step_back_target(rollout.plan, trip.step_back_to)
    if target == 0 and rollout.weight:
        return to_zero(rollout, trip.sentence, trip.rule, _about(trip), unix_ms)
    is_lower = target < rollout.weight
    paused = replace(
        moved(rollout, Move.PAUSED, reason=trip.sentence),
        heard=(*rollout.heard, trip.signal),
        quiet_s=0.0,
        stepped_back_by=(*rollout.stepped_back_by, trip.signal),
        n_step_backs=rollout.n_step_backs + 1,
    )
    to = f"steps back from {words.percent(rollout.weight)} to {words.percent(target)} and is paused"
    if not is_lower:
        to = f"is paused at {words.percent(rollout.weight)}, which is no more than what it would step back to"
    sentence = f"{words.name_of(rollout)} {to}: {trip.sentence} Next time it is rolled back."
    if is_lower:
        paused = reweighted(paused, target, unix_ms=unix_ms)
        kinds = [DecisionKind.STEPPED_BACK]
    else:
        kinds = [DecisionKind.PAUSED, DecisionKind.ALERTED]
    return paused, tuple(
        drafted(rollout, paused, kind, sentence, rule=trip.rule, evidence=_about(trip)) for kind in kinds
    )


def to_zero(rollout: Rollout, reason: str, rule: str, evidence: Mapping[str, Any], unix_ms: int) -> Stepped:
    """Give the rollout with nobody on the candidate, by a decision of the controller's."""
    gone = rolled_back(rollout, reason=reason, by="controller", unix_ms=unix_ms)
    sentence = (
        f"{words.name_of(rollout)} is rolled back from {words.percent(rollout.weight)} to 0: {reason} "
        f"Everybody gets {rollout.plan.baseline}, until a person resumes it or {rollout.plan.candidate} is changed."
    )
    return gone, (drafted(rollout, gone, DecisionKind.ROLLED_BACK, sentence, rule=rule, evidence=evidence),)


def _about(trip: Trip) -> dict[str, Any]:
    return {"signal": trip.signal, "rule": trip.rule, **trip.evidence}
