"""Splits and other experiments: an arm that does harm is stopped, and what people may ask of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.control.commands import Refusal, Reply
from gateway.control.journal import DecisionKind
from gateway.control.latches import PERSON, arms_of, held_arms, split_arms, without
from gateway.control.moves import Draft
from gateway.control.rollout import Command, CommandKind, Latch
from gateway.domain.rollout import Action, SplitPlan
from gateway.gates.verdict import Trip

Decided = tuple[tuple[Latch, ...], tuple[Draft, ...]]
"""All latches after a decision, and what is to be journalled."""


def tripped(plan: SplitPlan, latches: Sequence[Latch], trip: Trip, *, unix_ms: int) -> Decided:
    """
    Give the latches after a trip.

    ROLLBACK stops the arm, once; of a split, which has no stage to go back to, everything else is an alert.
    """
    known = tuple(latches)
    if trip.arm not in split_arms(plan) or trip.arm in held_arms(known, plan):
        return known, ()
    evidence = {"signal": trip.signal, "rule": trip.rule, **trip.evidence}
    name = f"{trip.arm} on {plan.route}"
    if trip.action is not Action.ROLLBACK:
        draft = Draft(DecisionKind.ALERTED, f"{name}: {trip.sentence}", trip.rule, trip.arm, evidence=evidence)
        return known, (draft,)
    sentence = (
        f"{name} is stopped: {trip.sentence} Its users get {plan.baseline}, until a person resumes it or it is changed."
    )
    latch = _latch(plan, trip.arm, trip.signal, trip.sentence, "controller", unix_ms)
    draft = _draft(plan, trip.arm, DecisionKind.STOPPED, sentence, trip.rule, evidence=evidence)
    return (*known, latch), (draft,)


def refusal_of(plan: SplitPlan, latches: Sequence[Latch], command: Command) -> Refusal | None:
    """Give why a command changes nothing; None when it would be carried out."""
    stopped = held_arms(latches, plan)
    standing = f"{plan.release} is a {plan.kind} whose stopped arms are: {', '.join(stopped) or 'none'}"
    if not command.who.strip():
        return Refusal(Reply.REFUSED, f"nobody asked: the journal wants a name; {standing}")
    if command.kind not in (CommandKind.ROLLBACK, CommandKind.RESUME):
        return Refusal(
            Reply.REFUSED, f"a {plan.kind} has no stages: its arms can be rolled back and resumed; {standing}"
        )
    if command.arm and command.arm not in split_arms(plan):
        return Refusal(Reply.REFUSED, f"{command.arm} is no arm that can be stopped; {standing}")
    if not _meant(plan, latches, command):
        done = "stopped" if command.kind is CommandKind.ROLLBACK else "running"
        return Refusal(Reply.ALREADY, f"what was meant is {done} already; {standing}")
    return None


def obey(plan: SplitPlan, latches: Sequence[Latch], command: Command, *, unix_ms: int) -> Decided:
    """Give the latches after a command; as they are when it is refused."""
    if refusal_of(plan, latches, command) is not None:
        return tuple(latches), ()
    meant = _meant(plan, latches, command)
    is_stop = command.kind is CommandKind.ROLLBACK
    kind = DecisionKind.STOPPED if is_stop else DecisionKind.RESUMED
    why = f" ({command.why})" if command.why else ""
    does = "stops" if is_stop else "resumes"
    drafts = tuple(
        _draft(plan, arm, kind, f"{command.who} {does} {arm} on {plan.route}{why}.", "command", command=command)
        for arm in meant
    )
    if not is_stop:
        return without(latches, plan, meant), drafts
    reason = command.why or "a person stopped it"
    closed = tuple(_latch(plan, arm, PERSON, reason, command.who, unix_ms) for arm in meant)
    return (*latches, *closed), drafts


def _meant(plan: SplitPlan, latches: Sequence[Latch], command: Command) -> tuple[str, ...]:
    arms = (command.arm,) if command.arm else split_arms(plan)
    stopped = held_arms(latches, plan)
    wants_stopped = command.kind is CommandKind.RESUME
    return tuple(arm for arm in arms if (arm in stopped) is wants_stopped)


def _latch(plan: SplitPlan, arm: str, cause: str, sentence: str, by: str, unix_ms: int) -> Latch:
    return Latch(plan.release, arm, dict(arms_of(plan))[arm], cause, sentence, by, unix_ms)


def _draft(
    plan: SplitPlan,
    arm: str,
    kind: DecisionKind,
    sentence: str,
    rule: str,
    *,
    evidence: dict[str, Any] | None = None,
    command: Command | None = None,
) -> Draft:
    weight = dict(plan.weights)[arm]
    is_stop = kind is DecisionKind.STOPPED
    return Draft(
        kind,
        sentence,
        rule,
        arm,
        who="controller" if command is None else command.who,
        why="" if command is None else command.why,
        from_weight=weight if is_stop else 0,
        to_weight=0 if is_stop else weight,
        evidence=evidence or {},
    )
