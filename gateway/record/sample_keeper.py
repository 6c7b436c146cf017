"""
Control's end of samples, and what has to be done for the store once a minute.

Samples wait in a short queue of their own: see `group_keeper`. While the store's disk is nearly full none are kept.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.record.batch import StoreError
from gateway.record.group_keeper import GroupKeeper, GroupLimits
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
class KeeperLimits(GroupLimits):
    """
    Sizes and waits.

    Attributes:
        tend_every_s: How often the store is tended.
        max_disk_use: Of the store's disk, 0 to 1; over it no samples are kept.
    """

    tend_every_s: float = 60.0
    max_disk_use: float = 0.9


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
        self._group = GroupKeeper[Sample]("samples", self.obstacle, limits=self._limits)
        self._tending: asyncio.Task[None] | None = None
        self._leaving, self._opened = asyncio.Event(), asyncio.Event()

    def open(self) -> None:
        """Begin; nothing is kept before `use`."""
        self._group.open()
        self._tending = self._tasks.spawn(self._tend_now_and_then())

    def use(self, store: SampleStore, folder: Path | None) -> None:
        """Keep them there from now on; `folder` is where its file lies, None for a store elsewhere."""
        self._store, self._folder = store, folder
        self._opened.set()
        self._group.use(store.keep_samples)

    def offer(self, sample: Sample, n_bytes: int) -> None:
        """Take a sample of so many bytes, or drop and count it."""
        self._group.offer(sample, n_bytes)

    def note_losses(self, reason: str, n_samples: int) -> None:
        """Count what a worker dropped."""
        self._group.note_losses(reason, n_samples)

    def counts(self) -> dict[str, object]:
        """Give how many were kept and wait, and how many were dropped by reason."""
        return self._group.counts()

    def obstacle(self) -> str:
        """Give why no texts can be kept now, "store_away" or "disk_full"; empty when they can."""
        if self._is_store_away():
            return "store_away"
        return "disk_full" if self._is_disk_full else ""

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
        self._opened.set()
        closing = [self._tasks.spawn(self._group.close(timeout_s)), *([self._tending] if self._tending else [])]
        await asyncio.wait(closing, timeout=timeout_s)
        await closing[0]
        await self._tasks.close()

    async def _tend_now_and_then(self) -> None:
        await self._opened.wait()
        while not self._leaving.is_set():
            await self.tend()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.tend_every_s):
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
