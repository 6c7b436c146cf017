"""From a release to its plan, every number filled in; and what rollouts must not do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gateway.domain.default_plan import DAY_S, ERROR_RATE, SAFETY, WEEK_S, Looked, gates_of
from gateway.domain.edit import change_type_of, content_of
from gateway.domain.metric import Metric
from gateway.domain.release import BUCKETS, Release
from gateway.domain.rollout import (
    ChangeType,
    Control,
    Holdback,
    OnInsufficient,
    Plan,
    PlannedLooks,
    RolloutPlan,
    SplitPlan,
    Stage,
    StageKind,
)
from gateway.domain.variant import Api, Variant
from gateway.settings.compile_adaptive import bandit_plan, factorial_plan, ladder_plan
from gateway.settings.compile_gate import compile_gates, compile_looked
from gateway.settings.compile_signal import compile_signals
from gateway.settings.compile_stage import check_weeks, compile_stages
from gateway.settings.document.release import BanditSection, FactorialSection, LadderSection, SplitSection
from gateway.settings.document.rollout import RolloutSection
from gateway.settings.document.route import RouteSection
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath

DEFAULT_STOP_ON_SAFETY = 0.02
DEFAULT_MIN_USERS = 1_000
MAX_HOLDBACK = BUCKETS // 2


@dataclass(frozen=True, slots=True)
class _At:
    """One route's release: the scope, its place, its section and what was compiled of it."""

    scope: Scope
    path: KeyPath
    section: RouteSection
    release: Release
    variants: Mapping[str, Variant]


def compile_plan(
    scope: Scope, path: KeyPath, section: RouteSection, release: Release, variants: Mapping[str, Variant]
) -> Plan | None:
    """
    Give the plan of a route's release; None where it has none, or, with findings, where it cannot be.

    Args:
        scope: The compilation.
        path: Of the route.
        section: The route's.
        release: What became of its `release`.
        variants: Those that could be compiled, by name.
    """
    at = _At(scope, (*path, "release", release.kind.value), section, release, variants)
    if any(arm.name not in variants for arm in release.arms):
        return None
    if section.release.rollout is not None:
        return _rollout_of(at, section.release.rollout)
    if section.release.split is not None:
        return _split_of(at, section.release.split)
    if section.release.bandit is not None:
        bandit = bandit_plan(scope, at.path, section.release.bandit)
        return replace(_experiment_of(at, section.release.bandit), bandit=bandit)
    if section.release.ladder is not None:
        ladder = ladder_plan(scope, at.path, section.release.ladder)
        return replace(_experiment_of(at, section.release.ladder), ladder=ladder)
    factorial = section.release.factorial
    return None if factorial is None else replace(_experiment_of(at, factorial), factorial=factorial_plan(factorial))


def _rollout_of(at: _At, rollout: RolloutSection) -> RolloutPlan | None:
    scope, path = at.scope, at.path
    looked = compile_looked(scope, path, rollout)
    gates = compile_gates(scope, path, rollout)
    stages = compile_stages(scope, path, rollout, looked, at.section)
    if stages is None:
        return None
    candidate, baseline = at.variants[rollout.candidate], at.variants[rollout.baseline]
    signals = compile_signals(scope, path, rollout.signals, (stage.weight for stage in stages))
    check_weeks(scope, path, rollout, stages)
    _check_control(scope, path, rollout, stages)
    _check_looked(scope, path, rollout, looked)
    _check_shadow(at, rollout, stages)
    _check_arms(at, rollout, candidate, baseline)
    change = ChangeType(rollout.change_type) if rollout.change_type else change_type_of(baseline, candidate)
    named = [*looked.quality, looked.primary, *(signal.metric for signal in signals)]
    return RolloutPlan(
        release=at.release.name,
        route=str(path[1]),
        baseline=baseline.name,
        candidate=candidate.name,
        content=content_of(candidate.content_hash, baseline.content_hash),
        change_type=change,
        stages=stages,
        gates=gates_of(stages, gates),
        signals=signals,
        metrics=_named(scope.metrics, named),
        primary_metric=looked.primary,
        quality_metrics=looked.quality,
        segments=looked.segments,
        control=Control(rollout.control),
        holdback=Holdback(round(rollout.holdback.share * BUCKETS), rollout.holdback.held_for),
        on_insufficient=OnInsufficient(rollout.on_insufficient),
    )


def _split_of(at: _At, split: SplitSection) -> SplitPlan:
    scope, path = at.scope, at.path
    for index, name in enumerate(split.segments):
        if name not in scope.document.identity.segments:
            scope.findings.refuse_unknown((*path, "segments", index), "segment", name, scope.document.identity.segments)
    planned = None if split.planned is None else PlannedLooks(split.planned.users, split.planned.looks)
    if planned is not None and split.primary_metric is None:
        scope.findings.refuse((*path, "planned"), "nothing is looked at", "add primary_metric", key=True)
    return replace(_experiment_of(at, split), segments=tuple(split.segments), planned=planned)


def _experiment_of(at: _At, section: SplitSection | FactorialSection | LadderSection | BanditSection) -> SplitPlan:
    """Give what every experiment has: arms that are watched, and when a verdict may fall."""
    scope, path = at.scope, at.path
    primary = section.reward if isinstance(section, BanditSection) else section.primary_metric
    if primary is not None and primary not in scope.document.metrics and not isinstance(section, BanditSection):
        scope.findings.refuse_unknown((*path, "primary_metric"), "metric", primary, scope.document.metrics)
    baseline = at.release.arms[at.release.baseline].name
    before = at.variants[baseline].content_hash
    contents = tuple((arm.name, content_of(at.variants[arm.name].content_hash, before)) for arm in at.release.arms)
    stop = section.stop_on_safety
    if stop is not None and not 0 < stop < 1:
        scope.findings.refuse((*path, "stop_on_safety"), f"{stop * 100:g} points stop nothing", "write it like 2pp")
    return SplitPlan(
        release=at.release.name,
        route=str(path[1]),
        baseline=baseline,
        weights=tuple((arm.name, arm.weight) for arm in at.release.arms),
        contents=contents,
        signals=(ERROR_RATE, SAFETY),
        stop_on_safety=DEFAULT_STOP_ON_SAFETY if stop is None else stop,
        primary_metric=primary,
        min_duration_s=_min_duration(at, section),
        min_users=DEFAULT_MIN_USERS if isinstance(section, BanditSection) else section.min_users or DEFAULT_MIN_USERS,
        metrics=dict(scope.metrics),
        unit=at.release.unit,
    )


def _min_duration(at: _At, section: SplitSection | FactorialSection | LadderSection | BanditSection) -> float:
    if isinstance(section, BanditSection) or section.min_duration is None:
        return WEEK_S
    if not section.min_duration or section.min_duration % WEEK_S:
        problem = f"a verdict after {section.min_duration / DAY_S:g} days"
        at.scope.findings.warn((*at.path, "min_duration"), problem, "write whole weeks, as 7d: weekdays differ")
    return section.min_duration


def _named(metrics: Mapping[str, Metric], names: Iterable[str | None]) -> dict[str, Metric]:
    wanted = set(names)
    return {name: metric for name, metric in metrics.items() if name in wanted}


def _check_control(scope: Scope, path: KeyPath, rollout: RolloutSection, stages: tuple[Stage, ...]) -> None:
    largest = max((stage.weight for stage in stages if stage.weight < BUCKETS), default=0)
    if rollout.control == "equal" and largest > BUCKETS // 2:
        problem = f"beside {largest / 100:g}% there is no room for a control as large"
        scope.findings.refuse((*path, "control"), problem, "write control: rest, or no stage from 50% to 100%")
    share = round(rollout.holdback.share * BUCKETS)
    if share > MAX_HOLDBACK:
        at = (*path, "holdback", "share")
        scope.findings.refuse(at, f"{share / 100:g}% held back is no rollout", "hold back 50% at most, as 2%")
    if share and stages[-1].weight < BUCKETS and "holdback" in rollout.model_fields_set:
        problem = f"the rollout ends at {stages[-1].weight / 100:g}%: nobody needs to be held back"
        scope.findings.warn((*path, "holdback"), problem, "take it out, or add - {at: 100%}", key=True)


def _check_looked(scope: Scope, path: KeyPath, rollout: RolloutSection, looked: Looked) -> None:
    """Say that nothing measures quality, unless somebody said so themselves."""
    if looked.quality or "quality_metrics" in rollout.model_fields_set or rollout.stages is not None:
        return
    problem = "nothing says whether answers are good: only errors and safety decide"
    remedy = "give metrics a role (satisfaction, task_completion) or name quality_metrics; [] says that it is meant"
    scope.findings.warn((*path, "change_type"), problem, remedy)


def _check_shadow(at: _At, rollout: RolloutSection, stages: tuple[Stage, ...]) -> None:
    for index, stage in enumerate(stages):
        is_copied = any(shadow.variant == rollout.candidate for shadow in at.section.shadows)
        if stage.kind is StageKind.SHADOW and not is_copied:
            problem = f"no entry of `shadows` copies to {rollout.candidate!r}"
            remedy = f"add shadows: [{{variant: {rollout.candidate}}}] to the route"
            at.scope.findings.refuse((*at.path, "stages", index, "at"), problem, remedy)


def _check_arms(at: _At, rollout: RolloutSection, candidate: Variant, baseline: Variant) -> None:
    findings = at.scope.findings
    if candidate.content_hash == baseline.content_hash:
        problem = f"{candidate.name!r} answers as {baseline.name!r} does: there is nothing to roll out"
        findings.warn((*at.path, "candidate"), problem, "change its prompt, model or parameters")
    for index, name in enumerate(at.section.fallback):
        if name == rollout.candidate:
            problem = f"{name!r} would answer users it has not reached, also after a rollback"
            findings.refuse((*at.path[:2], "fallback", index), problem, "name another variant")
    is_index = any("embed" in (variant.model or "").lower() for variant in (candidate, baseline))
    if is_index and candidate.rewrites.get(Api.EMBEDDINGS) != baseline.rewrites.get(Api.EMBEDDINGS):
        problem = "vectors of two variants cannot stand in one index"
        remedy = "deploy it as another route, with an index of its own"
        findings.refuse((*at.path, "candidate"), problem, remedy)


def check_internal(scope: Scope, plans: Iterable[Plan]) -> None:
    """
    Refuse a stage for internal users where the file names none.

    Apart from the rest, because no route is compiled again for a new internal user.
    """
    if scope.document.identity.internal_users:
        return
    for plan in plans:
        if isinstance(plan, RolloutPlan) and any(stage.kind is StageKind.INTERNAL for stage in plan.stages):
            rollout = scope.document.routes[plan.route].release.rollout
            path: KeyPath = ("routes", plan.route, "release", "rollout")
            path = (*path, "stages", 0) if rollout and rollout.stages is not None else (*path, "change_type")
            problem = "its first stage is for internal users, and there are none: it would never be left"
            remedy = "name them, identity: {internal_users: [ana@example.com]}, or write stages without internal"
            scope.findings.refuse(path, problem, remedy)
