"""
A short queue before the store, for texts: a few are kept at a time with pauses between, so that outcomes and feedback
wait for one small transaction at most. They never touch the spool, for nothing may be on a disk before it is redacted:
while the store takes nothing they are dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from gateway.record.batch import RefusedError, StoreError
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

T = TypeVar("T")

Keep = Callable[[list[T]], Awaitable[None]]
"""Keeps a group; raises StoreError when nothing was kept."""


@dataclass(frozen=True, slots=True)
class GroupLimits:
    """
    Sizes and waits.

    Attributes:
        max_rows: That wait.
        max_bytes: Likewise.
        group_rows: Kept at once, at most.
        group_bytes: More than this is more than one group.
        rest_s: Between two groups.
    """

    max_rows: int = 500
    max_bytes: int = 16 * 1024 * 1024
    group_rows: int = 20
    group_bytes: int = 1024 * 1024
    rest_s: float = 0.1


class GroupKeeper(Generic[T]):
    """Keeps rows of one kind, from `open` to `close`."""

    def __init__(self, what: str, obstacle: Callable[[], str], *, limits: GroupLimits) -> None:
        """
        Make it; there is no store yet.

        Args:
            what: The rows' name in the log.
            obstacle: Says why nothing can be kept now: "store_away", "disk_full"; empty when it can.
            limits: Sizes and waits.
        """
        self._what = what
        self._obstacle_now = obstacle
        self._limits = limits
        self._tasks = TaskGroup()
        self._keep_rows: Keep[T] | None = None
        self._queue: deque[tuple[T, int]] = deque()
        self._queued_bytes = 0
        self._kept = 0
        self._dropped: Counter[str] = Counter()
        self._woken, self._leaving = asyncio.Event(), asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin; nothing is kept before `use`."""
        self._writing = self._tasks.spawn(self._write())

    def use(self, keep: Keep[T]) -> None:
        """Keep rows with this from now on."""
        self._keep_rows = keep
        self._woken.set()

    def offer(self, row: T, n_bytes: int) -> None:
        """Take a row of so many bytes, or drop and count it."""
        if reason := self._obstacle(n_bytes):
            self._dropped[reason] += 1
            return
        self._queue.append((row, n_bytes))
        self._queued_bytes += n_bytes
        self._woken.set()

    def note_losses(self, reason: str, n_rows: int) -> None:
        """Count what a worker dropped."""
        self._dropped[reason] += n_rows

    def counts(self) -> dict[str, object]:
        """Give how many were kept and wait, and how many were dropped by reason."""
        return {"kept": self._kept, "queued": len(self._queue), "dropped": dict(self._dropped)}

    async def close(self, timeout_s: float) -> None:
        """Keep what waits as far as time allows, and stop."""
        self._leaving.set()
        self._woken.set()
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=timeout_s)
        self._drop_queued("leaving")
        await self._tasks.close()

    def _obstacle(self, n_bytes: int) -> str:
        if self._leaving.is_set():
            return "leaving"
        if reason := self._obstacle_now():
            return reason
        is_too_much = len(self._queue) >= self._limits.max_rows
        return "too_many" if is_too_much or self._queued_bytes + n_bytes > self._limits.max_bytes else ""

    async def _write(self) -> None:
        while not self._leaving.is_set() or (self._queue and self._keep_rows is not None):
            await self._woken.wait()
            if self._obstacle_now() == "store_away":
                self._drop_queued("store_away")
            elif self._keep_rows is not None and self._queue:
                await self._keep(self._keep_rows, self._next_group())
            if not self._queue or self._keep_rows is None:
                self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.rest_s):
                    await self._leaving.wait()

    async def _keep(self, keep: Keep[T], group: list[T]) -> None:
        try:
            await keep(group)
        except RefusedError as error:
            log.warning("%s that no store takes", self._what, extra={"cause": str(error), self._what: len(group)})
            self._dropped["unfit"] += len(group)
        except StoreError as error:
            log.warning("%s could not be kept", self._what, extra={"cause": str(error), self._what: len(group)})
            self._dropped["store_away"] += len(group)
        except Exception:  # What no store takes costs itself, and not the task.
            log.exception("%s could not be kept", self._what)
            self._dropped["unfit"] += len(group)
        else:
            self._kept += len(group)

    def _next_group(self) -> list[T]:
        group, n_bytes = list[T](), 0
        while self._queue and len(group) < self._limits.group_rows:
            if group and n_bytes + self._queue[0][1] > self._limits.group_bytes:
                break
            row, size = self._queue.popleft()
            self._queued_bytes -= size
            n_bytes += size
            group.append(row)
        return group

    def _drop_queued(self, reason: str) -> None:
        self._dropped[reason] += len(self._queue)
        self._dropped += Counter()  # Reasons that never were one are not shown.
        self._queue.clear()
        self._queued_bytes = 0
