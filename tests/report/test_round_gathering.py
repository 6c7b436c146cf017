"""A ladder's round: whom it is about, and what its users say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.control.courses import begin_course, turned
from gateway.domain.adaptive import LadderPlan
from gateway.domain.rollout import SplitPlan
from gateway.gates.course import Course, ladder_state_of, plan_at
from gateway.gates.experiment import Recommendation
from gateway.record.experiment_query import Cell, ExperimentQuery, UnitBlock
from gateway.report.course_look import look_at
from gateway.report.experiment_analysis import Traffic
from gateway.report.experiment_question import question_of
from gateway.report.round_gathering import RoundGathering, round_of
from tests.fakes.experiment_blocks import DAY_MS, START_DAY, THUMBS, Split, Truth

START_MS = START_DAY * DAY_MS
WEEK_MS = 7 * DAY_MS
PLAN = SplitPlan(
    "s",
    "r",
    "old",
    (("old", 5_000), ("new", 5_000), ("third", 0)),
    (("old", ""), ("new", "1"), ("third", "2")),
    (),
    primary_metric="thumbs",
    metrics={"thumbs": THUMBS},
    ladder=LadderPlan("old", ("new", "third")),
)
NOTHING = Traffic({}, {}, {})


def begun() -> Course:
    """Give a ladder whose first round begins, in epoch 0 as the blocks have it."""
    return begin_course(PLAN, last_epoch=0xFFFF, unix_ms=START_MS)


async def looked(course: Course, split: Split, *, unix_ms: int, closed: tuple[str, ...] = ()) -> Course:
    """Give a course after a look at a split's users."""

    async def read(query: ExperimentQuery) -> AsyncIterator[UnitBlock]:
        for block in split.blocks(2):
            yield block

    turn = await look_at(course, closed, read, unix_ms=unix_ms)
    return turned(course, turn, unix_ms=unix_ms + 5)[0]


async def test_challenger_wins_and_is_champion() -> None:
    """Its round over, the next challenger is against it, and it is what the others are compared with."""
    split = Split(truths={"old": Truth(0.72), "new": Truth(0.82)}, n=8_000)
    after = await looked(begun(), split, unix_ms=START_MS + WEEK_MS)
    assert (plan_at(after).baseline, after.weights) == ("new", {"old": 0, "new": 5_000, "third": 5_000})
    assert "third" in after.sentence and after.epoch == 1
    asked = round_of(after, unix_ms=START_MS + 2 * WEEK_MS)
    assert asked is not None and asked.cells == (Cell(1, "new"), Cell(1, "third"))


async def test_round_that_is_not_due() -> None:
    """Nothing changes before whole weeks, however sure it looks."""
    split = Split(truths={"old": Truth(0.7), "new": Truth(0.9)}, n=8_000, days=3)
    after = await looked(begun(), split, unix_ms=START_MS + 3 * DAY_MS)
    assert (after.epoch, plan_at(after).baseline) == (0, "old")
    assert after.sentence.startswith("Round 1: new against old")


async def test_stopped_challenger_has_lost() -> None:
    """At once, and the next one's round begins."""
    after = await looked(begun(), Split(n=200), unix_ms=START_MS + DAY_MS, closed=("new",))
    assert after.weights == {"old": 5_000, "new": 0, "third": 5_000}
    over = ladder_state_of(after).results[0]
    assert (over.winner, over.challenger) == ("old", "new")


async def test_complete_ladder_gives_everybody_the_champion() -> None:
    """After the last round there is nothing to divide, and the report says to ship it."""
    one = replace(PLAN, ladder=LadderPlan("old", ("new",)))
    course = begin_course(one, last_epoch=0xFFFF, unix_ms=START_MS)
    split = Split(truths={"old": Truth(0.72), "new": Truth(0.82)}, n=8_000)
    after = await looked(course, split, unix_ms=START_MS + WEEK_MS)
    assert (after.phase, after.weights["new"]) == ("complete", 10_000)
    question = question_of(one, after, [], stopped={}, now_unix_ms=START_MS + 2 * WEEK_MS)
    for block in split.blocks():
        question.include(block)
    found = question.summarize(NOTHING, now_unix_ms=START_MS + 2 * WEEK_MS)
    assert found.verdict.recommendation is Recommendation.SHIP
    assert found.ladder is not None and found.ladder.rounds[0].result == "challenger wins"


def test_round_under_way_is_reported() -> None:
    """Compared are champion and challenger, and it keeps running."""
    question = question_of(PLAN, begun(), [], stopped={}, now_unix_ms=START_MS + DAY_MS)
    for block in Split(n=400, days=1).blocks():
        question.include(block)
    found = question.summarize(NOTHING, now_unix_ms=START_MS + DAY_MS)
    assert [arm.name for arm in found.arms] == ["old", "new"]
    assert found.verdict.recommendation is Recommendation.KEEP_RUNNING
    assert found.ladder is not None and found.ladder.waiting == ("third",)


@pytest.mark.parametrize(("cost", "is_cheaper"), [(0.005, True), (0.02, False)])
def test_cheaper_is_told(cost: float, is_cheaper: bool) -> None:
    """What a tie may be decided by is known, surely or not at all."""
    course = begun()
    asked = round_of(course, unix_ms=START_MS + WEEK_MS)
    assert asked is not None
    gathering = RoundGathering(course, asked, unix_ms=START_MS + WEEK_MS)
    for block in Split(truths={"old": Truth(usd=0.01), "new": Truth(usd=cost)}, n=4_000).blocks():
        gathering.include(block)
    found = gathering.evidence(())
    assert found.is_cheaper is is_cheaper
    assert (found.n_champion + found.n_challenger, found.n_values, found.is_enough) == (4_000, 4_000, True)


def test_nobody_yet() -> None:
    """A round without a user has no values, and nothing is withheld."""
    course = begun()
    asked = round_of(course, unix_ms=START_MS)
    assert asked is not None
    found = RoundGathering(course, asked, unix_ms=START_MS).evidence(())
    assert (found.n_values, found.is_enough, found.is_withheld) == (0, False, False)
