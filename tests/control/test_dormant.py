"""Rollouts whose content is gone, and comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.control.dormant import MAX_DORMANT, laid_down, taken_up, woken
from gateway.control.journal import DecisionKind
from gateway.control.machine import begin
from gateway.control.moves import DORMANT_FOR_S
from gateway.control.rollout import Rollout, RolloutPhase
from tests.fakes.rollouts import plan_of, share

MONTH_MS = int(DORMANT_FOR_S * 1000)


def climbed(content: str = "aaaaaaaaaaaa") -> Rollout:
    """Give a rollout that was paused at 50 %, twelve hours into its stage."""
    first = begin(plan_of(content), unix_ms=1, epoch=3)[0]
    return replace(first, stage=1, weight=5_000, phase=RolloutPhase.PAUSED, reason="slow", by="ana", dwelt_s=43_200.0)


def test_goes_on_where_it_stood() -> None:
    """Everything is as it was but the epoch and the version, and the journal says so."""
    (asleep,) = laid_down((), climbed(), unix_ms=0)
    back, (draft,) = woken(asleep, plan_of(), epoch=8, unix_ms=7_200_000)
    assert replace(back, epoch=3, epochs=asleep.epochs, version=1) == climbed()
    assert (back.epochs[-1].epoch, back.epochs[-1].weight, back.version) == (8, 5_000, 2)
    assert draft.kind is DecisionKind.RETURNED and draft.to_weight == 5_000
    assert "after 2 hours" in draft.sentence and "paused by ana: slow" in draft.sentence


def test_other_thresholds_are_taken_over() -> None:
    """What it goes on with is the plan that the file has now."""
    (asleep,) = laid_down((), climbed(), unix_ms=0)
    back, drafts = woken(asleep, plan_of(stages=(share(500), share(5_000), share(10_000))), epoch=8, unix_ms=9)
    assert (back.stage, back.weight, back.plan.stages[0].weight) == (1, 5_000, 500)
    assert [draft.kind for draft in drafts] == [DecisionKind.RETURNED, DecisionKind.REPLANNED]


@pytest.mark.parametrize(("away_ms", "is_known"), [(-5_000, True), (MONTH_MS, True), (MONTH_MS + 1, False)])
def test_thirty_days(away_ms: int, is_known: bool) -> None:
    """After 30 days it is forgotten; a clock that was set back makes nothing old."""
    mine, others = taken_up(laid_down((), climbed(), unix_ms=9_000), plan_of(), unix_ms=9_000 + away_ms)
    assert (mine is not None, others) == (is_known, ())


def test_only_its_own_content() -> None:
    """Another content is another rollout, and leaves this one asleep."""
    asleep = laid_down((), climbed(), unix_ms=0)
    assert taken_up(asleep, plan_of("bbbbbbbbbbbb"), unix_ms=1) == (None, asleep)
    assert taken_up(asleep, plan_of(release="other"), unix_ms=1) == (None, asleep)


def test_oldest_are_forgotten() -> None:
    """At most 256 are kept, each content once."""
    asleep: tuple[Rollout, ...] = ()
    for number in range(MAX_DORMANT + 2):
        asleep = laid_down(asleep, climbed(f"{number:012x}"), unix_ms=number)
    asleep = laid_down(asleep, climbed(f"{5:012x}"), unix_ms=999)
    assert (len(asleep), asleep[0].plan.content, asleep[-1].plan.content) == (256, f"{2:012x}", f"{5:012x}")


@pytest.mark.parametrize("phase", [RolloutPhase.COMPLETE, RolloutPhase.FINISHED])
def test_edit_that_ended_is_another(phase: RolloutPhase) -> None:
    """What everybody had, edited away and back, is a new edit and not everybody's at once; a rollout's end is kept."""
    ended = replace(climbed(), phase=phase, plan=plan_of(is_edit=True))
    assert laid_down((), ended, unix_ms=0) == ()
    assert len(laid_down((), replace(ended, plan=plan_of()), unix_ms=0)) == 1
