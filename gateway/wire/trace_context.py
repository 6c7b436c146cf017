"""
W3C Trace Context: who called, and what the provider is told about who calls.

Strict where the standard is: a `traceparent` that is not exactly right is as if none had come, and
its `tracestate` with it. Later versions are read as far as this one goes.

Source: https://www.w3.org/TR/trace-context/ (2021-11-23), sections 3.2 and 3.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

CONTEXT_HEADERS = frozenset({b"traceparent", b"tracestate"})
"""What is replaced in a request that is part of a trace of ours."""

MAX_STATE_MEMBERS = 32
"""More make the whole `tracestate` invalid."""

MAX_STATE_BYTES = 8_192
"""The standard asks for 512 at least; a longer one is left out rather than cut in the middle."""

_SAMPLED = 1
_PARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL
)
_KEY = re.compile(rb"[a-z0-9][a-z0-9_\-*/@]{0,255}")
_VALUE = re.compile(rb"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")

Headers = Iterable[tuple[bytes, bytes]]


class TraceParent(NamedTuple):
    """
    The caller's span.

    Attributes:
        trace_id: 32 hex digits, not all zero.
        span_id: 16 hex digits, not all zero.
        is_sampled: Whether the caller records its own span.
    """

    trace_id: str
    span_id: str
    is_sampled: bool


def parse_traceparent(raw: bytes) -> TraceParent | None:
    """
    Give the caller's span, or None where the header is not valid.

    >>> parse_traceparent(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    TraceParent(trace_id='0af7651916cd43dd8448eb211c80319c', span_id='b7ad6b7169203331', is_sampled=True)
    >>> parse_traceparent(b"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01") is None
    True
    """
    match = _PARENT.fullmatch(raw)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if more is not None and version == b"00":
        return None
    return TraceParent(trace_id.decode(), span_id.decode(), bool(int(flags, 16) & _SAMPLED))


def is_unsampled(raw: bytes) -> bool:
    """
    Say whether a valid `traceparent` of this version plainly asks for nothing to be recorded.

    What `parse_traceparent` would say, without making anything: most requests of a sampled fleet end here.

    >>> is_unsampled(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
    True
    """
    return raw[53:] == b"00" and _PARENT.fullmatch(raw) is not None


def parse_tracestate(values: Iterable[bytes]) -> str:
    """
    Give the `tracestate` of all its headers as one, or "" where it is not valid.

    Empty members are dropped, which the standard allows; the order is kept, which it demands.

    >>> parse_tracestate([b"rojo=00f067aa, ,congo=t61", b"a@b=c"])
    'rojo=00f067aa,congo=t61,a@b=c'
    """
    members = [member for value in values for part in value.split(b",") if (member := part.strip(b" \t"))]
    keys = {member.partition(b"=")[0] for member in members}
    if len(members) > MAX_STATE_MEMBERS or len(keys) < len(members) or not all(map(_is_member, members)):
        return ""
    joined = b",".join(members)
    return joined.decode() if len(joined) <= MAX_STATE_BYTES else ""


def _is_member(member: bytes) -> bool:
    key, _, value = member.partition(b"=")
    return _KEY.fullmatch(key) is not None and _VALUE.fullmatch(value) is not None


def render_traceparent(trace_id: str, span_id: str, *, is_sampled: bool = True) -> bytes:
    """
    Give the header's value, as version 00.

    >>> render_traceparent("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    b'00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    """
    return f"00-{trace_id}-{span_id}-0{is_sampled:d}".encode()


def without_context(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Give the headers (names in lower case) without the client's trace context."""
    return [pair for pair in headers if pair[0] not in CONTEXT_HEADERS]


def put_context(head: bytes, traceparent: bytes, tracestate: str = "") -> bytes:
    r"""
    Give a request's head, blank line included, with a trace context as its last headers.

    The head must hold none yet: see `without_context`.

    >>> put_context(b"POST / HTTP/1.1\r\nhost: a\r\n\r\n", b"00-1-2-01", "a=b")
    b'POST / HTTP/1.1\r\nhost: a\r\ntraceparent: 00-1-2-01\r\ntracestate: a=b\r\n\r\n'
    """
    state = b"tracestate: %b\r\n" % tracestate.encode() if tracestate else b""
    return b"%btraceparent: %b\r\n%b\r\n" % (head[:-2], traceparent, state)
