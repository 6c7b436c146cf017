"""
A post, and the process that holds it.

Theory of operation
===================
A post has at most one holder (`current`). When the holder dies the post is filled again, at once
the first time and with growing pauses after that. `replace` lets a newcomer start beside the holder
and takes over only once it serves; the old one becomes retired: told to drain, and forgotten when
it has ended. A newcomer that does not make it leaves everything as it was.

The keeper knows nothing of what its processes do: it hands on their frames.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gateway.clock import Clock
from gateway.processes.backoff import Backoff
from gateway.processes.child import Child
from gateway.processes.line import Frame
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

EXIT_GRACE_S = 5.0
"""How long a process may take to end after it has closed its line."""

MAX_RETIRED = 4
"""Old workers per slot that may still be draining when a further restart begins."""


class Keeper:
    """
    Keeps one post filled.

    Attributes:
        name: For the log.
        current: The holder, or None between two.
        retired: Former holders that still drain.
        restarts: How often a holder died.
    """

    def __init__(
        self,
        name: str,
        *,
        start: Callable[[], Awaitable[Child]],
        on_frame: Callable[[Child, Frame], None],
        on_change: Callable[[], None],
        clock: Clock,
    ) -> None:
        self.name = name
        self.current: Child | None = None
        self.retired: set[Child] = set()
        self.restarts = 0
        self._start = start
        self._on_frame = on_frame
        self._on_change = on_change
        self._clock = clock
        self._backoff = Backoff()
        self._tasks = TaskGroup()
        self._starts = TaskGroup()
        self._n_starting = 0
        self._is_open = False
        self._is_closing = False
        self._is_planned = False
        self._living: list[Child] = []
        self._ended = asyncio.Event()

    def __repr__(self) -> str:
        """Give name and holder."""
        return f"<Keeper {self.name}: {self.current}>"

    @property
    def children(self) -> list[Child]:
        """Give every living process of this post, oldest first."""
        return list(self._living)

    @property
    def is_ready(self) -> bool:
        """Say whether the holder serves."""
        return self.current is not None and self.current.is_ready

    @property
    def is_filled(self) -> bool:
        """Say whether the post is to be kept filled."""
        return self._is_open

    def open(self) -> None:
        """Fill the post, and keep it filled; also again after `stop_filling`."""
        self._is_open = True
        self._tasks.spawn(self._fill(0.0))

    def stop_filling(self) -> None:
        """Let whoever dies from now on stay dead."""
        self._is_open = False

    def relieve(self) -> None:
        """Ask the holder to end and fill the post again at once: planned, so no back-off and no count."""
        if self.current is not None:
            self._is_planned = True
            self.current.terminate()

    async def replace(self, retire: Callable[[Child], None], *, timeout_s: float) -> str:
        """
        Put a newcomer in the holder's place once it serves, and `retire` the old one.

        Returns:
            What went wrong, or "". In that case the old holder stays.
        """
        deadline_s = self._clock.now_s() + timeout_s
        if not await self._until(lambda: len(self.retired) < MAX_RETIRED, deadline_s):
            return f"{self.name}: {len(self.retired)} old processes are still draining"
        newcomer = await self._started()
        if newcomer is None:
            return f"{self.name}: no process could be started"
        is_ready = await newcomer.wait_ready(timeout_s)
        if not is_ready:
            newcomer.kill()
            return f"{self.name}: the new process was not ready within {timeout_s:g} s, the old one stays"
        old, self.current = self.current, newcomer
        if old is not None:
            self.retired.add(old)
            retire(old)
        self._on_change()
        return ""

    async def wait_empty(self, timeout_s: float) -> bool:
        """Wait until every process of this post has ended."""
        return await self._until(lambda: not self.children and not self._n_starting, self._clock.now_s() + timeout_s)

    async def _until(self, is_so: Callable[[], bool], deadline_s: float) -> bool:
        """Look again whenever a process of this post has ended, until `deadline_s`."""
        while not is_so():
            self._ended.clear()
            try:
                await asyncio.wait_for(self._ended.wait(), max(0.0, deadline_s - self._clock.now_s()))
            except TimeoutError:
                return is_so()
        return True

    async def close(self) -> None:
        """End every process of this post at once, and wait for it."""
        self._is_open = False
        self._is_closing = True
        for child in self.children:
            child.kill()
        await self.wait_empty(EXIT_GRACE_S)
        await self._tasks.close()

    async def _fill(self, delay_s: float) -> None:
        while self._is_open:
            await asyncio.sleep(delay_s)
            if self.current is not None or not self._is_open:
                return
            child = await self._started()
            if child is not None:
                self._take(child)
                return
            delay_s = self._backoff.delay_after(lifetime_s=0.0)

    def _take(self, child: Child) -> None:
        # A rolling restart may have filled the post while this one was being started.
        if self.current is None and self._is_open:
            self.current = child
            self._on_change()
        else:
            child.kill()

    async def _started(self) -> Child | None:
        # Not cancelled with whoever waits: a process half started would belong to nobody.
        return await asyncio.shield(self._starts.spawn(self._start_one()))

    async def _start_one(self) -> Child | None:
        self._n_starting += 1
        try:
            child = await self._start()
        except OSError as error:
            log.error("no process could be started", extra={"post": self.name, "cause": str(error)})
            return None
        finally:
            self._n_starting -= 1
            self._ended.set()
        self._living.append(child)
        self._tasks.spawn(self._tend(child))
        if self._is_closing:
            child.kill()
        return child

    async def _tend(self, child: Child) -> None:
        while (frame := await child.line.receive()) is not None:
            child.note_heard()
            self._on_frame(child, frame)
        await child.wait_gone(EXIT_GRACE_S)
        self._note_gone(child)

    def _note_gone(self, child: Child) -> None:
        self._ended.set()
        self._living.remove(child)
        self.retired.discard(child)
        is_holder = child is self.current
        facts = {"post": self.name, "pid": child.pid, "exit_code": child.exit_code}
        if not is_holder or not self._is_open:
            log.info("process ended", extra=facts)
        if is_holder:
            self.current = None
        if is_holder and self._is_open:
            delay_s = self._pause(child)
            log.log(
                logging.WARNING if delay_s else logging.INFO,
                "process ended, starting another",
                extra=facts | {"in_s": delay_s},
            )
            self._tasks.spawn(self._fill(delay_s))
        self._on_change()

    def _pause(self, child: Child) -> float:
        if self._is_planned:
            self._is_planned = False
            return 0.0
        self.restarts += 1
        return self._backoff.delay_after(lifetime_s=child.uptime_s)
