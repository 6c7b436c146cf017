"""What a plan says of itself, from what was written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.domain.rollout import ChangeType, RolloutPlan, SplitPlan, Stage, StageKind

DAY_S = 86_400.0
STAGES = (Stage(StageKind.SHARE, 500, min_duration_s=2 * DAY_S), Stage(StageKind.SHARE, 10_000))
PLAN = RolloutPlan("v8", "support", "old", "new", "c", ChangeType.PROMPT_WORDING, STAGES, {}, ())


@pytest.mark.parametrize(
    ("stage", "label"),
    [
        (Stage(StageKind.SHARE, 500), "5%"),
        (Stage(StageKind.SHARE, 25), "0.25%"),
        (Stage(StageKind.INTERNAL, 0), "internal"),
        (Stage(StageKind.SHADOW, 0), "shadow"),
    ],
)
def test_label(stage: Stage, label: str) -> None:
    """A stage is called what the file calls it."""
    assert stage.label == label


def test_horizon() -> None:
    """Alpha is spread over the planned length, and never over less than a day."""
    assert PLAN.horizon_s == 2 * DAY_S
    assert replace(PLAN, stages=(Stage(StageKind.SHARE, 10_000),)).horizon_s == DAY_S


def test_comparison_of_a_guardrail_change() -> None:
    """A change of guardrails is watched as one: its fast alarm pauses at once."""
    assert not PLAN.comparison.is_guardrail_change
    assert replace(PLAN, change_type=ChangeType.SAFETY_GUARDRAIL).comparison.is_guardrail_change


def test_comparisons_of_a_split() -> None:
    """Every arm but the baseline is watched, each against the baseline, with the split's margin."""
    split = SplitPlan("three", "chat", "a", (("a", 4_000), ("b", 3_000), ("c", 3_000)), (), (), stop_on_safety=0.01)
    found = [(one.arm, one.baseline, one.stop_on_safety) for one in split.comparisons]
    assert found == [("b", "a", 0.01), ("c", "a", 0.01)]
