"""How much is measured: enough to trust, or just enough to prove that it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """
    How much is measured.

    Attributes:
        rounds: How often each side takes its turn.
        warm_s: Load before a reading, not counted.
        unary_s: Load of one unary reading.
        n_connections: Of unary load.
        n_streams: Streams at once.
        n_tokens: Events of one stream.
        gap_ms: Between two events of one stream.
        stream_waves: How often all streams run in one reading.
        open_per_s: Requests per second of the open loop.
        open_s: How long one reading of it lasts.
        n_held: Streams held at once for their memory.
        held_tokens: Events of a held stream.
        held_gap_ms: Between two events of a held stream.
        held_rounds: How often memory is read, each time from fresh processes.
        n_starts: How often the gateway is started.
        n_edits: How often its file is edited.
    """

    rounds: int = 5
    warm_s: float = 1.0
    unary_s: float = 4.0
    n_connections: int = 32
    n_streams: int = 150
    n_tokens: int = 50
    gap_ms: float = 20.0
    stream_waves: int = 3
    open_per_s: float = 300.0
    open_s: float = 6.0
    n_held: int = 1_000
    held_tokens: int = 5
    held_gap_ms: float = 2_000.0
    held_rounds: int = 3
    n_starts: int = 5
    n_edits: int = 150


FULL = Sizes()

SMOKE = Sizes(
    rounds=1,
    warm_s=0.1,
    unary_s=0.4,
    n_connections=8,
    n_streams=10,
    n_tokens=10,
    gap_ms=5.0,
    stream_waves=1,
    open_per_s=100.0,
    open_s=0.4,
    n_held=40,
    held_tokens=5,
    held_gap_ms=1_500.0,
    held_rounds=1,
    n_starts=1,
    n_edits=2,
)
