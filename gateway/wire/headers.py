"""Which headers travel: to providers only those on a list, to clients all but those that must not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from operator import itemgetter

from gateway.domain.provider import Auth, Provider

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
        # The official SDKs about themselves, by name: testing twelve headers for a prefix costs 2 µs a request.
        b"x-stainless-arch",
        b"x-stainless-async",
        b"x-stainless-custom-poll-interval",
        b"x-stainless-helper-method",
        b"x-stainless-lang",
        b"x-stainless-os",
        b"x-stainless-package-version",
        b"x-stainless-poll-helper",
        b"x-stainless-raw-response",
        b"x-stainless-read-timeout",
        b"x-stainless-retry-count",
        b"x-stainless-runtime",
        b"x-stainless-runtime-version",
        b"x-stainless-stream-helper",
        b"x-stainless-timeout",
    }
)
"""What a provider may see of a request that we rewrite. A list of what may, not of what may not: a
company's own headers (cookies, internal tokens, user ids) are nobody's business but its own."""

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


_MAX_KEPT_NAMES = 1_000
_COLON = b": "
_name_of = itemgetter(0)
_PLAIN_CONNECTION = frozenset({b"keep-alive", b"close"})


def request_headers(headers: Headers, allowed: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    """Give the client's headers that go to a provider: those in `allowed`."""
    # By C alone, here and below: loops over all headers were a tenth of a request's bytecode.
    return list(compress(headers, map(allowed.__contains__, map(_name_of, headers))))


def response_headers(headers: Headers, connection: bytes | None) -> list[tuple[bytes, bytes]]:
    """
    Give the provider's headers that go to the client.

    Hop-by-hop ones stay here, also those that the `connection` header (joined, or None) names, and
    nobody but us says `x-sluice-`.
    """
    kept = list(compress(headers, map(_travels.__getitem__, map(_name_of, headers))))
    if connection is None or connection.lower() in _PLAIN_CONNECTION:
        return kept
    nominated = {token.strip().lower() for token in connection.split(b",")}
    return [pair for pair in kept if pair[0] not in nominated]


def response_lines(first: Mapping[bytes, bytes], lines: Sequence[bytes]) -> list[bytes]:
    """
    Give the same of an answer whose every header is one line as it came, and whose `connection` names none.

    Args:
        first: Values by lower-case name, in order.
        lines: One for each.
    """
    return list(compress(lines, map(_travels.__getitem__, first)))


class _Travelling(dict[bytes, bool]):
    """Says whether a provider's header goes to the client. Kept: providers send a handful of names."""

    def __missing__(self, name: bytes) -> bool:
        travels = name not in _KEPT_BACK and not name.startswith(b"x-sluice-")
        if len(self) < _MAX_KEPT_NAMES:
            self[name] = travels
        return travels


_travels = _Travelling()


def fixed_headers(provider: Provider) -> list[tuple[bytes, bytes]]:
    """Give the headers that every request to a provider has: its name, our key where it takes ours, and its own."""
    headers = [(b"host", provider.authority.encode())]
    if provider.auth is Auth.KEY and provider.key is not None:
        name = provider.key_header
        value = f"Bearer {provider.key}" if name == "authorization" else provider.key
        headers.append((name.encode(), value.encode("latin-1")))
    headers += [(name.encode(), value.encode("latin-1")) for name, value in provider.headers]
    return headers


def encode_headers(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Give header lines, each with its line end."""
    lines = b"\r\n".join(map(_COLON.join, headers))
    return lines + b"\r\n" if lines else b""


def encode_head(first_line: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Give a message head, its blank line included."""
    return b"%b\r\n%b\r\n" % (first_line, encode_headers(headers))


def has_only_safe_bytes(value: str) -> bool:
    """Say whether a configured header value can be sent: printable latin-1, no line breaks."""
    return all(32 <= ord(char) < 127 or 160 <= ord(char) < 256 for char in value)
