"""Looks that were planned: when they fall, and what is said between them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.domain.rollout import PlannedLooks
from gateway.gates.experiment import ExperimentState, Recommendation
from gateway.report.experiment_question import question_of
from gateway.report.experiment_summary import ExperimentSummary
from gateway.report.planned_looks import LookOver, looks_over
from tests.fakes.experiment_blocks import DAY_MS, START_DAY, Split, Truth
from tests.report.test_experiment_question import HALF, NOTHING, PLAN, START_MS

PLANNED = PlannedLooks(7_000, 7)


def report(split: Split, *, days: int = 7, planned: PlannedLooks = PLANNED) -> ExperimentSummary:
    """Give the report of a split of seven days that is looked at as planned, after some of them."""
    now_ms = START_MS + days * DAY_MS
    plan = replace(PLAN, planned=planned)
    question = question_of(plan, None, [HALF], stopped={}, now_unix_ms=now_ms)
    for block in split.blocks():
        question.include(block)
    return question.summarize(NOTHING, now_unix_ms=now_ms)


def test_looks_fall_on_days() -> None:
    """By whose end so many had come; two on one day are one, today has none, and the last may be late."""
    n_by_day = {START_DAY: 10, START_DAY + 1: 60, START_DAY + 2: 50, START_DAY + 3: 9}
    over = looks_over(n_by_day, PlannedLooks(100, 4), today=START_DAY + 3)
    assert over == [LookOver(START_DAY + 1, 0.7), LookOver(START_DAY + 2, 1.2)]
    assert looks_over(n_by_day, PlannedLooks(100, 4), today=START_DAY + 1) == []
    assert looks_over(n_by_day, None, today=START_DAY + 9) == []


def test_found_as_planned() -> None:
    """What is five points better is found at the last look, by a narrower interval than one for any look."""
    split = Split(truths={"old": Truth(0.75), "new": Truth(0.80)}, n=7_100)
    planned, any_time = report(split), report(split, planned=PlannedLooks(9_000_000, 2))
    found = planned.primary_of("new")
    assert found is not None and found.is_better and found.p < 0.05 and found.low < 0.05 < found.high
    assert planned.verdict.recommendation is Recommendation.SHIP
    assert "7 looks planned over 7,000 units" in planned.method
    waiting = any_time.primary_of("new")
    assert waiting is not None and not waiting.is_enough and waiting.high - waiting.low > found.high - found.low


def test_nothing_before_the_first_look() -> None:
    """However different the arms are."""
    split = Split(truths={"old": Truth(0.3), "new": Truth(0.9)}, n=2_000)
    found = report(split, planned=PlannedLooks(50_000, 5))
    assert found.verdict.state is ExperimentState.RUNNING
    primary = found.primary_of("new")
    assert primary is not None and (primary.is_enough, primary.p, primary.wants_units) == (False, 1.0, 8_000)


def test_same_between_two_looks() -> None:
    """What is said after a look waits for the next one: reading again changes nothing."""
    split = Split(truths={"old": Truth(0.75), "new": Truth(0.80)}, n=7_100)
    one, two = (report(split, planned=PlannedLooks(14_000, 4), days=days) for days in (7, 8))
    first, second = one.primary_of("new"), two.primary_of("new")
    assert first is not None and second is not None
    assert (first.effect, first.low, first.high) == (second.effect, second.low, second.high)


def test_not_found_is_no_difference() -> None:
    """After the last look the plan is over, and there is nothing to wait for."""
    found = report(Split(truths={"old": Truth(0.8), "new": Truth(0.8)}, n=7_100, seed=5))
    assert (found.verdict.state, found.verdict.recommendation) == (ExperimentState.NO_DIFFERENCE, Recommendation.STOP)


@pytest.mark.parametrize("seed", range(3))
def test_p_agrees_with_the_interval(seed: int) -> None:
    """It is below alpha exactly when the interval excludes no difference."""
    found = report(Split(truths={"old": Truth(0.78), "new": Truth(0.80)}, n=7_100, seed=seed)).primary_of("new")
    assert found is not None
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
