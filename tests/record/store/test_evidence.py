"""What gates look at is what the rows say, by unit and epoch, in both dialects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.metric import Metric, MetricKind
from gateway.domain.outcome import Fault, Safety
from gateway.domain.release import Reason
from gateway.gates.evidence import ArmMean, Evidence, InternalEvidence
from gateway.record.evidence_query import EvidenceQuery
from gateway.record.feedback import Feedback
from gateway.record.outcome import Outcome
from gateway.record.rollup import DAY_MS
from gateway.record.store.evidence import read_evidence
from gateway.record.store.store import Store
from tests.record.store.making import NOW_UNIX_MS, batch, feedback, keep, outcome

THUMBS = Metric("thumbs", MetricKind.BINARY)
SCORE = Metric("score", MetricKind.SCORE, range=(0, 1), good=0.7, catastrophic=0.2)
QUERY = EvidenceQuery(
    "support-concise",
    baseline="current",
    candidate="concise",
    epochs=((1, 0, 10_000), (2, 500, 9_500), (3, 2_500, 7_500)),
    stage_epochs=(3,),
    metrics=(THUMBS, SCORE),
    segments=("plan",),
    until_unix_ms=NOW_UNIX_MS,
)


def seen(unit: int, arm: str, epoch: int = 3, n: int = 1, **changes: Any) -> list[Outcome]:
    """Give a unit's requests."""
    return [outcome(unit, arm=arm, epoch=epoch, **changes) for _ in range(n)]


def said(unit: int, arm: str, value: float, metric: str = "thumbs", epoch: int = 3) -> Feedback:
    """Give a unit's word."""
    return feedback(
        f"{unit}-{metric}-{epoch}-{value}", unit_hash=unit, arm=arm, epoch=epoch, metric=metric, value=value
    )


async def evidence_of(store: Store, outcomes: list[Outcome], words: list[Feedback]) -> Evidence:
    """Keep it all, and give what gates see."""
    await keep(store, [batch(*outcomes)], words)
    return await read_evidence(store.reader, QUERY)


async def test_metric_by_unit(store: Store) -> None:
    """A unit that says a hundred things is one unit."""
    outcomes = [each for unit in (1, 2) for each in seen(unit, "concise")]
    outcomes += [each for unit in (3, 4) for each in seen(unit, "current")]
    words = [said(1, "concise", 1.0), said(2, "concise", 0.0), said(2, "concise", 1.0), said(3, "current", 1.0)]
    found = (await evidence_of(store, outcomes, [*words, said(4, "current", 0.0)])).metrics["thumbs"]
    assert (found.candidate, found.baseline) == (ArmMean(2, 3, 0.75), ArmMean(2, 2, 0.5))
    assert found.effect == pytest.approx(0.25)


async def test_tail(store: Store) -> None:
    """Of a metric with a catastrophic line the share beyond it is compared too; of the others there is no tail."""
    outcomes = [
        each
        for unit, arm in ((1, "concise"), (2, "concise"), (3, "current"), (4, "current"))
        for each in seen(unit, arm)
    ]
    scores = [said(1, "concise", 0.1, "score"), said(2, "concise", 0.9, "score")]
    scores += [said(3, "current", 0.8, "score"), said(4, "current", 0.6, "score")]
    found = await evidence_of(store, outcomes, scores)
    assert (found.tails["score"].candidate.mean, found.tails["score"].baseline.mean) == (0.5, 0.0)
    assert {*found.tails} == {"score"}


async def test_segments(store: Store) -> None:
    """A segment's units are compared with each other, and one that only one arm has is left out."""
    free, pro = {"plan": "free", "locale": "de"}, {"plan": "pro"}
    outcomes = [each for unit in (1, 2) for each in seen(unit, "concise", segments=free)]
    outcomes += [each for unit in (3, 4) for each in seen(unit, "current", segments=free)]
    outcomes += [each for unit in (5, 6) for each in seen(unit, "current", segments=pro)]
    words = [said(unit, "concise" if unit < 3 else "current", float(unit > 1)) for unit in range(1, 7)]
    segments = (await evidence_of(store, outcomes, words)).segments
    assert {*segments["thumbs"]} == {"plan=free"}
    assert segments["thumbs"]["plan=free"].effect == pytest.approx(-0.5)


async def test_errors_and_safety(store: Store) -> None:
    """Failures and unsafe answers are shares of each unit's requests."""
    outcomes = [*seen(1, "concise", n=3), *seen(1, "concise", fault=Fault.PROVIDER), *seen(2, "concise")]
    outcomes += [*seen(3, "current", safety=Safety.REFUSED), *seen(4, "current")]
    found = await evidence_of(store, outcomes, [])
    assert found.errors is not None
    assert found.safety is not None
    assert (found.errors.candidate.mean, found.errors.baseline.mean) == (0.125, 0.0)
    assert (found.safety.candidate.mean, found.safety.baseline.mean) == (0.0, 0.5)


async def test_stage(store: Store) -> None:
    """Units and requests of the stage are its candidate's; an epoch without a candidate counts nowhere."""
    outcomes = [
        *seen(1, "concise", n=4),
        *seen(2, "concise", epoch=2),
        *seen(3, "current"),
        *seen(4, "current", epoch=1),
    ]
    found = await evidence_of(store, outcomes, [])
    assert (found.stage_units, found.stage_requests) == (1, 4)
    assert [(each.epoch, each.candidate, each.baseline) for each in found.epochs] == [(2, 1, 0), (3, 1, 1)]


async def test_unit_in_both_arms(store: Store) -> None:
    """A unit that was in both arms within one epoch is counted, and in neither."""
    found = await evidence_of(store, [*seen(1, "concise"), *seen(1, "current"), *seen(2, "concise")], [])
    assert (found.n_multi_exposed, found.stage_units) == (1, 1)


async def test_internal(store: Store) -> None:
    """What internal users saw of the candidate is told, and compared with nobody."""
    internal: dict[str, Any] = {"reason": Reason.INTERNAL, "epoch": 1}
    outcomes = [*seen(1, "concise", n=3, **internal), *seen(1, "concise", fault=Fault.PROVIDER, **internal)]
    outcomes += [*seen(2, "concise", is_valid_format=False, **internal), *seen(9, "current", **internal)]
    found = await evidence_of(store, outcomes, [])
    assert found.internal == InternalEvidence(requests=5, failures=1, unsafe=0, invalid_formats=1)
    assert (found.stage_units, found.errors) == (0, None)


async def test_nothing_yet(store: Store) -> None:
    """With nothing there is no evidence, and nothing is zero."""
    await store.open()
    found = await read_evidence(store.reader, replace(QUERY, metrics=()))
    assert (found.metrics, found.errors, found.safety, found.stage_units) == ({}, None, None, 0)


async def test_older_exposures(store: Store) -> None:
    """What was before the rollout began is another rollout's, though its epoch has the same number."""
    before = NOW_UNIX_MS - 3 * DAY_MS
    outcomes = [each for unit in (1, 2) for each in seen(unit, "concise", unix_ms=before)]
    outcomes += [each for unit in (3, 4) for each in seen(unit, "current", unix_ms=before)]
    words = [said(unit, "concise" if unit < 3 else "current", 1.0) for unit in (1, 2, 3, 4)]
    await keep(store, [batch(*outcomes)], words)
    found = await read_evidence(store.reader, replace(QUERY, since_unix_ms=NOW_UNIX_MS))
    assert (found.metrics, found.errors, found.stage_units) == ({}, None, 0)
    assert (await read_evidence(store.reader, QUERY)).stage_units == 2
