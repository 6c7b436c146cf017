"""
Control's end of shadows: pairs before the store, and counts of copies that are never lost.

Pairs hold texts and are treated like samples: see `group_keeper`. Counts are small and hold nobody, so they wait here
while the store is away, and whoever sent them keeps them until they are told that they are kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.record.batch import RefusedError, StoreError
from gateway.record.frames import Summed
from gateway.record.group_keeper import GroupKeeper, GroupLimits
from gateway.record.pair import Judged, Pair
from gateway.record.shadowed import ShadowCount
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

Tell = Callable[[int], None]
"""Tells whoever sent counts the number of the last that are kept."""

MAX_WAITING = 1_000
"""Frames with counts; a shadow process has one or two on their way."""


class PairStore(Protocol):
    """What keeps pairs; `record.store` is the real one."""

    async def keep_pairs(self, rows: Sequence[Pair | Judged]) -> None:
        """Keep pairs and late judgements, redacted; raises StoreError when nothing was kept."""
        ...

    async def count_shadows(self, worker: int, boot: int, number: int, counts: Sequence[ShadowCount]) -> bool:
        """Add counts up; False when this number was counted before. Raises StoreError when nothing was kept."""
        ...


@dataclass(frozen=True, slots=True)
class PairLimits(GroupLimits):
    """
    Sizes and waits.

    Attributes:
        max_rows: Many more than of samples: most of them are without texts.
        group_rows: Kept at once, at most.
        count_every_s: Between two transactions of counts.
    """

    max_rows: int = 5_000
    group_rows: int = 100
    count_every_s: float = 1.0


class _Waiting(NamedTuple):
    worker: int
    boot: int
    summed: Summed


class PairKeeper:
    """Keeps pairs and counts, from `open` to `close`."""

    def __init__(
        self,
        obstacle: Callable[[], str],
        *,
        on_counted: Callable[[Sequence[ShadowCount]], None] | None = None,
        limits: PairLimits | None = None,
    ) -> None:
        """
        Make it; there is no store yet.

        Args:
            obstacle: Says why no texts can be kept now: "store_away", "disk_full"; empty when they can.
            on_counted: Hears of all counts once, as they come.
            limits: Sizes and waits.
        """
        self._obstacle = obstacle
        self._on_counted = on_counted
        self._limits = limits or PairLimits()
        self._tasks = TaskGroup()
        self._group = GroupKeeper[Pair | Judged]("pairs", obstacle, limits=self._limits)
        self._store: PairStore | None = None
        self._waiting: deque[_Waiting] = deque()
        self._heard: dict[tuple[int, int], int] = {}
        self._settled: dict[tuple[int, int], int] = {}
        self._tells: dict[tuple[int, int], Tell] = {}
        self._results: Counter[tuple[str, str, str]] = Counter()
        self._usd: dict[tuple[str, str], float] = {}
        self._woken, self._leaving = asyncio.Event(), asyncio.Event()
        self._counting: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin; nothing is kept before `use`."""
        self._group.open()
        self._counting = self._tasks.spawn(self._count())

    def use(self, store: PairStore) -> None:
        """Keep them there from now on."""
        self._store = store
        self._group.use(store.keep_pairs)
        self._woken.set()

    def offer(self, row: Pair | Judged, n_bytes: int) -> None:
        """Take a pair, or a judgement that came after its pair, of so many bytes; or drop and count it."""
        self._group.offer(row, n_bytes)

    def offer_counts(self, worker: int, boot: int, summed: Summed, tell: Tell) -> None:
        """Take counts; `tell` is called once they are kept, at once when they were before."""
        key = (worker, boot)
        self._tells[key] = tell
        if summed.number <= self._settled.get(key, 0):
            tell(self._settled[key])
        elif summed.number > self._heard.get(key, 0) and len(self._waiting) < MAX_WAITING:
            self._heard[key] = summed.number
            self._waiting.append(_Waiting(worker, boot, summed))
            self._note(summed.counts)
            self._woken.set()

    def leave(self, worker: int, boot: int, tell: Tell) -> None:
        """Tell it no more, unless another has come in its place."""
        if self._tells.get((worker, boot)) == tell:
            del self._tells[(worker, boot)]

    def note_losses(self, reason: str, n_rows: int) -> None:
        """Count what the shadow process dropped."""
        self._group.note_losses(reason, n_rows)

    def counts(self) -> dict[str, object]:
        """Give how many pairs and judgements were kept and wait, and how many were dropped by reason."""
        return self._group.counts()

    def results(self) -> list[dict[str, object]]:
        """Give what became of copies since this control process began, by route and variant."""
        by_place: dict[tuple[str, str], dict[str, int]] = {}
        for (route, variant, result), n in sorted(self._results.items()):
            by_place.setdefault((route, variant), {})[result] = n
        return [
            {"route": place[0], "variant": place[1], "results": results, "cost_usd": self._usd[place]}
            for place, results in by_place.items()
        ]

    async def close(self, timeout_s: float) -> None:
        """Keep what waits as far as time allows, and stop; counts that could not be kept are still their sender's."""
        self._leaving.set()
        self._woken.set()
        closing = [self._tasks.spawn(self._group.close(timeout_s)), *([self._counting] if self._counting else [])]
        await asyncio.wait(closing, timeout=timeout_s)
        await closing[0]
        await self._tasks.close()

    def _note(self, counts: Sequence[ShadowCount]) -> None:
        for each in counts:
            self._results[(each.route, each.variant, each.result)] += each.n
            place = (each.route, each.variant)
            self._usd[place] = self._usd.get(place, 0.0) + each.usd
        if self._on_counted is not None:
            self._on_counted(counts)

    async def _count(self) -> None:
        while not self._leaving.is_set():
            await self._woken.wait()
            while self._waiting and await self._count_next():
                pass
            if not self._waiting or self._store is None:
                self._woken.clear()
            await self._rest()
        while self._waiting and await self._count_next():
            pass

    async def _count_next(self) -> bool:
        """Keep the oldest counts; False when that has to be tried again."""
        store = self._store
        if store is None or self._obstacle() == "store_away":
            return False
        waiting = self._waiting[0]
        try:
            await store.count_shadows(waiting.worker, waiting.boot, waiting.summed.number, waiting.summed.counts)
        except RefusedError:
            log.exception("counts of copies that no store takes")
        except StoreError as error:
            log.warning("what became of copies could not be counted yet", extra={"cause": str(error)})
            return False
        except Exception:  # What no store takes costs itself, and not the task.
            log.exception("counts of copies that no store takes")
        self._waiting.popleft()
        key = (waiting.worker, waiting.boot)
        self._settled[key] = waiting.summed.number
        if tell := self._tells.get(key):
            tell(waiting.summed.number)
        return True

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.count_every_s):
                await self._leaving.wait()
