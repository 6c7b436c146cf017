"""Courses: what a look makes of an experiment that divides its own traffic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.domain.adaptive import BanditPlan
from gateway.domain.rollout import SplitPlan
from gateway.gates.bandit import ArmRewards, BanditEvidence, BanditPhase
from gateway.gates.course import (
    Course,
    Turn,
    bandit_turn,
    bandit_weights_of,
    first_parts,
    looks_every_s,
    moved,
    plan_at,
)
from gateway.stats.bandit import RewardSums

ARMS = ("x", "y", "z")
PLAN = SplitPlan(
    "s",
    "r",
    "x",
    (("x", 3_334), ("y", 3_333), ("z", 3_333)),
    tuple((arm, arm * 3) for arm in ARMS),
    (),
    bandit=BanditPlan("thumbs"),
)
RANGES = (
    (0, 333, "y"),
    (333, 666, "z"),
    (666, 1_000, "x"),
    (1_000, 4_000, "y"),
    (4_000, 7_000, "z"),
    (7_000, 10_000, "x"),
)
COURSE = Course(PLAN, 3, RANGES, started_unix_ms=1)


def rewards(name: str, good: float, n: float = 3_000, *, is_removed: bool = False) -> ArmRewards:
    """Give an arm of which so many users said so much good."""
    sums = RewardSums(n, n * good, n * good)
    return ArmRewards(name, int(n), sums, sums, sums, is_removed)


def evidence(*goods: float, phase: BanditPhase = BanditPhase.EXPLORING) -> BanditEvidence:
    """Give what is known after a month."""
    arms = tuple(rewards(name, good) for name, good in zip(ARMS, goods, strict=True))
    return BanditEvidence(arms, 30 * 86_400.0, 86_400.0, phase)


def test_begins_equally_in_both_parts() -> None:
    """The slice and the rest each have equal shares, 10,000 buckets in all."""
    slice_, rest = first_parts(PLAN)
    assert [buckets for _, buckets in slice_] == [334, 333, 333]
    assert [buckets for _, buckets in rest] == [3_000, 3_000, 3_000]


def test_parts_are_read_off_the_ranges() -> None:
    """A range that crosses the slice's end counts in both."""
    crossing = replace(COURSE, ranges=((0, 500, "y"), (500, 1_500, "x"), (1_500, 10_000, "z")))
    weights = bandit_weights_of(crossing, 1_000)
    assert (weights.slice, weights.rest) == ({"y": 500, "x": 500}, {"x": 500, "z": 8_500})


def test_winner_gets_the_rest() -> None:
    """A sure winner has everything but the others' slices, and that is news."""
    turn = bandit_turn(COURSE, evidence(0.7, 0.9, 0.7))
    slice_, rest = turn.parts
    assert (dict(slice_)["x"], dict(rest)) == (334, {"x": 0, "y": 9_000, "z": 0})
    assert (turn.phase, turn.is_news) == ("exploiting", True)
    assert dict(turn.best)["y"] == pytest.approx(1.0)


def test_same_phase_is_no_news() -> None:
    """Weights that follow a little further are a line of their own kind."""
    turn = bandit_turn(replace(COURSE, phase="exploiting"), evidence(0.79, 0.8, 0.78, phase=BanditPhase.EXPLOITING))
    assert not turn.is_news


def test_removed_arm_gets_nothing() -> None:
    """An arm that a breaker keeps has no bucket, in neither part."""
    known = evidence(0.7, 0.9, 0.7)
    turn = bandit_turn(COURSE, replace(known, arms=(known.arms[0], rewards("y", 0.9, is_removed=True), known.arms[2])))
    assert all("y" not in dict(part) or not dict(part)["y"] for part in turn.parts)


def test_only_bandits_are_bandits() -> None:
    """A split has no turn of a bandit, and begins as its file says."""
    split = replace(PLAN, bandit=None)
    with pytest.raises(ValueError, match="is a split, not a bandit"):
        bandit_turn(replace(COURSE, plan=split), evidence(0.7, 0.8, 0.9))
    with pytest.raises(ValueError, match="the file divides its traffic"):
        first_parts(split)


def test_epoch_begins_where_buckets_move() -> None:
    """Same ranges, same epoch; others begin one, and are marked."""
    turn = Turn(((("x", 10_000),),), "exploiting", "Said.", "bandit", best=(("x", 1.0),))
    same = moved(COURSE, turn, RANGES, unix_ms=9)
    assert (same.epoch, same.marks, same.looked_unix_ms, same.phase) == (3, (), 9, "exploiting")
    after = moved(COURSE, turn, [(0, 10_000, "x")], unix_ms=9)
    assert (after.epoch, after.moved_unix_ms, after.marks[-1].weights) == (4, 9, (("x", 10_000),))


def test_plan_has_the_weights_of_now() -> None:
    """What watches a course knows who has how much."""
    after = replace(COURSE, ranges=((0, 1_000, "z"), (1_000, 10_000, "y")))
    assert plan_at(after).weights == (("x", 0), ("y", 9_000), ("z", 1_000))
    assert plan_at(after).baseline == "x"


def test_looks_as_often_as_it_may_update() -> None:
    """A bandit is looked at when its weights may move."""
    assert looks_every_s(PLAN) == 86_400.0
