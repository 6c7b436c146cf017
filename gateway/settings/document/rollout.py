"""`rollout`: a candidate's way through stages, gates and signals."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from gateway.settings.document.metrics import Number
from gateway.settings.document.scalars import Duration, Name, Percent, Share, Weight, parse_weight, shown, wrong
from gateway.settings.document.section import Section

ChangeType = Literal[
    "prompt_wording",
    "system_prompt_restructure",
    "model_swap_same_tier",
    "model_swap_different_tier",
    "new_feature",
    "rag_pipeline",
    "safety_guardrail",
    "fine_tuned_model",
]
StageGate = Literal["errors", "quality", "segments", "primary"]
GateName = Literal["shadow", "errors", "quality", "segments", "primary"]


def parse_stage(value: Any) -> str | int:
    """Give `internal`, `shadow` or buckets."""
    if value in ("internal", "shadow"):
        return str(value)
    try:
        return parse_weight(value)
    except ValueError:
        problem = f"{shown(value)} is not a stage"
        raise wrong(problem=problem, remedy="write internal, shadow or a share such as 10%") from None


def parse_off(value: Any) -> Any:
    """Let `false` stand for `off`."""
    return "off" if value is False else value


def _kind_of_switchable(value: Any) -> str:
    return "<settings>" if isinstance(value, dict | Section) else "<off>"


def _kind_of_action(value: Any) -> str:
    return "<step_back>" if isinstance(value, dict | Section) else "<name>"


class StageSection(Section):
    """A step of a rollout."""

    at: Annotated[str | int, BeforeValidator(parse_stage)] = Field(description="internal, shadow, or a share.")
    min_duration: Duration | None = None
    max_duration: Duration | None = None
    min_users: int | None = Field(default=None, ge=1)
    approve: bool = False
    sample: Share | None = None
    gates: list[StageGate] | None = None


class HoldbackSection(Section):
    """Users kept on the baseline after 100 %."""

    share: Share = Field(default=0.02, description="2%")
    held_for: Duration = Field(default=30 * 86_400.0, alias="for", description="30d")


class GateSection(Section):
    """What is asked between two stages."""

    ratio: Number | None = Field(default=None, gt=0)
    margin: Percent | None = None
    alpha: Number | None = Field(default=None, gt=0, lt=1)
    require: Literal["not_worse", "better"] | None = None
    pass_mode: Literal["no_evidence", "proof"] | None = None
    on_fail: Literal["rollback", "hold", "step_back"] | None = None
    strict: bool | None = None


class StepBackSection(Section):
    """Back to a smaller share, and pause."""

    step_back: Weight


class SignalSection(Section):
    """What is watched all the time."""

    metric: Name | None = None
    ratio: Number | None = Field(default=None, gt=0)
    drop: Percent | None = None
    alpha: Number | None = Field(default=None, gt=0, lt=1)
    floor: Percent | None = None
    min_failing_users: int | None = Field(default=None, ge=1)
    window: Duration | None = None
    sustained: Duration | None = None
    ux_impacting: bool | None = None
    action: (
        Annotated[
            Annotated[Literal["rollback", "alert"], Tag("<name>")] | Annotated[StepBackSection, Tag("<step_back>")],
            Discriminator(_kind_of_action),
        ]
        | None
    ) = None


Switchable = Annotated[
    Annotated[Literal["off"], BeforeValidator(parse_off), Tag("<off>")] | Annotated[SignalSection, Tag("<settings>")],
    Discriminator(_kind_of_switchable),
]


class RolloutSection(Section):
    """Canary and gradual rollout through gates."""

    baseline: Name
    candidate: Name
    change_type: ChangeType | None = None
    primary_metric: Name | None = None
    quality_metrics: list[Name] = Field(default_factory=list)
    control: Literal["rest", "equal"] = "rest"
    holdback: HoldbackSection = Field(default_factory=lambda: HoldbackSection.unwritten())
    stages: list[StageSection] | None = Field(default=None, min_length=1)
    gates: dict[GateName, GateSection] = Field(default_factory=dict)
    on_insufficient: Literal["hold", "extend", "rollback"] = "extend"
    signals: dict[Name, Switchable] = Field(default_factory=dict)
