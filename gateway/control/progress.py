"""What time and gates do to a rollout: a stage that is passed, failed, extended or over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway.control import words
from gateway.control.journal import DecisionKind
from gateway.control.moves import Draft, Move, drafted, entered, gates_of, moved, reweighted
from gateway.control.rollout import Rollout, RolloutPhase
from gateway.control.trips import stepped_back, to_zero
from gateway.domain.release import BUCKETS
from gateway.domain.rollout import Action, GateRule, OnFail, OnInsufficient, RolloutPlan
from gateway.gates.verdict import GateVerdict, Trip, Verdict

Stepped = tuple[Rollout, tuple[Draft, ...]]


def elapsed(rollout: Rollout, seconds: float, verdicts: Sequence[GateVerdict] | None, unix_ms: int) -> Stepped:
    """Give the rollout after `seconds`, and after what its gates said, if they were asked."""
    seconds = max(0.0, seconds)
    if rollout.phase is RolloutPhase.PROGRESSING:
        return _progressed(replace(rollout, dwelt_s=rollout.dwelt_s + seconds), verdicts, unix_ms)
    if rollout.phase is RolloutPhase.PAUSED and rollout.heard:
        return replace(rollout, quiet_s=rollout.quiet_s + seconds), ()
    if rollout.phase is RolloutPhase.COMPLETE:
        return _held(replace(rollout, held_s=rollout.held_s + seconds), unix_ms)
    if rollout.phase in (RolloutPhase.AWAITING_APPROVAL, RolloutPhase.HOLDING) and verdicts:
        failed = _gravest(rollout.plan, verdicts)
        # What holds already need not be held once more; what gets worse while a person is away is acted on.
        if failed is not None and (
            rollout.phase is not RolloutPhase.HOLDING or _rule(rollout, failed).on_fail is not OnFail.HOLD
        ):
            return _failed(rollout, failed, verdicts, unix_ms)
    return rollout, ()


def _progressed(rollout: Rollout, verdicts: Sequence[GateVerdict] | None, unix_ms: int) -> Stepped:
    stage = rollout.at
    if rollout.dwelt_s < stage.min_duration_s:
        return rollout, ()
    gates = gates_of(stage)
    if not gates:
        return _passed(rollout, None, unix_ms)
    if verdicts is not None:
        failed = _gravest(rollout.plan, verdicts)
        if failed is not None:
            return _failed(rollout, failed, verdicts, unix_ms)
        # Every gate that the stage names has to say so itself: one that nobody answered has not passed.
        if {one.gate for one in verdicts if one.verdict is Verdict.PASS} >= set(gates):
            return _passed(rollout, verdicts, unix_ms)
    if stage.max_duration_s is not None and rollout.dwelt_s >= stage.max_duration_s:
        return _ran_out(rollout, verdicts, unix_ms)
    if verdicts is not None and not rollout.is_extended and rollout.plan.on_insufficient is OnInsufficient.EXTEND:
        return _extended(rollout, verdicts)
    return rollout, ()


def _passed(rollout: Rollout, verdicts: Sequence[GateVerdict] | None, unix_ms: int) -> Stepped:
    evidence = evidence_of(verdicts)
    if rollout.at.needs_approval:
        waits = moved(rollout, Move.PASSED)
        sentence = (
            f"{words.name_of(rollout)} may leave {rollout.at.label}: nothing speaks against it. "
            f"A person has to say yes: sluice approve {rollout.plan.route}."
        )
        kind = DecisionKind.AWAITS_APPROVAL
        return waits, (drafted(rollout, waits, kind, sentence, rule="gates", evidence=evidence),)
    if rollout.is_last:
        ended = entered(rollout, rollout.stage, unix_ms=unix_ms)
    else:
        ended = entered(rollout, rollout.stage + 1, unix_ms=unix_ms)
    kind = DecisionKind.COMPLETED if ended.phase is RolloutPhase.COMPLETE else DecisionKind.PROMOTED
    sentence = words.promoted(rollout, ended, verdicts)
    return ended, (drafted(rollout, ended, kind, sentence, rule="gates", evidence=evidence),)


def _failed(rollout: Rollout, failed: GateVerdict, verdicts: Sequence[GateVerdict], unix_ms: int) -> Stepped:
    rule = f"gate:{failed.gate}"
    evidence = evidence_of(verdicts)
    on_fail = _rule(rollout, failed).on_fail
    if on_fail is OnFail.HOLD:
        held = moved(rollout, Move.HELD, reason=failed.sentence)
        sentence = f"{words.name_of(rollout)} holds at {rollout.at.label}: {failed.sentence}"
        return held, (drafted(rollout, held, DecisionKind.HELD, sentence, rule=rule, evidence=evidence),)
    if on_fail is OnFail.STEP_BACK:
        below = [weight for weight in (2_500, 500) if weight < rollout.weight]
        trip = Trip(
            rule, rule, Action.STEP_BACK, rollout.plan.candidate, failed.sentence, (below or [500])[0], evidence
        )
        return stepped_back(rollout, trip, unix_ms)
    return to_zero(rollout, failed.sentence, rule, evidence, unix_ms)


def _ran_out(rollout: Rollout, verdicts: Sequence[GateVerdict] | None, unix_ms: int) -> Stepped:
    missing = "the evidence could not be read" if verdicts is None else words.insufficient(verdicts)
    reason = f"{rollout.at.label} has lasted {words.span(rollout.dwelt_s)} without enough evidence ({missing})"
    evidence = evidence_of(verdicts)
    if rollout.plan.on_insufficient is OnInsufficient.ROLLBACK:
        # A store that is away is not too little data: it waits for somebody who has looked.
        return to_zero(rollout, reason, "insufficient", evidence, unix_ms) if verdicts is not None else (rollout, ())
    held = moved(rollout, Move.HELD, reason=reason)
    after = f"A person decides: sluice promote, resume or rollback {rollout.plan.route}."
    sentence = f"{words.name_of(rollout)} holds: {reason}. {after}"
    drafts = [drafted(rollout, held, DecisionKind.HELD, sentence, rule="insufficient", evidence=evidence)]
    if rollout.plan.on_insufficient is OnInsufficient.EXTEND:
        drafts.append(drafted(rollout, held, DecisionKind.ALERTED, sentence, rule="insufficient", evidence=evidence))
    return held, tuple(drafts)


def _extended(rollout: Rollout, verdicts: Sequence[GateVerdict]) -> Stepped:
    longer = replace(rollout, is_extended=True)
    longest = rollout.at.max_duration_s
    until = f", for {words.span(longest)} in all at most" if longest is not None else ""
    sentence = f"{words.name_of(rollout)} stays at {rollout.at.label}{until}: {words.insufficient(verdicts)}"
    kind = DecisionKind.EXTENDED
    return longer, (drafted(rollout, longer, kind, sentence, rule="insufficient", evidence=evidence_of(verdicts)),)


def _held(rollout: Rollout, unix_ms: int) -> Stepped:
    plan = rollout.plan
    if rollout.at.weight < BUCKETS or rollout.held_s < plan.holdback.held_for_s:
        return rollout, ()
    finished = reweighted(moved(rollout, Move.LET_GO), BUCKETS, unix_ms=unix_ms)
    sentence = (
        f"{plan.candidate} has everybody on {plan.route}: it was watched for {words.span(rollout.held_s)} at 100 % "
        f"and the holdback is let go."
    )
    return finished, (drafted(rollout, finished, DecisionKind.FINISHED, sentence, rule="holdback"),)


def _gravest(plan: RolloutPlan, verdicts: Sequence[GateVerdict]) -> GateVerdict | None:
    """Give the failed gate with the gravest consequence; None where none failed."""
    order = (OnFail.ROLLBACK, OnFail.STEP_BACK, OnFail.HOLD)
    failed = [one for one in verdicts if one.verdict is Verdict.FAIL]
    return min(failed, key=lambda one: order.index(plan.gates.get(one.gate, GateRule(one.gate)).on_fail), default=None)


def _rule(rollout: Rollout, verdict: GateVerdict) -> GateRule:
    return rollout.plan.gates.get(verdict.gate, GateRule(verdict.gate))


def evidence_of(verdicts: Sequence[GateVerdict] | None) -> dict[str, Any]:
    """Give what gates said, for the journal."""
    if not verdicts:
        return {}
    gates = [
        {"gate": str(one.gate), "verdict": str(one.verdict), "sentence": one.sentence, **one.evidence}
        for one in verdicts
    ]
    return {"gates": gates}
