"""
Courses: how an experiment stands that divides its own traffic, and what a look at its users makes of it.

A look gives a `Turn`: who is to own how many buckets, and why. Whoever steers gives the buckets, keeps the course and
tells about it. Nothing here reads a clock; nobody is moved here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.domain.adaptive import BanditPlan
from gateway.domain.rollout import SplitPlan
from gateway.gates.bandit import (
    BanditDecision,
    BanditEvidence,
    BanditPhase,
    BanditRule,
    BanditWeights,
    decide_bandit,
    equal_weights,
)
from gateway.gates.ladder import (
    LadderRule,
    LadderState,
    RoundEvidence,
    decide_ladder,
    first_state,
    memory_of,
    parts_of_round,
    rejoined,
    state_of,
)

HOUR_S = 3_600.0
MAX_MARKS = 1_000
"""Stretches of constant weights remembered: nearly three years of daily updates."""

Owned = tuple[int, int, str]
"""First bucket, one past the last, arm."""

Part = tuple[tuple[str, int], ...]
"""(arm, buckets) of a run of buckets that is divided for itself."""


@dataclass(frozen=True, slots=True)
class CourseMark:
    """
    The beginning of a stretch of constant weights.

    Attributes:
        epoch: Its number.
        since_unix_ms: When it began.
        weights: (arm, buckets), above 0.
    """

    epoch: int
    since_unix_ms: int
    weights: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Course:
    """
    How a bandit or a ladder stands.

    Attributes:
        plan: As the file says.
        epoch: The release's epoch in force; 0 to 65,535.
        ranges: Who owns which bucket: sorted, touching, from 0 to 10,000.
        started_unix_ms: When it began.
        moved_unix_ms: When weights last changed; 0 for never.
        looked_unix_ms: When its users were last looked at; 0 for never.
        phase: What it is at, as its kind calls it.
        sentence: What the last look said, for a product owner.
        best: Of a bandit: (arm, probability that it is the best).
        marks: Every stretch of constant weights, oldest first.
        memory: What its kind remembers besides, JSON values.
    """

    plan: SplitPlan
    epoch: int
    ranges: tuple[Owned, ...]
    started_unix_ms: int
    moved_unix_ms: int = 0
    looked_unix_ms: int = 0
    phase: str = ""
    sentence: str = ""
    best: tuple[tuple[str, float], ...] = ()
    marks: tuple[CourseMark, ...] = ()
    memory: Mapping[str, Any] = field(default_factory=dict)

    @property
    def weights(self) -> dict[str, int]:
        """Give buckets by arm, in the plan's order; 0 for who owns none."""
        return weights_of(self.ranges, [arm for arm, _ in self.plan.weights])


@dataclass(frozen=True, slots=True)
class Turn:
    """
    What a look at a course's users came to.

    Attributes:
        parts: How the buckets are to be divided, from 0 on; empty where nobody may have any.
        phase: From now on.
        sentence: For a product owner.
        rule: What decided, for the journal.
        evidence: All that it stands on, JSON values only.
        best: As of `Course`.
        memory: As of `Course`.
        is_news: It is worth a line in the journal even where nobody moves.
    """

    parts: tuple[Part, ...]
    phase: str
    sentence: str
    rule: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    best: tuple[tuple[str, float], ...] = ()
    memory: Mapping[str, Any] = field(default_factory=dict)
    is_news: bool = False


def weights_of(ranges: Iterable[Owned], arms: Iterable[str]) -> dict[str, int]:
    """
    Give buckets by arm.

    >>> weights_of([(0, 10, "a"), (10, 10_000, "b")], ["a", "b", "c"])
    {'a': 10, 'b': 9990, 'c': 0}
    """
    weights = dict.fromkeys(arms, 0)
    for start, end, arm in ranges:
        weights[arm] = weights.get(arm, 0) + end - start
    return weights


def first_parts(plan: SplitPlan) -> tuple[Part, ...]:
    """
    Give how an experiment that divides its own traffic begins.

    Raises:
        ValueError: Of a plan of another kind.
    """
    if plan.bandit is not None:
        return parts_of(equal_weights([arm for arm, _ in plan.weights], rule_of(plan.bandit)))
    if plan.ladder is not None:
        return (plan.weights,)
    msg = f"{plan.release} is a {plan.kind}: the file divides its traffic"
    raise ValueError(msg)


def first_memory(plan: SplitPlan, *, unix_ms: int) -> dict[str, Any]:
    """Give what a course's kind remembers when it begins: of a ladder the first round."""
    if plan.ladder is None:
        return {}
    return memory_of(first_state(plan.ladder.champion, plan.ladder.challengers, unix_ms=unix_ms))


def parts_of(weights: BanditWeights) -> tuple[Part, ...]:
    """Give a bandit's exploration slice and the rest."""
    return tuple(weights.slice.items()), tuple(weights.rest.items())


def rule_of(plan: BanditPlan) -> BanditRule:
    """Give the rule that a bandit's plan asks for."""
    return BanditRule(
        explore=plan.explore,
        min_exploration_s=plan.min_exploration_s,
        min_users=plan.min_users,
        min_conversions=plan.min_conversions,
        half_life_s=plan.half_life_s,
        update_every_s=plan.update_every_s,
        max_moved=plan.max_moved,
    )


def bandit_weights_of(course: Course, slice_buckets: int) -> BanditWeights:
    """Give what each arm of a bandit has in both parts; arms without any are left out."""
    inside = [(start, min(end, slice_buckets), arm) for start, end, arm in course.ranges if start < slice_buckets]
    outside = [(max(start, slice_buckets), end, arm) for start, end, arm in course.ranges if end > slice_buckets]
    return BanditWeights(weights_of(inside, ()), weights_of(outside, ()))


def bandit_turn(course: Course, evidence: BanditEvidence) -> Turn:
    """
    Give what a bandit does next.

    Args:
        course: As it stands.
        evidence: What is known; arms that a breaker keeps are removed in it.

    Raises:
        ValueError: The course is no bandit's.
    """
    plan = course.plan.bandit
    if plan is None:
        msg = f"{course.plan.release} is a {course.plan.kind}, not a bandit"
        raise ValueError(msg)
    decision = decide_bandit(evidence, rule_of(plan), bandit_weights_of(course, plan.slice_buckets))
    return Turn(
        parts=parts_of(decision.weights),
        phase=str(decision.phase),
        sentence=decision.sentence,
        rule="bandit",
        evidence=decision.evidence,
        best=tuple(decision.best.items()),
        is_news=is_news(course, decision),
    )


def ladder_rule_of(plan: SplitPlan) -> LadderRule:
    """
    Give the rule that a ladder's plan asks for.

    Raises:
        ValueError: The plan is no ladder's.
    """
    ladder = plan.ladder
    if ladder is None:
        msg = f"{plan.release} is a {plan.kind}, not a ladder"
        raise ValueError(msg)
    return LadderRule(
        alpha=ladder.alpha,
        min_duration_s=plan.min_duration_s,
        min_users=plan.min_users,
        max_duration_s=ladder.max_round_s,
        margin=ladder.margin,
        on_tie=ladder.on_tie,
        tuned_to_units=2.0 * max(100, plan.min_users),
    )


def ladder_turn(course: Course, evidence: RoundEvidence, *, unix_ms: int) -> Turn:
    """
    Give what a ladder does next.

    Args:
        course: As it stands.
        evidence: Of the round under way.
        unix_ms: Now: when the next round begins, if one does.

    Raises:
        ValueError: The course is no ladder's.
    """
    decision = decide_ladder(ladder_state_of(course), evidence, ladder_rule_of(course.plan), unix_ms=unix_ms)
    return Turn(
        parts=decision.parts,
        phase=str(decision.state.phase),
        sentence=decision.sentence,
        rule="ladder",
        evidence=decision.evidence,
        memory=memory_of(decision.state),
        is_news=decision.is_news,
    )


def ladder_state_of(course: Course) -> LadderState:
    """Give how far a ladder is."""
    return state_of(course.memory)


def with_challengers(course: Course, challengers: Sequence[str], *, unix_ms: int) -> tuple[Course, tuple[Part, ...]]:
    """Give a ladder's course whose list of challengers was edited, and how the buckets are to be divided then."""
    state = rejoined(ladder_state_of(course), challengers, unix_ms=unix_ms)
    return replace(course, memory=memory_of(state), phase=str(state.phase)), parts_of_round(state)


def is_news(course: Course, decision: BanditDecision) -> bool:
    """Tell whether a bandit is at something else than before."""
    return str(decision.phase) != (course.phase or str(BanditPhase.EXPLORING))


def looks_every_s(plan: SplitPlan) -> float:
    """Give how long after a look the next one is due; a closed breaker is not waited for."""
    return HOUR_S if plan.bandit is None else plan.bandit.update_every_s


def plan_at(course: Course) -> SplitPlan:
    """Give the plan with weights, and of a ladder the champion, as they stand."""
    plan = course.plan
    champion = course.memory.get("champion", plan.baseline) if plan.ladder is not None else plan.baseline
    return replace(plan, baseline=champion, weights=tuple(course.weights.items()))


def moved(course: Course, turn: Turn, ranges: Sequence[Owned], *, unix_ms: int) -> Course:
    """
    Give a course after a turn; a new epoch begins where buckets changed hands.

    Args:
        course: Before.
        turn: What was decided.
        ranges: Who owns which bucket from now on.
        unix_ms: Now.
    """
    after = replace(
        course,
        looked_unix_ms=unix_ms,
        phase=turn.phase,
        sentence=turn.sentence,
        best=turn.best,
        memory=dict(turn.memory),
    )
    if tuple(ranges) == course.ranges:
        return after
    return restarted(replace(after, ranges=tuple(ranges), moved_unix_ms=unix_ms), course.epoch, unix_ms=unix_ms)


def restarted(course: Course, last_epoch: int, *, unix_ms: int) -> Course:
    """Give a course in the epoch after the last one in use, with a mark of its weights."""
    epoch = (last_epoch + 1) & 0xFFFF
    weights = tuple((arm, buckets) for arm, buckets in course.weights.items() if buckets)
    marks = (*course.marks, CourseMark(epoch, unix_ms, weights))[-MAX_MARKS:]
    return replace(course, epoch=epoch, marks=marks)
