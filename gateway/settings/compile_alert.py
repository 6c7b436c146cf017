"""From `alerts` to who is told about what."""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.domain.alert import AlertKind, AlertTarget
from gateway.settings.address import is_loopback
from gateway.settings.document.metrics import AlertSection
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath


def compile_alerts(scope: Scope) -> tuple[AlertTarget, ...]:
    """Give the webhooks in file order; those with something wrong in them are left out, with findings."""
    compiled = []
    for index, section in enumerate(scope.document.alerts):
        at: KeyPath = ("alerts", index)
        kinds = _kinds_of(scope, at, section)
        url = _url_of(scope, at, section)
        secret = None
        if section.secret_env is not None:
            secret = scope.read_environment((*at, "secret_env"), section.secret_env)
        if url is not None and kinds:
            compiled.append(AlertTarget(url, kinds, secret))
    return tuple(compiled)


def _kinds_of(scope: Scope, at: KeyPath, section: AlertSection) -> frozenset[AlertKind]:
    known = [str(kind) for kind in AlertKind]
    for index, name in enumerate(section.on):
        if name not in known:
            scope.findings.refuse_unknown((*at, "on", index), "kind of alert", name, known)
    return frozenset(AlertKind(name) for name in section.on if name in known)


def _url_of(scope: Scope, at: KeyPath, section: AlertSection) -> str | None:
    """Give the address; it is never repeated in a finding, for whoever knows it may post there."""
    if (section.webhook_env is None) == (section.webhook is None):
        problem = "one address is wanted" if section.webhook is not None else "no address is named"
        scope.findings.refuse(at, problem, "write webhook_env: NAME of the variable that holds the URL")
        return None
    if section.webhook_env is not None:
        path, url = (*at, "webhook_env"), scope.read_environment((*at, "webhook_env"), section.webhook_env)
    else:
        assert section.webhook is not None
        path, url = (*at, "webhook"), scope.read_reference((*at, "webhook"), section.webhook)
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        scope.findings.refuse(path, "this is not the URL of a webhook", "it begins with https://")
        return None
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        scope.findings.warn(path, "alerts cross the network unencrypted", "use an https URL")
    return url
