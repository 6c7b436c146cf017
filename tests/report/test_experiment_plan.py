"""What an experiment needs and could find."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from gateway.report.experiment_plan import (
    Aim,
    Crowd,
    Kind,
    Method,
    WayOut,
    effect_found,
    looks_until,
    need_of,
    plan_experiment,
    planned_inflation,
)

AIM = Aim(Kind.RATE, 0.8, 0.04)


def test_crowds_that_return() -> None:
    """Distinct users grow from a day's to a week's and on, ever slower; days are the inverse of users."""
    crowd = Crowd(1_000.0, 3_000.0)
    assert (crowd.users_by(1), crowd.users_by(7)) == pytest.approx((1_000, 3_000))
    assert 3_000 < crowd.users_by(14) < 6_000 and crowd.days_for(3_000) == pytest.approx(7)


def test_nobody_new() -> None:
    """Where the same users come every day, there are no more than those, ever."""
    crowd = Crowd(1_000.0, 1_000.0)
    assert (crowd.users_by(90), crowd.days_for(900), crowd.days_for(1_001)) == (1_000, 1.0, inf)
    need = need_of(AIM, crowd, Method.ANYTIME, 2)
    assert need.days == inf and need.run_days is None and need.is_measurable is False


def test_unequal_shares() -> None:
    """5 % against 95 % know as much per candidate as 1.9 of two equal arms: 1/n + 1/(19 n) = 2/m."""
    assert Crowd(share=0.05).per_arm(1_000) == pytest.approx(95.0)
    assert Crowd(arms=3).per_arm(900) == pytest.approx(300.0)
    assert Crowd(rated=0.1).users_for(Crowd(rated=0.1).per_arm(77)) == pytest.approx(77)


def test_arms_share_alpha() -> None:
    """Two candidates spend half of alpha each."""
    need = need_of(AIM, Crowd(arms=3), Method.FIXED, 2)
    assert need.n_per_arm == pytest.approx(need_of(replace(AIM, alpha=0.025), Crowd(), Method.FIXED, 2).n_per_arm)
    assert need.users == pytest.approx(3 * need.n_per_arm)


def test_five_planned_looks() -> None:
    """O'Brien and Fleming's need 2.8 % more than one look (Jennison and Turnbull, table 2.4); Lan and DeMets' less."""
    assert 1.02 < planned_inflation(0.05, 0.8, 2) < 1.028


def test_looking_longer_costs_more() -> None:
    """One look, five, any: each needs more than the one before, and two sides more than one."""
    plan = plan_experiment(AIM, Crowd(210.0))
    sizes = [need.n_per_arm for need in plan.needs]
    assert sizes[::2] == sorted(sizes[::2]) and sizes[1::2] == sorted(sizes[1::2])
    assert all(two > one for one, two in zip(sizes[::2], sizes[1::2], strict=True))


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("effect", [0.04, -0.04])
def test_found_is_needed(method: Method, effect: float) -> None:
    """The smallest effect found in some days needs those days, up and down."""
    crowd, aim = Crowd(400.0), replace(AIM, effect=effect)
    found = effect_found(aim, crowd, 20, method, 2)
    assert found is not None and found * effect > 0
    days = need_of(replace(aim, effect=found), crowd, method, 2).days
    assert days == pytest.approx(20, abs=0.35)


def test_nothing_found() -> None:
    """Ten users find nothing, however large."""
    assert effect_found(AIM, Crowd(2.0), 5, Method.FIXED, 2) is None
    assert plan_experiment(replace(AIM, effect=None), Crowd(2.0), days=5).is_measurable is False


def test_ways_out_help() -> None:
    """A no comes with what would help here, and each that helps says after how many days."""
    aim = replace(AIM, effect=0.008)
    plan = plan_experiment(aim, Crowd(1_000.0, rated=0.1, share=0.1), methods=(Method.ANYTIME,), sides=(2,))
    ways = {each.way: each for each in plan.ways_out}
    answer = plan.answer
    assert answer is not None and answer.days is not None and plan.is_measurable is False
    assert {WayOut.MORE_SHARE, WayOut.MORE_FEEDBACK, WayOut.HISTORY, WayOut.NOT_WORSE, WayOut.SHADOW} <= set(ways)
    helped = [ways[way].days or inf for way in (WayOut.MORE_SHARE, WayOut.MORE_FEEDBACK, WayOut.ONE_LOOK)]
    assert max(helped) < answer.days


def test_fewer_arms() -> None:
    """Of many arms, one candidate at a time is a way out."""
    plan = plan_experiment(replace(AIM, effect=0.01), Crowd(1_000.0, arms=5), methods=(Method.FIXED,), sides=(2,))
    assert WayOut.FEWER_ARMS in {each.way for each in plan.ways_out}


def test_yes_has_no_ways_out() -> None:
    """Where the answer is yes, or not known, nothing else is proposed."""
    known, unknown = plan_experiment(AIM, Crowd(1_000.0)), plan_experiment(AIM, Crowd())
    assert known.is_measurable is True and unknown.is_measurable is None
    assert known.ways_out == unknown.ways_out == ()
    assert known.answer is not None and known.answer.run_days == 7


def test_looks() -> None:
    """A look a day where the traffic is known, at most sixty; else fourteen until one look's size."""
    assert len(looks_until(Crowd(100.0), 1_447, 1_447)) == 29
    assert len(looks_until(Crowd(1.0), 1_447, 1_447)) <= 61
    assert looks_until(Crowd(), 1_400, 2_800)[13] == pytest.approx(1_400)


def test_no_effect() -> None:
    """A need is that of an effect."""
    with pytest.raises(ValueError, match="effect"):
        need_of(replace(AIM, effect=None), Crowd(), Method.FIXED, 2)
