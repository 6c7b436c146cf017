"""From `metrics` to what feedback may say."""

from __future__ import annotations

from gateway.domain.metric import Metric, MetricKind
from gateway.settings.document.metrics import MetricSection
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath

MAX_SCORE = 1e9
"""Beyond it, sums of squares lose the digits that tell two arms apart."""

_ONLY_OF_SCORES = ("range", "good", "catastrophic")


def compile_metrics(scope: Scope) -> dict[str, Metric]:
    """Give the metrics by name; those with something wrong in them are left out, with findings."""
    compiled: dict[str, Metric] = {}
    for name, section in scope.document.metrics.items():
        n_before = scope.findings.n_refused
        kind = MetricKind(section.kind)
        at: KeyPath = ("metrics", name)
        if kind is MetricKind.SCORE:
            _check_score(scope, at, section)
        else:
            _check_other(scope, at, section)
        if section.attribution == 0:
            remedy = "write how long after the request it counts, as 4h, or leave it out"
            scope.findings.refuse((*at, "attribution"), "no feedback would count", remedy)
        if scope.findings.n_refused == n_before:
            compiled[name] = _metric_of(name, kind, section)
    return compiled


def _metric_of(name: str, kind: MetricKind, section: MetricSection) -> Metric:
    return Metric(
        name=name,
        kind=kind,
        role=section.role,
        attribution_s=section.attribution,
        range=section.range,
        good=section.good,
        catastrophic=section.catastrophic,
    )


def _check_score(scope: Scope, at: KeyPath, section: MetricSection) -> None:
    findings = scope.findings
    if section.range is None:
        findings.refuse(at, "a score needs a range", "add range: [lowest, highest], as [0, 1]", key=True)
        return
    low, high = section.range
    if low >= high:
        findings.refuse((*at, "range"), "the range does not rise", "write [lowest, highest]")
        return
    if max(abs(low), abs(high)) > MAX_SCORE:
        findings.refuse((*at, "range"), "the range is too wide", f"stay between {-MAX_SCORE:g} and {MAX_SCORE:g}")
    for key in ("good", "catastrophic"):
        line = getattr(section, key)
        if line is not None and not low <= line <= high:
            problem = f"{line:g} is outside the range"
            findings.refuse((*at, key), problem, f"write a score from {low:g} to {high:g}")
    if section.good is not None and section.catastrophic is not None and section.catastrophic >= section.good:
        problem = "what is catastrophic would be good too"
        findings.refuse((*at, "catastrophic"), problem, f"write a score below good, which is {section.good:g}")


def _check_other(scope: Scope, at: KeyPath, section: MetricSection) -> None:
    for key in _ONLY_OF_SCORES:
        if getattr(section, key) is not None:
            problem = f"{key} says nothing about a {section.kind} metric"
            scope.findings.refuse((*at, key), problem, "take it out, or write kind: score", key=True)
    if section.kind == "text" and section.source is not None:
        remedy = "write kind: score or binary, or take the source out"
        scope.findings.refuse((*at, "source"), "judges give scores, not words", remedy, key=True)
