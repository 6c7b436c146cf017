"""
How carefully each type of change is rolled out where nobody wrote otherwise: stages, gates, signals and their numbers.

Everything here is a default. Durations are by the stage reached, scaled so that a plan's total is what its type of
change takes; a stage of `new_feature` that asks for the verdict takes whole weeks, so that it has seen every weekday.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gateway.domain.metric import Metric, MetricKind
from gateway.domain.release import BUCKETS
from gateway.domain.rollout import (
    Action,
    ChangeType,
    GateName,
    GateRule,
    OnFail,
    Signal,
    SignalKind,
    Stage,
    StageKind,
)

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
LONGEST = 3.0
"""A stage that lacks evidence may take this many times its least duration before it holds."""
STEPS_BACK_TO = (500, 2_500)
"""Buckets a step back may go to though the plan has no such stage."""

SATISFACTION = "satisfaction"
TASK_COMPLETION = "task_completion"


class Outline(NamedTuple):
    """
    The plan of one type of change.

    Attributes:
        shares: Percent of users, stage by stage.
        over_s: The plan's total; None where it follows from the stages.
        is_internal_first: Internal users come before anybody.
        needs_approval: A person lets every stage go.
    """

    shares: tuple[int, ...]
    over_s: float | None
    is_internal_first: bool = False
    needs_approval: bool = False


OUTLINES: Mapping[ChangeType, Outline] = {
    ChangeType.PROMPT_WORDING: Outline((10, 50, 100), 3 * DAY_S),
    ChangeType.SYSTEM_PROMPT_RESTRUCTURE: Outline((5, 20, 50, 100), WEEK_S),
    ChangeType.MODEL_SWAP_SAME_TIER: Outline((5, 25, 50, 100), WEEK_S),
    ChangeType.MODEL_SWAP_DIFFERENT_TIER: Outline((1, 5, 25, 50, 100), 2 * WEEK_S),
    ChangeType.NEW_FEATURE: Outline((1, 5, 25, 50, 100), 3 * WEEK_S, is_internal_first=True),
    ChangeType.RAG_PIPELINE: Outline((5, 25, 50, 100), WEEK_S),
    ChangeType.SAFETY_GUARDRAIL: Outline((1, 5, 100), None, is_internal_first=True, needs_approval=True),
    ChangeType.FINE_TUNED_MODEL: Outline((5, 25, 50, 100), WEEK_S),
}

# What a stage at so many buckets or more asks for: least duration, users, gates.
_TIERS: tuple[tuple[int, float, int, tuple[GateName, ...]], ...] = (
    (5_000, 3 * DAY_S, 100, (GateName.ERRORS, GateName.QUALITY, GateName.SEGMENTS, GateName.PRIMARY)),
    (2_500, 2 * DAY_S, 100, (GateName.ERRORS, GateName.QUALITY, GateName.SEGMENTS)),
    (500, 2 * DAY_S, 100, (GateName.ERRORS, GateName.QUALITY)),
    (0, DAY_S, 20, (GateName.ERRORS,)),
)

GATES: Mapping[GateName, GateRule] = {
    GateName.CRITICAL: GateRule(GateName.CRITICAL, OnFail.HOLD),
    GateName.SHADOW: GateRule(GateName.SHADOW, OnFail.HOLD),
    GateName.ERRORS: GateRule(GateName.ERRORS),
    GateName.QUALITY: GateRule(GateName.QUALITY),
    GateName.SEGMENTS: GateRule(GateName.SEGMENTS, OnFail.HOLD, margin=0.1),
    GateName.PRIMARY: GateRule(GateName.PRIMARY),
}

ERROR_RATE = Signal("error_rate", SignalKind.ERRORS, Action.ROLLBACK, 2.0, floor=0.002)
SAFETY = Signal("safety", SignalKind.SAFETY, Action.ROLLBACK, 2.0)
SIGNALS: Mapping[str, Signal] = {
    signal.name: signal
    for signal in (
        ERROR_RATE,
        SAFETY,
        Signal(
            "thumbs_down",
            SignalKind.DOWN_RATE,
            Action.STEP_BACK,
            1.5,
            alpha=0.02,
            window_s=7_200.0,
            step_back_to=500,
        ),
        Signal(
            "task_completion",
            SignalKind.COMPLETION,
            Action.STEP_BACK,
            0.9,
            alpha=0.02,
            window_s=14_400.0,
            step_back_to=2_500,
        ),
        Signal("cost", SignalKind.COST, Action.ALERT, 1.5, alpha=0.02, window_s=3_600.0),
        Signal("latency_p95", SignalKind.LATENCY, Action.ROLLBACK, 2.0, window_s=1_800.0),
    )
}
ROLE_OF: Mapping[SignalKind, str] = {
    SignalKind.DOWN_RATE: SATISFACTION,
    SignalKind.COMPLETION: TASK_COMPLETION,
}


@dataclass(frozen=True, slots=True)
class Looked:
    """
    What a plan has to look at.

    Attributes:
        quality: Names of quality metrics.
        primary: Name of the primary metric, or None.
        segments: Names of segments.
    """

    quality: tuple[str, ...] = ()
    primary: str | None = None
    segments: tuple[str, ...] = ()


def quality_metrics_of(metrics: Mapping[str, Metric]) -> tuple[str, ...]:
    """Give the metrics that say whether answers are good, where nobody named them: by their role, in file order."""
    return tuple(
        name
        for name, metric in metrics.items()
        if metric.role in (SATISFACTION, TASK_COMPLETION) and metric.kind in (MetricKind.BINARY, MetricKind.SCORE)
    )


def metric_of(kind: SignalKind, metrics: Mapping[str, Metric]) -> str | None:
    """Give the metric that a signal watches where nobody named it; None where no metric has its role."""
    role = ROLE_OF.get(kind)
    fitting = (name for name, metric in metrics.items() if metric.role == role and has_good(metric))
    return next(fitting, None) if role is not None else None


def has_good(metric: Metric) -> bool:
    """Tell whether a metric's values are good or not, as a rate needs."""
    return metric.kind is MetricKind.BINARY or metric.good is not None


def gates_at(weight: int, looked: Looked) -> tuple[GateName, ...]:
    """
    Give the gates asked to leave a stage: those that have something to look at.

    >>> [str(name) for name in gates_at(5_000, Looked(quality=("thumbs",), primary="thumbs"))]
    ['errors', 'quality', 'primary']
    """
    has = {
        GateName.ERRORS: True,
        GateName.QUALITY: bool(looked.quality),
        GateName.SEGMENTS: bool(looked.quality and looked.segments),
        GateName.PRIMARY: looked.primary is not None,
    }
    return tuple(name for name in _tier_of(weight)[3] if has[name])


def min_users_at(weight: int) -> int:
    """Give the exposed users of the candidate before a gate may pass."""
    return _tier_of(weight)[2]


def min_duration_s_of(kind: StageKind, weight: int, change: ChangeType | None) -> float:
    """
    Give how long a stage lasts at least.

    Args:
        kind: Of the stage.
        weight: Its buckets.
        change: Whose plan is stretched or squeezed to what it takes; None leaves the durations as they are.

    >>> min_duration_s_of(StageKind.SHARE, 1_000, ChangeType.PROMPT_WORDING) / DAY_S
    1.2
    """
    if change is None or kind is StageKind.SHADOW:
        return _plain_s(kind, weight)
    if change is ChangeType.NEW_FEATURE and _is_verdict(kind, weight):
        return WEEK_S
    return round(_plain_s(kind, weight) * _stretch_of(change), 3)


def stages_of(change: ChangeType, looked: Looked) -> tuple[Stage, ...]:
    """Give the stages of a type of change."""
    outline = OUTLINES[change]
    stages = [_internal(change, outline)] if outline.is_internal_first else []
    for share in outline.shares[:-1]:
        weight = share * 100
        least_s = min_duration_s_of(StageKind.SHARE, weight, change)
        stages.append(
            Stage(
                StageKind.SHARE,
                weight,
                min_duration_s=least_s,
                max_duration_s=least_s * LONGEST,
                min_users=min_users_at(weight),
                gates=gates_at(weight, looked),
                needs_approval=outline.needs_approval,
            )
        )
    return (*stages, Stage(StageKind.SHARE, outline.shares[-1] * 100))


def gates_of(stages: Iterable[Stage], written: Mapping[GateName, GateRule]) -> dict[GateName, GateRule]:
    """Give the rules of every gate that a stage names, and of CRITICAL."""
    named = {name for stage in stages for name in stage.gates} | {GateName.CRITICAL}
    return {name: written.get(name, rule) for name, rule in GATES.items() if name in named}


def _internal(change: ChangeType, outline: Outline) -> Stage:
    least_s = min_duration_s_of(StageKind.INTERNAL, 0, change)
    return Stage(
        StageKind.INTERNAL,
        0,
        min_duration_s=least_s,
        max_duration_s=least_s * LONGEST,
        gates=(GateName.CRITICAL,),
        needs_approval=outline.needs_approval,
    )


def _stretch_of(change: ChangeType) -> float:
    """Give what the durations of a type's stages are multiplied with, so that they add up to what it takes."""
    outline = OUTLINES[change]
    if outline.over_s is None:
        return 1.0
    kept_s = scaled_s = 0.0
    if outline.is_internal_first:
        scaled_s += _plain_s(StageKind.INTERNAL, 0)
    for share in outline.shares[:-1]:
        if change is ChangeType.NEW_FEATURE and _is_verdict(StageKind.SHARE, share * 100):
            kept_s += WEEK_S
        else:
            scaled_s += _plain_s(StageKind.SHARE, share * 100)
    return (outline.over_s - kept_s) / scaled_s


def _is_verdict(kind: StageKind, weight: int) -> bool:
    return kind is StageKind.SHARE and BUCKETS // 2 <= weight < BUCKETS


def _plain_s(kind: StageKind, weight: int) -> float:
    return _tier_of(weight)[1] if kind is StageKind.SHARE else DAY_S


def _tier_of(weight: int) -> tuple[int, float, int, tuple[GateName, ...]]:
    return next(tier for tier in _TIERS if weight >= tier[0])
