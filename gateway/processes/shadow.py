"""
The shadow process: takes copies from the workers, and has them answered where nobody waits for it.

It may die, hang or be killed at any time: workers drop what it does not take, and no client, arm or breaker hears of
it. It leaves at once when the parent is gone.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from contextlib import suppress
from typing import Protocol

from gateway.domain.table import RoutingTable, decode_table
from gateway.processes.line import Frame, Kind, Line
from gateway.processes.messages import WorkerStatus, decode_versioned, encode_message
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

STATUS_EVERY_S = 1.0
CLOSE_WITHIN_S = 1.0

EXIT_FINE = 0
EXIT_ORPHANED = 3


class ShadowRooms(Protocol):
    """What answers copies; wiring makes the real one."""

    async def open(self, sock: socket.socket) -> None:
        """Begin to take copies from a listening socket."""
        ...

    def publish(self, table: RoutingTable) -> None:
        """Send from this table from now on."""
        ...

    def counts(self) -> dict[str, int]:
        """Give plain counters."""
        ...

    async def close(self, timeout_s: float) -> None:
        """Take no more, hand over what is there, and hang up."""
        ...


class ShadowProcess:
    """Joins what answers copies to the line."""

    def __init__(self, rooms: ShadowRooms, line: Line, sock: socket.socket) -> None:
        self._rooms = rooms
        self._line = line
        self._sock = sock
        self._tasks = TaskGroup()
        self._version = 0
        self._left = asyncio.Event()

    async def serve(self) -> int:
        """Answer copies until told to leave (0) or until the parent is gone (3)."""
        self._tasks.spawn(self._report())
        reading = self._tasks.spawn(self._read())
        leaving = self._tasks.spawn(self._left.wait())
        try:
            await asyncio.wait([reading, leaving], return_when=asyncio.FIRST_COMPLETED)
            return EXIT_FINE if self._left.is_set() else EXIT_ORPHANED
        finally:
            await self._tasks.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(2 * CLOSE_WITHIN_S):
                    await self._rooms.close(CLOSE_WITHIN_S)
            await self._line.flush()
            self._line.close()

    def leave(self) -> None:
        """Begin to end."""
        self._left.set()

    async def _read(self) -> None:
        while (frame := await self._line.receive()) is not None:
            if frame.kind is Kind.TABLE:
                await self._use_table(frame)

    async def _use_table(self, frame: Frame) -> None:
        version, encoded = decode_versioned(frame.payload)
        if version <= self._version:
            return
        try:
            self._rooms.publish(decode_table(encoded))
        except Exception:  # As in a worker: an older parent may send what newer code cannot read.
            log.exception("table refused, the one before goes on", extra={"version": version})
            return
        is_first, self._version = self._version == 0, version
        if is_first:
            await self._rooms.open(self._sock)
            self._line.send(Kind.READY)

    async def _report(self) -> None:
        while True:
            status = WorkerStatus(in_flight=0, counts=self._rooms.counts())
            self._line.offer(Kind.STATUS, encode_message(status))
            await asyncio.sleep(STATUS_EVERY_S)


async def serve_shadow(rooms: ShadowRooms, *, sock: socket.socket, line_sock: socket.socket) -> int:
    """Serve as the process's main coroutine; SIGTERM ends it. Gives the exit code."""
    process = ShadowProcess(rooms, await Line.open(line_sock), sock)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, process.leave)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
        loop.add_signal_handler(number, lambda: None)  # the parent's business
    return await process.serve()
