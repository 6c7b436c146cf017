"""Factorials, bandits, ladders, and the article's table."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import pytest

from gateway.report.experiment_plan import Aim, Crowd, Kind, Method
from gateway.report.release_plans import article_rows, days_of, plan_bandit, plan_factorial, plan_ladder

AIM = Aim(Kind.RATE, 0.8, 0.04)


def test_article() -> None:
    """decisions.md § 3: what the rows need, and the power of a two-sided test with the article's numbers."""
    rows = article_rows()
    assert [ceil(row.drop) for row in rows] == [1_683, 4_552, 10_101, 2_166, 4_705]
    assert [row.power for row in rows] == pytest.approx([0.723, 0.704, 0.701, 0.876, 0.859], abs=0.001)
    assert [row.is_consistent for row in rows] == [True, True, True, False, False]


def test_two_by_two() -> None:
    """Of two factors of two levels, each has all users: as many as one comparison; interactions four times."""
    plan = plan_factorial(AIM, Crowd(1_000.0), [2, 2])
    assert plan.cells == 4 and plan.users == pytest.approx(2 * 1446.94, abs=0.1)
    assert plan.interaction_users == pytest.approx(4 * plan.users)
    assert plan.one_by_one_users == pytest.approx(2 * plan.users)
    assert plan.is_fed is True and plan_factorial(AIM, Crowd(), [2, 2]).is_fed is None


def test_too_many_cells() -> None:
    """Ten factors' 1,024 cells would have three users each: no, however many come."""
    plan = plan_factorial(AIM, Crowd(1_000_000.0), [2] * 10)
    assert plan.per_cell < 3 and plan.is_fed is False


def test_exploration() -> None:
    """100 users and 40 good ones per arm, and three days: the later of them; the best then leads as simulated."""
    many, few = plan_bandit(AIM, Crowd(10_000.0), 5), plan_bandit(AIM, Crowd(10.0), 5)
    assert many.explored_days == 3.0 and many.explored_n == pytest.approx(6_000)
    assert few.explored_n == pytest.approx(100) and few.explored_days == pytest.approx(50)
    assert few.chance < many.chance and [round(plan_bandit(AIM, Crowd(), k).most, 3) for k in (3, 5, 10)] == [
        0.933,
        0.92,
        0.91,
    ]


def test_a_worse_arm() -> None:
    """Asked about a drop, the baseline is the best arm and is found as well."""
    assert plan_bandit(replace(AIM, effect=-0.04), Crowd(1_000.0), 3).chance > 0.9


def test_ladder() -> None:
    """Alpha falls from round to round and never spends more than its whole; each round is whole weeks."""
    rounds = plan_ladder(AIM, Crowd(1_000.0), 4, method=Method.FIXED, sides=2)
    alphas, days = [each.alpha for each in rounds], days_of(rounds)
    assert alphas == sorted(alphas, reverse=True) and sum(alphas) < 0.05
    assert days is not None and days % 7 == 0 and days >= 28
    assert days_of(plan_ladder(AIM, Crowd(), 2, method=Method.FIXED, sides=2)) is None


def test_refused() -> None:
    """A mean has no bandit here, a factor has levels, a ladder a challenger, and all an effect."""
    with pytest.raises(ValueError, match="rates"):
        plan_bandit(Aim(Kind.MEAN, 4, 0.1, sd=1), Crowd(), 3)
    with pytest.raises(ValueError, match="two levels"):
        plan_factorial(AIM, Crowd(), [2, 1])
    with pytest.raises(ValueError, match="challenger"):
        plan_ladder(AIM, Crowd(), 0, method=Method.FIXED, sides=2)
    with pytest.raises(ValueError, match="effect"):
        plan_factorial(replace(AIM, effect=None), Crowd(), [2, 2])
