"""What a look at a course's users makes of it: blocks of units in, a turn out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection

from gateway.gates.course import Course, Turn, bandit_turn, ladder_state_of, ladder_turn
from gateway.gates.ladder import RoundEvidence
from gateway.record.experiment_query import Cell, ExperimentQuery, UnitBlock
from gateway.report.reward_gathering import RewardGathering
from gateway.report.round_gathering import RoundGathering, round_of

MAX_UNITS = 500_000
"""More users tell a bandit nothing that these do not; they are chosen by chance."""

ReadBlocks = Callable[[ExperimentQuery], AsyncIterator[UnitBlock]]
"""Gives what a query asks, block by block."""


async def look_at(course: Course, closed: Collection[str], read: ReadBlocks, *, unix_ms: int) -> Turn:
    """
    Look at a course's users.

    Args:
        course: As it stands.
        closed: Arms that a breaker keeps.
        read: Gives the users' rows.
        unix_ms: Now.

    Raises:
        ValueError: The file divides the traffic of this one, or its metric is gone.
    """
    plan = course.plan
    if plan.ladder is not None:
        return await _look_at_round(course, closed, read, unix_ms=unix_ms)
    if plan.bandit is None:
        msg = f"{plan.release} is a {plan.kind}: nothing is decided by looking"
        raise ValueError(msg)
    metric = plan.metrics.get(plan.bandit.reward)
    if metric is None:
        msg = f"the metric {plan.bandit.reward!r} of {plan.release} is gone"
        raise ValueError(msg)
    query = ExperimentQuery(plan.release, cells_of(course), (metric,), course.started_unix_ms, unix_ms, with_days=False)
    gathering = RewardGathering(course, query, metric)
    async for block in read(query):
        gathering.include(block)
    return bandit_turn(course, gathering.evidence(closed))


async def _look_at_round(course: Course, closed: Collection[str], read: ReadBlocks, *, unix_ms: int) -> Turn:
    asked = round_of(course, unix_ms=unix_ms)
    if asked is None or ladder_state_of(course).challenger is None:
        return ladder_turn(course, RoundEvidence(), unix_ms=unix_ms)
    gathering = RoundGathering(course, asked, unix_ms=unix_ms)
    async for block in read(gathering.query):
        gathering.include(block)
    return ladder_turn(course, gathering.evidence(closed), unix_ms=unix_ms)


def cells_of(course: Course) -> tuple[Cell, ...]:
    """Give every cell that has had users: each arm in each stretch of constant weights."""
    return tuple(Cell(mark.epoch, arm) for mark in course.marks for arm, _ in mark.weights)
