"""
A response as a script: which bytes, when, and how the connection ends.

Healthy and faulty answers differ only in their script. A script is pure data, made from a `Reply`;
the server in `provider` plays it and knows of no fault by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

_REASONS = {status.value: status.phrase for status in HTTPStatus} | {529: "Site Overloaded"}


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes now, as one write."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait, measured from the end of the step before."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing more, until the client goes away."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection in order, with a FIN after what was sent."""


@dataclass(frozen=True, slots=True)
class Reset:
    """End the connection with an RST."""


Step = Send | Pause | Hang | Close | Reset


@dataclass(frozen=True, slots=True)
class Reply:
    """
    A healthy response, in the pieces a fault may cut between.

    Attributes:
        status: HTTP status.
        headers: In order, without the framing ones.
        pieces: The body; for a stream one SSE event each, for a unary answer one piece.
        is_stream: Whether pieces go out chunked, as they come.
        n_start: How many pieces go with the headers, before the first token.
        n_end: How many pieces at the end come after the finish (usage chunk, `[DONE]`).
        wait_s: Before the headers.
        first_s: From the headers to the first token.
        gap_s: Between tokens.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    pieces: tuple[bytes, ...]
    is_stream: bool = False
    n_start: int = 0
    n_end: int = 0
    wait_s: float = 0.0
    first_s: float = 0.0
    gap_s: float = 0.0

    @property
    def body(self) -> bytes:
        """All pieces joined."""
        return b"".join(self.pieces)

    @property
    def is_instant(self) -> bool:
        """Whether it can be written in one go."""
        return not (self.wait_s or self.first_s or self.gap_s)


def render_head(status: int, headers: tuple[tuple[str, str], ...], *framing: tuple[str, str]) -> bytes:
    """Give the status line and headers, and the empty line after them."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in (*headers, *framing)]
    lines.append("\r\n")
    return "".join(lines).encode("latin-1")


def framed_head(reply: Reply) -> bytes:
    """Give the head with the framing that fits: chunked for streams, a length for the rest."""
    if reply.is_stream:
        return render_head(reply.status, reply.headers, ("transfer-encoding", "chunked"))
    return render_head(reply.status, reply.headers, ("content-length", str(sum(map(len, reply.pieces)))))


def framed(reply: Reply, piece: bytes) -> bytes:
    """Give `piece` as it goes on the wire after `framed_head`."""
    return b"%x\r\n%b\r\n" % (len(piece), piece) if reply.is_stream else piece


def framed_end(reply: Reply) -> bytes:
    """Give what ends the body on the wire."""
    return b"0\r\n\r\n" if reply.is_stream else b""


def render_whole(reply: Reply) -> bytes:
    """Give the whole response as one run of bytes."""
    return b"".join((framed_head(reply), *(framed(reply, piece) for piece in reply.pieces), framed_end(reply)))


def play_of(reply: Reply) -> Iterator[Step]:
    """Give the healthy script of `reply`."""
    if reply.wait_s:
        yield Pause(reply.wait_s)
    if not (reply.first_s or reply.gap_s):
        yield Send(render_whole(reply))
        return
    start = b"".join(framed(reply, piece) for piece in reply.pieces[: reply.n_start])
    yield Send(framed_head(reply) + start)
    n_last = len(reply.pieces) - reply.n_end
    for number in range(reply.n_start, n_last):
        yield Pause(reply.first_s if number == reply.n_start else reply.gap_s)
        yield Send(framed(reply, reply.pieces[number]))
    rest = b"".join(framed(reply, piece) for piece in reply.pieces[n_last:])
    yield Send(rest + framed_end(reply))
