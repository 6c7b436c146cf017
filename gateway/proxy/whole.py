"""
Messages that arrive whole in one read, read by their lines.

Nearly every unary request and answer is one read, and its head is lines of `Name: value`. On the long
way (`edge`, `upstream.connection`) a parser calls a method for every header, which is a fifth of a
request's cost. Here the head is split, and each name is looked up among those seen before.

A message comes out only where that is beyond doubt: HTTP/1.1, printable ASCII, begun and ended within
these bytes as its length or its chunks say, nothing behind it, no header twice or folded,
nothing that asks for special treatment. Anything else is None and goes the long way from the same
bytes; so what is accepted and what is refused is decided there and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import msgspec

from gateway.errors import GatewayError
from gateway.proxy.exchange import ClientRequest
from gateway.wire.target import split_target

MAX_BYTES = 64 * 1024
"""Of a message that is tried; a longer one rarely comes in one read."""

MAX_HEADERS = 100

MAX_NAMES = 1_000
"""Spellings of header names that are remembered; further ones are checked each time."""

_END = b"\r\n\r\n"
_BREAKS = tuple(b"\r\n" * count for count in range(MAX_HEADERS + 1))
_PRINTABLE = bytes(range(32, 127))
_HEX = b"0123456789abcdefABCDEF"
_MAX_HEX_DIGITS = 8
_ENDS = (b"}", b"}\n", b"0\r\n\r\n")
"""Of JSON, plain or chunked: what ends otherwise is hardly whole."""

_is_token = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_match_post = re.compile(rb"POST (/[A-Za-z0-9/._~!$&'()*+,;=:@%?-]*) HTTP/1\.1").fullmatch
_STATUSES = {b"HTTP/1.1 %d" % status: status for status in range(200, 600) if status not in (204, 304)}
_REQUEST_SPECIAL = frozenset({b"expect", b"te", b"trailer", b"transfer-encoding", b"upgrade"})
_RESPONSE_SPECIAL = frozenset({b"trailer", b"upgrade"})


class _Names(dict[bytes, bytes]):
    """Lower-case header names by how they are spelt; what is no name raises KeyError."""

    def __missing__(self, spelt: bytes) -> bytes:
        if not _is_token(spelt):
            raise KeyError(spelt)
        name = spelt.lower()
        if len(self) < MAX_NAMES:
            self[spelt] = name
        return name


class _Opening(NamedTuple):
    """
    How heads begin lately: as far as two in a row were the same.

    Attributes:
        raw: First line and some headers, line ends included.
        first_line: Without its line end.
        first: Those headers by lower-case name, in order.
        lines: The same as they came.
    """

    raw: bytes
    first_line: bytes
    first: dict[bytes, bytes]
    lines: list[bytes]


_NO_OPENING = _Opening(b"\n", b"", {}, [])


class _Heads:
    """
    Reads heads; one for all messages that a worker or a pool gets.

    Most of a head is what the last one had: a client sends a dozen headers that never change, and a provider under
    load answers often within one second. What two heads in a row have in common is compared as a whole.
    """

    __slots__ = ("_last", "_names", "_opening")

    def __init__(self) -> None:
        self._names = _Names()
        self._opening = _NO_OPENING
        self._last: list[bytes] = []

    def read(self, data: bytes) -> tuple[bytes, dict[bytes, bytes], list[bytes], int] | None:
        """Give first line, headers by name and by line, and where the body begins; None where in doubt."""
        raw, first_line, first, lines = self._opening
        if not data.startswith(raw):
            return self._read_anew(data)
        start = len(raw)
        end = data.find(_END, start - 2)
        first = first.copy()
        more = self._add(first, data[start:end]) if end > start else []
        if end < 0 or more is None:
            return None
        lines = lines + more
        return (first_line, first, lines, end + 4) if len(first) == len(lines) <= MAX_HEADERS else None

    def _read_anew(self, data: bytes) -> tuple[bytes, dict[bytes, bytes], list[bytes], int] | None:
        end = data.find(_END)
        first_line, _, rest = data[: max(end, 0)].partition(b"\r\n")
        first: dict[bytes, bytes] = {}
        lines = self._add(first, rest)
        if lines is None or first_line.translate(None, _PRINTABLE) or len(first) != len(lines):
            return None
        self._learn(first_line, first, lines)
        return first_line, first, lines, end + 4

    def _add(self, first: dict[bytes, bytes], head: bytes) -> list[bytes] | None:
        """Add the headers of a part of a head, and give its lines; None where in doubt."""
        lines = head.split(b"\r\n")
        n_breaks = len(lines) - 1
        if n_breaks >= MAX_HEADERS or head.translate(None, _PRINTABLE) != _BREAKS[n_breaks]:
            return None
        names = self._names
        try:
            for line in lines:
                name, value = line.split(b": ", 1)
                first[names[name]] = value.lstrip(b" ")  # As the parser does, which leaves spaces at the end.
        except (KeyError, ValueError):
            return None
        return lines

    def _learn(self, first_line: bytes, first: dict[bytes, bytes], lines: list[bytes]) -> None:
        last, self._last = self._last, [first_line, *lines]
        n_same = 0
        for line, before in zip(self._last, last, strict=False):
            if line != before:
                break
            n_same += 1
        if n_same > 1:
            same = self._last[:n_same]
            raw = b"\r\n".join([*same, b""])
            self._opening = _Opening(raw, first_line, dict(islice(first.items(), n_same - 1)), same[1:])


class WholeRequests(_Heads):
    """Reads requests that are one read each; one for all connections of a worker."""

    __slots__ = ()

    def parse(self, data: bytes, *, is_loopback: bool) -> ClientRequest | None:
        """
        Give the request that `data` is, or None.

        Args:
            data: What one read brought, at the beginning of a message.
            is_loopback: Of the client.
        """
        if len(data) > MAX_BYTES or (head := self.read(data)) is None:
            return None
        first_line, first, lines, start = head
        target = _target_of(first_line)
        body = data[start:]
        if target is None or first.get(b"content-length") != b"%d" % len(body):
            return None
        if b"host" not in first or not _REQUEST_SPECIAL.isdisjoint(first) or not _stays_open(first):
            return None
        path, query = target
        headers = list(first.items())
        return ClientRequest(
            b"POST", path, query, headers, first, body, None, len(body), is_loopback=is_loopback, lines=lines
        )


class WholeResponse(msgspec.Struct, gc=False):
    """
    A provider's answer.

    Attributes:
        status: HTTP status, 200 to 599.
        first: Values by lower-case name, each there once, in order.
        lines: The same as they came, `Name: value`.
        body: All of it.
    """

    status: int
    first: Mapping[bytes, bytes]
    lines: list[bytes]
    body: bytes


class WholeResponses(_Heads):
    """Reads answers that are one read each; one for all connections to a provider."""

    __slots__ = ()

    def parse(self, data: bytes) -> WholeResponse | None:
        """
        Give the answer that `data` is, or None; never an informational one, nor one that has no body.

        Args:
            data: What one read brought, at the beginning of a message.
        """
        if not data.endswith(_ENDS) or len(data) > MAX_BYTES or (head := self.read(data)) is None:
            return None
        first_line, first, lines, start = head
        status = _STATUSES.get(first_line[:12])
        if status is None or first_line[12:13] not in b" ":
            return None
        body = _body_of(data, start, first)
        if body is None or not _RESPONSE_SPECIAL.isdisjoint(first) or not _stays_open(first):
            return None
        return WholeResponse(status, first, lines, body)


@lru_cache(maxsize=1024)
def _target_of(first_line: bytes) -> tuple[bytes, bytes] | None:
    """Give path and query of a plain POST; None for what has to be looked at more closely."""
    matched = _match_post(first_line)
    if matched is None:
        return None
    try:
        return split_target(matched[1])
    except GatewayError:
        return None


def _body_of(data: bytes, start: int, first: Mapping[bytes, bytes]) -> bytes | None:
    """Give the body that begins at `start`; None where its end is not the end of `data`."""
    coding, length = first.get(b"transfer-encoding"), first.get(b"content-length")
    if coding is not None:
        return _join_chunks(data, start) if coding == b"chunked" and length is None else None
    body = data[start:]
    return body if length == b"%d" % len(body) else None


def _join_chunks(data: bytes, start: int) -> bytes | None:
    """Give the body of these chunks; None where one has an extension or trailers follow."""
    pieces: list[bytes] = []
    while True:
        end = data.find(b"\r\n", start, start + _MAX_HEX_DIGITS + 2)
        digits = data[start:end]
        if end < 0 or not digits or digits.strip(_HEX):
            return None
        start, size = end + 2, int(digits, 16)
        end = start + size
        if data[end : end + 2] != b"\r\n":
            return None
        if not size:
            return b"".join(pieces) if end + 2 == len(data) else None
        pieces.append(data[start:end])
        start = end + 2


def _stays_open(first: Mapping[bytes, bytes]) -> bool:
    return b"connection" not in first or first[b"connection"].lower() == b"keep-alive"
