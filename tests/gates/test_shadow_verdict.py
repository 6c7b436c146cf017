"""Values of the verdict on a shadow."""

from __future__ import annotations

from gateway.gates.shadow_verdict import Finding, Harm, ShadowRule, ShadowState, ShadowVerdict


def test_defaults() -> None:
    """Without a rule differences matter as the handbook says, and a verdict needs no findings."""
    rule = ShadowRule()
    assert (rule.alpha, rule.latency_ratio, rule.cost_ratio) == (0.05, 1.25, 1.5)
    assert ShadowVerdict(ShadowState.INSUFFICIENT, "").findings == ()


def test_finding_is_neither_by_itself() -> None:
    """A finding is neither worse nor better before somebody decides so."""
    finding = Finding("cost", "ratio", 1.0, 3.0, 3.0, 2.0, 4.0, 1.0, 1.5, Harm.UP, 0.0)
    assert not finding.is_worse
    assert not finding.is_better
