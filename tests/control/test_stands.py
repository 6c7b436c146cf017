"""Standings: what the table is joined with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.control.machine import begin
from gateway.control.rollout import Rollout, RolloutPhase
from gateway.control.stands import LiveStandings, standing_of, standing_of_split
from gateway.domain.rollout import Control, Stage, StageKind
from gateway.domain.standing import Standing
from tests.fakes.rollouts import latch_by, plan_of, share, split_of, variant_of

INTERNAL = (Stage(StageKind.INTERNAL, 0), share(1_000), share(10_000))


def at(stage: int = 0, weight: int = 1_000, **kwargs: object) -> Rollout:
    """Give a rollout of a plan with these parts."""
    return replace(begin(plan_of(**kwargs), unix_ms=1, epoch=3)[0], stage=stage, weight=weight)  # type: ignore[arg-type]


def stood(rollout: Rollout, *latches: object) -> Standing:
    """Give how it stands."""
    standing = standing_of(rollout, latches)  # type: ignore[arg-type]
    assert standing is not None
    return standing


def test_weights_add_up() -> None:
    """Baseline and candidate share all buckets, in the rollout's epoch."""
    assert stood(at()).weights == (("current", 9_000), ("concise", 1_000)) and stood(at()).epoch == 3


def test_latch_wins() -> None:
    """Whatever the rollout says, a latched candidate gets nothing."""
    standing = stood(at(), latch_by("bob"))
    assert standing.weights == (("current", 10_000), ("concise", 0)) and standing.latched == ("concise",)


def test_rolled_back_is_latched() -> None:
    """A rolled back candidate is closed even where its latch was lost."""
    gone = replace(at(weight=0), phase=RolloutPhase.ROLLED_BACK)
    assert stood(gone).latched == ("concise",) and stood(gone).internal_arm is None


@pytest.mark.parametrize(("stages", "internal"), [(INTERNAL, "concise"), ((share(1_000), share(10_000)), None)])
def test_internal_users(stages: tuple[Stage, ...], internal: str | None) -> None:
    """They get the candidate from the internal stage on; a plan without one buckets them like anybody."""
    assert stood(at(stages=stages)).internal_arm == internal
    assert stood(at(stage=1, stages=stages)).internal_arm == internal


def test_shadow_stage() -> None:
    """While copies are compared the stage says whose; before, after and once it is closed the file does."""
    stages = (Stage(StageKind.INTERNAL, 0), Stage(StageKind.SHADOW, 0, sample=0.2), share(10_000))
    assert [stood(at(stage=stage, stages=stages, weight=0)).copied for stage in (0, 1, 2)] == [None, 2_000, None]
    closed = replace(at(stage=1, stages=stages, weight=0), phase=RolloutPhase.ROLLED_BACK)
    assert stood(closed).copied is None


def test_control_slice() -> None:
    """Equal control is a slice as large as the candidate's; the rest is no slice at all."""
    assert stood(at(control=Control.EQUAL)).control == 1_000
    assert stood(at()).control is None


def test_edit_brings_its_baseline() -> None:
    """The content before an edit stands beside it under the plan's name for it."""
    rollout = at(is_edit=True, baseline="current@aaaaaa", candidate="current")
    standing = standing_of(rollout, (), variant_of("aaaaaaaaaaaa"))
    assert standing is not None and standing.accepted is not None and standing.accepted.name == "current@aaaaaa"


def test_withdrawn_stands_for_nothing() -> None:
    """What the file no longer has is as the file says."""
    assert standing_of(replace(at(), is_withdrawn=True), ()) is None


def test_stopped_arm_goes_to_baseline() -> None:
    """A split's stopped arm leaves its buckets to the baseline."""
    standing = standing_of_split(split_of(), [replace(latch_by("bob"), release="chat", arm="one")])
    assert dict(standing.weights) == {"current": 7_000, "one": 0, "two": 3_000} and standing.latched == ("one",)


def test_live_is_read_when_used() -> None:
    """What changes after it was handed over is what is read."""
    now: dict[str, Standing] = {}
    live = LiveStandings(lambda: now)
    assert live == {} and live.get("support") is None
    now["support"] = stood(at())
    assert live["support"].weights[1] == ("concise", 1_000) and list(live) == ["support"] and len(live) == 1
