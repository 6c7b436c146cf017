"""
A worker: one data plane, one listening socket, one line to the parent.

Imported by every worker, so it reaches for nothing heavy. It listens once it has a table and not
before; it finishes and leaves when told to drain; it leaves at once when the parent is gone.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from gateway.domain.table import RoutingTable, decode_table
from gateway.processes.line import Frame, Kind, Line
from gateway.processes.messages import (
    Ack,
    Drain,
    Held,
    Latched,
    WorkerStatus,
    decode_message,
    decode_versioned,
    encode_message,
)
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

STATUS_EVERY_S = 1.0
CLOSE_WITHIN_S = 1.0
SETTLE_WITHIN_S = 2.0
"""For what was noted to be stored or spooled, before a worker leaves."""

EXIT_FINE = 0
EXIT_ORPHANED = 3


class DataPlane(Protocol):
    """What answers requests; `gateway.proxy.server` is the real one."""

    def publish(self, table: RoutingTable) -> None:
        """Swap the table."""
        ...

    def hold(self, latched: Mapping[str, frozenset[str] | None], *, everything: bool) -> None:
        """
        Give these arms nothing, in the table in use and in every later one, until told otherwise.

        Args:
            latched: Names of arms by release, None for every candidate of it. All there are: what was held before
                and is not among them is let go. Unknown names are kept, for a later table may know them.
            everything: Every candidate of every release.
        """
        ...

    async def listen(self, sock: socket.socket) -> None:
        """Start accepting."""
        ...

    def stop_listening(self) -> None:
        """Stop accepting; closes our copy of the socket only."""
        ...

    def begin_drain(self) -> None:
        """Say not ready, and ask every client to go elsewhere for its next request."""
        ...

    async def drained(self, timeout_s: float) -> bool:
        """Wait until nothing is in flight; at the timeout end what is left, and give False."""
        ...

    async def close(self) -> None:
        """Drop everything."""
        ...

    @property
    def in_flight(self) -> int:
        """Give how many requests are being answered."""
        ...

    def counts(self) -> dict[str, int]:
        """Give plain counters."""
        ...


class Facts(Protocol):
    """What carries facts to the control process; `gateway.record.channel` is the real one."""

    def open(self) -> None:
        """Begin to connect."""
        ...

    def counts(self) -> dict[str, int]:
        """Give plain counters."""
        ...

    async def close(self, timeout_s: float) -> bool:
        """Wait until everything is settled, for so long at most, and hang up."""
        ...


class Worker:
    """Joins a data plane and its facts to the line."""

    def __init__(self, plane: DataPlane, line: Line, sock: socket.socket, facts: Facts | None = None) -> None:
        self._plane = plane
        self._facts = facts
        self._line = line
        self._sock = sock
        self._tasks = TaskGroup()
        self._version = 0
        self._is_draining = False
        self._left = asyncio.Event()

    async def serve(self) -> int:
        """Serve until told to leave (0) or until the parent is gone (3)."""
        if self._facts is not None:
            self._facts.open()
        self._tasks.spawn(self._report())
        reading = self._tasks.spawn(self._read())
        leaving = self._tasks.spawn(self._left.wait())
        try:
            await asyncio.wait([reading, leaving], return_when=asyncio.FIRST_COMPLETED)
            return EXIT_FINE if self._left.is_set() else EXIT_ORPHANED
        finally:
            await self._tasks.close()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._plane.close(), CLOSE_WITHIN_S)
            if self._facts is not None:
                # After the plane: what it broke off has ended too, and was noted.
                await self._facts.close(SETTLE_WITHIN_S if self._left.is_set() else 0.0)
            await self._line.flush()
            self._line.close()

    def leave(self, drain: Drain) -> None:
        """Begin to drain; a second call changes nothing."""
        if not self._is_draining:
            self._is_draining = True
            self._tasks.spawn(self._drain(drain))

    async def _read(self) -> None:
        while (frame := await self._line.receive()) is not None:
            await self._take(frame)

    async def _take(self, frame: Frame) -> None:
        if frame.kind is Kind.TABLE:
            await self._use_table(frame.payload)
        elif frame.kind is Kind.DRAIN:
            self.leave(decode_message(frame.payload, Drain))
        elif frame.kind is Kind.LATCH:
            self._hold(decode_message(frame.payload, Latched))

    def _hold(self, latched: Latched) -> None:
        arms = {release: None if "" in names else frozenset(names) for release, names in latched.arms.items()}
        try:
            self._plane.hold(arms, everything=latched.everything)
        except Exception:  # A worker that dies of it would be born again with the same latches.
            log.exception("latches refused, the table goes on as it is", extra={"serial": latched.serial})
            return
        self._line.send(Kind.HELD, encode_message(Held(latched.serial)))

    async def _use_table(self, payload: bytes) -> None:
        version, encoded = decode_versioned(payload)
        if version > self._version:
            try:
                self._plane.publish(decode_table(encoded))
            except Exception:
                # An older parent may send what newer code cannot read: the table in use goes on.
                log.exception("table refused, the one before goes on", extra={"version": version})
                return
            is_first, self._version = self._version == 0, version
            if is_first and not self._is_draining:
                await self._plane.listen(self._sock)
                self._line.send(Kind.READY)
        self._line.send(Kind.ACK, encode_message(Ack(self._version)))

    async def _drain(self, drain: Drain) -> None:
        # A closing gateway says so first and goes on accepting, until load balancers have noticed.
        # In a rolling restart the newcomer accepts already: connections left to it are not refused.
        if drain.linger_s > 0:
            self._plane.begin_drain()
            await asyncio.sleep(drain.linger_s)
            self._plane.stop_listening()
        else:
            self._plane.stop_listening()
            self._plane.begin_drain()
        if not await self._plane.drained(drain.timeout_s):
            log.warning("drain ended by its timeout", extra={"timeout_s": drain.timeout_s})
        self._left.set()

    async def _report(self) -> None:
        while True:
            counts = self._plane.counts() | (self._facts.counts() if self._facts is not None else {})
            status = WorkerStatus(in_flight=self._plane.in_flight, counts=counts)
            self._line.offer(Kind.STATUS, encode_message(status))
            await asyncio.sleep(STATUS_EVERY_S)


async def serve_worker(
    plane: DataPlane,
    *,
    sock: socket.socket,
    line_sock: socket.socket,
    drain_timeout_s: float,
    facts: Facts | None = None,
) -> int:
    """Serve as the process's main coroutine; SIGTERM drains. Gives the exit code."""
    worker = Worker(plane, await Line.open(line_sock), sock, facts)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, worker.leave, Drain(linger_s=0.0, timeout_s=drain_timeout_s))
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
        loop.add_signal_handler(number, lambda: None)  # the parent's business
    return await worker.serve()
