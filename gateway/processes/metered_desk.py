"""Where facts go, what counts them, and what is noted beside them: opened and closed together."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Mapping

from gateway.control.epochs import EpochNotes
from gateway.processes.meters import Meters
from gateway.processes.tail import Tail
from gateway.record.desk import FactDesk
from gateway.tasks import TaskGroup
from gateway.telemetry.recent import RecentTraffic


class MeteredDesk:
    """
    The desk and the meters, opened and closed together: the last export tells what the desk did last.

    Attributes:
        desk: Where facts go.
        meters: What counts them.
        exposed: Gives a release's exposed units by epoch and arm, from the store; raises while that is away.
        recent: What the last quarter of an hour brought.
        tail: Where requests are heard of as they end.
    """

    def __init__(
        self,
        desk: FactDesk,
        meters: Meters,
        exposed: Callable[[str], Awaitable[Mapping[tuple[int, str], int]]],
        notes: EpochNotes,
        *,
        recent: RecentTraffic,
        tail: Tail,
    ) -> None:
        self.desk = desk
        self.meters = meters
        self.exposed = exposed
        self.recent = recent
        self.tail = tail
        self._notes = notes
        self._tasks = TaskGroup()

    def open(self, sock: socket.socket) -> None:
        """Take facts, note how experiments are divided, and begin to export."""
        self.desk.open(sock)
        self.meters.open()
        self._tasks.spawn(self._notes.run())
        self._tasks.spawn(self.recent.run())

    async def close(self) -> None:
        """Store or spool what was taken, then send what is left."""
        await self._tasks.close()
        await self.desk.close()
        await self.meters.close()
