"""The machine as a whole: beginning, other plans, latches, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.control.journal import DecisionKind
from gateway.control.machine import Closed, Elapsed, Replanned, Tripped, Withdrawn, begin, step
from gateway.control.rollout import Rollout, RolloutPhase
from gateway.domain.rollout import RolloutPlan
from gateway.gates.verdict import Verdict
from tests.fakes.rollouts import latch_by, plan_of, share, trip_of, verdict_of


def begun(plan: RolloutPlan | None = None) -> Rollout:
    """Give a rollout that has just begun."""
    return begin(plan or plan_of(), unix_ms=1, epoch=3)[0]


def test_begins_at_the_first_stage() -> None:
    """It begins with its first stage's weight, in the epoch it was told, and says so."""
    rollout, drafts = begin(plan_of(), unix_ms=1, epoch=3)
    assert (rollout.weight, rollout.epoch, rollout.epochs[0].weight) == (1_000, 3, 1_000)
    assert [draft.kind for draft in drafts] == [DecisionKind.STARTED]
    assert "10 % of users" in drafts[0].sentence


def test_one_stage_is_complete() -> None:
    """A plan of one stage has nothing to climb."""
    assert begun(plan_of(stages=(share(10_000),))).phase is RolloutPhase.COMPLETE


def test_edit_says_how_to_skip() -> None:
    """Who edited what everybody gets is told what became of it, and the command that skips it."""
    _, drafts = begin(plan_of(is_edit=True), unix_ms=1, epoch=3)
    assert "sluice promote support --to 100%" in drafts[0].sentence


def test_threshold_changes_nothing_else() -> None:
    """Other thresholds keep stage, weight, epoch and time."""
    old = replace(begun(), dwelt_s=500.0)
    new, drafts = step(old, Replanned(plan_of(signals=())), unix_ms=9)
    assert (new.stage, new.weight, new.epoch, new.dwelt_s) == (0, 1_000, 3, 500.0)
    assert drafts[0].evidence == {"changed": ["signals"]} and new.version == old.version + 1


def test_same_plan_is_no_event() -> None:
    """The same file read again is nothing."""
    old = begun()
    assert step(old, Replanned(plan_of()), unix_ms=9) == (old, ())


@pytest.mark.parametrize(
    ("weights", "at", "stage"),
    [((500, 2_500, 10_000), 500, 0), ((1_000, 10_000), 1_000, 0), ((2_500, 10_000), 2_500, 0)],
)
def test_other_stages(weights: tuple[int, ...], at: int, stage: int) -> None:
    """Other stages take it up at the last one that gives no more than it has, or else at the first."""
    new, _ = step(begun(), Replanned(plan_of(stages=tuple(map(share, weights)))), unix_ms=9)
    assert (new.weight, new.stage) == (at, stage)


def test_longer_plan_goes_on() -> None:
    """A rollout that was complete at 50 % climbs on when its plan gets another stage."""
    old = replace(
        begun(plan_of(stages=(share(1_000), share(5_000)))), stage=1, weight=5_000, phase=RolloutPhase.COMPLETE
    )
    new, _ = step(old, Replanned(plan_of()), unix_ms=9)
    assert (new.phase, new.weight, new.stage) == (RolloutPhase.PROGRESSING, 5_000, 1)


def test_paused_stays_paused() -> None:
    """Another plan wakes nobody who was paused, and leaves it at a weight that the plan has."""
    old = replace(begun(), phase=RolloutPhase.PAUSED, reason="slow")
    new, _ = step(old, Replanned(plan_of(stages=(share(500), share(2_500), share(10_000)))), unix_ms=9)
    assert (new.phase, new.weight, new.reason) == (RolloutPhase.PAUSED, 500, "slow")


def test_foreign_latch_closes() -> None:
    """A latch that somebody else closed is a rollback with their name on it."""
    new, drafts = step(begun(), Closed(latch_by("bob")), unix_ms=9)
    assert (new.weight, new.phase, new.by) == (0, RolloutPhase.ROLLED_BACK, "bob")
    assert (drafts[0].who, drafts[0].why) == ("bob", "it answers in French")
    assert step(new, Closed(latch_by("bob")), unix_ms=9) == (new, ())


def test_withdrawn_is_left_alone() -> None:
    """What the file no longer has ends once, and nothing happens to it any more."""
    gone, drafts = step(begun(), Withdrawn(), unix_ms=9)
    assert gone.is_withdrawn and drafts[0].kind is DecisionKind.ENDED
    passed = Elapsed(1e9, (verdict_of(Verdict.PASS),))
    for event in (Withdrawn(), Tripped(trip_of()), passed):
        assert step(gone, event, unix_ms=9) == (gone, ())


def test_time_is_no_version() -> None:
    """Time that goes by is no change that a command would have to know of."""
    old = begun()
    assert step(old, Elapsed(5.0), unix_ms=9) == (replace(old, dwelt_s=5.0), ())
    assert step(old, Elapsed(-5.0), unix_ms=9) == (old, ())
