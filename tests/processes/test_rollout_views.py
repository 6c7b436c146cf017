"""Rollouts as operators see them."""

from __future__ import annotations

import orjson
import pytest

from gateway.control.rollout import RolloutPhase
from gateway.processes.rollout_views import (
    percent,
    rollout_line,
    rollout_view,
    sentence_of,
    split_line,
    split_view,
    waits_for,
)
from gateway.stats.alpha import alpha_of_life
from tests.processes.rollout_toys import HOUR_S, SPLIT, VERDICTS, latch, rollout

P = RolloutPhase


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (P.PROGRESSING, "is at 10 % of users, stage 2 of 3, and goes on by itself."),
        (P.AWAITING_APPROVAL, "a person has to say yes."),
        (P.HOLDING, "and holds: lunch."),
        (P.PAUSED, "and is paused: lunch."),
        (P.ROLLED_BACK, "was rolled back by ana and gets nobody: lunch."),
        (P.COMPLETE, "the rollout is complete and still watched."),
        (P.FINISHED, "the holdback was let go."),
    ],
)
def test_every_phase_has_a_sentence(phase: RolloutPhase, words: str) -> None:
    """How it stands, in words, whatever the phase."""
    told = sentence_of(rollout(phase, reason="lunch.", by="ana"))
    assert told.startswith("concise on support ") and words in told


def test_holdback_is_said() -> None:
    """A hundred per cent with a holdback is shown as both."""
    told = sentence_of(rollout(P.COMPLETE, stage=2, weight=9_800))
    assert "98 % + 2 % holdback" in told


@pytest.mark.parametrize(
    ("phase", "dwelt_h", "words"),
    [
        (P.PROGRESSING, 10, "14 h more at 10%, then its gates are asked"),
        (P.PROGRESSING, 30, "gate quality: 651 users wanted, 10 seen."),
        (P.AWAITING_APPROVAL, 30, "a person: sluice approve support"),
        (P.HOLDING, 30, "a person: sluice resume, promote or rollback support"),
        (P.PAUSED, 30, "a person: sluice resume or rollback support"),
        (P.COMPLETE, 30, "30 d, then the holdback is let go"),
        (P.FINISHED, 30, "nothing"),
        (P.ROLLED_BACK, 30, "a person (sluice resume support) or a changed concise"),
    ],
)
def test_says_what_it_waits_for(phase: RolloutPhase, dwelt_h: int, words: str) -> None:
    """The next thing it waits for is always something one can do, or how long it takes."""
    assert waits_for(rollout(phase, dwelt_s=dwelt_h * HOUR_S), VERDICTS) == words


def test_unasked_gates() -> None:
    """With the time over and nothing said yet, it waits for the next look."""
    assert "next look" in waits_for(rollout(dwelt_s=30 * HOUR_S), ())


def test_view_is_json() -> None:
    """Everything about a rollout survives JSON, with weights in percent and every number of the plan."""
    body = rollout_view(
        rollout(n_resumes=1), latches=(latch(),), verdicts=VERDICTS, readings=(), exposed={(4, "concise"): 12}
    )
    told = orjson.loads(orjson.dumps(body))
    assert [stage["weight_pct"] for stage in told["plan"]["stages"]] == [0, 10, 100]
    assert [gate["verdict"] for gate in told["gates"]] == ["pass", "insufficient"]
    assert told["plan"]["gates"]["errors"]["ratio"] == 2.0 and told["plan"]["holdback"]["share_pct"] == 2
    assert told["epochs"][1] | {"since_unix_ms": 0} == {
        "epoch": 4,
        "since_unix_ms": 0,
        "weight_pct": 10,
        "control_pct": 90,
        "users": {"candidate": 12, "baseline": 0},
    }


def test_alpha_is_accounted_for() -> None:
    """Each life after a trip has its share of alpha, and what was spent is their sum."""
    body = rollout_view(rollout(n_resumes=1), latches=(), verdicts=(), readings=(), exposed=None)
    (ledger,) = body["alpha"]
    lives = [alpha_of_life(0.004, 0), alpha_of_life(0.004, 1)]
    assert (ledger["alpha"], ledger["of_this_life"], ledger["spent"]) == (0.004, lives[1], sum(lives))
    assert body["users"] is None


def test_users_are_not_counted_twice() -> None:
    """Users of several stages are those of the largest, for stages overlap."""
    exposed = {(3, "concise"): 5, (4, "concise"): 40, (3, "current"): 90, (4, "current"): 80, (4, "other"): 1}
    body = rollout_view(rollout(), latches=(), verdicts=(), readings=(), exposed=exposed)
    assert body["users"] == {"candidate": 40, "baseline": 90}


def test_dormant_latches_hold_nobody() -> None:
    """A latch of an old content is not shown as one of the new."""
    assert rollout_line(rollout(), [latch()])["is_latched"]
    assert not rollout_line(rollout(), [latch(is_dormant=True), latch(release="other")])["is_latched"]


def test_split_shows_what_is_stopped() -> None:
    """An arm is stopped by name, all but the baseline by a latch without one."""
    stopped = latch(release="sales", arm="new")
    arms = {arm["arm"]: arm["is_stopped"] for arm in split_line(SPLIT, [stopped])["arms"]}
    assert arms == {"old": False, "new": True, "newer": False}
    arms = {arm["arm"]: arm["is_stopped"] for arm in split_line(SPLIT, [latch(release="sales", arm="")])["arms"]}
    assert arms == {"old": False, "new": True, "newer": True}
    assert split_view(SPLIT, [stopped], ())["latches"][0]["arm"] == "new"


def test_percent_of_buckets() -> None:
    """One bucket is a hundredth of a per cent."""
    assert (percent(1), percent(9_800)) == (0.01, 98.0)
