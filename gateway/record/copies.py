"""
A worker's end of the way to the shadow process: takes copies without waiting, and drops what has no room.

A copy is not worth keeping, so nothing is numbered, acknowledged or sent twice. What the shadow process does not read
waits here up to bounds of its own, and beyond them the newest is dropped and counted by route and reason. The counts
go with the next frame, or within a second; they rise over one connection, and begin at what was told before.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import cast

import msgspec

from gateway.record.copied import Copied
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

MAX_COPY_BYTES = 2 * 1024 * 1024
"""A body of 1 MiB, an answer of 512 KiB, and what is known of them."""

UNREAD_BYTES = 1024 * 1024
"""What the shadow process may leave unread before copies wait here instead of in the transport."""

FIRST_PAUSE_S = 0.05
MAX_PAUSE_S = 5.0
TELL_WITHIN_S = 1.0

_HEAD = Struct(">IB")
_ENCODER = msgspec.msgpack.Encoder()

Connect = Callable[[Callable[[], asyncio.Protocol]], Awaitable[object]]
"""Opens a connection for a protocol; raises OSError."""

Told = list[tuple[str, str, int]]
"""Route, reason and how many copies were not sent for it."""


class CopyFrameError(Exception):
    """The other end speaks something else; the connection is of no use any more."""


class CopyKind(IntEnum):
    """What a frame says; the number is on the wire."""

    HELLO = 1
    COPY = 2
    SKIPPED = 3


class CopyHello(msgspec.Struct, array_like=True, frozen=True):
    """
    Worker to shadow process, first of all.

    Attributes:
        worker: The worker's slot.
        boot: 63 random bits, drawn when the worker was born.
        pid: Its process.
        told: What it told before, over other connections.
    """

    worker: int
    boot: int
    pid: int
    told: Told = []


class Skipped(msgspec.Struct, array_like=True, frozen=True):
    """
    Worker to shadow process: what was not sent since the worker was born.

    Attributes:
        counts: Counts that only rise.
    """

    counts: Told


@dataclass(frozen=True, slots=True)
class CopyLimits:
    """
    What may wait in a worker.

    Attributes:
        max_rows: Copies not sent yet.
        max_bytes: Their encoded size.
        max_copy_bytes: Of one.
    """

    max_rows: int = 256
    max_bytes: int = 16 * 1024 * 1024
    max_copy_bytes: int = MAX_COPY_BYTES


class CopyChannel:
    """
    Takes copies from the request path; never waits, never raises.

    Copies may be offered before, between and without connections; `open` and `close` want a running loop.
    """

    def __init__(self, connect: Connect, *, worker: int, boot: int, limits: CopyLimits | None = None) -> None:
        self._connect = connect
        self._worker = worker
        self._boot = boot
        self._limits = limits or CopyLimits()
        self._tasks = TaskGroup()
        self._is_open = self._is_told = False
        self._waiting: deque[bytearray] = deque()
        self._waiting_bytes = self._n_offered = self._n_sent = 0
        self._skipped: Counter[tuple[str, str]] = Counter()
        self._told: Told = []
        self._n_dropped = 0
        self._wire: _Wire | None = None
        self._telling: asyncio.TimerHandle | None = None
        self._lost = asyncio.Event()

    def open(self) -> None:
        """Begin to connect, and stay connected; a second time does nothing."""
        if not self._is_open:
            self._is_open = True
            self._tasks.spawn(self._stay_connected())

    def offer(self, copied: Copied) -> None:
        """Take a copy, or drop and count it; never waits, never raises."""
        self._n_offered += 1
        limits, route = self._limits, copied.outcome.route or ""
        if len(self._waiting) >= limits.max_rows:
            self._drop(route, "worker_rows")
            return
        try:
            frame = encode_copy_frame(CopyKind.COPY, copied)
        except Exception:  # What msgpack has no form for costs its copy, and nobody's answer.
            self._drop(route, "worker_unfit")
            return
        if len(frame) > limits.max_copy_bytes:
            self._drop(route, "too_large")
        elif self._waiting_bytes + len(frame) > limits.max_bytes:
            self._drop(route, "worker_bytes")
        else:
            self._waiting.append(frame)
            self._waiting_bytes += len(frame)
            self._pump()

    def note_skipped(self, route: str, reason: str) -> None:
        """Count a request that is not copied though it was to be."""
        self._skipped[route, reason] += 1
        self._is_told = False
        wire = self._wire
        if wire is not None and self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(TELL_WITHIN_S, self._tell_late)

    def skipped(self) -> dict[tuple[str, str], int]:
        """Give what was not sent since birth, by route and reason."""
        return dict(self._skipped)

    def counts(self) -> dict[str, int]:
        """Give plain counters for the worker's status; `offered = sent + waiting + dropped`."""
        return {
            "copies_offered": self._n_offered,
            "copies_sent": self._n_sent,
            "copies_waiting": len(self._waiting),
            "copies_waiting_bytes": self._waiting_bytes,
            "copies_dropped": self._n_dropped,
            "copies_skipped": self._skipped.total() - self._n_dropped,
            "copies_connected": int(self._wire is not None),
        }

    async def close(self, timeout_s: float) -> bool:
        """Send what is left, for so long at most, and hang up; give whether all of it was sent."""
        wire, self._is_open = self._wire, False
        with suppress(TimeoutError):
            if wire is not None:
                async with asyncio.timeout(timeout_s):
                    await wire.drained()
        is_done = not self._waiting and (wire is None or wire.is_empty)
        if self._telling is not None:
            self._telling.cancel()
        await self._tasks.close()
        if self._wire is not None:
            self._wire.close()
        return is_done

    def _drop(self, route: str, reason: str) -> None:
        self._n_dropped += 1
        self.note_skipped(route, reason)

    def _pump(self) -> None:
        wire = self._wire
        if wire is None:
            return
        if self._waiting and not wire.is_full:
            self._tell(wire)
        while self._waiting and not wire.is_full:
            frame = self._waiting.popleft()
            self._waiting_bytes -= len(frame)
            self._n_sent += 1
            wire.send(frame)

    def _tell(self, wire: _Wire) -> None:
        if self._is_told:
            return
        counts = [(route, reason, n) for (route, reason), n in self._skipped.items()]
        try:
            frame = encode_copy_frame(CopyKind.SKIPPED, Skipped(counts))
        except Exception:  # A name that msgpack has no form for: as in `offer`.
            log.exception("what was not copied cannot be told", extra={"storm": "copies"})
        else:
            wire.send(frame)
            self._told = counts
        self._is_told = True

    def _tell_late(self) -> None:
        self._telling = None
        # A wire that is full is told when there is room.
        if self._wire is not None and not self._wire.is_full:
            self._tell(self._wire)

    # The connection

    async def _stay_connected(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            self._lost.clear()
            try:
                await self._connect(lambda: _Wire(self))
                pause_s = FIRST_PAUSE_S
                await self._lost.wait()
            except OSError as error:
                log.debug("the shadow process cannot be reached", extra={"cause": str(error)})
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, MAX_PAUSE_S)

    def note_connected(self, wire: _Wire) -> None:
        """Introduce ourselves, and send what waits."""
        self._wire = wire
        hello = CopyHello(self._worker, self._boot, os.getpid(), self._told)
        wire.send(encode_copy_frame(CopyKind.HELLO, hello))
        self._tell(wire)
        self._pump()

    def note_lost(self, wire: _Wire) -> None:
        """Connect again."""
        if self._wire is wire:
            self._wire = None
        self._lost.set()

    def note_room(self) -> None:
        """The shadow process reads again."""
        if self._wire is not None:
            self._tell(self._wire)
        self._pump()


class _Wire(asyncio.Protocol):
    """
    One connection to the shadow process, which says nothing.

    Attributes:
        is_full: It does not read fast enough; nothing more should be sent now.
    """

    def __init__(self, channel: CopyChannel) -> None:
        self.is_full = False
        self._channel = channel
        self._transport: asyncio.Transport | None = None
        self._has_room = asyncio.Event()

    @property
    def is_empty(self) -> bool:
        """Tell whether the system has taken all that was written."""
        return self._transport is None or not self._transport.get_write_buffer_size()

    async def drained(self) -> None:
        """Wait until all is written, or the connection is gone."""
        if self._transport is None:
            return
        # From here on a byte that waits counts as full, so that room means that nothing waits.
        self._transport.set_write_buffer_limits(high=0)
        while not self._transport.is_closing() and not self.is_empty:
            self._has_room.clear()
            await self._has_room.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=UNREAD_BYTES)
        self._channel.note_connected(self)

    def data_received(self, data: bytes) -> None:
        """Hang up: nothing is ever said to workers."""
        self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so."""
        self._has_room.set()
        self._channel.note_lost(self)

    def pause_writing(self) -> None:
        """Keep the rest."""
        self.is_full = True

    def resume_writing(self) -> None:
        """Send the rest."""
        self.is_full = False
        self._channel.note_room()
        self._has_room.set()

    def send(self, frame: bytearray) -> None:
        """Write a frame; it is not changed afterwards."""
        if self._transport is not None:
            self._transport.write(frame)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()


def encode_copy_frame(kind: CopyKind, message: Copied | CopyHello | Skipped) -> bytearray:
    """
    Give a message as a frame: its length (4 bytes, big-endian), its kind (1 byte), msgpack.

    Raises:
        Exception: It holds what msgpack has no form for.
    """
    frame = bytearray(_HEAD.size)
    _ENCODER.encode_into(message, frame, _HEAD.size)
    _HEAD.pack_into(frame, 0, len(frame) - _HEAD.size, kind)
    return frame


class CopyFrameReader:
    """Cuts a stream of bytes into frames; holds one frame at most."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, received: bytes) -> Iterator[tuple[CopyKind, bytes]]:
        """
        Give the frames that are whole now.

        Raises:
            CopyFrameError: A length over the bound, or an unknown kind.
        """
        held = self._held
        held += received
        start = 0
        try:
            while len(held) - start >= _HEAD.size:
                size, number = _HEAD.unpack_from(held, start)
                kind = _kind_of(size, number)
                end = start + _HEAD.size + size
                if len(held) < end:
                    return
                payload = bytes(memoryview(held)[start + _HEAD.size : end])
                start = end
                yield kind, payload
        finally:
            del held[:start]


def _kind_of(size: int, number: int) -> CopyKind:
    if size > MAX_COPY_BYTES:
        message = f"a frame of {size} bytes is over {MAX_COPY_BYTES}"
        raise CopyFrameError(message)
    try:
        return CopyKind(number)
    except ValueError:
        message = f"no frame is of kind {number}"
        raise CopyFrameError(message) from None
