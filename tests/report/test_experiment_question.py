"""What is read of the store for a report, kind by kind, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.domain.adaptive import BanditPlan
from gateway.domain.rollout import SplitPlan
from gateway.gates.course import Course, CourseMark
from gateway.gates.experiment import Recommendation
from gateway.record.experiment_query import Cell, EpochShares
from gateway.report.experiment_analysis import Traffic
from gateway.report.experiment_question import GRACE_MS, NothingKeptError, question_of
from tests.fakes.experiment_blocks import DAY_MS, START_DAY, THUMBS, Split, Truth

START_MS = START_DAY * DAY_MS
NOW_MS = START_MS + 7 * DAY_MS
WEIGHTS = (("old", 5_000), ("new", 5_000))
PLAN = SplitPlan(
    "support",
    "help",
    "old",
    WEIGHTS,
    (("old", ""), ("new", "1")),
    (),
    primary_metric="thumbs",
    metrics={"thumbs": THUMBS},
    segments=("plan",),
)
HALF = EpochShares(0, START_MS, WEIGHTS, PLAN.content, "support")
NOTHING = Traffic({}, {}, {})
BANDIT = replace(PLAN, bandit=BanditPlan("thumbs", explore=0.5))
COURSE = Course(
    BANDIT,
    2,
    ((0, 5_000, "old"), (5_000, 10_000, "new")),
    started_unix_ms=START_MS,
    phase="exploiting",
    sentence="new is probably the best.",
    best=(("old", 0.1), ("new", 0.9)),
    marks=(CourseMark(0, START_MS, WEIGHTS), CourseMark(2, START_MS + DAY_MS, (("old", 1_000), ("new", 9_000)))),
)


def test_epochs_of_this_content() -> None:
    """What was compared before the arms were what they are is left out; so is who came before."""
    older = replace(HALF, content="other", since_unix_ms=START_MS - 9 * DAY_MS)
    later = replace(HALF, epoch=3, since_unix_ms=START_MS + DAY_MS)
    question = question_of(PLAN, None, [older, HALF, later], stopped={}, now_unix_ms=NOW_MS)
    assert question.query.cells == (Cell(0, "old"), Cell(0, "new"), Cell(3, "old"), Cell(3, "new"))
    assert (question.query.since_unix_ms, question.query.until_unix_ms) == (START_MS - GRACE_MS, NOW_MS)
    assert question.experiment.since_unix_ms == START_MS
    fresh = question_of(PLAN, None, [HALF], stopped={}, least_unix_ms=NOW_MS - 5, now_unix_ms=NOW_MS)
    assert fresh.experiment.since_unix_ms == NOW_MS - 5


def test_nothing_is_kept_yet() -> None:
    """It says what to do."""
    with pytest.raises(NothingKeptError, match="wait a minute"):
        question_of(PLAN, None, [], stopped={}, now_unix_ms=NOW_MS)


def test_split_is_summarized() -> None:
    """With its route, kind and segments as the plan has them."""
    question = question_of(PLAN, None, [HALF], stopped={}, now_unix_ms=NOW_MS)
    for block in Split(truths={"old": Truth(0.7), "new": Truth(0.8)}, n=6_000).blocks(2):
        question.include(block)
    found = question.summarize(NOTHING, now_unix_ms=NOW_MS)
    assert (found.route, found.release, found.kind) == ("help", "support", "split")
    assert found.verdict.recommendation is Recommendation.SHIP
    assert any(each.is_declared for each in found.segments)


def test_bandit_is_judged_by_its_slice() -> None:
    """Its sentence comes first, what the slice shows is the reason, and how it was divided is told."""
    question = question_of(BANDIT, COURSE, [], stopped={}, now_unix_ms=NOW_MS)
    assert question.query.cells == (Cell(0, "old"), Cell(0, "new"), Cell(2, "old"), Cell(2, "new"))
    split = Split(truths={"old": Truth(0.7), "new": Truth(0.8)}, n=6_000)
    for block in split.blocks():
        question.include(block)
    found = question.summarize(NOTHING, now_unix_ms=NOW_MS)
    assert (found.verdict.headline, found.verdict.recommendation) == (COURSE.sentence, Recommendation.KEEP_RUNNING)
    assert found.verdict.reason.startswith("new is better")
    assert 2_000 < found.n_units < 4_000
    assert found.bandit is not None and found.bandit.leader == "new"
    assert found.bandit.weights[-1].shares == (("old", 0.1), ("new", 0.9))


def test_bandit_that_ends() -> None:
    """Where nothing is to be won it says so."""
    over = replace(COURSE, phase="no_difference", sentence="No difference worth having.")
    question = question_of(BANDIT, over, [], stopped={}, now_unix_ms=NOW_MS)
    for block in Split(n=2_000).blocks():
        question.include(block)
    assert question.summarize(NOTHING, now_unix_ms=NOW_MS).verdict.recommendation is Recommendation.STOP
