"""Facts with their weights, and evidence from a child that may fail in any way."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace

import pytest

from gateway.clock import SettableClock
from gateway.control.rollout import EpochMark, Rollout
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.release import Reason
from gateway.domain.rollout import ChangeType, GateName, RolloutPlan, Stage, StageKind
from gateway.gates.evidence import Evidence
from gateway.processes.release_facts import ReleaseFacts, StoreChild, query_of
from gateway.record.evidence_query import EvidenceQuery
from gateway.record.feedback import Feedback
from gateway.record.outcome import Outcome
from gateway.record.sighted import Sighted

THUMBS = Metric("thumbs", MetricKind.BINARY)
PLAN = RolloutPlan(
    release="support",
    route="support",
    baseline="old",
    candidate="new",
    content="c",
    change_type=ChangeType.PROMPT_WORDING,
    stages=(Stage(StageKind.SHARE, 500, gates=(GateName.SEGMENTS,)), Stage(StageKind.SHARE, 10_000)),
    gates={},
    signals=(),
    metrics={"thumbs": THUMBS},
    primary_metric="thumbs",
    quality_metrics=("thumbs",),
    segments=("plan",),
)
ROLLOUT = Rollout(
    PLAN,
    epoch=4,
    dwelt_s=7.0,
    started_unix_ms=1_000,
    entered_unix_ms=5_000,
    epochs=(EpochMark(3, 1_000, 0, 10_000), EpochMark(4, 5_000, 500, 9_500)),
)
QUERY = query_of(ROLLOUT, 9_000)


def outcome_of(epoch: int) -> Outcome:
    """Give an answered request of the candidate."""
    return Outcome(release="support", epoch=epoch, arm="new", unit_hash=7, reason=Reason.BUCKET, attempts=1, unix_ms=9)


def test_shadow_stage_asks_for_copies() -> None:
    """Only at that stage, and from when it was entered."""
    at_shadow = replace(ROLLOUT, plan=replace(PLAN, stages=(Stage(StageKind.SHADOW, 0, sample=0.2), *PLAN.stages)))
    query = query_of(at_shadow, 9_000)
    assert (query.shadow_route, query.shadow_since_unix_ms, QUERY.shadow_route) == ("support", 5_000, "")


async def no_evidence(query: EvidenceQuery) -> Evidence | None:
    """Have nothing."""
    return None


def test_facts_carry_weights() -> None:
    """Facts come with the weights of their own epoch; of an epoch nobody knows they are left out, and counted."""
    known: dict[int, Mapping[str, int]] = {4: {"new": 500, "old": 9_500}}
    sighted = Sighted()
    sighted.watch([("support", {})])
    source = ReleaseFacts(sighted, weights_of=lambda _, epoch: known.get(epoch), ask=no_evidence, clock=SettableClock())
    sighted.note([outcome_of(4), outcome_of(9)])
    (facts,) = source.facts("support")
    assert (facts.epoch, facts.weights, facts.arms["new"].requests, source.unknown) == (4, known[4], 1, 1)
    sighted.left_out = 3
    assert source.left_out == {"beyond_bounds": 3, "of_unknown_epochs": 1}


async def test_asks_for_what_gates_look_at() -> None:
    """The question names the epochs, the stage's own, the metrics once, and segments only where a gate asks."""
    asked: list[EvidenceQuery] = []

    async def ask(query: EvidenceQuery) -> Evidence:
        asked.append(query)
        return Evidence(until_unix_ms=query.until_unix_ms)

    source = ReleaseFacts(Sighted(), weights_of=lambda *_: None, ask=ask, clock=SettableClock(unix_ms=9_000))
    assert await source.evidence(ROLLOUT) == Evidence(until_unix_ms=9_000, stage_s=7.0)
    assert asked == [QUERY]
    assert (QUERY.epochs, QUERY.stage_epochs) == (((3, 0, 10_000), (4, 500, 9_500)), (4,))
    assert (QUERY.metrics, QUERY.segments) == ((THUMBS,), ("plan",))
    unasked = replace(ROLLOUT, plan=replace(PLAN, stages=(Stage(StageKind.SHARE, 10_000),)))
    assert query_of(unasked, 9_000).segments == ()


def child_of(*argv: str) -> StoreChild[EvidenceQuery, Evidence]:
    """Give a child that is started so."""
    return StoreChild(argv, {}, Evidence, within_s=60)


async def test_child_answers() -> None:
    """A child's answer comes back as evidence."""
    answer = '{"until_unix_ms":9000,"stage_units":%d}'
    script = f"import sys; asked = sys.stdin.read(); print({answer!r} % ('support' in asked))"
    assert await child_of(sys.executable, "-c", script).ask(QUERY) == Evidence(until_unix_ms=9_000, stage_units=1)


@pytest.mark.parametrize("script", ["raise SystemExit('no store')", "print('{')", "print('[]')", "pass"])
async def test_child_fails(script: str) -> None:
    """A child that fails, or says what is no evidence, has none; nothing is raised."""
    assert await child_of(sys.executable, "-c", script).ask(QUERY) is None


async def test_no_child() -> None:
    """A command that is not there has no evidence either."""
    assert await child_of("/nonexistent").ask(QUERY) is None


def test_stage_after_a_clock_set_back() -> None:
    """The stage before is not this stage's evidence, though a clock set back an hour makes it look later."""
    marks = (EpochMark(3, 9_000_000, 100, 9_900), EpochMark(4, 5_000, 500, 9_500))
    assert query_of(replace(ROLLOUT, epochs=marks), 9_000).stage_epochs == (4,)
    assert query_of(replace(ROLLOUT, epochs=marks, entered_unix_ms=4_000), 9_000).stage_epochs == (4,)


def test_feedback_of_those_not_compared() -> None:
    """What internal users say, and users of neither slice, is no rating."""
    sighted = Sighted()
    sighted.watch([("support", {"thumbs": THUMBS})])
    for unit_hash in (7, 8):
        said = Feedback(
            str(unit_hash), "thumbs", 0.0, None, None, 9, 9, "support", "support", unit_hash, 4, "new", 9, 1
        )
        sighted.note_feedback(said)
    source = ReleaseFacts(
        sighted,
        weights_of=lambda release, epoch: {"new": 500, "old": 9_500},
        ask=no_evidence,
        clock=SettableClock(),
        is_compared=lambda release, epoch, arm, unit_hash: unit_hash == 7,
    )
    (facts,) = source.facts("support")
    assert [one.unit_hash for one in facts.arms["new"].ratings] == [7]
