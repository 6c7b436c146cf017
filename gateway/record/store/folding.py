"""
Folding the log into the derived tables, each batch exactly once.

Theory of operation
===================
What is kept is folded in memory at once, and written now and then. A fold is of all batches behind `folded_through` up
to one of them, and is frozen before it is written. It is written in pieces, so small that whoever waits for the writer
waits some milliseconds; each piece's transaction also says how many of the fold's units and groups are written. The
last piece moves `folded_through`. Units and groups have an order that follows from the batches, and these stay as
they are until they are folded. So after a crash, after an answer that was lost, or by another process, the same fold is
made again from the log and gone on with where it was left.

Memory holds only what the log holds too. What does not follow on what was folded, because a commit's answer was lost or
another process kept something in between, is read from the log when its turn comes; so is what would be too much.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clock import Clock
from gateway.record.folded import ArmDay, Folded, Group, GroupKey, UnitTally, rollups_of
from gateway.record.lots import Lot, lots_of
from gateway.record.rollup import (
    Exposure,
    ExposureKey,
    Rollup,
    RollupKey,
    SegmentNames,
    add_sketch,
    added_sketch,
)
from gateway.record.store import schema
from gateway.record.store.attribution import attribute_to
from gateway.record.store.known import KnownSketches, KnownUnits
from gateway.record.store.log import Numbered, Progress, batches_after, read_progress, write_progress
from gateway.record.store.reader import Reader
from gateway.record.store.rows import decode_outcomes, decode_sketch, exposure_row, rollup_row, unit_day_row
from gateway.record.store.statements import Statements

log = logging.getLogger(__name__)

Writing = Callable[[], AbstractAsyncContextManager[AsyncConnection]]

EARLY_UNITS = 20_000
EARLY_GROUPS = 2_000
"""A fold of so much is not let grow: it is written at once, or made again from the log."""

HOLD_S = 0.02
"""What a piece aims at; at most it may hold the writer for 50 ms."""

_FIRST_STEP = 200
_MAX_STEP = 2_000
_GROUP_WEIGHT = 8
"""A group's rows take so many times as long as a unit's."""

_BATCHES_AT_ONCE = 4
_KEYS_IN_ONE_QUESTION = 500

_Unit = tuple[ArmDay, int, UnitTally]


class Fold:
    """
    Batches on their way into the derived tables.

    Attributes:
        after: The batch before the first.
        through: The last one.
        limit: The last one there may be; None while that is open.
        folded: What they come down to.
    """

    __slots__ = ("after", "folded", "limit", "through")

    def __init__(self, after: int, *, limit: int | None = None) -> None:
        self.after = self.through = after
        self.limit = limit
        self.folded = Folded()

    @property
    def is_large(self) -> bool:
        """Whether it should not grow."""
        return self.folded.n_units >= EARLY_UNITS or len(self.folded.groups) >= EARLY_GROUPS

    def add(self, number: int, lots: Iterable[Lot]) -> None:
        """Take the next batch."""
        self.through = number
        add, n_unfit = self.folded.add, 0
        for lot in lots:
            try:
                add(lot)
            except (ArithmeticError, TypeError, ValueError):
                n_unfit += lot.size  # What cannot be added up must not keep the others from it.
        if n_unfit:
            log.error("outcomes could not be added up", extra={"rows": n_unfit, "batch": number})


class _Frozen:
    """A fold that does not change any more, in the order in which it is written."""

    __slots__ = ("after", "groups", "through", "units")

    def __init__(self, fold: Fold) -> None:
        self.after, self.through = fold.after, fold.through
        self.groups: list[tuple[GroupKey, Group]] = list(fold.folded.groups.items())
        self.units: list[_Unit] = [
            (arm_day, unit_hash, unit)
            for arm_day, units in fold.folded.arm_days.items()
            # By hash, for so they lie in their table: neighbours share a page.
            for unit_hash, unit in sorted(units.items())
        ]


class Folding:
    """
    Folds one store's log.

    Attributes:
        has_by_user: Whether there may be feedback by user, which has to find its exposure.
    """

    def __init__(
        self,
        writing: Writing,
        reader: Callable[[], Reader],
        compiled: Callable[[], Statements],
        *,
        clock: Clock,
        is_alone: bool,
    ) -> None:
        """
        Make it; nothing is read yet.

        Args:
            writing: Opens a transaction that is the only one that writes.
            reader: Reads the same store.
            compiled: Its statements, once `writing` gave a connection.
            clock: For how long pieces take.
            is_alone: Whether nobody else writes the store.
        """
        self.has_by_user = not is_alone
        self._writing = writing
        self._reader = reader
        self._compiled = compiled
        self._clock = clock
        self._is_alone = is_alone
        self._lock = asyncio.Lock()
        self._growing: Fold | None = None
        self._frozen: _Frozen | None = None
        self._units = KnownUnits()
        self._sketches = KnownSketches()
        self._segments = SegmentNames()
        self._left: Progress | None = None
        self._step = _FIRST_STEP

    @property
    def is_large(self) -> bool:
        """Whether so much waits that it should be written now."""
        return self._growing is not None and self._growing.is_large

    @property
    def has_pending(self) -> bool:
        """Whether anything is known to wait."""
        growing = self._growing
        return self._frozen is not None or (growing is not None and growing.through > growing.after)

    def begin(self, progress: Progress) -> None:
        """Take up where the store is, unless that is known."""
        if self._growing is None:
            self._growing = Fold(progress.folded_through, limit=progress.folding_through)

    def add(self, batches: Sequence[Numbered]) -> None:
        """Fold what was committed just now; what does not follow on the rest is left to be read from the log."""
        growing = self._growing
        if growing is None:
            return
        for batch in batches:
            is_next = batch.id == growing.through + 1 and (growing.limit is None or batch.id <= growing.limit)
            if is_next and not (growing.is_large and self._frozen is not None):
                growing.add(batch.id, batch.lots)

    def forget_known(self) -> None:
        """Remember nothing of what is written: it may have gone."""
        self._units.clear()
        self._sketches.clear()

    async def write(self, *, until_s: float | None = None, is_over: Callable[[], bool] = lambda: False) -> None:
        """
        Write what was kept before this call.

        Args:
            until_s: Leave off at this time; what is not written is not lost.
            is_over: Asked between pieces; leave off when it says so.

        Raises:
            StoreError: It could not go on; nothing is lost, and nothing counts twice.
        """
        async with self._lock:
            is_all = False
            while not is_all:
                if self._frozen is None:
                    is_all = await self._freeze()
                while self._frozen is not None:
                    if is_over() or (until_s is not None and self._clock.now_s() >= until_s):
                        return
                    is_all = await self._write_piece(self._frozen) and is_all

    async def _freeze(self) -> bool:
        """Let the fold grow no more, and begin another; tell whether it has all there is."""
        fold = await self._catch_up()
        if fold.through > fold.after:
            self._frozen = _Frozen(fold)
            self._growing = Fold(fold.through)
        return fold.limit is None and not fold.is_large

    async def _catch_up(self) -> Fold:
        """Give the fold that grows, with all that is in the log, or as much as is good."""
        if self._growing is None:
            async with self._writing() as connection:
                progress = await read_progress(connection)
            self.begin(progress)
        fold = self._growing
        assert fold is not None
        while fold.limit is None or fold.through < fold.limit:
            rows = await self._reader().rows_of(batches_after(fold.through, limit=_BATCHES_AT_ONCE))
            for number, payload in rows:
                # What came meanwhile was folded where it came.
                if number > fold.through and (fold.limit is None or number <= fold.limit):
                    fold.add(number, lots_of(decode_outcomes(payload)))
            if not rows or (fold.is_large and fold.limit is None):
                break
        return fold

    async def _write_piece(self, frozen: _Frozen) -> bool:
        """Write the next piece of a fold; False when it is not the next fold any more, and was let go."""
        exposures: Mapping[ExposureKey, Exposure] = {}
        rollups: Mapping[RollupKey, Rollup] = {}
        after = None
        async with self._writing() as connection:
            # From here: waiting for the writer is not holding it.
            began_s = self._clock.now_s()
            before = await read_progress(connection)
            if before != self._left:
                self._sketches.clear()  # Somebody else wrote meanwhile.
            if before.folded_through == frozen.after and before.folding_through in (None, frozen.through):
                units, groups, after = self._piece_of(frozen, before)
                exposures = await self._write_units(connection, units)
                rollups = await self._write_groups(connection, groups)
                await write_progress(connection, after)
        took_s = self._clock.now_s() - began_s
        self._step = max(1, self._step // 2) if took_s > HOLD_S else min(_MAX_STEP, self._step * 5 // 4 + 1)
        # Only what is committed is remembered.
        self._left = after or before
        self._units.note(exposures)
        if self._is_alone:
            self._sketches.note(rollups)
        if after is None:
            # Somebody else folded it, or we did and were not told.
            self._frozen = self._growing = None
            self.forget_known()
            self.begin(before)
        elif after.folding_through is None:
            self._frozen = None
        # Whoever waits for the writer goes first.
        await asyncio.sleep(0)
        return after is not None

    def _piece_of(
        self, frozen: _Frozen, before: Progress
    ) -> tuple[Sequence[_Unit], Sequence[tuple[GroupKey, Group]], Progress]:
        units = frozen.units[before.units_done : before.units_done + self._step]
        units_done = before.units_done + len(units)
        room = self._step - len(units)
        n_groups = max(1, room // _GROUP_WEIGHT) if room else 0
        groups = frozen.groups[before.groups_done : before.groups_done + n_groups]
        groups_done = before.groups_done + len(groups)
        if units_done >= len(frozen.units) and groups_done >= len(frozen.groups):
            return units, groups, Progress(frozen.through)
        return units, groups, Progress(before.folded_through, frozen.through, units_done, groups_done)

    async def _write_units(self, connection: AsyncConnection, units: Sequence[_Unit]) -> Mapping[ExposureKey, Exposure]:
        if not units:
            return {}
        days = [unit_day_row(arm_day, unit_hash, unit) for arm_day, unit_hash, unit in units]
        await connection.exec_driver_sql(self._compiled().add_unit_days, days)
        news = self._units.news_of(_exposures_of(units))
        if news:
            rows = [exposure_row(key, exposure) for key, exposure in news.items()]
            await connection.exec_driver_sql(self._compiled().add_exposures, rows)
            if self.has_by_user:
                await attribute_to(connection, news)
        return news

    async def _write_groups(
        self, connection: AsyncConnection, groups: Sequence[tuple[GroupKey, Group]]
    ) -> Mapping[RollupKey, Rollup]:
        if not groups:
            return {}
        rollups = rollups_of(groups, self._segments)
        unknown = self._sketches.unknown_of(rollups)
        for start in range(0, len(unknown), _KEYS_IN_ONE_QUESTION):
            await _add_kept_sketches(connection, rollups, unknown[start : start + _KEYS_IN_ONE_QUESTION])
        for key, rollup in rollups.items():
            known = self._sketches.of(key)
            if known is not None:
                # A copy, for what is known must stay true if the transaction fails.
                rollup.durations = added_sketch(known[0], rollup.durations)
                rollup.ttfts = added_sketch(known[1], rollup.ttfts)
        rows = [rollup_row(key, rollup) for key, rollup in rollups.items()]
        await connection.exec_driver_sql(self._compiled().add_rollups, rows)
        return rollups


def _exposures_of(units: Sequence[_Unit]) -> dict[ExposureKey, Exposure]:
    found: dict[ExposureKey, Exposure] = {}
    for (release, epoch, arm, _), unit_hash, unit in units:
        # A bare tuple hashes and compares like the named one, and is made in a third of the time.
        key: Any = (release, unit_hash, epoch, arm)
        known = found.get(key)
        if known is None or unit.first_unix_ms < known.first_unix_ms:
            found[key] = Exposure(unit.first_unix_ms, unit.route, unit.segments)
    return found


async def _add_kept_sketches(
    connection: AsyncConnection, rollups: Mapping[RollupKey, Rollup], keys: Sequence[RollupKey]
) -> None:
    table = schema.rollups
    columns = [table.c[name] for name in RollupKey._fields]
    wanted = sa.select(*columns, table.c.duration_sketch, table.c.ttft_sketch).where(sa.tuple_(*columns).in_(keys))
    for *key, durations, ttfts in await connection.execute(wanted):
        rollup = rollups[RollupKey(*key)]
        add_sketch(rollup.durations, decode_sketch(durations))
        add_sketch(rollup.ttfts, decode_sketch(ttfts))
