"""From sums to a summary: what is true is said, and nothing before it can be known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.domain.metric import Metric, MetricKind
from gateway.gates.experiment import ExperimentState, Recommendation
from gateway.gates.experiment_metrics import measures_of
from gateway.record.experiment_query import EpochShares
from gateway.report.experiment_analysis import (
    Experiment,
    Traffic,
    look_days,
    summarize_experiment,
    units_per_day,
)
from gateway.report.experiment_gathering import Gathering
from gateway.report.experiment_summary import ExperimentSummary
from tests.fakes.experiment_blocks import DAY_MS, START_DAY, THUMBS, Split, Truth

START_MS = START_DAY * DAY_MS
TRAFFIC = Traffic({"old": 8_000, "new": 8_100}, {"old": 80.0}, {"no_user": 40, "internal": 0})


def experiment(split: Split, planned: tuple[int, ...] = (5_000, 5_000)) -> Experiment:
    """Give what is analysed of a split."""
    weights = tuple(zip(split.truths, planned, strict=True))
    return Experiment(
        "support", "support-v8", "split", "user", "old", weights, "thumbs", 7 * 86_400.0, 1_000,
        (EpochShares(0, START_MS, weights),), START_MS,
    )  # fmt: skip


def report(
    split: Split, *, planned: tuple[int, ...] = (5_000, 5_000), primary: str | None = "thumbs"
) -> ExperimentSummary:
    """Give a split's report at its end."""
    now_ms = START_MS + split.days * DAY_MS
    measures = measures_of({"thumbs": THUMBS}, primary)
    gathering = Gathering(split.query, measures, "old", look_days(START_MS, now_ms - 1))
    for block in split.blocks(3):
        gathering.include(block)
    about = replace(experiment(split, planned), primary=primary)
    return summarize_experiment(about, gathering, measures, TRAFFIC, now_unix_ms=now_ms)


def test_better_is_shipped() -> None:
    """Five points better with users enough, after a week: ship it, with the lift and its interval."""
    found = report(Split(truths={"old": Truth(0.78), "new": Truth(0.83)}, n=12_000))
    primary = found.primary_of("new")
    assert (found.verdict.state, found.verdict.recommendation) == (ExperimentState.BETTER, Recommendation.SHIP)
    assert primary is not None and primary.low < 0.05 < primary.high and primary.lift is not None
    assert found.arms[0].n_units + found.arms[1].n_units == 12_000


def test_too_early_to_say() -> None:
    """The same after a day, with few users: keep running, for so many days."""
    found = report(Split(truths={"old": Truth(0.78), "new": Truth(0.83)}, n=300, days=1))
    assert found.verdict.recommendation is Recommendation.KEEP_RUNNING
    assert found.verdict.days_left is not None and found.verdict.days_left >= 6


def test_broken_tail() -> None:
    """Better thumbs and five percent of requests broken: mixed, and not to be shipped."""
    found = report(Split(truths={"old": Truth(0.78), "new": Truth(0.84, errors=0.06)}, n=12_000))
    assert (found.verdict.state, found.verdict.recommendation) == (ExperimentState.MIXED, Recommendation.REPAIR)
    errors = next(each for each in found.effects if each.metric == "errors")
    assert errors.is_worse and "failed requests" in found.verdict.headline


def test_nothing_is_different() -> None:
    """Two arms alike, with many users: no difference worth having."""
    found = report(Split(truths={"old": Truth(0.8), "new": Truth(0.8)}, n=60_000, seed=4))
    assert found.verdict.state is ExperimentState.NO_DIFFERENCE


def test_lost_users() -> None:
    """Where a tenth of one arm's users is missing there is no result, whatever the numbers say."""
    found = report(Split(n=12_000, shares=(0.525, 0.475)))
    assert found.ratio_check is not None and found.ratio_check.is_alarm
    assert (found.verdict.state, found.is_withheld) == (ExperimentState.INVALID, True)


def test_three_arms_share_alpha() -> None:
    """Two candidates share five percent, and each has its own verdict."""
    truths = {"old": Truth(0.78), "new": Truth(0.85), "bad": Truth(0.70)}
    found = report(Split(truths=truths, n=18_000, shares=(0.34, 0.33, 0.33)), planned=(3_400, 3_300, 3_300))
    assert [each.state for each in found.verdict.arms] == [ExperimentState.BETTER, ExperimentState.WORSE]
    assert {each.confidence for each in found.effects if each.metric == "thumbs"} == {0.975}


def test_looks_end_in_the_result() -> None:
    """The last day's look is the headline's interval, and looks narrow."""
    found = report(Split(n=6_000))
    primary = found.primary_of("new")
    assert primary is not None and len(found.looks) == 7
    assert (found.looks[-1].low, found.looks[-1].high) == pytest.approx((primary.low, primary.high))
    assert found.looks[0].high - found.looks[0].low > found.looks[-1].high - found.looks[-1].low


def test_segments_are_corrected() -> None:
    """A table of segments without a difference proves none; where all differ, all do."""
    alike = report(Split(truths={"old": Truth(), "new": Truth()}, n=8_000, seed=2))
    better = report(Split(truths={"old": Truth(0.7), "new": Truth(0.8)}, n=8_000))
    assert [each.is_proven for each in alike.segments] == [False, False]
    assert [(each.segment, each.is_proven) for each in better.segments] == [("plan=free", True), ("plan=paid", True)]


def test_only_guardrails() -> None:
    """Without a primary metric harm is still found, and there are no looks."""
    found = report(Split(truths={"old": Truth(), "new": Truth(errors=0.05)}, n=8_000), primary=None)
    assert (found.verdict.state, found.looks, found.primary) == (ExperimentState.WORSE, (), None)


def test_excluded_are_told() -> None:
    """Requests that nobody analyses are counted by reason; reasons without any are not shown."""
    assert [(each.reason, each.n_requests) for each in report(Split(n=500)).excluded] == [("no_user", 40)]


def test_nobody_came() -> None:
    """An experiment without a user is told as such."""
    measures = measures_of({"thumbs": THUMBS}, "thumbs")
    split = Split()
    found = summarize_experiment(
        experiment(split), Gathering(split.query, measures, "old"), measures, TRAFFIC, now_unix_ms=START_MS + DAY_MS
    )
    assert (found.ratio_check, found.since, found.verdict.headline.startswith("Nobody")) == (None, "", False)
    assert found.verdict.recommendation is Recommendation.KEEP_RUNNING


def test_scores_are_three_rows() -> None:
    """A score that nobody gave is simply not there."""
    score = Metric("faith", MetricKind.SCORE, range=(0, 1), good=0.7, catastrophic=0.2)
    measures = measures_of({"thumbs": THUMBS, "faith": score}, "thumbs")
    split = Split(n=500)
    gathering = Gathering(split.query, measures, "old")
    for block in split.blocks():
        gathering.include(block)
    found = summarize_experiment(experiment(split), gathering, measures, TRAFFIC, now_unix_ms=START_MS + DAY_MS)
    assert not [each for each in found.effects if each.metric.startswith("faith")]


def test_days_of_a_long_experiment() -> None:
    """Of half a year the first day is looked at, and the last sixty but one."""
    days = look_days(START_MS, START_MS + 180 * DAY_MS)
    assert (len(days), days[0], days[-1]) == (31, START_DAY, START_DAY + 180)


def test_users_lately() -> None:
    """Units a day are those of whole days; on the first day what came so far, scaled up."""
    split = Split(n=7_000)
    gathering = Gathering(split.query, measures_of({}, None), "old")
    for block in split.blocks():
        gathering.include(block)
    assert units_per_day(gathering, START_MS + 7 * DAY_MS) == pytest.approx(1_000, rel=0.01)
    assert units_per_day(gathering, START_MS + DAY_MS // 2) == pytest.approx(2_000, rel=0.1)
