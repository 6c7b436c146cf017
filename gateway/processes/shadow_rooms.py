"""What the shadow process is made of: workers' copies in, pairs out to control, and a judge beside them."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from gateway.domain.table import RoutingTable
from gateway.record.channel import Channel
from gateway.record.pair import Pair
from gateway.shadow.intake import CopyIntake
from gateway.shadow.lane import Lane
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

RESUME_AFTER_S = 5.0
"""Pairs that wait for their judge since an earlier life are looked for when everything else has begun."""


class Judge(Protocol):
    """What has pairs judged; `shadow.judging` is the real one."""

    def publish(self, table: RoutingTable) -> None:
        """Know the routes from now on."""
        ...

    def resume(self, pairs: Sequence[Pair]) -> None:
        """Judge pairs that were kept with their words and without a judgement."""
        ...

    def counts(self) -> dict[str, int]:
        """Give plain counters."""
        ...

    async def close(self, timeout_s: float) -> None:
        """Judge no more."""
        ...


class LaneRooms:
    """Implements `processes.shadow.ShadowRooms`."""

    def __init__(
        self,
        *,
        channel: Channel,
        lane: Lane,
        judge: Judge,
        read_unjudged: Callable[[], Awaitable[Sequence[Pair]]],
        resume_after_s: float = RESUME_AFTER_S,
    ) -> None:
        """
        Join them; nothing is at work yet.

        Args:
            channel: Takes pairs to the control process.
            lane: Answers copies.
            judge: Judges pairs and live answers.
            read_unjudged: Reads pairs that an earlier life left unjudged.
            resume_after_s: When it is asked.
        """
        self._channel = channel
        self._lane = lane
        self._judge = judge
        self._read_unjudged = read_unjudged
        self._resume_after_s = resume_after_s
        self._intake = CopyIntake(lane.take, lane.note_skipped)
        self._tasks = TaskGroup()
        self._has_judge = False
        self._is_resumed = False

    async def open(self, sock: socket.socket) -> None:
        """Begin to take copies from a listening socket."""
        self._channel.open()
        await self._intake.open(sock)

    def publish(self, table: RoutingTable) -> None:
        """Send from this table from now on."""
        self._judge.publish(table)
        self._lane.publish(table)
        if not self._is_resumed and _has_judge(table):
            self._is_resumed = True
            self._tasks.spawn(self._resume())

    def counts(self) -> dict[str, int]:
        """Give plain counters."""
        return self._lane.counts() | self._judge.counts() | self._intake.counts()

    async def close(self, timeout_s: float) -> None:
        """Take no more, hand over what is there, and hang up."""
        await self._intake.close()
        await self._tasks.close()
        await self._judge.close(timeout_s / 4)
        await self._lane.close(timeout_s / 4)
        await self._channel.close(timeout_s / 2)

    async def _resume(self) -> None:
        await asyncio.sleep(self._resume_after_s)
        try:
            pairs = await self._read_unjudged()
        except Exception as error:  # A store that is away: what it has is judged after the next start.
            log.warning("pairs without a judgement could not be read", extra={"cause": str(error)})
            return
        if pairs:
            log.info("pairs of an earlier life are judged", extra={"pairs": len(pairs)})
            self._judge.resume(pairs)


def _has_judge(table: RoutingTable) -> bool:
    routes = [route for name in table.head.copied if (route := table.route(name)) is not None]
    return any(shadow.judge is not None for route in routes for shadow in route.shadows)
