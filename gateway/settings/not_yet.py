"""
What the file may say and nothing acts on yet.

What protects or divides traffic is refused: believing that it acts would be the accident. What only
watches or tells is accepted with a warning, so that a file can be written once.
"""

from __future__ import annotations

from gateway.settings.document.route import RouteSection
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath


def check_document(scope: Scope) -> None:
    """Say what of the top level does not act yet."""
    document, findings = scope.document, scope.findings
    if document.clients:
        remedy = "take it out, and let only trusted apps reach the public port meanwhile"
        findings.refuse(("clients",), "not yet: client keys are not checked", remedy, key=True)
    for name, metric in document.metrics.items():
        if metric.source is not None:
            remedy = "give it as feedback meanwhile"
            findings.warn(("metrics", name, "source"), "not yet: no judge fills it in", remedy, key=True)
    if document.alerts:
        findings.warn(("alerts",), "not yet: nobody is told", "watch the log meanwhile", key=True)


def check_route(scope: Scope, path: KeyPath, route: RouteSection) -> None:
    """Say what of a route does not act yet."""
    findings = scope.findings
    for key, meaning in (
        ("shadows", "no copies are sent"),
        ("flags", "flags are not served"),
    ):
        if getattr(route, key):
            findings.warn((*path, key), f"not yet: {meaning}", key=True)
    if "on_edit" in route.model_fields_set and route.on_edit != "allow":
        problem = "not yet: an edited variant is served at once"
        findings.warn((*path, "on_edit"), problem, "write the new content as a new variant, and split")
    for key, remedy in (("usd_per_day", "set the limit at the provider"), ("tokens_per_minute", "limit the apps")):
        if getattr(route.limits, key) is not None:
            at = (*path, "limits", key)
            findings.refuse(at, f"not yet: {key} would not limit anything", f"take it out, and {remedy}", key=True)
    _check_split(scope, (*path, "release", "split"), route)


def _check_split(scope: Scope, path: KeyPath, route: RouteSection) -> None:
    split = route.release.split
    if split is None:
        return
    if split.primary_metric is not None and split.primary_metric not in scope.document.metrics:
        metrics = scope.document.metrics
        scope.findings.refuse_unknown((*path, "primary_metric"), "metric", split.primary_metric, metrics)
    for key in ("primary_metric", "min_duration", "min_users", "stop_on_safety"):
        if key in split.model_fields_set:
            problem = "not yet: auto-stop is not built, and nobody watches this split"
            scope.findings.warn((*path, key), problem, "watch the error rate yourself", key=True)
