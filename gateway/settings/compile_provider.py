"""From `providers` to providers: addresses, keys and headers, each fit to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.domain.provider import Auth, Provider, Retries, Timeouts
from gateway.settings.address import is_loopback
from gateway.settings.document.provider import ProviderSection, RetriesSection, TimeoutsSection
from gateway.settings.document.section import EnvironmentReference, FileReference
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
_OURS = frozenset(
    (
        "host",
        "content-length",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "proxy-connection",
        "proxy-authorization",
        "expect",
        "accept-encoding",
    )
)
_NEVER_FORWARDED = _OURS | frozenset({"authorization", "api-key", "x-api-key", "cookie"})
_ENDPOINTS = ("/chat/completions", "/responses", "/completions", "/embeddings")

HeaderValues = Mapping[str, str | EnvironmentReference | FileReference]


class Address(NamedTuple):
    """Where a provider is."""

    scheme: str
    host: str
    port: int
    base_path: str


def compile_providers(scope: Scope) -> dict[str, Provider]:
    """Give the providers that could be compiled, by name; the others left findings."""
    compiled = {}
    for name, section in scope.document.providers.items():
        provider = _compile(scope, name, section)
        if provider is not None:
            compiled[name] = provider
    return compiled


def compile_headers(scope: Scope, path: KeyPath, headers: HeaderValues) -> tuple[tuple[str, str], ...]:
    """Give names in lower case and values; bad ones are left out, with a finding."""
    compiled: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        at = (*path, name)
        if not lower or not set(lower) <= _TOKEN:
            scope.findings.refuse(at, "not the name of a header", "letters, digits and dashes", key=True)
        elif lower in _OURS:
            scope.findings.refuse(at, f"the gateway itself writes `{lower}`", "take it out", key=True)
        elif lower in compiled:
            scope.findings.refuse(at, f"the header `{lower}` is here twice", "keep one of them", key=True)
        elif (text := scope.read_reference(at, value)) is not None:
            compiled[lower] = text
    return tuple(compiled.items())


def parse_base_url(url: str) -> Address:
    """
    Give where a base URL points.

    Raises:
        ValueError: (problem, remedy); neither repeats the URL, which may hold a password.

    >>> parse_base_url("https://api.openai.com/v1/")
    Address(scheme='https', host='api.openai.com', port=443, base_path='/v1')
    """
    if not url.isprintable() or " " in url or not url.isascii():
        raise _refused(problem="the URL holds characters that no URL has", remedy="percent-encode or remove them")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused(problem="this is not a URL", remedy="write https://HOST/v1") from None
    host = (parts.hostname or "").rstrip(".")
    problem = _url_problem_of(parts.scheme, host, url, has_user="@" in parts.netloc, port=port)
    if problem is not None:
        raise ValueError(*problem)
    path = parts.path.rstrip("/")
    if any(step in {".", ".."} for step in path.replace("%2e", ".").replace("%2E", ".").split("/")) or "//" in path:
        raise _refused(problem="the path of the URL is not in its shortest form", remedy="take out //, . and ..")
    if ending := next((ending for ending in _ENDPOINTS if path.endswith(ending)), None):
        raise _refused(problem=f"the URL ends in {ending}, which is added to it", remedy="stop before it: …/v1")
    return Address(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)


def _refused(*, problem: str, remedy: str) -> ValueError:
    return ValueError(problem, remedy)


def _url_problem_of(scheme: str, host: str, url: str, *, has_user: bool, port: int | None) -> tuple[str, str] | None:
    if scheme not in {"http", "https"}:
        return "the URL is neither http nor https", "write https://HOST/v1"
    if has_user:
        return "the URL holds a user or a password", "use api_key_env, or headers with {env: NAME}"
    if not host or "%" in host or "_" in host[:1]:
        return "the URL names no host", "write https://HOST/v1"
    if "?" in url or "#" in url:
        return "the URL has a query or a fragment", "take it out; what a provider wants there goes into extra_body"
    if port == 0:
        return "the URL's port is 0", "1 to 65535"
    return None


def _compile(scope: Scope, name: str, section: ProviderSection) -> Provider | None:
    path: KeyPath = ("providers", name)
    try:
        address = parse_base_url(section.base_url)
    except ValueError as error:
        problem, remedy = error.args
        scope.findings.refuse((*path, "base_url"), problem, remedy)
        address = None
    auth = section.effective_auth
    _check_auth(scope, path, section)
    key = _read_key(scope, path, section) if auth is Auth.KEY else None
    headers = compile_headers(scope, (*path, "headers"), section.headers)
    if auth is not Auth.NONE and (taken := next((h for h, _ in headers if h == section.key_header), None)):
        scope.findings.refuse((*path, "headers"), f"`{taken}` carries the key already", "take it out of headers")
    forwarded = _compile_forwarded(scope, path, section)
    ca_file = _read_authorities(scope, path, section)
    if address is None:
        return None
    if key is not None and address.scheme == "http" and not is_loopback(address.host):
        scope.findings.warn((*path, "base_url"), "the key crosses the network unencrypted", "use https")
    return Provider(
        name=name,
        scheme=address.scheme,
        host=address.host,
        port=address.port,
        base_path=address.base_path,
        auth=auth,
        key=key,
        key_header=section.key_header,
        headers=headers,
        forward_headers=forwarded,
        timeouts=_timeouts_of(section.timeouts),
        retries=_retries_of(section.retries),
        max_connections=section.max_connections,
        keepalive_s=section.keepalive,
        inject_usage=section.usage,
        ca_file=ca_file,
    )


def _check_auth(scope: Scope, path: KeyPath, section: ProviderSection) -> None:
    refuse = scope.findings.refuse
    if section.auth == "key" and not section.has_key:
        refuse((*path, "auth"), "auth: key, but no key is given", "add api_key_env: NAME or api_key_file: path")
    if section.auth in {"client", "none"} and section.has_key:
        refuse((*path, "auth"), f"auth: {section.auth}, but a key is given too", "take out one of them")
    if section.auth == "client" and scope.document.clients:
        remedy = "give the provider a key of ours, or take out clients: they are told apart by their own keys"
        refuse((*path, "auth"), "auth: client cannot stand beside `clients`", remedy)
    if section.api_key_env is not None and section.api_key_file is not None:
        refuse((*path, "api_key_file"), "two places for one key", "keep api_key_env or api_key_file", key=True)


def _read_key(scope: Scope, path: KeyPath, section: ProviderSection) -> str | None:
    if section.api_key_env is not None:
        return scope.read_environment((*path, "api_key_env"), section.api_key_env, key_of=" to the provider's key")
    if section.api_key_file is not None:
        return scope.read_secret((*path, "api_key_file"), section.api_key_file)
    return None


def _compile_forwarded(scope: Scope, path: KeyPath, section: ProviderSection) -> frozenset[str]:
    for index, name in enumerate(section.forward_headers):
        at = (*path, "forward_headers", index)
        if not name or not set(name.lower()) <= _TOKEN:
            scope.findings.refuse(at, "not the name of a header", "letters, digits and dashes")
        elif name.lower() in _NEVER_FORWARDED:
            remedy = "take it out; `auth: client` passes a client's key on"
            scope.findings.refuse(at, f"`{name.lower()}` is never forwarded", remedy)
    return frozenset(name.lower() for name in section.forward_headers)


def _read_authorities(scope: Scope, path: KeyPath, section: ProviderSection) -> str | None:
    if section.ca_file is None:
        return None
    text = scope.read_text(path, FileReference(file=section.ca_file))
    if text is not None and "-----BEGIN CERTIFICATE-----" not in text:
        scope.findings.refuse((*path, "ca_file"), "no certificate is in this file", "write a PEM file's path")
    return str(scope.files.path_of(section.ca_file))


def _timeouts_of(section: TimeoutsSection) -> Timeouts:
    return Timeouts(section.connect, section.first_byte, section.idle, section.queue)


def _retries_of(section: RetriesSection) -> Retries:
    statuses = frozenset(cause for cause in section.on if isinstance(cause, int))
    return Retries(max=section.max, on_connect="connect" in section.on, on_status=statuses)
