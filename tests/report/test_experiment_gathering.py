"""Blocks of units: added up they say what all units at once say, by metric, segment and day."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from gateway.domain.metric import Metric, MetricKind
from gateway.gates.experiment import Question
from gateway.gates.experiment_metrics import measures_of
from gateway.record.experiment_query import ExperimentQuery
from gateway.report.experiment_gathering import Gathering, first_rows
from tests.fakes.experiment_blocks import START_DAY, THUMBS, Split, Truth

MEASURES = measures_of({"thumbs": THUMBS}, "thumbs")


def gathered(split: Split, n_blocks: int = 1, days: tuple[int, ...] = ()) -> Gathering:
    """Give an experiment's sums."""
    found = Gathering(split.query, MEASURES, "old", days)
    for block in split.blocks(n_blocks):
        found.include(block)
    return found


def test_blocks_add() -> None:
    """Ten blocks say what one says, to the last digits."""
    one, ten = gathered(Split()), gathered(Split(), 10)
    for measure in MEASURES:
        left, right = one.contrast(measure, "new"), ten.contrast(measure, "new")
        assert (left is None) == (right is None)
        if left is not None and right is not None:
            assert (left[0].effect, left[0].se) == pytest.approx((right[0].effect, right[0].se), rel=1e-9)
            assert (left[1].n, left[1].n_baseline) == (right[1].n, right[1].n_baseline)
    assert (one.n_units, one.n_new, one.n_by_day) == (ten.n_units, ten.n_new, ten.n_by_day)


def test_truth_is_found() -> None:
    """Five points better, twice the cost: both are within three standard errors of the truth, of the right users."""
    truths = {"old": Truth(good=0.75), "new": Truth(good=0.80, usd=0.02)}
    found = gathered(Split(truths=truths, n=20_000))
    thumbs = found.contrast(MEASURES[0], "new")
    cost = found.contrast(next(each for each in MEASURES if each.name == "cost"), "new")
    assert thumbs is not None and cost is not None
    assert thumbs[0].effect == pytest.approx(0.05, abs=3 * thumbs[0].se)
    assert cost[0].mean / cost[0].baseline_mean == pytest.approx(2.0, rel=0.03)
    assert thumbs[1].n + thumbs[1].n_baseline == 20_000


def test_only_who_speaks() -> None:
    """Users who say nothing are not counted as anything."""
    found = gathered(Split(said=0.2)).contrast(MEASURES[0], "new")
    assert found is not None and 700 < found[1].n + found[1].n_baseline < 900


def test_days_narrow() -> None:
    """Each day's look has more units and a smaller error; the last is the whole."""
    days = tuple(range(START_DAY, START_DAY + 7))
    found = gathered(Split(), days=days)
    looks, whole = list(found.looks("new")), found.contrast(MEASURES[0], "new")
    assert whole is not None
    assert [day for day, _, _ in looks] == list(days)
    assert all(earlier[2] < later[2] for earlier, later in pairwise(looks))
    assert looks[0][1].se > 1.5 * looks[-1][1].se
    assert (looks[-1][1].effect, looks[-1][1].se) == pytest.approx((whole[0].effect, whole[0].se))


def test_segments_part_the_whole() -> None:
    """Segments' users are all users, and their effects average to the whole."""
    found = gathered(Split(n=20_000))
    segments = list(found.segments("new"))
    assert [(name, value) for name, value, *_ in segments] == [("plan", "free"), ("plan", "paid")]
    assert sum(sample.n + sample.n_baseline for *_, sample in segments) == 20_000
    whole = found.contrast(MEASURES[0], "new")
    assert whole is not None
    assert np.mean([one.effect for _, _, one, _ in segments]) == pytest.approx(whole[0].effect, abs=0.003)


def test_new_units_are_counted_once() -> None:
    """A unit counts in the epoch in which it came first, and by the day it came."""
    found = gathered(Split(n=3_000, shares=(0.9, 0.1)))
    assert sum(found.n_new.values()) == sum(found.n_units.values()) == sum(found.n_by_day.values()) == 3_000
    assert found.n_new[0, "new"] == found.n_units["new"] < 400


def test_first_rows() -> None:
    """The earliest row of each unit is found, whatever the order of its rows."""
    units, times = np.array([1, 1, 4, 9, 9, 9]), np.array([5, 2, 7, 3, 1, 2])
    assert list(first_rows(units, times)) == [1, 2, 4]


def test_nothing_primary() -> None:
    """Without a primary metric there are no looks and no segments, and guardrails are measured all the same."""
    split = Split()
    found = Gathering(ExperimentQuery("support", split.query.cells), measures_of({}, None), "old", (START_DAY,))
    for block in split.blocks():
        found.include(block)
    assert (list(found.looks("new")), list(found.segments("new"))) == ([], [])
    assert found.contrast(measures_of({}, None)[0], "new") is not None


def test_score_has_three_measures() -> None:
    """A score with lines is its mean, its good ones and its catastrophes; the last guards."""
    score = Metric("faith", MetricKind.SCORE, range=(0, 1), good=0.7, catastrophic=0.2)
    names = {each.name: each.question for each in measures_of({"thumbs": THUMBS, "faith": score}, "faith")}
    assert list(names)[:4] == ["faith", "faith:good", "faith:catastrophic", "thumbs"]
    assert (names["faith"], names["faith:catastrophic"]) == (Question.PRIMARY, Question.GUARDRAIL)
