"""Names that name nothing, and patterns that do not read: what is wrong across sections."""

from __future__ import annotations

from collections.abc import Iterable

import re2  # type: ignore[import-untyped]

from gateway.settings.document.route import RouteSection
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath


def check_pattern(scope: Scope, path: KeyPath, pattern: str) -> None:
    """Refuse what RE2 does not read."""
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "bad pattern"
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        remedy = "patterns are RE2: no look-around, no back-references"
        scope.findings.refuse(path, f"the pattern does not read: {reason}", remedy)


def check_document(scope: Scope) -> None:
    """Check the names of everything that is not in a route."""
    document, findings = scope.document, scope.findings
    if document.default_provider is not None and document.default_provider not in document.providers:
        findings.refuse_unknown(("default_provider",), "provider", document.default_provider, document.providers)
    for name, metric in document.metrics.items():
        at: KeyPath = ("metrics", name)
        if metric.source is not None and metric.source.judge not in document.routes:
            findings.refuse_unknown((*at, "source", "judge"), "route", metric.source.judge, document.routes)
    seen: set[str] = set()
    for index, client in enumerate(document.clients):
        if client.name in seen:
            findings.refuse(("clients", index, "name"), f"the client {client.name!r} is here twice", "rename one")
        seen.add(client.name)
        _check_each(scope, ("clients", index, "routes"), "route", client.routes or [], document.routes)


def check_route(scope: Scope, path: KeyPath, route: RouteSection) -> None:
    """Check the names that a route's own sections use."""
    document, variants = scope.document, route.variants
    for index, shadow in enumerate(route.shadows):
        at = (*path, "shadows", index)
        if shadow.variant not in variants:
            scope.findings.refuse_unknown((*at, "variant"), "variant", shadow.variant, variants)
        if shadow.judge is not None and shadow.judge.route not in document.routes:
            scope.findings.refuse_unknown((*at, "judge", "route"), "route", shadow.judge.route, document.routes)
    _check_each(scope, (*path, "fallback"), "variant", route.fallback, variants)
    _check_keys(scope, (*path, "price"), "variant", route.price, variants)


def _check_each(scope: Scope, path: KeyPath, kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    valid = list(known)
    for index, name in enumerate(names):
        if name not in valid:
            scope.findings.refuse_unknown((*path, index), kind, name, valid)


def _check_keys(scope: Scope, path: KeyPath, kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    valid = list(known)
    for name in names:
        if name not in valid:
            scope.findings.refuse_unknown((*path, name), kind, name, valid, key=True)
