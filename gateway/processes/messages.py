"""What the processes say to each other: small frozen values that cross as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import TypeVar

import msgspec

_VERSION = Struct(">Q")

COPIED_ROUTES = "copied_routes"
"""How many routes' requests are copied: above 0 the parent keeps a shadow process. Said with the sign of life, which an
older parent takes as it always did."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hello:
    """
    Parent to a newborn control process: where its predecessor stopped.

    Attributes:
        version: Version of the last table, which follows as a TABLE frame; 0 when there was none yet.
    """

    version: int = 0


@dataclass(frozen=True, slots=True)
class Ack:
    """Worker to parent: this table is in use from now on."""

    version: int


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """
    Every process to the parent, every second: the sign of life.

    Attributes:
        in_flight: Requests being answered.
        counts: Of a worker, the data plane's counters since it was born; of the shadow process, its lane's. Of control
            COPIED_ROUTES alone.
    """

    in_flight: int
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drain:
    """
    Parent to worker: finish and leave.

    Attributes:
        linger_s: How long to go on accepting while /readyz says 503; 0 to stop accepting at once.
        timeout_s: How long requests in flight may take after that.
    """

    linger_s: float
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Refused:
    """Control to parent: there is no table to start with. `lines` say why."""

    lines: list[str]


@dataclass(frozen=True, slots=True)
class WorkerView:
    """
    One worker as operators see it.

    Attributes:
        slot: Index of its listening socket.
        pid: Its process.
        state: "starting", "serving" or "draining".
        uptime_s: Since it was started.
        restarts: How often this slot's worker died and was replaced.
        version: Version of the table it acknowledged; 0 for none.
        in_flight: Requests being answered a second ago.
        counts: Counters of the data plane.
    """

    slot: int
    pid: int
    state: str
    uptime_s: float
    restarts: int
    version: int
    in_flight: int
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShadowView:
    """
    The shadow process as operators see it.

    Attributes:
        pid: Its process; 0 while there is none.
        is_ready: It takes copies.
        restarts: How often it died and was replaced.
        counts: Counters of its lane and its judge.
    """

    pid: int
    is_ready: bool
    restarts: int
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fleet:
    """
    Parent to control, every second and after every change.

    Attributes:
        workers: One for each living worker, draining ones too.
        n_slots: How many should be serving.
        control_restarts: How often the control process died and was replaced.
        uptime_s: Since `sluice serve` was started.
        is_draining: The whole gateway is going down.
        shadow: The process that sends copies; None where nothing is copied.
    """

    workers: list[WorkerView]
    n_slots: int
    control_restarts: int = 0
    uptime_s: float = 0.0
    is_draining: bool = False
    shadow: ShadowView | None = None


@dataclass(frozen=True, slots=True)
class Latched:
    """
    Parent to worker: what gets nothing, whatever the table says.

    Attributes:
        serial: Counts up with every reading of the latch file; 0 for none yet.
        arms: Names of arms by release; an empty name means every candidate of that release.
        everything: The latch file cannot be read: every candidate of every release.
    """

    serial: int
    arms: dict[str, list[str]] = field(default_factory=dict)
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """Worker to parent: it keeps to the latches of this serial."""

    serial: int


@dataclass(frozen=True, slots=True)
class Restart:
    """Control to parent: replace the workers one by one. `ticket` comes back with the report."""

    ticket: int


@dataclass(frozen=True, slots=True)
class RestartReport:
    """
    Parent to control: how the rolling restart went.

    Attributes:
        ticket: As in `Restart`.
        replaced: Workers replaced.
        n_slots: How many there were to replace.
        problem: What went wrong; empty when nothing did.
        duration_ms: From the start to the last replacement.
    """

    ticket: int
    replaced: int
    n_slots: int
    problem: str = ""
    duration_ms: float = 0.0


def encode_message(message: object) -> bytes:
    """Give a message of this file as JSON."""
    return msgspec.json.encode(message)


def decode_message(payload: bytes, kind: type[T]) -> T:
    """
    Give the message back.

    Raises:
        msgspec.DecodeError: It is not one.
    """
    return msgspec.json.decode(payload, type=kind)


def encode_versioned(version: int, encoded_table: bytes) -> bytes:
    """Give a TABLE frame's payload: the version first, so that the parent need not decode tables."""
    return _VERSION.pack(version) + encoded_table


def decode_versioned(payload: bytes) -> tuple[int, bytes]:
    """
    Give version and encoded table.

    >>> decode_versioned(encode_versioned(7, b"table"))
    (7, b'table')
    """
    (version,) = _VERSION.unpack_from(payload)
    return version, payload[_VERSION.size :]
