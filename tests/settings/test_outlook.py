"""What a plan will need."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.domain.default_plan import Looked, gates_of, stages_of
from gateway.domain.edit import default_signals
from gateway.domain.rollout import ChangeType, GateName, Require, RolloutPlan
from gateway.settings.outlook import Traffic, enough_users_per_day, per_day, stage_outlooks, users_wanted


def plan_of(change: ChangeType = ChangeType.MODEL_SWAP_SAME_TIER) -> RolloutPlan:
    """Give a plan that looks at one metric."""
    stages = stages_of(change, Looked(("m",), "m"))
    return RolloutPlan(
        "rel", "r", "a", "b", "0" * 12, change, stages, gates_of(stages, {}), default_signals({}),
        primary_metric="m", quality_metrics=("m",),
    )  # fmt: skip


def test_quality_needs_what_the_table_says() -> None:
    """1,237 per arm at a base of 80 % and a margin of 5 % (Blackwelder 1982), times 1.6 to 1.9 for hourly looks."""
    plan = plan_of()
    wanted = users_wanted(plan, plan.gates[GateName.QUALITY], Traffic(1_000))
    assert wanted is not None and 1.6 < wanted / 1_236.5 < 1.9


def test_the_articles_traffic_is_too_little() -> None:
    """1,000 users a day: a 5 % stage of two days has 100 users, and quality needs over a thousand."""
    first = stage_outlooks(plan_of(), Traffic(1_000))[0]
    quality = first.gates[1]
    assert (first.users, quality.gate, quality.is_met) == (100, GateName.QUALITY, False)


def test_enough_is_enough() -> None:
    """At the number it names every gate is met, and a tenth below some gate is not."""
    plan = plan_of()
    enough = enough_users_per_day(plan, Traffic(1))
    assert enough is not None
    met = [all(stage.is_met for stage in stage_outlooks(plan, Traffic(n))) for n in (enough, enough * 0.9)]
    assert met == [True, False]


def test_better_than_all_is_never() -> None:
    """5 % more than 99 % is no rate."""
    plan = plan_of()
    rule = replace(plan.gates[GateName.PRIMARY], require=Require.BETTER)
    plan = replace(plan, gates={**plan.gates, GateName.PRIMARY: rule})
    assert enough_users_per_day(plan, Traffic(1, base_quality=0.99)) is None


@pytest.mark.parametrize(("weight", "users"), [(5_000, 500.0), (500, 95.0), (10_000, 0.0)])
def test_users_are_counted_as_of_two_equal_arms(weight: int, users: float) -> None:
    """With nobody to compare with nothing is learnt."""
    stage = replace(plan_of().stages[0], weight=weight)
    assert per_day(plan_of(), stage, Traffic(1_000)) == pytest.approx(users)
