"""What a fault is: a name, a sentence, the phases it can befall, the harm it does, and its script."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from gateway.simulator.answers import Answer
from gateway.simulator.question import Api
from gateway.simulator.script import Pause, Reply, Send, Step, framed, framed_head

SETTLE_S = 0.02
"""Bytes sent this long before an RST have left the machine; less, and the RST overtakes them."""

SEGMENT_GAP_S = 0.002
"""Writes this far apart become TCP segments of their own."""


class Mode(Enum):
    """How the answer was asked for."""

    UNARY = "unary"
    STREAM = "stream"


class Phase(Enum):
    """
    When a fault strikes.

    AFTER is when everything that means something was sent (`finish_reason`, `response.completed`, the
    whole unary body) but what ends the transfer was not (usage chunk, `[DONE]`, last chunk).
    """

    BEFORE = "before"
    MID = "mid"
    AFTER = "after"


class Harm(Enum):
    """What a client of the provider sees."""

    NONE = "none"
    """A strange but complete and right answer."""
    SLOW = "slow"
    """Complete and right, if one has the patience."""
    STATUS = "status"
    """An HTTP status that is not 200."""
    SILENT = "silent"
    """Nothing more comes, and the connection stays."""
    BROKEN = "broken"
    """It ends too early or is not HTTP, and one can tell."""
    CUT = "cut"
    """It ends too early as HTTP goes in order: only the missing finish tells."""
    TAIL = "tail"
    """All that means something came; what ends the transfer did not."""
    WRONG = "wrong"
    """A 200 whose body is no answer."""
    ERROR_EVENT = "error_event"
    """A 200 stream that says in-band that it failed."""
    SAFETY = "safety"
    """A complete answer that refuses or was filtered."""


@dataclass(frozen=True, slots=True)
class Order:
    """A fault as asked for."""

    name: str
    phase: Phase
    argument: str = ""

    def number(self, assumed: int) -> int:
        """Give the argument as a number, or `assumed` when there is none; at least 0."""
        return max(0, int(self.argument)) if self.argument.isdecimal() else assumed


Script = Callable[[Reply, Order, Api], Iterator[Step]]
AnswerChange = Callable[[Answer], Answer]

BOTH = (Mode.UNARY, Mode.STREAM)


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One way for a provider to be bad.

    Attributes:
        name: Lower case; what is asked for.
        summary: One line, with what ARG means and is without one.
        script: From the healthy reply to the steps that are played instead; None when only the answer changes.
        harms: The phases it has, first the one meant when none is named, each with its harm.
        modes: Whether it befalls unary answers, streams or both.
        change: What it does to the answer before that is given its shape.
    """

    name: str
    summary: str
    script: Script | None
    harms: Mapping[Phase, Harm]
    modes: tuple[Mode, ...] = BOTH
    change: AnswerChange | None = None

    def harm(self, mode: Mode, phase: Phase) -> Harm:
        """Give the harm done; a unary answer has no tail to lose, so after its last byte there is none."""
        if mode is Mode.UNARY and phase is Phase.AFTER:
            return Harm.NONE
        return self.harms[phase]


def bytes_until(reply: Reply, order: Order) -> bytes:
    """
    Give what goes on the wire before the fault strikes.

    Mid-body, a number as the argument says how many events (of a stream) or body bytes (unary) were sent;
    half without one, and never all of what means something.
    """
    if order.phase is Phase.BEFORE:
        return b""
    if not reply.is_stream:
        body = reply.body
        if order.phase is Phase.MID:
            body = body[: min(order.number(len(body) // 2), max(0, len(body) - 1))]
        return framed_head(reply) + body
    n_sent = n_pieces_until(reply, order)
    return framed_head(reply) + b"".join(framed(reply, piece) for piece in reply.pieces[:n_sent])


def n_pieces_until(reply: Reply, order: Order) -> int:
    """Give how many of a stream's pieces are sent before the fault strikes."""
    n_meaningful = len(reply.pieces) - reply.n_end
    if order.phase is Phase.AFTER:
        return n_meaningful
    return min(order.number(max(1, n_meaningful // 2)), n_meaningful - 1)


def trickle(run: bytes, *, size: int, gap_s: float) -> Iterator[Step]:
    """Give `run` in writes of `size` bytes, `gap_s` apart."""
    for at in range(0, len(run), size):
        yield Send(run[at : at + size])
        yield Pause(gap_s)
