"""The control process's end of its line: what it tells the parent and what it learns from it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import count

from gateway.clock import Clock
from gateway.domain.table import RoutingTable, decode_table
from gateway.processes.line import Frame, Kind, Line
from gateway.processes.messages import (
    COPIED_ROUTES,
    Fleet,
    Hello,
    Refused,
    Restart,
    RestartReport,
    WorkerStatus,
    decode_message,
    decode_versioned,
    encode_message,
    encode_versioned,
)

log = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
HELLO_WITHIN_S = 10.0


class ParentLink:
    """
    Publishes tables, asks for restarts, and knows the workers.

    Attributes:
        fleet: The workers as the parent last told; None before it did.
        last_version: Version our predecessor published last; 0 for none.
        last_table: That table; None when there is none or its code was another.
    """

    def __init__(self, line: Line, *, clock: Clock) -> None:
        self.fleet: Fleet | None = None
        self.last_version = 0
        self.last_table: RoutingTable | None = None
        self._line = line
        self._clock = clock
        self._changed = asyncio.Event()
        self._tickets = count(1)
        self._reports: dict[int, asyncio.Future[RestartReport]] = {}

    async def greet(self) -> None:
        """
        Hear where our predecessor stopped.

        Raises:
            ConnectionError: The parent is gone, or says nothing we know.
        """
        self.last_version = decode_message(await self._expect(Kind.HELLO), Hello).version
        if self.last_version:
            _, encoded = decode_versioned(await self._expect(Kind.TABLE))
            try:
                self.last_table = decode_table(encoded)
            except Exception:  # Unpickling what older code wrote may raise anything.
                log.warning("the last table is of other code; it goes on until the next", exc_info=True)

    async def _expect(self, kind: Kind) -> bytes:
        frame = await asyncio.wait_for(self._line.receive(), HELLO_WITHIN_S)
        if frame is None or frame.kind is not kind:
            message = f"the parent did not say {kind.name}"
            raise ConnectionError(message)
        return frame.payload

    def publish(self, version: int, encoded: bytes) -> None:
        """Hand a table to every worker there is and will be."""
        self._line.send(Kind.TABLE, encode_versioned(version, encoded))

    def refuse(self, lines: list[str]) -> None:
        """Say that there is nothing to start with."""
        self._line.send(Kind.REFUSED, encode_message(Refused(lines)))

    def note_ready(self) -> None:
        """Say that tables come; the operators' port, whose socket listens already, follows."""
        self._line.send(Kind.READY)

    async def beat(self, n_copied_routes: Callable[[], int]) -> None:
        """Give signs of life, until cancelled, and say how many routes' requests are copied."""
        while True:
            status = WorkerStatus(in_flight=0, counts={COPIED_ROUTES: n_copied_routes()})
            self._line.offer(Kind.STATUS, encode_message(status))
            await asyncio.sleep(HEARTBEAT_S)

    async def listen(self, on_reload: Callable[[], None]) -> None:
        """Take what the parent says, until it is gone."""
        while (frame := await self._line.receive()) is not None:
            self._take(frame, on_reload)

    def _take(self, frame: Frame, on_reload: Callable[[], None]) -> None:
        if frame.kind is Kind.FLEET:
            self.fleet = decode_message(frame.payload, Fleet)
            self._changed.set()
        elif frame.kind is Kind.RELOAD:
            on_reload()
        elif frame.kind is Kind.RESTARTED:
            report = decode_message(frame.payload, RestartReport)
            waiting = self._reports.pop(report.ticket, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(report)

    def acknowledged(self, version: int) -> tuple[int, int]:
        """Give how many serving workers use this version or a newer one, and how many should."""
        if self.fleet is None:
            return 0, 0
        serving = [worker for worker in self.fleet.workers if worker.state == "serving"]
        return sum(worker.version >= version for worker in serving), max(len(serving), self.fleet.n_slots)

    async def wait_acknowledged(self, version: int, timeout_s: float) -> tuple[int, int]:
        """Wait until every worker uses this version; give what came of it in time."""
        deadline_s = self._clock.now_s() + timeout_s
        while True:
            n_acked, n_slots = self.acknowledged(version)
            left_s = deadline_s - self._clock.now_s()
            if (n_slots and n_acked >= n_slots) or left_s <= 0:
                return n_acked, n_slots
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left_s)
            except TimeoutError:
                continue

    async def restart(self, timeout_s: float) -> RestartReport | None:
        """Have the workers replaced one by one; None when the report took too long."""
        ticket = next(self._tickets)
        waiting = self._reports[ticket] = asyncio.get_running_loop().create_future()
        self._line.send(Kind.RESTART, encode_message(Restart(ticket)))
        try:
            return await asyncio.wait_for(waiting, timeout_s)
        except TimeoutError:
            return None
        finally:
            self._reports.pop(ticket, None)

    async def close(self) -> None:
        """Let what was said arrive, and hang up."""
        await self._line.flush()
        self._line.close()
