"""From `signals` to what is watched all the time: the article's six, each changed or switched off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gateway.domain.default_plan import ROLE_OF, SIGNALS, STEPS_BACK_TO, has_good, metric_of
from gateway.domain.rollout import Action, Signal, SignalKind
from gateway.settings.document.rollout import SignalSection, StepBackSection
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath

LEAST_RATIO = 1.1
"""Closer to 1 nothing is found within days: 2 % more of a 1 % rate takes millions of users."""

_ALWAYS = frozenset({"alpha", "action"})
_COUNTED = frozenset({"ratio", "floor", "min_failing_users", "window"}) | _ALWAYS
_KEYS: Mapping[SignalKind, frozenset[str]] = {
    SignalKind.ERRORS: _COUNTED,
    SignalKind.SAFETY: _COUNTED,
    SignalKind.DOWN_RATE: frozenset({"metric", "ratio", "window"}) | _ALWAYS,
    SignalKind.COMPLETION: frozenset({"metric", "drop", "window"}) | _ALWAYS,
    SignalKind.COST: frozenset({"ratio", "window"}) | _ALWAYS,
    SignalKind.LATENCY: frozenset({"ratio", "sustained", "ux_impacting"}) | _ALWAYS,
}


@dataclass(frozen=True, slots=True)
class _At:
    """Where one signal is compiled: the scope, its place, and the weights that its plan has."""

    scope: Scope
    path: KeyPath
    weights: frozenset[int]


def compile_signals(
    scope: Scope, path: KeyPath, written: Mapping[str, str | SignalSection], weights: Iterable[int]
) -> tuple[Signal, ...]:
    """
    Give the signals that are on.

    Args:
        scope: The compilation.
        path: Of the release's kind: `signals` stands below it.
        written: What the file says, by the signal's name.
        weights: Buckets of the plan's stages, where a step back may go to.
    """
    for name in written:
        if name not in SIGNALS:
            scope.findings.refuse_unknown((*path, "signals", name), "signal", name, SIGNALS, key=True)
    compiled, idle = [], []
    back = frozenset(weights) | frozenset(STEPS_BACK_TO)
    for name, default in SIGNALS.items():
        section = written.get(name)
        if isinstance(section, str):
            continue
        at = _At(scope, (*path, "signals", name), back)
        signal = default if section is None else _changed(at, default, section)
        if default.kind in ROLE_OF:
            signal = replace(signal, metric=_metric_of(at, signal, section))
            if signal.metric is None:
                idle.append(name)
                continue
        compiled.append(signal)
    if idle:
        _warn_idle(scope, path, idle)
    return tuple(compiled)


def _changed(at: _At, default: Signal, section: SignalSection) -> Signal:
    """Give the default with what is written over it; what makes no sense leaves findings."""
    for key in section.model_fields_set - _KEYS[default.kind]:
        problem = f"`{key}` says nothing about {default.name}"
        remedy = f"it has {', '.join(sorted(_KEYS[default.kind]))}"
        at.scope.findings.refuse((*at.path, key), problem, remedy, key=True)
    window_s = section.sustained if default.kind is SignalKind.LATENCY else section.window
    if window_s == 0:
        key = "sustained" if default.kind is SignalKind.LATENCY else "window"
        at.scope.findings.refuse((*at.path, key), "nothing is seen in no time", "write how long, as 15m")
    action, step_back_to = _action_of(at, default, section)
    return replace(
        default,
        action=action,
        step_back_to=step_back_to,
        ratio=_ratio_of(at, default, section),
        alpha=section.alpha if section.alpha is not None else default.alpha,
        floor=_floor_of(at, default, section),
        min_failing_users=section.min_failing_users or default.min_failing_users,
        window_s=window_s if window_s is not None else default.window_s,
    )


def _ratio_of(at: _At, default: Signal, section: SignalSection) -> float:
    refuse = at.scope.findings.refuse
    if default.kind is SignalKind.COMPLETION:
        if section.drop is None:
            return default.ratio
        if not 0.01 <= section.drop < 1:
            refuse((*at.path, "drop"), f"{section.drop:.4g} below is no drop that is seen", "write it like 10%")
        return 1 - section.drop
    if section.ratio is None:
        return default.ratio
    if section.ratio < LEAST_RATIO:
        remedy = "write ratio: 2 for twice as much"
        if default.kind is SignalKind.SAFETY:
            remedy += "; a difference in points is a split's stop_on_safety: 2pp"
        refuse((*at.path, "ratio"), f"{section.ratio:g} times the baseline takes millions of users to see", remedy)
    return section.ratio


def _floor_of(at: _At, default: Signal, section: SignalSection) -> float:
    if section.floor is None:
        return default.floor
    if section.floor >= 1:
        at.scope.findings.refuse((*at.path, "floor"), "no rate is above this floor", "write it like 0.2%")
    return section.floor


def _action_of(at: _At, default: Signal, section: SignalSection) -> tuple[Action, int | None]:
    written = section.action
    if isinstance(written, StepBackSection):
        if written.step_back not in at.weights:
            shown = ", ".join(f"{weight / 100:g}%" for weight in sorted(at.weights) if 0 < weight < 10_000)
            problem = f"{written.step_back / 100:g}% is no share to step back to"
            at.scope.findings.refuse((*at.path, "action", "step_back"), problem, f"write one of {shown}")
        return Action.STEP_BACK, written.step_back
    if written is not None:
        return Action(written), None
    if default.kind is SignalKind.LATENCY and section.ux_impacting is False:
        return Action.ALERT, None
    return default.action, default.step_back_to


def _metric_of(at: _At, signal: Signal, section: SignalSection | None) -> str | None:
    """Give the metric that it watches; None, with a finding where one is written, when there is none."""
    if section is None or section.metric is None:
        return metric_of(signal.kind, at.scope.metrics)
    name, path = section.metric, (*at.path, "metric")
    if name not in at.scope.document.metrics:
        at.scope.findings.refuse_unknown(path, "metric", name, at.scope.document.metrics)
        return None
    metric = at.scope.metrics.get(name)
    if metric is not None and not has_good(metric):
        problem = f"no value of {name!r} is good or bad"
        at.scope.findings.refuse(path, problem, "give that metric `good`, or name a binary one")
    return name


def _warn_idle(scope: Scope, path: KeyPath, idle: list[str]) -> None:
    """Say once which signals have nothing to watch."""
    roles = " and ".join(f"role: {ROLE_OF[SIGNALS[name].kind]}" for name in idle)
    problem = f"{' and '.join(idle)} {'watches' if len(idle) == 1 else 'watch'} nothing: no metric has {roles}"
    off = ", ".join(f"{name}: off" for name in idle)
    scope.findings.warn(path, problem, f"give a metric that role, or write signals: {{{off}}}", key=True)
