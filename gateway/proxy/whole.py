"""
Messages that arrive whole in one read, parsed without a single call back into Python.

Nearly every unary request and answer is one read. On the long way (`edge`, `upstream.connection`) the
parser calls a method for every header, which is a sixth of a request's cost. Here all that it calls
is C: `list.append`, `dict.setdefault`, `list.pop`; Python looks at the result once.

A message comes out only where that result is beyond doubt: HTTP/1.1, begun and ended within these
bytes, nothing behind it, no header twice or folded, nothing that asks for special treatment. Anything
else is None, has had no effect, and goes the long way from the same bytes; so what is accepted and
what is refused is decided there and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import httptools

from gateway.errors import GatewayError
from gateway.proxy.exchange import ClientRequest
from gateway.wire.target import split_target

MAX_BYTES = 64 * 1024
"""Of a message that is tried; a longer one rarely comes in one read."""

MAX_HEADERS = 100

_TWO = (0, 0)
_lower = bytes.lower
_ENDS = (b"}", b"}\n", b"0\r\n\r\n")
"""Of JSON, plain or chunked: what ends otherwise is hardly whole."""

_REQUEST_SPECIAL = frozenset({b"expect", b"te", b"trailer", b"transfer-encoding", b"upgrade"})
_RESPONSE_SPECIAL = frozenset({b"trailer", b"upgrade"})


class _Catch:
    """
    What the parser calls, and what that leaves behind.

    `marks` holds two elements; the parser pops one when a message begins and one when it ends. A
    second message in the same bytes makes the pop fail, and with it the parse.
    """

    def __init__(self) -> None:
        self.targets: list[bytes] = []
        self.headers: dict[bytes, bytes] = {}
        self.pieces: list[bytes] = []
        self.marks = [0, 0]
        self.on_url = self.targets.append
        self.on_header = self.headers.setdefault
        self.on_body = self.pieces.append
        self.on_message_begin = self.on_message_complete = self.marks.pop

    def read(self, feed: Callable[[bytes], None], data: bytes) -> dict[bytes, bytes] | None:
        """Give the headers of the one message that `data` is, by lower-case name; if None, the parser is spoilt."""
        try:
            feed(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return None
        if self.marks:
            return None
        headers = self.headers
        first = dict(zip(map(_lower, headers), headers.values(), strict=True))
        headers.clear()
        self.marks.extend(_TWO)
        # Lines that are no header of their own: one that is there twice, or folded.
        return first if data.count(b"\r\n", 0, data.find(b"\r\n\r\n")) == len(first) <= MAX_HEADERS else None

    def body(self) -> bytes:
        """Give the whole body, and make room for the next."""
        pieces = self.pieces
        body = pieces.pop() if pieces else b""
        if pieces:
            body = b"".join(pieces) + body
            pieces.clear()
        return body


class WholeRequests:
    """Parses requests that are one read each; one for all connections of a worker."""

    def __init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        self._catch = _Catch()
        self._parser = httptools.HttpRequestParser(self._catch)

    def parse(self, data: bytes, *, is_loopback: bool) -> ClientRequest | None:
        """
        Give the request that `data` is, or None.

        Args:
            data: What one read brought, at the beginning of a message.
            is_loopback: Of the client.
        """
        if not data.endswith(_ENDS) or len(data) > MAX_BYTES or data[: data.find(b"\r\n")][-9:] != b" HTTP/1.1":
            return None
        catch = self._catch
        parser = self._parser
        first = catch.read(parser.feed_data, data)
        if first is None:
            self._renew()
            return None
        (target,) = catch.targets
        catch.targets.clear()
        body = catch.body()
        if b"host" not in first or not _REQUEST_SPECIAL.isdisjoint(first) or not _stays_open(first):
            self._renew()  # After `connection: close` the parser takes no more.
            return None
        try:
            path, query = split_target(target)
        except GatewayError:
            return None
        headers = list(first.items())
        return ClientRequest(
            parser.get_method(), path, query, headers, first, body, None, len(body), is_loopback=is_loopback
        )


class WholeResponse(NamedTuple):
    """
    A provider's answer.

    Attributes:
        status: HTTP status, 200 to 599.
        headers: Names in lower case, each once, in order.
        first: The same by name.
        body: All of it.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    first: Mapping[bytes, bytes]
    body: bytes


class WholeResponses:
    """Parses answers that are one read each; one for all connections to a provider."""

    def __init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        self._catch = _Catch()
        self._parser = httptools.HttpResponseParser(self._catch)

    def parse(self, data: bytes) -> WholeResponse | None:
        """
        Give the answer that `data` is, or None; never an informational one.

        Args:
            data: What one read brought, at the beginning of a message.
        """
        if not data.endswith(_ENDS) or len(data) > MAX_BYTES or not data.startswith(b"HTTP/1.1 "):
            return None
        catch = self._catch
        parser = self._parser
        first = catch.read(parser.feed_data, data)
        if first is None:
            self._renew()
            return None
        body = catch.body()
        if not _RESPONSE_SPECIAL.isdisjoint(first) or not _stays_open(first):
            self._renew()
            return None
        return WholeResponse(parser.get_status_code(), list(first.items()), first, body)


def _stays_open(first: Mapping[bytes, bytes]) -> bool:
    return b"connection" not in first or first[b"connection"].lower() == b"keep-alive"
