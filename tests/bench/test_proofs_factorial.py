"""The simulations of factorial releases: they draw what they say, and judge with the product's own code."""

from __future__ import annotations

import numpy as np
import pytest

from bench.proofs.factorial import (
    ADDED,
    Truth,
    additive,
    clustered_null,
    course_of,
    courses,
    looked,
    null,
    planned,
    prove_factorial,
    returning,
)
from gateway.gates.factorial import FactorialState


def test_naive_is_too_sure() -> None:
    """Naive errors make z of a null factor far wider than 1; those by user do not."""
    robust, naive = np.std(clustered_null(60, seed=1), axis=0)
    assert robust == pytest.approx(1.0, abs=0.3)
    assert naive > 1.25 * robust


def test_truth_is_as_told() -> None:
    """The effects that verdicts are held against are those that were put in."""
    effects = additive().effects()
    assert [effects[((2 - at, 0, 1),)] for at in range(3)] == pytest.approx(ADDED)
    assert len(effects) == 6
    assert all(value == pytest.approx(0.0) for levels, value in effects.items() if len(levels) == 2)


def test_users_come_as_told() -> None:
    """As many users a day as were said, at the cells' rates, and all of them arrive."""
    truth = Truth((2, 2), (0.2, 0.4, 0.6, 0.8), 1_000, 5)
    *_, last = looked(truth, np.random.default_rng(3))
    assert last.sums.n_units == sum(last.arrivals[0].counts) == 5_000
    rates = np.diag(last.sums.totals) / np.diag(last.sums.counts)
    assert rates == pytest.approx(truth.rates, abs=0.06)


def test_misses_are_seen() -> None:
    """A release whose users are other than its truth is said to be missed, and to end with a decision."""
    drawn = Truth((2, 2), (0.7, 0.7, 0.9, 0.9), 1_000, 6)
    course = course_of(null((2, 2), per_day=1_000, days=6), drawn.rule(), looked(drawn, np.random.default_rng(4)))
    assert (course.mains, course.interactions, course.cells) == (True, False, True)
    assert course.end is not None
    assert course.end.state is FactorialState.DECIDED


def test_returning_users_count_once() -> None:
    """Users who come back on 28 days, to two cells, are 2,000 users; requests would be many more."""
    random = np.random.default_rng(5)
    *_, last = returning(random)
    *_, naive = returning(random, is_clustered=False)
    assert last.sums.n_units <= 2_000 < 10_000 < naive.sums.n_units
    assert np.diag(last.sums.counts).sum() > 1.2 * last.sums.n_units


def test_plan_is_followed() -> None:
    """What power is measured of is the plan's own number of users, and four points of one level."""
    truth, rule, needed = planned((5, 3, 2), 0, per_day=2_000)
    assert sorted({round(rate, 2) for rate in truth.rates}) == [0.8, 0.84]
    assert sum(rate > 0.81 for rate in truth.rates) == 6
    assert rule.planned_units < needed < 2 * rule.planned_units


def test_seeds_repeat() -> None:
    """The same seed gives the same releases."""
    one, other = (courses(additive(days=5), 2, seed=1) for _ in range(2))
    assert [each.end for each in one] == [each.end for each in other]


def test_runs() -> None:
    """All of it runs, and says what it must be."""
    rows = prove_factorial(0.001)
    assert len(rows) == 29
    assert sum(bool(row.must) for row in rows) == 24
