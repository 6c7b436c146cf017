"""
What a gate is settled by: counts held against what is wanted, and asks, each with a role.

The verdict follows from facts and asks alone. Both are written into its evidence, so `recomputed` gives the same
verdict months later, from what was stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.domain.rollout import GateRule, RolloutPlan
from gateway.gates.bound import Answer, Question, answer, described, replayed
from gateway.gates.evidence import Compared, Evidence
from gateway.gates.shadow_verdict import ShadowState
from gateway.gates.verdict import Verdict


class Role(StrEnum):
    """What an ask's answer may do to its gate."""

    BOTH = "both"
    """It must pass, and fails the gate."""
    HARM = "harm"
    """It may fail the gate, and holds nothing up."""
    KEPT = "kept"
    """It must pass, and never fails the gate."""
    SUSPICION = "suspicion"
    """Harm, with the gate's ratio exceeded by what was seen, keeps the gate from passing."""
    SIZE = "size"
    """It is too small to be asked, which keeps the gate from passing."""
    SHOWN = "shown"
    """It is too small to be asked, and only shown."""


@dataclass(frozen=True, slots=True)
class Ask:
    """
    One metric held against one margin.

    Attributes:
        role: What the answer may do.
        compared: What was seen.
        question: What was asked.
        known: The answer.
    """

    role: Role
    compared: Compared
    question: Question
    known: Answer


@dataclass(frozen=True, slots=True)
class Scene:
    """
    What a gate is decided on.

    Attributes:
        plan: The rollout's.
        rule: The gate's.
        evidence: What was seen.
        min_users: Of the stage.
        trips_seen: An error or safety signal acted since the stage began.
    """

    plan: RolloutPlan
    rule: GateRule
    evidence: Evidence
    min_users: int
    trips_seen: bool


_SHADOW_FAILS = frozenset({ShadowState.WORSE, ShadowState.MIXED})
"""Better in one thing and worse in another is for a person to weigh."""

Facts = dict[str, Any]
"""Counts and what they are held against, by plain names; JSON values only."""


def recomputed(evidence: Mapping[str, Any]) -> Verdict:
    """
    Give a verdict again from the evidence that was kept with it.

    Raises:
        KeyError: The evidence is not a gate's.
    """
    asks = []
    for entry in evidence["asked"]:
        compared, question = replayed(entry)
        asks.append(Ask(Role(entry["role"]), compared, question, answer(compared, question)))
    return settled(evidence["facts"], asks)


def told(ask: Ask) -> dict[str, Any]:
    """Give an ask as JSON values: all that it stood on."""
    return {"role": str(ask.role), **described(ask.compared, ask.question, ask.known)}


def settled(facts: Mapping[str, Any], asks: list[Ask]) -> Verdict:
    """Give the verdict that facts and asks make together: harm first, then what is missing."""
    failing = (ask for ask in asks if ask.role in (Role.BOTH, Role.HARM) and ask.known.verdict is Verdict.FAIL)
    if next(failing, None) is not None or broken(facts):
        return Verdict.FAIL
    if next(lacking(facts, asks), None) is not None:
        return Verdict.INSUFFICIENT
    return Verdict.PASS


def broken(facts: Mapping[str, Any]) -> bool:
    """Tell whether a count alone fails the gate."""
    return bool(facts.get("trips_seen") or facts.get("shadow_state") in _SHADOW_FAILS) or any(
        facts.get(name, 0) > 0 for name in ("failures", "unsafe", "invalid_formats")
    )


def lacking(facts: Mapping[str, Any], asks: list[Ask]) -> Iterator[str]:
    """Give what keeps the gate from passing, by name: a fact's or a metric's."""
    for seen, wanted in (("users", "min_users"), ("requests", "requests_wanted"), ("units", "units_wanted")):
        if wanted in facts and (facts[wanted] is None or facts[seen] < facts[wanted]):
            yield seen
    if facts.get("shadow_state") == ShadowState.INSUFFICIENT:
        yield "shadow"
    if facts.get("srm"):
        yield "srm"
    yield from facts.get("unseen", ())
    for ask in asks:
        if ask.role in (Role.BOTH, Role.KEPT) and ask.known.verdict is not Verdict.PASS:
            yield ask.compared.metric
        elif ask.role is Role.SIZE:
            yield ask.compared.segment
        elif ask.role is Role.SUSPICION and is_suspect(ask, facts["ratio"]):
            yield ask.compared.metric


def is_suspect(ask: Ask, ratio: float) -> bool:
    """Tell whether it is surely worse, and seen beyond the ratio, though not surely beyond it."""
    line = ratio * max(ask.compared.baseline.mean, ask.question.floor)
    return ask.known.verdict is Verdict.FAIL and ask.compared.candidate.mean > line


def asked(role: Role, compared: Compared, question: Question) -> Ask:
    """Ask."""
    return Ask(role, compared, question, answer(compared, question))
