"""Tests for gateway.wire.headers."""

import pytest

from gateway.wire.headers import (
    CREDENTIALS,
    FORWARDED,
    PASSED_THROUGH,
    encode_head,
    encode_headers,
    has_only_safe_bytes,
    request_headers,
    response_headers,
    response_lines,
)


def test_only_listed_travel() -> None:
    """Of a client's headers only those on the list go on, in order, doubles included."""
    sent = [(b"accept", b"a"), (b"cookie", b"c"), (b"baggage", b"1"), (b"x-user-id", b"u"), (b"baggage", b"2")]
    assert request_headers(sent, FORWARDED) == [(b"accept", b"a"), (b"baggage", b"1"), (b"baggage", b"2")]


@pytest.mark.parametrize("allowed", [FORWARDED, PASSED_THROUGH], ids=["rewritten", "passed"])
@pytest.mark.parametrize(
    "name",
    [
        *sorted(CREDENTIALS),
        *(b"connection", b"content-length", b"cookie", b"expect", b"host", b"http2-settings", b"keep-alive"),
        *(b"proxy-authorization", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"via", b"x-forwarded-for"),
        *(b"x-sluice-force-variant", b"x-sluice-user"),
    ],
)
def test_never_travels(name: bytes, allowed: frozenset[bytes]) -> None:
    """Keys, cookies, hop-by-hop headers and our own are on no list."""
    assert request_headers([(name, b"x")], allowed) == []


@pytest.mark.parametrize(
    "name",
    [
        *(b"alt-svc", b"connection", b"content-length", b"keep-alive", b"proxy-authenticate", b"set-cookie"),
        *(b"strict-transport-security", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"x-sluice-variant", b"x-sluice-request-id", b"x-sluice-anything"),
    ],
)
def test_never_comes_back(name: bytes) -> None:
    """Framing, hop-by-hop headers, cookies and forged headers of ours do not reach clients."""
    assert response_headers([(name, b"x"), (b"x-request-id", b"r")], None) == [(b"x-request-id", b"r")]


def test_useful_ones_come_back() -> None:
    """What clients act on passes unchanged."""
    kept = [
        (b"retry-after", b"1"),
        (b"x-should-retry", b"false"),
        (b"x-ratelimit-remaining-requests", b"0"),
        (b"content-encoding", b"gzip"),
    ]
    assert response_headers(kept, b"keep-alive") == kept


@pytest.mark.parametrize("order", [1, -1], ids=["named first", "named last"])
def test_nominated_stay(order: int) -> None:
    """What `connection` names is hop-by-hop, in any order and case."""
    headers = [(b"connection", b"close, X-Hop ,x-other"), (b"x-hop", b"1"), (b"x-other", b"2"), (b"x-end", b"3")]
    assert response_headers(headers[::order], b"close, X-Hop ,x-other") == [(b"x-end", b"3")]


def test_head_is_encoded() -> None:
    """A head has its first line, its headers and a blank line."""
    assert encode_head(b"GET / HTTP/1.1", [(b"a", b"1"), (b"b", b"")]) == b"GET / HTTP/1.1\r\na: 1\r\nb: \r\n\r\n"
    assert encode_headers([]) == b""


@pytest.mark.parametrize(
    ("value", "is_safe"),
    [("plain text", True), ("caf\xe9", True), ("a\r\nb", False), ("a\0b", False), ("a\x7f", False), ("€", False)],
)
def test_safe_values(value: str, is_safe: bool) -> None:
    """A configured value is one that can be sent: latin-1 without control characters."""
    assert has_only_safe_bytes(value) is is_safe


def test_lines_that_travel() -> None:
    """Of an answer that came as lines the same go on as of one that came as pairs."""
    pairs = [(b"content-type", b"a"), (b"set-cookie", b"b"), (b"x-sluice-arm", b"c"), (b"date", b"d")]
    lines = [b"Content-Type: a", b"Set-Cookie: b", b"X-Sluice-Arm: c", b"Date: d"]
    kept = response_lines(dict(pairs), lines)
    assert kept == [b"Content-Type: a", b"Date: d"]
    assert [line.partition(b": ")[0].lower() for line in kept] == [name for name, _ in response_headers(pairs, None)]
