"""
Rolling restarts: worker by worker, and never two at a time.

Whoever asks while one is under way joins the one that follows it, so that everyone who asks gets
processes started after they asked, and any number of requests costs at most two restarts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from gateway.tasks import TaskGroup

T = TypeVar("T")


class OneAtATime(Generic[T]):
    """
    Runs one piece of work at a time; requests during a run share the next one.

    Nothing is cancelled when whoever asked goes away.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]], tasks: TaskGroup) -> None:
        self._work = work
        self._tasks = tasks
        self._running: asyncio.Future[T] | None = None
        self._queued: asyncio.Future[T] | None = None

    @property
    def is_busy(self) -> bool:
        """Say whether a run is under way or queued."""
        return any(run is not None and not run.done() for run in (self._running, self._queued))

    async def ask(self) -> T:
        """Give the result of a run that began after this call."""
        if self._running is None or self._running.done():
            self._running = self._tasks.spawn(self._work())
            return await asyncio.shield(self._running)
        if self._queued is None or self._queued.done():
            self._queued = self._tasks.spawn(self._after(self._running))
        return await asyncio.shield(self._queued)

    async def _after(self, running: asyncio.Future[T]) -> T:
        await asyncio.wait([running])
        self._running, self._queued = self._queued, None
        return await self._work()
