"""Bandits, factorials and ladders: arms and plans, every number filled in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.domain.adaptive import BanditPlan, FactorialPlan, LadderPlan, OnTie
from gateway.domain.release import ReleaseKind, Role
from gateway.domain.rollout import SplitPlan
from gateway.errors import ConfigError
from gateway.settings.compile import Compiled

Compile = Callable[..., Compiled]
_TOP = "metrics: {m: {kind: binary, attribution: 1d}, words: {kind: text}}"
_B = "{like: a, model: n}\n      c: {like: a, model: o}"


def _bandit(more: str = "", arms: str = "[a, b, c]") -> str:
    return f"{{bandit: {{arms: {arms}, reward: m{more}}}}}"


def _ladder(more: str = "") -> str:
    return f"{{ladder: {{champion: a, challengers: [b, c], primary_metric: m{more}}}}}"


def _plan(compiled: Compiled) -> SplitPlan:
    plan = compiled.plans["r"]
    assert isinstance(plan, SplitPlan)
    return plan


def test_bandit_begins_equally(compile_parts: Compile) -> None:
    """Two lines are a bandit: equal shares in the slice and in the rest, nothing warned of."""
    compiled = compile_parts(b=_B, release=_bandit(), top=_TOP)
    release, plan = compiled.routes[0].release, _plan(compiled)
    assert compiled.warnings == ()
    assert [(arm.name, arm.weight) for arm in release.arms] == [("a", 3_334), ("b", 3_333), ("c", 3_333)]
    assert [
        sum(min(one.end, 1_000) - min(one.start, 1_000) for one in release.ranges if one.arm == at) for at in range(3)
    ] == [334, 333, 333]
    assert (plan.kind, plan.bandit, plan.primary_metric) == (ReleaseKind.BANDIT, BanditPlan("m"), "m")


def test_everything_of_a_bandit_may_be_written(compile_parts: Compile) -> None:
    """Numbers of the file win."""
    more = (
        ", baseline: b, min_exploration: {duration: 2d, users: 50, outcomes: 9}, explore: 20%, update_every: 12h,"
        " half_life: 7d, max_moved_per_update: 5%"
    )
    compiled = compile_parts(b=_B, release=_bandit(more), top=_TOP)
    assert _plan(compiled).bandit == BanditPlan("m", 0.2, 172_800, 50, 9, 604_800, 43_200, 500)
    assert _plan(compiled).baseline == "b"
    assert len(compiled.warnings) == 1


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (", strict: true", "not yet: users who were seen may be moved"),
        (", explore: 0%", "write more than 0%"),
        (", explore: 60%", "at most 50%"),
        (", update_every: 5m", "updates more often than hourly"),
        (", half_life: 2h", "forgotten within a day"),
        (", max_moved_per_update: 0%", "nobody could ever move"),
        (", baseline: d", "there is no arm 'd'"),
        (", stop_on_safety: 0pp", "stop nothing"),
    ],
)
def test_bandit_nonsense_is_refused(compile_parts: Compile, more: str, problem: str) -> None:
    """With the way out."""
    with pytest.raises(ConfigError, match=problem):
        compile_parts(b=_B, release=_bandit(more), top=_TOP)


@pytest.mark.parametrize(("arms", "problem"), [("[a, b, d]", "no variant 'd'"), ("[a, b, a]", "'a' is an arm twice")])
def test_arms_are_variants(compile_parts: Compile, arms: str, problem: str) -> None:
    """Each once."""
    with pytest.raises(ConfigError, match=problem):
        compile_parts(b=_B, release=_bandit(arms=arms), top=_TOP)


@pytest.mark.parametrize(("reward", "problem"), [("thmbs", "there is no metric"), ("words", "words are no reward")])
def test_reward_is_a_number(compile_parts: Compile, reward: str, problem: str) -> None:
    """Something has to be better when there is more of it."""
    with pytest.raises(ConfigError, match=problem):
        compile_parts(b=_B, release=_bandit().replace("reward: m", f"reward: {reward}"), top=_TOP)


def test_ladder_begins_with_two(compile_parts: Compile) -> None:
    """The champion and the first challenger have half each; the others wait."""
    compiled = compile_parts(b=_B, release=_ladder(), top=_TOP)
    arms, plan = compiled.routes[0].release.arms, _plan(compiled)
    assert [(arm.name, arm.role, arm.weight) for arm in arms] == [
        ("a", Role.BASELINE, 5_000),
        ("b", Role.CANDIDATE, 5_000),
        ("c", Role.CANDIDATE, 0),
    ]
    assert (plan.kind, plan.ladder) == (ReleaseKind.LADDER, LadderPlan("a", ("b", "c")))


def test_everything_of_a_ladder_may_be_written(compile_parts: Compile) -> None:
    """Numbers of the file win."""
    more = ", alpha: 0.1, min_duration: 14d, max_duration: 28d, min_users: 400, on_tie: hold"
    plan = _plan(compile_parts(b=_B, release=_ladder(more), top=_TOP))
    assert plan.ladder == LadderPlan("a", ("b", "c"), 0.1, 28 * 86_400.0, OnTie.HOLD)
    assert (plan.min_duration_s, plan.min_users) == (14 * 86_400.0, 400)


def test_ladder_nonsense_is_refused(compile_parts: Compile) -> None:
    """A round cannot end before it may be decided, and somebody has to say who wins."""
    with pytest.raises(ConfigError, match="a round would end before it may be decided"):
        compile_parts(b=_B, release=_ladder(", max_duration: 3d"), top=_TOP)
    with pytest.raises(ConfigError, match="nothing says who wins"):
        compile_parts(b=_B, release=_ladder().replace(", primary_metric: m", ""), top=_TOP)


def test_factorial_has_equal_cells(compile_parts: Compile) -> None:
    """The first level of every factor is the baseline; buckets are as even as they can be."""
    factors = "{temperature: {low: 0, mid: 0.5, high: 1}, top_p: {x: 0.5, y: 1}}"
    release = f"{{factorial: {{base: a, primary_metric: m, factors: {factors}}}}}"
    compiled = compile_parts(b=_B, release=release, top=_TOP)
    made, plan = compiled.routes[0].release, _plan(compiled)
    assert made.arms[made.baseline].name == plan.baseline == "temperature=low,top_p=x"
    assert made.factors == (("temperature", 3), ("top_p", 2))
    assert {one.end - one.start for one in made.ranges} == {1_666, 1_667}
    expected = FactorialPlan("a", (("temperature", ("low", "mid", "high")), ("top_p", ("x", "y"))))
    assert (plan.kind, plan.factorial) == (ReleaseKind.FACTORIAL, expected)


def test_split_finds_its_users_again(compile_parts: Compile) -> None:
    """Whatever came between."""
    split = "{split: {arms: {a: 40%, b: 60%}}}"
    first = compile_parts(b=_B, release=split)
    between = compile_parts(first.allocations, b=_B, release=_bandit(), top=_TOP)
    back = compile_parts(between.allocations, b=_B, release=split)
    assert back.routes[0].release.ranges == first.routes[0].release.ranges
