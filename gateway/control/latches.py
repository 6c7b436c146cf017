"""
Latches as values: which candidate a closed breaker holds, and what becomes of it when the file changes.

A latch hangs on a content. Another content is another candidate, and the latch of the one before goes dormant: the
parent and the workers, who know arms by name alone, must not hold the new one for it. It is not thrown away: should
the old content come back, it closes again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gateway.control.rollout import Latch, Rollout
from gateway.domain.rollout import Plan, RolloutPlan, SplitPlan

MAX_DORMANT = 1_000
"""Latches of contents that are gone; the oldest are forgotten first."""

UNREADABLE = "state"
"""The cause of latches that stand for a file that nobody could read."""

PERSON = "person"
"""The cause of latches that a person closed."""


def arms_of(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Give (arm, content) of every arm that a breaker may close: never the baseline."""
    if isinstance(plan, RolloutPlan):
        return ((plan.candidate, plan.content),)
    contents = dict(plan.contents)
    return tuple((arm, contents.get(arm, "")) for arm, _ in plan.weights if arm != plan.baseline)


def is_held(latch: Latch, plan: Plan, arm: str, content: str) -> bool:
    """Tell whether a latch holds this arm: by content where it has one, by name where it has none."""
    if latch.release != plan.release:
        return False
    if not latch.content or not content:
        return latch.arm in ("", arm)
    if latch.content != content:
        return False
    # Two arms of one split may have one content: then the name tells them apart, unless it is no longer there.
    return latch.arm in ("", arm) or latch.arm not in dict(arms_of(plan))


def latch_on(latches: Iterable[Latch], plan: Plan, arm: str, content: str) -> Latch | None:
    """Give the latch that holds this arm; None when it is open."""
    return next((latch for latch in latches if is_held(latch, plan, arm, content)), None)


def held_arms(latches: Sequence[Latch], plan: Plan) -> tuple[str, ...]:
    """Give the arms of a plan that are held."""
    return tuple(arm for arm, content in arms_of(plan) if latch_on(latches, plan, arm, content) is not None)


def bound(latches: Iterable[Latch], rollouts: Mapping[str, Rollout]) -> tuple[Latch, ...]:
    """
    Give latches that name their arm and content.

    `sluice rollback` may close a release without knowing either: what it meant is what was being rolled out.
    """
    return tuple(_bound(latch, rollouts.get(latch.release)) for latch in latches)


def _bound(latch: Latch, rollout: Rollout | None) -> Latch:
    if latch.content or rollout is None or rollout.is_withdrawn:
        return latch
    plan = rollout.plan
    return replace(latch, arm=plan.candidate, content=plan.content) if latch.arm in ("", plan.candidate) else latch


def sorted_out(latches: Sequence[Latch], plans: Mapping[str, Plan]) -> tuple[Latch, ...]:
    """
    Give latches with those of other contents dormant, and those of contents that came back awake.

    Releases that the file does not name keep theirs as they are: they hold nobody.
    """
    sorted_latches = [_sorted(latch, plans.get(latch.release)) for latch in latches]
    surplus = sum(latch.is_dormant for latch in sorted_latches) - MAX_DORMANT
    kept = []
    for latch in sorted_latches:
        if latch.is_dormant and surplus > 0:
            surplus -= 1
        else:
            kept.append(latch)
    return tuple(kept)


def _sorted(latch: Latch, plan: Plan | None) -> Latch:
    if plan is None:
        return latch
    holds = any(is_held(latch, plan, arm, content) for arm, content in arms_of(plan))
    if latch.is_dormant is not holds:
        return latch
    # The journal has what it stood on. A thousand of them with all of it would be more than the parent reads.
    return replace(latch, is_dormant=not holds, evidence=latch.evidence if holds else {})


def merged(own: Sequence[Latch], foreign: Sequence[Latch]) -> tuple[Latch, ...]:
    """Give `own` and whatever somebody else added; nobody but a person's `resume`, here, takes one away."""
    return (*own, *missing_from(own, foreign))


def missing_from(own: Sequence[Latch], others: Sequence[Latch]) -> tuple[Latch, ...]:
    """Give those of `others` that `own` lacks."""
    known = {_key(latch) for latch in own}
    return tuple(latch for latch in others if _key(latch) not in known)


def _key(latch: Latch) -> tuple[str, str, str, int]:
    return latch.release, latch.arm, latch.content, latch.at_unix_ms


def without(latches: Sequence[Latch], plan: Plan, arms: Iterable[str]) -> tuple[Latch, ...]:
    """Give the latches that hold none of these arms; of one that holds others as well, what it holds of those."""
    named = frozenset(arms)
    kept: list[Latch] = []
    for latch in latches:
        held = [(arm, content) for arm, content in arms_of(plan) if is_held(latch, plan, arm, content)]
        if named.isdisjoint(arm for arm, _ in held):
            kept.append(latch)
        else:
            kept += [replace(latch, arm=arm, content=content) for arm, content in held if arm not in named]
    return tuple(kept)


def unreadable_latches(plans: Mapping[str, Plan], *, unix_ms: int) -> tuple[Latch, ...]:
    """Give a latch for every arm that can be closed: what stands for a file that nobody could read."""
    sentence = "latches.json could not be read, and what it closed is not known: everything is closed until resumed"
    return tuple(
        Latch(plan.release, arm, content, UNREADABLE, sentence, "controller", unix_ms, rule=UNREADABLE)
        for plan in plans.values()
        for arm, content in arms_of(plan)
    )


def split_arms(plan: SplitPlan) -> tuple[str, ...]:
    """Give the arms of a split that can be stopped."""
    return tuple(arm for arm, _ in arms_of(plan))
