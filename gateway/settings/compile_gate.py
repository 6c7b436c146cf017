"""From `gates` to how each question between two stages is answered, and what the questions are about."""

from __future__ import annotations

from dataclasses import replace

from gateway.domain.default_plan import GATES, Looked, quality_metrics_of
from gateway.domain.metric import MetricKind
from gateway.domain.rollout import GateName, GateRule, OnFail, PassMode, Require
from gateway.settings.document.rollout import GateSection, RolloutSection
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath

_KEYS = {
    GateName.SHADOW: frozenset({"on_fail"}),
    GateName.ERRORS: frozenset({"ratio", "pass_mode", "alpha", "on_fail"}),
    GateName.QUALITY: frozenset({"margin", "alpha", "on_fail"}),
    GateName.SEGMENTS: frozenset({"margin", "alpha", "on_fail", "strict"}),
    GateName.PRIMARY: frozenset({"margin", "alpha", "require", "on_fail"}),
}


def compile_gates(scope: Scope, path: KeyPath, rollout: RolloutSection) -> dict[GateName, GateRule]:
    """Give every gate's rule, written or not; what makes no sense leaves findings."""
    compiled = dict(GATES)
    for written, section in rollout.gates.items():
        name = GateName(written)
        compiled[name] = _changed(scope, (*path, "gates", written), GATES[name], section)
    return compiled


def compile_looked(scope: Scope, path: KeyPath, rollout: RolloutSection) -> Looked:
    """Give what gates look at: what the file names, else metrics by their role."""
    quality = tuple(dict.fromkeys(rollout.quality_metrics))
    for index, name in enumerate(rollout.quality_metrics):
        _check_metric(scope, (*path, "quality_metrics", index), name)
    if "quality_metrics" not in rollout.model_fields_set:
        quality = quality_metrics_of(scope.metrics)
    primary = rollout.primary_metric
    if primary is not None:
        _check_metric(scope, (*path, "primary_metric"), primary)
    elif quality:
        primary = quality[0]
    return Looked(quality, primary, tuple(scope.document.identity.segments))


def _check_metric(scope: Scope, path: KeyPath, name: str) -> None:
    metrics = scope.document.metrics
    if name not in metrics:
        scope.findings.refuse_unknown(path, "metric", name, metrics)
    elif name in scope.metrics and scope.metrics[name].kind is MetricKind.TEXT:
        scope.findings.refuse(path, f"{name!r} is text, and has no mean", "name a metric of another kind")


def _changed(scope: Scope, path: KeyPath, default: GateRule, section: GateSection) -> GateRule:
    refuse = scope.findings.refuse
    for key in section.model_fields_set - _KEYS[default.name]:
        problem = f"`{key}` says nothing about the gate {default.name}"
        refuse((*path, key), problem, f"it has {', '.join(sorted(_KEYS[default.name]))}", key=True)
    if default.name is GateName.SHADOW and section.on_fail == "step_back":
        refuse((*path, "on_fail"), "nobody has the candidate yet to be taken from", "write hold or rollback")
    if section.margin is not None and not 0.005 <= section.margin < 1:
        remedy = "write it like 5%: how much worse is still as good"
        refuse((*path, "margin"), f"a margin of {section.margin * 100:g}% cannot be asked for", remedy)
    if section.ratio is not None and section.ratio <= 1:
        refuse((*path, "ratio"), "an equally good candidate would fail", "write a ratio above 1, as 2")
    if section.alpha is not None and section.alpha >= 0.5:
        refuse((*path, "alpha"), f"alpha {section.alpha:g} is a coin's", "write a number such as 0.05")
    return replace(
        default,
        on_fail=OnFail(section.on_fail) if section.on_fail is not None else default.on_fail,
        ratio=section.ratio if section.ratio is not None else default.ratio,
        margin=section.margin if section.margin is not None else default.margin,
        alpha=section.alpha if section.alpha is not None else default.alpha,
        require=Require(section.require) if section.require is not None else default.require,
        pass_mode=PassMode(section.pass_mode) if section.pass_mode is not None else default.pass_mode,
        is_strict=section.strict if section.strict is not None else default.is_strict,
    )
