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


def check_route(scope: Scope, path: KeyPath, route: RouteSection) -> None:
    """Say what of a route does not act yet."""
    findings = scope.findings
    for key, remedy in (("usd_per_day", "set the limit at the provider"), ("tokens_per_minute", "limit the apps")):
        if getattr(route.limits, key) is not None:
            at = (*path, "limits", key)
            findings.refuse(at, f"not yet: {key} would not limit anything", f"take it out, and {remedy}", key=True)
