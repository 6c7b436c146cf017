"""What users rewarded, gathered from blocks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gateway.assign.bucketing import slot_of
from gateway.domain.adaptive import BanditPlan
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.rollout import SplitPlan
from gateway.gates.bandit import BanditPhase
from gateway.gates.course import Course, CourseMark
from gateway.record.experiment_query import (
    Cell,
    DayColumns,
    ExperimentQuery,
    ExposureColumns,
    SaidColumns,
    UnitBlock,
)
from gateway.report.reward_gathering import RewardGathering, is_rate, slots_of

DAY_MS = 86_400_000
NOW_DAY = 20_000
THUMBS = Metric("thumbs", MetricKind.BINARY, attribution_s=86_400.0)
PLAN = SplitPlan(
    "s",
    "r",
    "x",
    (("x", 5_000), ("y", 5_000)),
    (("x", ""), ("y", "")),
    (),
    bandit=BanditPlan("thumbs", half_life_s=7 * 86_400.0),
)
COURSE = Course(
    PLAN,
    1,
    ((0, 500, "x"), (500, 1_000, "y"), (1_000, 10_000, "x")),
    started_unix_ms=(NOW_DAY - 20) * DAY_MS,
    moved_unix_ms=(NOW_DAY - 2) * DAY_MS,
    phase="exploiting",
    marks=(CourseMark(1, 0, (("x", 5_000), ("y", 5_000))),),
)
QUERY = ExperimentQuery("s", (Cell(1, "x"), Cell(1, "y"), Cell(2, "x"), Cell(2, "y")), (THUMBS,), 0, NOW_DAY * DAY_MS)
INSIDE = [0, 2**40, 2**41]
"""Hashes whose bucket is 0: of the exploration slice."""


def block(*said: tuple[int, int, int, float, float]) -> UnitBlock:
    """Give a block of (unit, cell, days ago, how often, total); each unit was exposed on its first day, at noon."""
    rows = sorted(said, key=lambda row: (row[0], row[1], -row[2]))
    units, cells, ago, counts, totals = (np.array(column) for column in zip(*rows, strict=True))
    nothing = np.zeros(len(rows))
    days = (NOW_DAY - ago).astype(np.int32)
    return UnitBlock(
        exposures=ExposureColumns(
            units.astype(np.int64), cells.astype(np.int16), days * np.int64(DAY_MS) + DAY_MS // 2, nothing.astype(int)
        ),
        days=DayColumns(np.zeros(0, np.int64), np.zeros(0, np.int16), np.zeros(0, np.int32), {}),
        said={
            "thumbs": SaidColumns(
                units.astype(np.int64),
                cells.astype(np.int16),
                days,
                counts.astype(float),
                totals.astype(float),
                nothing,
                nothing,
            )
        },
        history={},
        segments=((),),
    )


def gathered(*blocks: UnitBlock) -> RewardGathering:
    """Give what these blocks come to."""
    gathering = RewardGathering(COURSE, QUERY, THUMBS)
    for each in blocks:
        gathering.include(each)
    return gathering


def test_slots_are_those_of_the_workers() -> None:
    """Kept hashes give the buckets they were assigned by."""
    hashes = [0, 1, 2**63 - 1, 2**63, 2**64 - 1, 0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210]
    kept = np.array(hashes, dtype=np.uint64).view(np.int64)
    assert slots_of(kept).tolist() == [slot_of(each) for each in hashes]


def test_sums_by_arm() -> None:
    """A unit's mean of a week counts once, for the arm in which it was said."""
    x, y = gathered(block((2**62, 0, 3, 2, 1), (2**61, 1, 3, 1, 1)), block((-(2**62), 2, 3, 1, 0))).evidence().arms
    assert (x.plain.n, x.plain.total, y.plain.n, y.plain.total) == (2, 0.5, 1, 1)
    assert (x.users, y.users) == (2, 1)


def test_rewards_fade() -> None:
    """One of a half-life ago counts for a half; its day's middle is its age."""
    (x, _) = gathered(block((2**62, 0, 7, 1, 1))).evidence().arms
    assert x.discounted.n == pytest.approx(2 ** -(6.5 / 7))


def test_window_has_to_be_over() -> None:
    """Who was exposed within the last day is no user yet."""
    (x, _) = gathered(block((2**62, 0, 1, 1, 1), (2**61, 0, 2, 1, 1))).evidence().arms
    assert x.users == 1


def test_slice_is_apart() -> None:
    """Only its own units count in it, each once, and none that had two arms."""
    only, both, outside = INSIDE[0], INSIDE[1], 2**62
    x, y = (
        gathered(
            block((only, 0, 9, 1, 1), (only, 2, 1, 1, 0), (both, 0, 9, 1, 1), (both, 3, 1, 1, 1), (outside, 0, 9, 1, 1))
        )
        .evidence()
        .arms
    )
    assert (x.sliced.n, x.sliced.total, y.sliced.n) == (1, 0.5, 0)


def test_units_that_come_back_are_worth_less() -> None:
    """Ten weeks of the same opinion are hardly more than one."""
    weeks = [(2**62 + unit, 0, 7 * week, 1, float(unit % 2)) for unit in range(20) for week in range(10)]
    assert gathered(block(*weeks)).evidence().design_effect > 5


def test_what_the_course_knows() -> None:
    """Phase and times come from it; closed arms are removed."""
    found = gathered(block((2**62, 0, 4, 1, 1))).evidence(["y"])
    assert (found.phase, found.since_update_s, found.elapsed_s) == (BanditPhase.EXPLOITING, 172_800, 3.5 * 86_400)
    assert [arm.is_removed for arm in found.arms] == [False, True]


def test_nobody_yet() -> None:
    """Without a unit there is no time and no reward."""
    found = RewardGathering(replace(COURSE, phase="", moved_unix_ms=0), QUERY, THUMBS).evidence()
    assert (found.elapsed_s, found.since_update_s, found.phase) == (0, None, BanditPhase.EXPLORING)
    assert all(arm.users == arm.plain.n == 0 for arm in found.arms)


def test_only_bandits_gather_rewards() -> None:
    """Of another kind it says so."""
    with pytest.raises(ValueError, match="not a bandit"):
        RewardGathering(replace(COURSE, plan=replace(PLAN, bandit=None)), QUERY, THUMBS)


def test_rates() -> None:
    """Yes and no is one, and a score from 0 to 1; dollars are none."""
    score = Metric("s", MetricKind.SCORE, range=(0.0, 1.0))
    assert (is_rate(THUMBS), is_rate(score), is_rate(replace(score, range=(1.0, 5.0)))) == (True, True, False)
