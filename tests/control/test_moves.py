"""The ways between phases, and the weights they lead to."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from gateway.control.machine import begin
from gateway.control.moves import (
    MAX_EPOCH,
    TRANSITIONS,
    Move,
    control_of,
    entered,
    first_with_traffic,
    gates_of,
    moved,
    reweighted,
    rolled_back,
    step_back_target,
    weight_at,
)
from gateway.control.rollout import Rollout, RolloutPhase
from gateway.domain.rollout import Control, GateName, Holdback, Stage, StageKind
from tests.fakes.rollouts import plan_of, share

INTERNAL = Stage(StageKind.INTERNAL, 0, min_duration_s=86_400.0)


def rollout_at(weight: int = 1_000) -> Rollout:
    """Give a rollout that has just begun."""
    return replace(begin(plan_of(), unix_ms=1, epoch=7)[0], weight=weight)


def test_rolled_back_from_everywhere() -> None:
    """Every phase but the last has a way to 0, and only a person leads out of it."""
    for phase in RolloutPhase:
        assert ((phase, Move.ROLLED_BACK) in TRANSITIONS) is (phase is not RolloutPhase.ROLLED_BACK)
    ways_out = {move for phase, move in TRANSITIONS if phase is RolloutPhase.ROLLED_BACK}
    assert ways_out == {Move.STAGED, Move.ENDED}


@pytest.mark.parametrize(("phase", "move"), sorted(set(product(RolloutPhase, Move)) - TRANSITIONS.keys()))
def test_no_other_ways(phase: RolloutPhase, move: Move) -> None:
    """A way that is not in the table raises, and changes nothing."""
    with pytest.raises(ValueError, match="is never one that"):
        moved(replace(rollout_at(), phase=phase), move)


def test_holdback_is_given_up() -> None:
    """100 % is 98 % and a holdback; a last stage below 100 % is what it says."""
    assert weight_at(plan_of(), 2) == 9_800
    assert weight_at(plan_of(holdback=Holdback(share=0)), 2) == 10_000
    assert weight_at(plan_of(stages=(share(1_000), share(5_000))), 1) == 5_000


def test_first_stage_with_traffic() -> None:
    """Internal users are nobody's bucket."""
    assert first_with_traffic(plan_of(stages=(INTERNAL, share(100), share(10_000)))) == 1


def test_internal_always_asks() -> None:
    """An internal stage asks for critical failures, whether or not its plan says so."""
    assert gates_of(INTERNAL) == (GateName.CRITICAL,)
    assert gates_of(share(100)) == (GateName.ERRORS,)


@pytest.mark.parametrize(("weight", "control"), [(0, 0), (500, 500), (5_000, 5_000), (9_800, 200)])
def test_equal_control(weight: int, control: int) -> None:
    """A control slice is as large as the candidate's, or what is left."""
    assert control_of(plan_of(control=Control.EQUAL), weight) == control
    assert control_of(plan_of(), weight) == 10_000 - weight


def test_epoch_counts_weights() -> None:
    """Another weight is another epoch, the same weight is not; after 65,535 comes 0."""
    at = rollout_at()
    assert reweighted(at, 1_000, unix_ms=5) is at
    after = reweighted(replace(at, epoch=MAX_EPOCH), 5_000, unix_ms=5)
    assert (after.epoch, after.epochs[-1].weight, after.epochs[-1].control) == (0, 5_000, 5_000)


def test_entering_begins_anew() -> None:
    """Whoever enters a stage has spent no time in it, and nobody has approved leaving it."""
    old = replace(rollout_at(), dwelt_s=9.0, approved_by="ana", is_extended=True, reason="x")
    after = entered(old, 1, unix_ms=77)
    assert (after.dwelt_s, after.approved_by, after.is_extended, after.reason) == (0.0, "", False, "")
    assert (after.stage, after.weight, after.entered_unix_ms) == (1, 5_000, 77)


def test_zero_is_zero() -> None:
    """Rolled back means nobody, from any weight."""
    after = rolled_back(rollout_at(9_800), reason="bad", by="ana", unix_ms=1)
    assert (after.weight, after.phase, after.reason, after.by) == (0, RolloutPhase.ROLLED_BACK, "bad", "ana")


@pytest.mark.parametrize(
    ("wanted", "target"), [(500, 500), (2_500, 2_500), (None, 500), (700, 500), (1_200, 1_000), (9, 0)]
)
def test_step_back_targets(wanted: int | None, target: int) -> None:
    """A step back is to 5 %, 25 % or a stage of the plan, never above what was asked."""
    assert step_back_target(plan_of(), wanted) == target
