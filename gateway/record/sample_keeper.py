"""
Control's end of samples: a short queue before the store, and what has to be done for the store once a minute.

Samples are kept by a task of their own, a few at a time with pauses between, so that outcomes and feedback wait for one
small transaction at most. They never touch the spool, for nothing may be on a disk before it is redacted: while the
store is away, and while its disk is nearly full, they are dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from gateway.record.batch import StoreError
from gateway.record.sample import Sample
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

DiskUse = Callable[[Path], float]
"""Gives how much of the disk under a folder is used, 0 to 1; raises OSError."""


class SampleStore(Protocol):
    """What keeps samples; `record.store` is the real one."""

    async def keep_samples(self, samples: Sequence[Sample]) -> None:
        """Keep texts, redacted; raises StoreError when nothing was kept."""
        ...

    async def tend(self) -> object:
        """Let go of what is too old; raises StoreError."""
        ...


@dataclass(frozen=True, slots=True)
class KeeperLimits:
    """
    Sizes and waits.

    Attributes:
        max_samples: That wait.
        max_bytes: Likewise.
        group_samples: Kept at once, at most.
        group_bytes: More than this is more than one group.
        rest_s: Between two groups.
        tend_every_s: How often the store is tended.
        max_disk_use: Of the store's disk, 0 to 1; over it no samples are kept.
    """

    max_samples: int = 500
    max_bytes: int = 16 * 1024 * 1024
    group_samples: int = 20
    group_bytes: int = 1024 * 1024
    rest_s: float = 0.1
    tend_every_s: float = 60.0
    max_disk_use: float = 0.9


class _Queued(NamedTuple):
    sample: Sample
    n_bytes: int


def disk_use_of(folder: Path) -> float:
    """Give how much is used of what may be used of the disk under `folder`, as `df` reckons; raises OSError."""
    usage = shutil.disk_usage(folder)
    return usage.used / max(usage.used + usage.free, 1)


class SampleKeeper:
    """Keeps samples and tends the store, from `open` to `close`."""

    def __init__(
        self, is_store_away: Callable[[], bool], *, disk_use: DiskUse = disk_use_of, limits: KeeperLimits | None = None
    ) -> None:
        """
        Make it; there is no store yet.

        Args:
            is_store_away: Says whether the store takes nothing now.
            disk_use: Of the store's folder.
            limits: Sizes and waits.
        """
        self._is_store_away = is_store_away
        self._disk_use = disk_use
        self._limits = limits or KeeperLimits()
        self._tasks = TaskGroup()
        self._store: SampleStore | None = None
        self._folder: Path | None = None
        self._is_disk_full = False
        self._queue: deque[_Queued] = deque()
        self._queued_bytes = 0
        self._kept = 0
        self._dropped: Counter[str] = Counter()
        self._woken, self._leaving, self._opened = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._working: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Begin; nothing is kept before `use`."""
        self._working = [self._tasks.spawn(self._write()), self._tasks.spawn(self._tend_now_and_then())]

    def use(self, store: SampleStore, folder: Path | None) -> None:
        """Keep them there from now on; `folder` is where its file lies, None for a store elsewhere."""
        self._store, self._folder = store, folder
        self._opened.set()
        self._woken.set()

    def offer(self, sample: Sample, n_bytes: int) -> None:
        """Take a sample of so many bytes, or drop and count it."""
        if reason := self._obstacle(n_bytes):
            self._dropped[reason] += 1
            return
        self._queue.append(_Queued(sample, n_bytes))
        self._queued_bytes += n_bytes
        self._woken.set()

    def note_losses(self, reason: str, n_samples: int) -> None:
        """Count what a worker dropped."""
        self._dropped[reason] += n_samples

    def counts(self) -> dict[str, object]:
        """Give how many were kept and wait, and how many were dropped by reason."""
        return {"kept": self._kept, "queued": len(self._queue), "dropped": dict(self._dropped)}

    async def tend(self) -> None:
        """Look at the disk, and have the store let go of what is too old."""
        if self._folder is not None:
            await self._look_at_disk(self._folder)
        if self._store is None or self._is_store_away():
            return
        try:
            await self._store.tend()
        except StoreError as error:
            log.warning("the store could not be tended", extra={"cause": str(error)})
        except Exception:  # Who tends once a minute must not stop for ever because of one fault.
            log.exception("the store could not be tended")

    async def close(self, timeout_s: float) -> None:
        """Keep what waits as far as time allows, and stop."""
        self._leaving.set()
        self._woken.set()
        self._opened.set()
        if self._working:
            await asyncio.wait(self._working, timeout=timeout_s)
        self._drop_queued("leaving")
        await self._tasks.close()

    def _obstacle(self, n_bytes: int) -> str:
        if self._leaving.is_set():
            return "leaving"
        if self._is_store_away():
            return "store_away"
        if self._is_disk_full:
            return "disk_full"
        is_too_much = len(self._queue) >= self._limits.max_samples
        return "too_many" if is_too_much or self._queued_bytes + n_bytes > self._limits.max_bytes else ""

    async def _write(self) -> None:
        while not self._leaving.is_set() or (self._queue and self._store is not None):
            await self._woken.wait()
            if self._is_store_away():
                self._drop_queued("store_away")
            elif self._store is not None and self._queue:
                await self._keep(self._store, self._next_group())
            if not self._queue or self._store is None:
                self._woken.clear()
            await self._rest(self._limits.rest_s)

    async def _keep(self, store: SampleStore, group: list[Sample]) -> None:
        try:
            await store.keep_samples(group)
        except StoreError as error:
            log.warning("samples could not be kept", extra={"cause": str(error), "samples": len(group)})
            self._dropped["store_away"] += len(group)
        except Exception:  # What no store takes costs itself, and not the task.
            log.exception("samples could not be kept")
            self._dropped["unfit"] += len(group)
        else:
            self._kept += len(group)

    def _next_group(self) -> list[Sample]:
        group, n_bytes = list[Sample](), 0
        while self._queue and len(group) < self._limits.group_samples:
            if group and n_bytes + self._queue[0].n_bytes > self._limits.group_bytes:
                break
            sample, size = self._queue.popleft()
            self._queued_bytes -= size
            n_bytes += size
            group.append(sample)
        return group

    def _drop_queued(self, reason: str) -> None:
        self._dropped[reason] += len(self._queue)
        self._dropped += Counter()  # Reasons that never were one are not shown.
        self._queue.clear()
        self._queued_bytes = 0

    async def _tend_now_and_then(self) -> None:
        await self._opened.wait()
        while not self._leaving.is_set():
            await self.tend()
            await self._rest(self._limits.tend_every_s)

    async def _rest(self, pause_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._leaving.wait()

    async def _look_at_disk(self, folder: Path) -> None:
        try:
            use = await asyncio.to_thread(self._disk_use, folder)
        except OSError as error:
            log.warning("nobody knows how full the store's disk is", extra={"cause": str(error)})
            return
        is_full = use > self._limits.max_disk_use
        if is_full != self._is_disk_full:
            self._is_disk_full = is_full
            what = "no samples are kept: the store's disk is nearly full" if is_full else "samples are kept again"
            log.warning(what, extra={"percent": round(use * 100, 1)})
