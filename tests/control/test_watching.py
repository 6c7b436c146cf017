"""Watches: who is watched, what is kept of it, and a fault in one that stops no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.clock import SettableClock
from gateway.control.machine import begin
from gateway.control.rollout import RolloutPhase
from gateway.control.watching import (
    ALERTS_AGAIN_AFTER_S,
    MAX_ASLEEP,
    MAX_ASLEEP_BYTES,
    Watching,
    is_renewed,
)
from gateway.domain.rollout import Action
from gateway.gates.facts import Facts
from gateway.stats.alpha import RENEWED_EVERY_S
from tests.fakes.rollouts import ScriptedRules, ScriptedSource, plan_of, split_of, trip_of

ROLLOUT = begin(plan_of(), unix_ms=1, epoch=3)[0]
PLAN = ROLLOUT.plan


class Tower:
    """Watching with rules, a source and a clock of ours."""

    def __init__(self, kept: dict[tuple[str, str], bytes] | None = None) -> None:
        self.rules, self.source, self.clock = ScriptedRules(), ScriptedSource(), SettableClock()
        self.watching = Watching(self.rules, self.source, self.clock, kept or {})
        self.watching.admit({"support": PLAN, "chat": split_of()}, {"support": ROLLOUT}, 1)


def test_every_arm_that_can_be_stopped() -> None:
    """A rollout has one watch, a split one per arm but the baseline."""
    assert set(Tower().watching.snapshots()) == {("support", "concise"), ("chat", "one"), ("chat", "two")}


def test_facts_go_to_their_release() -> None:
    """Every watch of a release sees all of its facts, once."""
    tower = Tower()
    tower.source.waiting = [Facts("chat", 1, {}, 0, 9, {})]
    tower.watching.trips(split_of(), None, 1)
    assert tower.watching.readings("chat", 1) == ["begun 0", "facts 9", "begun 0", "facts 9"]


@pytest.mark.parametrize(("content", "heard"), [("aaaaaaaaaaaa", "restored (x)"), ("bbbbbbbbbbbb", "begun 0")])
def test_goes_on_after_a_restart(content: str, heard: str) -> None:
    """What was counted of this content goes on; what was counted of another is not mixed in."""
    tower = Tower({("support", "concise"): content.encode() + b" 0\nx"})
    assert tower.watching.readings("support", 1) == [heard]


def test_thresholds_change_in_place() -> None:
    """Other thresholds keep what was counted; another content begins anew; what is gone is not watched."""
    tower = Tower()
    tower.watching.admit({"support": plan_of(signals=())}, {}, 1)
    assert tower.watching.readings("support", 1) == ["begun 0", "revised"]
    tower.watching.admit({"support": plan_of("bbbbbbbbbbbb")}, {}, 1)
    assert tower.watching.readings("support", 1) == ["begun 0"] and tower.watching.readings("chat", 1) == []


def test_fault_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """A watch that raises is said and passed over."""
    tower = Tower()
    tower.rules.is_broken = True
    assert tower.watching.trips(PLAN, ROLLOUT, 1) == [] and "a watch failed" in caplog.text


def test_rolled_back_is_not_judged() -> None:
    """What has nobody can hurt nobody: its facts are counted, nothing is said."""
    tower = Tower()
    tower.rules.trips = [trip_of()]
    assert tower.watching.trips(PLAN, replace(ROLLOUT, phase=RolloutPhase.ROLLED_BACK), 1) == []
    assert tower.watching.trips(PLAN, ROLLOUT, 1) == [trip_of()]


def test_alerts_are_not_repeated() -> None:
    """A signal that only tells is heard once in a while; one that acts, always."""
    tower = Tower()
    tower.rules.trips = [trip_of(Action.ALERT), trip_of()]
    assert [len(tower.watching.trips(PLAN, ROLLOUT, 1)) for _ in range(2)] == [2, 1]
    tower.clock.advance(ALERTS_AGAIN_AFTER_S)
    assert len(tower.watching.trips(PLAN, ROLLOUT, 1)) == 2


def test_restarts_a_release() -> None:
    """A resume begins anew for that release alone."""
    tower = Tower()
    tower.watching.restart("support", 2, 9)
    assert tower.watching.readings("support", 1)[-1] == "restarted 2"
    assert "restarted 2" not in tower.watching.readings("chat", 1)


@pytest.mark.parametrize(
    ("before", "after", "renewed"), [(0, 29, False), (29, 30, True), (30, 31, False), (59, 61, True)]
)
def test_ledger_is_renewed(before: int, after: int, renewed: bool) -> None:
    """Every 30 days after 100 % there is alpha again."""
    held = [replace(ROLLOUT, held_s=days * 86_400.0) for days in (before, after)]
    assert is_renewed(*held) is renewed


def test_gone_content_is_remembered() -> None:
    """What was counted of a content goes on when it comes back, from the disk as well; b is not mixed into a."""
    tower = Tower()
    tower.watching.admit({"support": plan_of("bbbbbbbbbbbb")}, {}, 1)
    again = Tower(tower.watching.snapshots())
    assert again.watching.readings("support", 1) == ["restored (begun 0)"]
    again.watching.admit({"support": plan_of("bbbbbbbbbbbb")}, {}, 1)
    assert again.watching.readings("support", 1) == ["restored (begun 0)"]


def test_gone_contents_are_bounded() -> None:
    """Watches of contents that come and go are forgotten in the end, the oldest first."""
    kept = {("support", f"concise@{n:012x}"): f"{n:012x} 0 0\nx".encode() for n in range(MAX_ASLEEP)}
    tower = Tower(kept)
    tower.watching.admit({}, {}, 1)
    names = {arm for _, arm in tower.watching.snapshots()}
    assert len(names) == MAX_ASLEEP and f"concise@{2:012x}" not in names and f"concise@{3:012x}" in names
    big = Tower({("support", "concise@cccccccccccc"): b"cccccccccccc 0 0\n" + bytes(MAX_ASLEEP_BYTES)})
    big.watching.admit({}, {}, 1)
    assert ("support", "concise@cccccccccccc") not in big.watching.snapshots()


def test_arm_of_a_split_has_lives() -> None:
    """Each resume of an arm is its next life, which is kept; the other arm, and another content, begin at none."""
    tower = Tower()
    for _ in range(2):
        tower.watching.resume_arms("chat", ["one"], 9)
    again = Tower(tower.watching.snapshots())
    again.watching.resume_arms("chat", ["one", "two"], 9)
    assert [said for said in again.watching.readings("chat", 1) if said.startswith("restarted")] == [
        "restarted 3",
        "restarted 1",
    ]
    other = split_of(contents=(("one", "333333333333"), ("two", "222222222222")))
    again.watching.admit({"chat": other}, {}, 1)
    assert again.watching.readings("chat", 1)[-1] == "begun 0"


def test_split_is_renewed_over_restarts() -> None:
    """Time that a split was watched adds up over processes; after 30 days its ledger begins anew in the same life."""
    tower = Tower()
    tower.watching.resume_arms("chat", ["one"], 9)
    tower.watching.renew_splits(RENEWED_EVERY_S - 5.0, 9)
    again = Tower(tower.watching.snapshots())
    again.watching.renew_splits(4.0, 9)
    assert "restarted 1" not in again.watching.readings("chat", 1)
    again.watching.renew_splits(1.0, 9)
    assert [said for said in again.watching.readings("chat", 1) if said.startswith("restarted")] == [
        "restarted 1",
        "restarted 0",
    ]
    assert "restarted 0" not in again.watching.readings("support", 1)
