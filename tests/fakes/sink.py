"""A place for answers that remembers them, and a producer that counts its pauses."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from gateway.proxy.exchange import Flow, Headers
from gateway.record.outcome import Outcome


@dataclass(slots=True)
class RecordingSink:
    """
    A `Sink` in memory.

    Attributes:
        status: Of the answer; 0 before there is one.
        headers: As handed over.
        pieces: What was written.
        content_length: As declared by `start`.
        ended: "respond", "end", "abort", or "" while open.
        flow: Handed over by `start`.
        pause_after: Pauses the flow when so many pieces were written; 0 for never.
    """

    status: int = 0
    headers: Headers = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    content_length: int | None = None
    ended: str = ""
    flow: Flow | None = None
    pause_after: int = 0

    @property
    def has_started(self) -> bool:
        """Say whether there is an answer."""
        return self.status != 0

    @property
    def body(self) -> bytes:
        """Give all that was written."""
        return b"".join(self.pieces)

    def header(self, name: bytes) -> bytes | None:
        """Give the first header of this name."""
        return next((value for key, value in self.headers if key == name), None)

    def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Take a whole answer."""
        assert not self.ended, "answered twice"
        self.status, self.headers, self.ended = status, headers, "respond"
        self.pieces.append(body)

    def respond_encoded(self, status: int, lines: bytes, body: bytes) -> None:
        """Take a whole answer whose header lines are encoded."""
        assert lines.endswith(b"\r\n")
        pairs = [line.partition(b": ") for line in lines.removesuffix(b"\r\n").split(b"\r\n")]
        self.respond(status, [(name.lower(), value) for name, _, value in pairs], body)

    def start(self, status: int, headers: Headers, *, flow: Flow, content_length: int | None = None) -> None:
        """Take the beginning of an answer."""
        assert not self.has_started, "started twice"
        self.status, self.headers, self.flow, self.content_length = status, headers, flow, content_length

    def write(self, piece: bytes) -> None:
        """Take a piece."""
        assert not self.ended, "written to after the end"
        self.pieces.append(piece)
        if self.pause_after and len(self.pieces) == self.pause_after and self.flow is not None:
            self.flow.pause()

    def end(self) -> None:
        """Take note of the end."""
        assert not self.ended, "ended twice"
        self.ended = "end"

    def abort(self) -> None:
        """Take note of a broken end."""
        self.ended = "abort"


@dataclass(slots=True)
class RecordingFlow:
    """A `Flow` that remembers what it was told."""

    told: list[str] = field(default_factory=list)

    def pause(self) -> None:
        """Note a pause."""
        self.told.append("pause")

    def resume(self) -> None:
        """Note a resumption."""
        self.told.append("resume")


@dataclass(slots=True)
class OutcomeList:
    """An `OutcomeObserver` that keeps everything."""

    all: list[Outcome] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, outcome: Outcome) -> None:
        """Keep it."""
        self.all.append(outcome)
        self._changed.set()

    async def until(self, count: int, seconds: float = 2.0) -> None:
        """Wait until so many were told."""
        async with asyncio.timeout(seconds):
            while len(self.all) < count:
                self._changed.clear()
                await self._changed.wait()

    @property
    def last(self) -> Outcome:
        """Give the newest."""
        return self.all[-1]
