"""Which headers travel: to providers only those on a list, to clients all but those that must not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Headers = Sequence[tuple[bytes, bytes]]

FORWARDED = frozenset(
    {
        b"accept",
        b"accept-language",
        b"anthropic-beta",
        b"anthropic-version",
        b"baggage",
        b"content-type",
        b"http-referer",
        b"idempotency-key",
        b"openai-beta",
        b"openai-organization",
        b"openai-project",
        b"traceparent",
        b"tracestate",
        b"user-agent",
        b"x-client-request-id",
        b"x-title",
    }
)
"""What a provider may see of a request that we rewrite. A list of what may, not of what may not: a
company's own headers (cookies, internal tokens, user ids) are nobody's business but its own."""

FORWARDED_PREFIX = b"x-stainless-"
"""The official SDKs' telemetry about themselves."""

PASSED_THROUGH = FORWARDED | {
    b"accept-encoding",
    b"content-disposition",
    b"content-encoding",
    b"content-md5",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"range",
}
"""What a provider may see of a request that passes through untouched."""

CREDENTIALS = frozenset({b"authorization", b"api-key", b"x-api-key"})
"""Where clients put keys; they travel only to providers with `auth: client`."""

_KEPT_BACK = frozenset(
    {
        b"alt-svc",
        b"connection",
        b"content-length",
        b"keep-alive",
        b"nel",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"report-to",
        b"set-cookie",
        b"strict-transport-security",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Hop-by-hop, and what speaks of the provider's host: its cookies would be shared by all our users."""


def request_headers(headers: Headers, allowed: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    """Give the client's headers that go to a provider: those in `allowed`, and the SDKs' own."""
    return [pair for pair in headers if pair[0] in allowed or pair[0].startswith(FORWARDED_PREFIX)]


def response_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    """
    Give the provider's headers that go to the client.

    Hop-by-hop ones stay here, also those that `connection` names, and nobody but us says `x-sluice-`.
    """
    nominated = _nominated(headers)
    return [
        (name, value)
        for name, value in headers
        if name not in _KEPT_BACK and name not in nominated and not name.startswith(b"x-sluice-")
    ]


def encode_head(first_line: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Give a message head, its blank line included."""
    lines = [first_line]
    lines += [name + b": " + value for name, value in headers]
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def has_only_safe_bytes(value: str) -> bool:
    """Say whether a configured header value can be sent: printable latin-1, no line breaks."""
    return all(32 <= ord(char) < 127 or 160 <= ord(char) < 256 for char in value)


def _nominated(headers: Headers) -> frozenset[bytes]:
    tokens = [value for name, value in headers if name == b"connection"]
    if not tokens:
        return frozenset()
    return frozenset(token.strip().lower() for token in b",".join(tokens).split(b","))
