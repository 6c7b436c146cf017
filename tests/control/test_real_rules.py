"""The real rules: what `gates` gives is what the controller is handed."""

from __future__ import annotations

import pytest

from gateway.control.real_rules import GateRules
from gateway.gates.evidence import Evidence
from gateway.gates.verdict import Verdict
from tests.fakes.rollouts import plan_of

PLAN = plan_of()
EMPTY = Evidence(until_unix_ms=0)


def test_watches_and_remembers() -> None:
    """A watch that has seen nothing says nothing, and goes on from its own snapshot."""
    watch = GateRules().watch(PLAN.comparison, since_unix_ms=1, n_resumes=0)
    assert list(watch.judge(1_000)) == []
    again = GateRules().restored(PLAN.comparison, watch.snapshot())
    assert list(again.judge(2_000)) == [] and len(again.readings(2_000)) == len(PLAN.signals)


def test_bad_snapshot_raises() -> None:
    """What is no snapshot is a ValueError."""
    with pytest.raises(ValueError, match="no snapshot"):
        GateRules().restored(PLAN.comparison, b"what is this")


def test_no_evidence_is_not_enough() -> None:
    """Gates without evidence pass nothing, and a comparison without users is not broken."""
    verdicts = GateRules().decide(PLAN, 0, EMPTY, trips_seen=False)
    assert [one.verdict for one in verdicts] == [Verdict.INSUFFICIENT]
    assert list(GateRules().check(EMPTY)) == []
