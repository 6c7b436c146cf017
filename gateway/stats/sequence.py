"""
Looking a planned number of times at one difference: its interval at each look, and whether that decides.

The planned alternative to `stats.anytime`: somebody says beforehand how many units there will be and looks a handful of
times. Intervals hold at all those looks together (Lan and DeMets' alpha spending in O'Brien and Fleming's shape), are
very wide at first and hardly wider at the end than those of a single look. Looks nobody planned may be added or left
out, so long as what an estimate says does not choose them; who wants to look whenever he likes needs `stats.anytime`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf

from gateway.stats.proportion import require_open_unit
from gateway.stats.spending import exit_at, lan_demets, obrien_fleming_spent, start, times_of, walked

NEVER_CROSSED = 9.0
"""Standard errors: further out nothing is told apart from never."""


@dataclass(frozen=True, slots=True)
class PlannedLook:
    """
    What one of several planned looks says.

    Attributes:
        bound: How many standard errors from 0 decide here, above 0.
        low: Lower end of the repeated confidence interval, in the estimate's unit.
        high: Upper end; inf where only one side is asked for.
        is_decided: The interval excludes 0.
        alpha_spent: P(it was wrongly decided at this look or before), at most.
        alpha_left: For looks to come; 0 after the last.
    """

    bound: float
    low: float
    high: float
    is_decided: bool
    alpha_spent: float
    alpha_left: float


def group_sequential(
    estimate: float,
    se: float,
    times: Sequence[float],
    *,
    alpha: float = 0.05,
    sides: int = 2,
    is_last: bool = False,
) -> PlannedLook:
    """
    Give what a planned look says, whatever the looks before it said.

    Args:
        estimate: The difference now, of everything so far.
        se: Its standard error, in the same unit, 0 or more.
        times: Of all looks so far, this one last: units so far over units planned; rising, above 0. The last may
            be more than 1, where more units came than were planned.
        alpha: P(an interval is ever wrong) over all looks, in (0, 1).
        sides: 2 for an interval, 1 where only "above 0" is asked for.
        is_last: Nobody will look again: all of alpha is spent here, though fewer units came than were planned.

    Raises:
        ValueError: Times do not rise, one before the last is 1 or more, se is negative, or alpha or sides are out of
            range.

    Source:
        Lan & DeMets (1983), Biometrika 70:659-663; intervals: Jennison & Turnbull (1989), JRSS B 51:305-361.

    >>> look = group_sequential(0.04, 0.015, [0.2, 0.4, 0.6])
    >>> round(look.bound, 3), round(look.low, 4), look.is_decided, round(look.alpha_left, 4)
    (2.68, -0.0002, False, 0.0424)
    """
    if se < 0:
        msg = f"a standard error is never {se}"
        raise ValueError(msg)
    bound, spent = _bound_at(tuple(times), alpha, sides, is_last)
    low = estimate - bound * se
    high = estimate + bound * se if sides == 2 else inf
    return PlannedLook(bound, low, high, low > 0 or high < 0, spent, max(0.0, alpha - spent))


@lru_cache(maxsize=256)  # a report asks for the same looks of every metric
def _bound_at(times: tuple[float, ...], alpha: float, sides: int, is_last: bool) -> tuple[float, float]:
    """Give the last look's bound, and the alpha spent with it."""
    require_open_unit(alpha)
    *before, now = times_of(len(times), _within_plan(times))
    early = lan_demets(before, alpha=alpha, sides=sides) if before else []
    spent_before = obrien_fleming_spent(before[-1], alpha=alpha, sides=sides) if before else 0.0
    spent = alpha if is_last or now >= 1 else obrien_fleming_spent(now, alpha=alpha, sides=sides)
    # Only the ratios of times matter to the path: in units of the last one nothing is later than 1.
    scaled = [time / times[-1] for time in times]
    look = start() if not before else list(walked(early, scaled[:-1], sides))[-1]
    passed = 1.0 - (scaled[-2] if before else 0.0)
    low, high = 0.0, NEVER_CROSSED
    for _ in range(45):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if exit_at(look, middle, 1.0, passed, sides) > spent - spent_before else (low, middle)
        )
    return (low + high) / 2, spent


def _within_plan(times: tuple[float, ...]) -> list[float]:
    """
    Give the times at which alpha is spent: units beyond the plan spend none.

    Raises:
        ValueError: There is none, they do not rise, or the plan was over before the last.
    """
    if not times or times[-1] <= max((0.0, *times[:-1])) or any(time >= 1 for time in times[:-1]):
        msg = f"looks' times rise, and only the last is 1 or more, not {list(times)}"
        raise ValueError(msg)
    return [*times[:-1], min(1.0, times[-1])]
