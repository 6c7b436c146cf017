"""
Looks that were planned beforehand: which of them are over, and what the primary metric says at the last of those.

A look falls on the day by whose end so many users had come; what they said after that day is for the next look. So
whoever reads a report between two looks reads the one before, and reading more often changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import NamedTuple

from gateway.domain.rollout import PlannedLooks
from gateway.gates.experiment import Effect, Harm, Question
from gateway.gates.experiment_effects import EffectRule, lift_ends
from gateway.stats.cells import CellContrast
from gateway.stats.sequence import PlannedLook, group_sequential

_SMALLEST_P = 1e-6


class LookOver(NamedTuple):
    """
    A planned look that is over.

    Attributes:
        day: Days since 1970, UTC; it saw everything up to its end.
        share: Users by then over users planned, above 0.
    """

    day: int
    share: float


def looks_over(n_by_day: Mapping[int, int], planned: PlannedLooks | None, *, today: int) -> list[LookOver]:
    """
    Give the looks that are over, the earliest first; of several on one day the last.

    Args:
        n_by_day: New units by day.
        planned: The plan; None gives no look.
        today: It is not over, and no look falls on it.

    >>> looks_over({1: 30, 2: 30, 3: 30, 4: 30}, PlannedLooks(100, 2), today=5)
    [LookOver(day=2, share=0.6), LookOver(day=4, share=1.2)]
    """
    if planned is None:
        return []
    found: list[LookOver] = []
    n, next_look = 0, 1
    for day in sorted(day for day in n_by_day if day < today):
        n += n_by_day[day]
        if next_look > planned.looks or n * planned.looks < next_look * planned.users:
            continue
        found.append(LookOver(day, n / planned.users))
        next_look = n * planned.looks // planned.users + 1
    return found


def at_planned_look(
    effect: Effect,
    at_days: Mapping[int, CellContrast],
    looks: Sequence[LookOver],
    planned: PlannedLooks,
    n_by_day: Mapping[int, int],
    rule: EffectRule,
) -> Effect:
    """
    Give the primary metric's effect as its last planned look has it; before the first, nothing is said.

    Args:
        effect: As of now, with an interval for any look.
        at_days: Contrast at the end of each day.
        looks: Those that are over.
        planned: The plan.
        n_by_day: New units by day.
        rule: How alpha is shared.
    """
    wants = _units_to_next(n_by_day, planned, looks)
    found = at_days.get(looks[-1].day) if looks else None
    if found is None:
        return replace(effect, p=1.0, wants_units=wants, is_enough=False, is_better=False, is_worse=False)
    times, alpha = [look.share for look in looks], rule.alpha_of(Question.PRIMARY)
    is_last = times[-1] >= 1
    look = group_sequential(found.effect, found.se, times, alpha=alpha, is_last=is_last)
    up, down = effect.is_enough and look.low > 0, effect.is_enough and look.high < 0
    lift_low, lift_high = lift_ends(found, look.bound)
    return replace(
        effect,
        mean=found.mean,
        baseline_mean=found.baseline_mean,
        effect=found.effect,
        low=look.low,
        high=look.high,
        lift=None if found.baseline_mean <= 0 else found.effect / found.baseline_mean,
        lift_low=lift_low,
        lift_high=lift_high,
        p=min(1.0, _repeated_p(found, times, look, alpha, is_last=is_last) * rule.n_arms),
        is_better=up if effect.harm is Harm.DOWN else down if effect.harm is Harm.UP else False,
        is_worse=down if effect.harm is Harm.DOWN else up if effect.harm is Harm.UP else False,
        wants_units=None if up or down or is_last else wants,
    )


def _units_to_next(n_by_day: Mapping[int, int], planned: PlannedLooks, looks: Sequence[LookOver]) -> int | None:
    share = looks[-1].share if looks else 0.0
    if share >= 1:
        return None
    next_users = ceil(planned.users * (int(share * planned.looks) + 1) / planned.looks)
    return max(0, next_users - sum(n_by_day.values()))


def _repeated_p(
    found: CellContrast, times: Sequence[float], look: PlannedLook, alpha: float, *, is_last: bool
) -> float:
    """Give the smallest alpha at which the interval would exclude 0: below `alpha` exactly when it does."""
    if found.se <= 0:
        return 1.0 if found.effect == 0 else 0.0
    z = abs(found.effect) / found.se

    def decides(level: float) -> bool:
        return group_sequential(z, 1.0, times, alpha=level, is_last=is_last).is_decided

    low, high = (_SMALLEST_P, alpha) if look.is_decided else (alpha, 1 - 1e-9)
    if look.is_decided and decides(low):
        return low
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high
