"""Sentences name what, how sure and what is missing, and stop before they are long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.domain.rollout import GateName, GateRule
from gateway.gates.evidence import Evidence
from gateway.gates.stage import decide_gates
from gateway.gates.telling import TELL, listed
from tests.fakes.compared import gated, rates


@pytest.mark.parametrize(("n", "text"), [(0, ""), (1, "a"), (4, "a; a; a; a"), (6, "a; a; a; a and 2 more")])
def test_listed(n: int, text: str) -> None:
    """Four are named, the rest counted."""
    assert listed(["a"] * n) == text


def test_every_gate_speaks() -> None:
    """There is a teller for every gate."""
    assert set(TELL) == set(GateName)


def test_forty_segments() -> None:
    """Forty harmed segments are four and 36 more, and all are in the evidence."""
    plan = gated(GateRule(GateName.SEGMENTS, margin=0.1), quality_metrics=("thumbs",), segments=("plan",))
    seen = {f"plan={k:02}": rates(0.4, 900, 0.8, 9_000, segment=f"plan={k:02}") for k in range(40)}
    (found,) = decide_gates(plan, 1, replace(Evidence(0), segments={"thumbs": seen}), trips_seen=False)
    assert found.sentence.endswith("and 36 more.")
    assert len(found.evidence["asked"]) == 40


def test_days() -> None:
    """What is missing is said with its days where the stage's length is known."""
    plan = gated(GateRule(GateName.QUALITY), min_users=200, quality_metrics=("thumbs",))
    evidence = Evidence(0, stage_units=50, stage_s=86_400, metrics={"thumbs": rates(0.8, 50, 0.8, 950)})
    (found,) = decide_gates(plan, 1, evidence, trips_seen=False)
    assert "200 users wanted, 50 seen (about 3 days at this traffic)" in found.sentence
