"""The article's plans."""

from __future__ import annotations

import pytest

from gateway.domain.default_plan import DAY_S, OUTLINES, WEEK_S, Looked, quality_metrics_of, stages_of
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.rollout import ChangeType, GateName, StageKind

_ALL = Looked(("m",), "m", ("plan",))


@pytest.mark.parametrize("change", ChangeType)
def test_totals_fit(change: ChangeType) -> None:
    """A plan takes as long as its type of change does."""
    total_s = sum(stage.min_duration_s for stage in stages_of(change, _ALL))
    over_s = OUTLINES[change].over_s
    assert total_s == pytest.approx(over_s if over_s is not None else 4 * DAY_S, abs=1)


def test_verdict_on_a_feature_sees_whole_weeks() -> None:
    """The stage that asks for the primary metric lasts a week to the second, and internal users come first."""
    stages = stages_of(ChangeType.NEW_FEATURE, _ALL)
    assert [stage.label for stage in stages] == ["internal", "1%", "5%", "25%", "50%", "100%"]
    assert stages[4].min_duration_s == WEEK_S


def test_gates_by_stage_reached() -> None:
    """The larger the share, the more is asked; the last stage is never left."""
    gates = [stage.gates for stage in stages_of(ChangeType.MODEL_SWAP_DIFFERENT_TIER, _ALL)]
    assert [len(each) for each in gates] == [1, 2, 3, 4, 0]


def test_nothing_to_look_at_is_not_asked() -> None:
    """Without metrics only errors are asked about."""
    gates = {name for stage in stages_of(ChangeType.PROMPT_WORDING, Looked()) for name in stage.gates}
    assert gates == {GateName.ERRORS}


def test_guardrails_wait_for_a_person() -> None:
    """At every stage, the internal one too."""
    *stages, last = stages_of(ChangeType.SAFETY_GUARDRAIL, _ALL)
    assert all(stage.needs_approval for stage in stages) and not last.needs_approval
    assert stages[0].kind is StageKind.INTERNAL


def test_quality_goes_by_role() -> None:
    """Counts and words of any role are not means of quality."""
    metrics = {
        "thumbs": Metric("thumbs", MetricKind.BINARY, role="satisfaction"),
        "edits": Metric("edits", MetricKind.COUNT, role="satisfaction"),
        "other": Metric("other", MetricKind.BINARY),
    }
    assert quality_metrics_of(metrics) == ("thumbs",)
