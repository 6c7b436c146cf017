"""Trips: to 0, to 5 or 25 %, a pause, a word; and none of it twice for one reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.control.machine import begin
from gateway.control.rollout import Rollout, RolloutPhase
from gateway.control.trips import HOLD_DOWN_S, tripped
from gateway.domain.rollout import Action
from gateway.gates.verdict import Trip
from tests.fakes.rollouts import plan_of, trip_of

DOWN = trip_of(Action.STEP_BACK, signal="thumbs_down", step_back_to=500)


def at(weight: int = 5_000, **kwargs: object) -> Rollout:
    """Give a rollout in its second stage."""
    return replace(begin(plan_of(), unix_ms=1, epoch=3)[0], stage=1, weight=weight, **kwargs)  # type: ignore[arg-type]


def kinds(rollout: Rollout, trip: Trip) -> tuple[str, int, list[str]]:
    """Give phase, weight and what is journalled."""
    after, drafts = tripped(rollout, trip, 9)
    return str(after.phase), after.weight, [str(draft.kind) for draft in drafts]


@pytest.mark.parametrize("phase", [one for one in RolloutPhase if one is not RolloutPhase.ROLLED_BACK])
def test_rollback_in_every_phase(phase: RolloutPhase) -> None:
    """Harm waits for nobody (flagger #1801, argo-rollouts #1411)."""
    assert kinds(at(phase=phase), trip_of()) == ("rolled_back", 0, ["rolled_back"])


def test_evidence_goes_along() -> None:
    """A rollback says what it stood on (flagger #1816, argo-rollouts #404)."""
    _, (draft,) = tripped(at(), trip_of(), 9)
    assert draft.evidence == {"signal": "error_rate", "rule": "e_process", "e_value": 812.0}
    assert (draft.from_weight, draft.to_weight, draft.rule) == (5_000, 0, "e_process")


def test_zero_stays_zero() -> None:
    """What is rolled back is not rolled back again at every tick."""
    gone = at(0, phase=RolloutPhase.ROLLED_BACK)
    assert tripped(gone, trip_of(), 9) == (gone, ())


def test_other_arms_do_not_count() -> None:
    """A trip of another arm is none of this candidate's."""
    assert kinds(at(), trip_of(arm="current")) == ("progressing", 5_000, [])


@pytest.mark.parametrize("to", [500, 2_500])
def test_steps_back_and_pauses(to: int) -> None:
    """A step back is to 5 or 25 %, and nothing moves from then on."""
    trip = trip_of(Action.STEP_BACK, signal="s", step_back_to=to)
    assert kinds(at(), trip) == ("paused", to, ["stepped_back"])


def test_nothing_to_step_back_from() -> None:
    """Who is at 5 % already is paused and told about; it never means more (decisions.md § 6.5)."""
    assert kinds(at(500), DOWN) == ("paused", 500, ["paused", "alerted"])
    assert kinds(at(100), DOWN) == ("paused", 100, ["paused", "alerted"])


def test_one_reason_acts_once() -> None:
    """A signal that goes on speaking from the same window is not a second time."""
    paused, _ = tripped(at(), DOWN, 9)
    assert tripped(paused, DOWN, 9) == (paused, ())


@pytest.mark.parametrize("change", [{"quiet_s": HOLD_DOWN_S}, {"heard": (), "phase": RolloutPhase.PROGRESSING}])
def test_second_time_is_zero(change: dict[str, object]) -> None:
    """The same signal again, hours later or after a person let it go on, is a rollback."""
    paused, _ = tripped(at(), DOWN, 9)
    again = replace(paused, **change)  # type: ignore[arg-type]
    assert kinds(again, DOWN) == ("rolled_back", 0, ["rolled_back"])


def test_another_signal_steps_further() -> None:
    """At 25 % for one reason, it goes to 5 % for another."""
    paused, _ = tripped(at(), trip_of(Action.STEP_BACK, signal="task_completion", step_back_to=2_500), 9)
    assert kinds(paused, DOWN) == ("paused", 500, ["stepped_back"])


def test_pause_keeps_the_weight() -> None:
    """The fast alarm stops the climb, not the candidate; once."""
    alarm = trip_of(Action.PAUSE, rule="fast_alarm")
    paused, drafts = tripped(at(), alarm, 9)
    assert (paused.phase, paused.weight, len(drafts)) == (RolloutPhase.PAUSED, 5_000, 1)
    assert tripped(paused, alarm, 9) == (paused, ())


def test_alert_changes_nothing() -> None:
    """Cost may be expected for a better model: it is told, no more."""
    before = at()
    after, drafts = tripped(before, trip_of(Action.ALERT, signal="cost"), 9)
    assert after is before and [str(draft.kind) for draft in drafts] == ["alerted"]
