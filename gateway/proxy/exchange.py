"""One request and the place its answer goes: all that the pipeline knows of the edge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from itertools import compress
from typing import Protocol

import msgspec

from gateway.wire.headers import encode_headers, request_headers

Headers = list[tuple[bytes, bytes]]


class BodyStream(Protocol):
    """A request body that is not held: read once, piece by piece."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the pieces as they arrive."""
        ...


class ClientRequest(msgspec.Struct):
    """
    A request as its client sent it. A struct, because one is made per request.

    Attributes:
        method: As sent, upper case.
        path: Path as sent, never normalised, without the query.
        query: With its "?", or empty.
        headers: Names in lower case, values as sent, in order.
        first: The first value of each name, for looking up.
        body: The whole body, or empty when `stream` carries it.
        stream: The body of a call that passes through; None when there is none.
        content_length: As declared; None for none or chunked.
        is_loopback: Whether the client is on this machine.
        is_http10: Whether it spoke HTTP/1.0, to which nothing chunked may be sent.
        lines: The headers as they came, `Name: value`, one for each of `first`, in order; empty where some had to be
            understood first.
    """

    method: bytes
    path: bytes
    query: bytes
    headers: Headers
    first: Mapping[bytes, bytes]
    body: bytes = b""
    stream: BodyStream | None = None
    content_length: int | None = None
    is_loopback: bool = False
    is_http10: bool = False
    lines: list[bytes] = []

    def header(self, name: bytes) -> bytes | None:
        """Give the first header of this lower-case name."""
        return self.first.get(name)

    def lines_of(self, allowed: frozenset[bytes]) -> bytes:
        """Give the header lines whose lower-case names are in `allowed`, each with its line end."""
        if not self.lines:
            return encode_headers(request_headers(self.headers, allowed))
        # By C alone: a loop over all headers costs twice as much.
        return b"\r\n".join([*compress(self.lines, map(allowed.__contains__, self.first)), b""])


def first_values(headers: Headers) -> dict[bytes, bytes]:
    """Give the first value of each header name."""
    return dict(reversed(headers))


class Flow(Protocol):
    """Whoever produces an answer, and can be made to wait."""

    def pause(self) -> None:
        """Produce nothing for now: the client does not read."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...


class Sink(Protocol):
    """
    Where an answer goes: `respond` once, or `start`, any number of `write`, and `end` or `abort`.

    Nothing here waits. A client that reads slowly pauses the flow given to `start`.
    """

    def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer in one piece; the length is added."""
        ...

    def respond_encoded(self, status: int, lines: bytes, body: bytes) -> None:
        """Answer in one piece, the header lines being encoded already, each with its line end."""
        ...

    def start(self, status: int, headers: Headers, *, flow: Flow, content_length: int | None = None) -> None:
        """Begin an answer of which the length is known or not."""
        ...

    def write(self, piece: bytes) -> None:
        """Add a piece."""
        ...

    def end(self) -> None:
        """Say that the answer is whole."""
        ...

    def abort(self) -> None:
        """Break the connection: what was sent is not whole and must not look it."""
        ...
