"""One small chat request per variant, to see what its provider refuses before users do."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.domain.provider import Auth, Provider
from gateway.domain.table import TableHead
from gateway.domain.variant import Api, Variant
from gateway.settings.compile import Compiled
from gateway.wire.body import parse_fields
from gateway.wire.rewrite import rewrite_body
from gateway.wire.view import BodyView

TIMEOUT_S = 10.0
MAX_TOKENS = 16
_MAX_ANSWER_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Probe:
    """
    What one provider said to one variant.

    Attributes:
        route: Route name.
        variant: Variant name.
        is_fine: Whether it answered with a 2xx, or there was nothing to ask with.
        said: Status, code, param and message; never a key.
    """

    route: str
    variant: str
    is_fine: bool
    said: str

    def __str__(self) -> str:
        """Give one line."""
        return f"{'ok     ' if self.is_fine else 'refused'}  {self.route}/{self.variant}: {self.said}"

    def plain(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return {"route": self.route, "variant": self.variant, "is_fine": self.is_fine, "said": self.said}


def probe_variants(compiled: Compiled) -> list[Probe]:
    """Ask each variant's provider once, one after the other."""
    return list(_probes(compiled))


def _probes(compiled: Compiled) -> Iterator[Probe]:
    for route in compiled.routes:
        for variant in route.variants.values():
            provider = compiled.head.providers[variant.provider]
            if provider.auth is Auth.CLIENT:
                yield Probe(route.name, variant.name, True, "not asked: it is called with the client's own key")
                continue
            is_fine, said = _ask(compiled.head, route.name, variant, provider)
            secrets = [provider.key or "", *(value for _, value in (*provider.headers, *variant.headers))]
            for secret in secrets:
                said = said.replace(secret, "…") if len(secret) >= 8 else said
            yield Probe(route.name, variant.name, is_fine, said)


def _ask(head: TableHead, route: str, variant: Variant, provider: Provider) -> tuple[bool, str]:
    body: dict[str, Any] = {"model": route, "messages": [{"role": "user", "content": "Say ok."}]}
    # Newer models refuse max_tokens, older ones the other; a variant that sets one has said which.
    paths = {path for path, _ in variant.rewrites[Api.CHAT].set}
    if ("max_tokens",) not in paths and ("max_completion_tokens",) not in paths:
        body["max_completion_tokens" if _is_openai(provider) else "max_tokens"] = MAX_TOKENS
    raw = orjson.dumps(body)
    fields = parse_fields(raw)
    view = BodyView(Api.CHAT, {}, fields)
    sent = rewrite_body(Api.CHAT, raw, fields, variant.rewrites[Api.CHAT], view, {}, inject_usage=False)
    try:
        status, answer = _post(provider, variant, sent)
    except (OSError, http.client.HTTPException) as error:
        return False, f"no answer from {provider.authority}: {str(error) or type(error).__name__}"
    return 200 <= status < 300, _words_of(status, answer)


def _is_openai(provider: Provider) -> bool:
    return provider.host.endswith("openai.com")


def _post(provider: Provider, variant: Variant, body: bytes) -> tuple[int, bytes]:
    headers = dict(provider.headers) | dict(variant.headers)
    headers["content-type"] = "application/json"
    if provider.key is not None:
        bare = provider.key_header != "authorization"
        headers[provider.key_header] = provider.key if bare else f"Bearer {provider.key}"
    connection: http.client.HTTPConnection
    if provider.scheme == "https":
        context = ssl.create_default_context(cafile=provider.ca_file)
        connection = http.client.HTTPSConnection(provider.host, provider.port, timeout=TIMEOUT_S, context=context)
    else:
        connection = http.client.HTTPConnection(provider.host, provider.port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", f"{provider.base_path}{Api.CHAT}", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(_MAX_ANSWER_BYTES)
    finally:
        connection.close()


def _words_of(status: int, answer: bytes) -> str:
    if 200 <= status < 300:
        return f"{status}"
    try:
        decoded = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return f"{status}, and no JSON"
    # Gemini's compatibility layer answers with a list of one.
    first = decoded[0] if isinstance(decoded, list) and decoded else decoded
    error = first.get("error") if isinstance(first, dict) else None
    if not isinstance(error, dict):
        return f"{status}, without an error object"
    named = [f"{key} {error[key]}" for key in ("code", "param") if error.get(key) is not None]
    return ", ".join([str(status), *named, str(error.get("message", ""))[:300]])
