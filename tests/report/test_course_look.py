"""A look at a course's users: what is read, and what follows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.gates.course import CourseMark
from gateway.record.experiment_query import Cell, ExperimentQuery, UnitBlock
from gateway.report.course_look import cells_of, look_at
from tests.report.test_reward_gathering import COURSE, DAY_MS, NOW_DAY, PLAN, THUMBS, block

MARKS = (CourseMark(1, 0, (("x", 5_000), ("y", 5_000))), CourseMark(2, 9, (("x", 9_000), ("y", 1_000))))
BANDIT = replace(COURSE, plan=replace(PLAN, metrics={"thumbs": THUMBS}), marks=MARKS)


async def test_looks_at_every_stretch() -> None:
    """All epochs are read since it began, words only; and a winner gets more."""
    asked: list[ExperimentQuery] = []

    async def read(query: ExperimentQuery) -> AsyncIterator[UnitBlock]:
        asked.append(query)
        yield block(*((2**61 + unit, 0, 4, 1, unit % 2) for unit in range(400)))
        yield block(*((2**62 + unit, 1, 4, 1, 1) for unit in range(400)))

    turn = await look_at(BANDIT, (), read, unix_ms=NOW_DAY * DAY_MS)
    assert asked[0].cells == (Cell(1, "x"), Cell(1, "y"), Cell(2, "x"), Cell(2, "y"))
    assert (asked[0].with_days, asked[0].since_unix_ms) == (False, BANDIT.started_unix_ms)
    assert dict(turn.parts[1])["y"] == 9_000


def test_cells_of_all_stretches() -> None:
    """Each arm in each of them."""
    assert cells_of(BANDIT) == (Cell(1, "x"), Cell(1, "y"), Cell(2, "x"), Cell(2, "y"))


async def test_nothing_to_look_at() -> None:
    """A split decides nothing by looking, and a metric may be gone."""

    async def read(query: ExperimentQuery) -> AsyncIterator[UnitBlock]:
        raise AssertionError
        yield

    with pytest.raises(ValueError, match="is gone"):
        await look_at(replace(BANDIT, plan=PLAN), (), read, unix_ms=0)
    with pytest.raises(ValueError, match="nothing is decided by looking"):
        await look_at(replace(BANDIT, plan=replace(PLAN, bandit=None)), (), read, unix_ms=0)
