"""From `stages`, or a change type, to a rollout's stages."""

from __future__ import annotations

from gateway.domain.default_plan import (
    LONGEST,
    WEEK_S,
    Looked,
    gates_at,
    min_duration_s_of,
    min_users_at,
    stages_of,
)
from gateway.domain.release import BUCKETS
from gateway.domain.rollout import ChangeType, GateName, Stage, StageKind
from gateway.settings.document.rollout import RolloutSection, StageSection
from gateway.settings.document.route import RouteSection
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath

_RANK = {"internal": -2, "shadow": -1}
_ASKED_BEFORE = {StageKind.INTERNAL: GateName.CRITICAL, StageKind.SHADOW: GateName.SHADOW}
"""What is asked before anybody outside sees the candidate."""

DEFAULT_SAMPLE = 0.2


def compile_stages(
    scope: Scope, path: KeyPath, rollout: RolloutSection, looked: Looked, route: RouteSection
) -> tuple[Stage, ...] | None:
    """Give the stages; None, with findings, when there are none."""
    change = ChangeType(rollout.change_type) if rollout.change_type is not None else None
    if rollout.stages is None:
        if change is None:
            kinds = ", ".join(ChangeType)
            scope.findings.refuse(path, "nothing says how carefully", f"add change_type: one of {kinds}", key=True)
            return None
        return stages_of(change, looked)
    _check_order(scope, path, rollout.stages)
    last = len(rollout.stages) - 1
    stages = []
    for index, section in enumerate(rollout.stages):
        at = (*path, "stages", index)
        _check_stage(scope, at, section, looked)
        if index == last:
            _check_last(scope, at, section)
        stages.append(_stage_of(section, change, looked, is_last=index == last, shadows=route, rollout=rollout))
    return tuple(stages)


def _stage_of(
    section: StageSection,
    change: ChangeType | None,
    looked: Looked,
    *,
    is_last: bool,
    shadows: RouteSection,
    rollout: RolloutSection,
) -> Stage:
    kind = StageKind(section.at) if isinstance(section.at, str) else StageKind.SHARE
    weight = section.at if isinstance(section.at, int) else 0
    if is_last:
        return Stage(kind, weight)
    default_s = min_duration_s_of(kind, weight, change)
    if section.max_duration is not None:
        default_s = min(default_s, section.max_duration)
    least_s = section.min_duration if section.min_duration is not None else default_s
    default_gates = gates_at(weight, looked) if kind is StageKind.SHARE else (_ASKED_BEFORE[kind],)
    is_critical = change is ChangeType.SAFETY_GUARDRAIL and "approve" not in section.model_fields_set
    return Stage(
        kind,
        weight,
        min_duration_s=least_s,
        max_duration_s=section.max_duration if section.max_duration is not None else (least_s or default_s) * LONGEST,
        min_users=section.min_users or (min_users_at(weight) if kind is StageKind.SHARE else 0),
        gates=default_gates
        if section.gates is None
        else tuple(dict.fromkeys(GateName(name) for name in section.gates)),
        needs_approval=section.approve or is_critical,
        sample=_sample_of(section, rollout, shadows) if kind is StageKind.SHADOW else None,
    )


def _sample_of(section: StageSection, rollout: RolloutSection, route: RouteSection) -> float:
    if section.sample is not None:
        return section.sample
    samples = (shadow.sample for shadow in route.shadows if shadow.variant == rollout.candidate)
    return next(samples, DEFAULT_SAMPLE)


def _check_order(scope: Scope, path: KeyPath, stages: list[StageSection]) -> None:
    before: int | None = None
    shown_before = ""
    for index, stage in enumerate(stages):
        now = _RANK[stage.at] if isinstance(stage.at, str) else stage.at
        shown = _shown(stage)
        if before is not None and now <= before:
            problem = f"{shown} after {shown_before}"
            scope.findings.refuse((*path, "stages", index, "at"), problem, "stages must rise")
        before, shown_before = now, shown
        longest, shortest = stage.max_duration, stage.min_duration
        if longest is not None and shortest is not None and longest < shortest:
            at = (*path, "stages", index, "max_duration")
            scope.findings.refuse(at, "max_duration is shorter than min_duration", "exchange them")


def _check_stage(scope: Scope, at: KeyPath, section: StageSection, looked: Looked) -> None:
    refuse, warn = scope.findings.refuse, scope.findings.warn
    if section.at == 0:
        refuse((*at, "at"), "0% is nobody", "write internal, shadow, or a share such as 1%")
    if section.sample is not None and section.at != "shadow":
        refuse((*at, "sample"), "only a shadow stage copies a sample", "take it out", key=True)
    if section.sample == 0:
        refuse((*at, "sample"), "nothing would be copied", "write a share such as 20%")
    if isinstance(section.at, str) and section.gates:
        problem = f"nobody is compared in the stage {section.at}"
        refuse(
            (*at, "gates"),
            problem,
            "take them out: an internal stage asks for critical failures, a shadow one what its copies came to",
        )
    names = section.gates or []
    for index, name in enumerate(names):
        place = (*at, "gates", index)
        if name == "primary" and looked.primary is None:
            refuse(place, "no primary_metric is named", "add primary_metric, or take this gate out")
        elif name in ("quality", "segments") and not looked.quality:
            warn(place, f"the gate {name} has no metric to look at, and passes", "add quality_metrics")
        elif name == "segments" and not looked.segments:
            warn(place, "identity has no segments: this gate passes", "add identity: {segments: {…}}")


def _check_last(scope: Scope, at: KeyPath, section: StageSection) -> None:
    if isinstance(section.at, str):
        scope.findings.refuse((*at, "at"), f"{section.at} is no end: nobody gets the candidate", "add - {at: 100%}")
        return
    for key in ("min_duration", "max_duration", "min_users", "gates", "approve"):
        if key in section.model_fields_set:
            scope.findings.warn(
                (*at, key), f"the last stage is never left: {key} does nothing", "take it out", key=True
            )


def check_weeks(scope: Scope, path: KeyPath, rollout: RolloutSection, stages: tuple[Stage, ...]) -> None:
    """Say where a new feature's verdict would not have seen every weekday as often."""
    if rollout.change_type != ChangeType.NEW_FEATURE.value or rollout.stages is None:
        return
    for index, stage in enumerate(stages):
        is_whole = stage.min_duration_s >= WEEK_S and stage.min_duration_s % WEEK_S == 0
        if GateName.PRIMARY in stage.gates and not is_whole:
            at = (*path, "stages", index)
            at = (*at, "min_duration") if "min_duration" in rollout.stages[index].model_fields_set else at
            problem = f"the verdict on a new feature falls after {stage.min_duration_s / 86_400:g} days"
            scope.findings.warn(at, problem, "write whole weeks, as 7d: weekdays differ")


def _shown(stage: StageSection) -> str:
    return stage.at if isinstance(stage.at, str) else f"{stage.at * 100 / BUCKETS:g}%"
