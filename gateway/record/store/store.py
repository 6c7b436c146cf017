"""
The store's one writer: everything that is kept goes through here, a transaction at a time.

Nothing is opened before it is needed, and whatever breaks is opened again at the next call: a store that is missing at
the start, or goes away, comes back by itself. Any failure is a StoreError, after which nothing was kept.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.clock import Clock
from gateway.record.batch import Batch, StoreError
from gateway.record.feedback import Feedback, Receipt
from gateway.record.outcome import Outcome
from gateway.record.retention import Retention
from gateway.record.rollup import (
    Exposure,
    ExposureKey,
    Folded,
    Rollup,
    RollupKey,
    SegmentNames,
    add_sketch,
    added_sketch,
    fold,
)
from gateway.record.store import schema
from gateway.record.store.attribution import Redact, attribute_to, has_feedback_by_user, keep_feedback
from gateway.record.store.ballast import Ballast
from gateway.record.store.engine import Location, open_reader, open_writer
from gateway.record.store.forget import forget_units
from gateway.record.store.known import KnownSketches, KnownUnits
from gateway.record.store.migrate import LOCK_KEY, migrate
from gateway.record.store.reader import Reader, words_of
from gateway.record.store.rows import decode_sketch, exposure_row, outcome_row, plain, rollup_row, unit_day_row
from gateway.record.store.sample import Sample
from gateway.record.store.statements import Statements, compile_statements
from gateway.record.store.sweep import Swept, sweep

RELIEF_WITHIN_S = 2.0
_SQLITE_FULL = 13
_KEYS_IN_ONE_QUESTION = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Written:
    """What a transaction wrote that is worth remembering once it is committed."""

    exposures: Mapping[ExposureKey, Exposure]
    rollups: Mapping[RollupKey, Rollup]
    marks: Mapping[tuple[int, int], int]


class Store:
    """
    Keeps facts; a `FactStore`.

    Attributes:
        location: Where it is.
    """

    def __init__(
        self, location: Location, *, clock: Clock, retention: Retention | None = None, ballast: Ballast | None = None
    ) -> None:
        """
        Make a store; nothing is opened yet.

        Args:
            location: Where it is, from `engine.location_of`.
            clock: For ages.
            retention: How long facts are kept; the defaults when None.
            ballast: What is given up on a full disk; for SQLite a file beside it when None.
        """
        self.location = location
        self._clock = clock
        self._retention = retention or Retention()
        self._ballast = ballast or (Ballast(location.path) if location.path is not None else None)
        self._redact: Redact = _as_it_is
        self._lock = asyncio.Lock()
        self._engine: AsyncEngine | None = None
        self._statements: Statements | None = None
        self._reader: Reader | None = None
        self._units = KnownUnits()
        self._sketches = KnownSketches()
        self._segments = SegmentNames()
        self._marks: dict[tuple[int, int], int] = {}
        self._is_full = False
        # In a database that others write too, anybody may have said something by user.
        self._has_by_user = location.path is None

    def __repr__(self) -> str:
        """Give where it is."""
        return f"<Store {self.location}>"

    @property
    def is_full(self) -> bool:
        """Whether the disk was full at the last attempt."""
        return self._is_full

    @property
    def reader(self) -> Reader:
        """What reads this store, on connections of its own."""
        if self._reader is None:
            self._reader = Reader(open_reader(self.location), self.location)
        return self._reader

    def set_retention(self, retention: Retention) -> None:
        """Keep facts for so long from now on."""
        self._retention = retention

    def set_redaction(self, redact: Redact) -> None:
        """Pass every text through `redact(route, text)` before it is written."""
        self._redact = redact

    async def open(self) -> None:
        """
        Open the store and bring it to this version, ahead of its first use.

        Raises:
            StoreError: It cannot be opened now; the next call tries again.
        """
        async with self._writing():
            pass

    async def keep(self, batches: Sequence[Batch], feedback: Sequence[Feedback]) -> list[Receipt]:
        """
        Keep all of it, durably, or nothing. Batches of one worker and boot must come in their order.

        Must not be cancelled: whoever may be cancelled shields it.

        Returns:
            One receipt per piece of feedback, in order.

        Raises:
            StoreError: Nothing was kept.
        """
        if self._is_full:
            await self._relieve()
        written = None
        async with self._writing() as connection:
            if batches:
                written = await self._keep_batches(connection, batches)
            receipts: list[Receipt] = []
            if feedback:
                add = self._compiled.add_feedback
                receipts = await keep_feedback(connection, add, feedback, self._redact)
        # Only what is committed is remembered.
        if written is not None:
            self._units.note(written.exposures)
            if self.location.path is not None:
                self._sketches.note(written.rollups)
                self._marks.update(written.marks)
        self._has_by_user = self._has_by_user or any(each.arm is None for each in feedback)
        return receipts

    async def keep_samples(self, samples: Sequence[Sample]) -> None:
        """
        Keep texts, redacted.

        Raises:
            StoreError: Nothing was kept.
        """
        rows = [
            (
                each.request_id,
                each.unix_ms,
                each.expires_unix_ms,
                each.route,
                each.release,
                each.epoch,
                each.arm,
                schema.signed(each.unit_hash),
                self._redact(each.route, plain(each.prompt) or ""),
                self._redact(each.route, plain(each.answer) or ""),
            )
            for each in samples
        ]
        async with self._writing() as connection:
            if rows:
                await connection.exec_driver_sql(self._compiled.add_samples, rows)

    async def tend(self) -> Swept:
        """
        Let go of what is too old or too much, and hold room on the disk back again; for once a minute.

        Raises:
            StoreError: It could not be done now; what is done stays done.
        """
        await self.open()
        swept = await sweep(self._writing, self.reader, self._retention, self._clock)
        if swept.exposures or swept.rollups:
            self._units.clear()
            self._sketches.clear()
        if self._ballast is not None and not self._is_full:
            await asyncio.to_thread(self._ballast.hold)
        return swept

    async def forget(self, unit_hashes: Sequence[int]) -> int:
        """
        Take every trace of units out of every table, and out of the files.

        Sums over all requests stay: they hold nobody.

        Args:
            unit_hashes: A user's hash under every release's salt: `assign.bucketing.unit_hash_of`.

        Returns:
            Rows removed.

        Raises:
            StoreError: Not everything was removed; ask again.
        """
        await self.open()
        removed = await forget_units(self._writing, self.reader, unit_hashes, self._clock)
        self._units.clear()
        await self._truncate_log()
        return removed

    async def close(self) -> None:
        """Close every connection; the store may be used again after that."""
        async with self._lock:
            await self._abandon()
        if self._reader is not None:
            await self._reader.close()
            self._reader = None

    @property
    def _compiled(self) -> Statements:
        assert self._statements is not None, "not open"
        return self._statements

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection with an open transaction, and commit it, or raise StoreError."""
        async with self._lock:
            try:
                engine = self._engine or await self._open_engine()
                async with engine.begin() as connection:
                    if connection.dialect.name == "postgresql":
                        # One writer at a time: no deadlock between replicas, and what was read stays so.
                        await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
                    yield connection
                self._is_full = False
            except StoreError:
                await self._abandon()
                raise
            # Drivers raise what they like: sqlite3's, asyncpg's and the system's errors, and some ValueErrors.
            except Exception as error:
                self._note_full(error)
                await self._abandon()
                raise StoreError(words_of(error)) from error

    async def _open_engine(self) -> AsyncEngine:
        engine = open_writer(self.location)
        try:
            async with engine.begin() as connection:
                await migrate(connection)
                if self.location.path is not None:
                    self._has_by_user = await has_feedback_by_user(connection)
        except BaseException:
            await engine.dispose()
            raise
        self._statements = compile_statements(engine.dialect)
        self._engine = engine
        if self._ballast is not None:
            await asyncio.to_thread(self._ballast.hold)
        return engine

    async def _abandon(self) -> None:
        engine, self._engine = self._engine, None
        # What others wrote while we could not is not known here.
        self._sketches.clear()
        self._units.clear()
        self._marks.clear()
        if engine is not None:
            # What is broken may well break once more while being closed.
            with suppress(Exception):
                await engine.dispose()

    def _note_full(self, error: Exception) -> None:
        if not _is_full_disk(error):
            return
        self._is_full = True
        if self._ballast is not None and self._ballast.release():
            log.warning("the store's disk is full: gave up the room held back", extra={"store": str(self.location)})

    async def _relieve(self) -> None:
        """Make room on a full disk, as far as retention allows."""
        # What cannot be swept now stays; the write that follows says whether there is room.
        with suppress(StoreError):
            await sweep(self._writing, self.reader, self._retention, self._clock, within_s=RELIEF_WITHIN_S)

    async def _truncate_log(self) -> None:
        """Write SQLite's log back into its file and cut it off, for it holds what pages were like before."""
        if self.location.path is None:
            return
        async with self._lock:
            try:
                raw = await (self._engine or await self._open_engine()).raw_connection()
                try:
                    cursor = await raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
                    found = await cursor.fetchone()
                    await cursor.close()
                finally:
                    raw.close()
            # Drivers raise what they like.
            except Exception as error:
                await self._abandon()
                raise StoreError(words_of(error)) from error
        if found[0]:
            msg = "rows are removed, but somebody reads the store's log, which still holds them; ask again"
            raise StoreError(msg)

    async def _keep_batches(self, connection: AsyncConnection, batches: Sequence[Batch]) -> _Written:
        fresh, marks = await self._fresh_of(connection, batches)
        folded = fold(fresh)
        exposures = self._units.news_of(folded.exposures)
        rollups = folded.rollups(self._segments)
        statements = self._compiled
        if fresh:
            if self._retention.keeps_outcomes:
                await connection.exec_driver_sql(statements.add_outcomes, [outcome_row(each) for each in fresh])
            await self._add_sums(connection, folded, rollups)
        if exposures:
            rows = [exposure_row(key, exposure) for key, exposure in exposures.items()]
            await connection.exec_driver_sql(statements.add_exposures, rows)
            if self._has_by_user:
                await attribute_to(connection, exposures)
        if marks:
            now_unix_ms = self._clock.unix_ms()
            rows = [(worker, boot, last, now_unix_ms) for (worker, boot), last in marks.items()]
            await connection.exec_driver_sql(statements.raise_watermarks, rows)
        return _Written(exposures, rollups, marks)

    async def _fresh_of(
        self, connection: AsyncConnection, batches: Sequence[Batch]
    ) -> tuple[list[Outcome], dict[tuple[int, int], int]]:
        """Give the outcomes that are not in the store yet, and the last number of each worker and boot after them."""
        workers = {(batch.worker, batch.boot) for batch in batches}
        marks = {key: self._marks[key] for key in workers if key in self._marks}
        if unknown := sorted({worker for worker, boot in workers if (worker, boot) not in marks}):
            table = schema.watermarks
            wanted = sa.select(table.c.worker, table.c.boot, table.c["last"]).where(table.c.worker.in_(unknown))
            marks |= {(row.worker, row.boot): row.last for row in await connection.execute(wanted)}
        fresh: list[Outcome] = []
        raised: dict[tuple[int, int], int] = {}
        for batch in batches:
            key = (batch.worker, batch.boot)
            kept = marks.get(key, 0)
            last = batch.first + len(batch.outcomes) - 1
            if last > kept:
                fresh += batch.outcomes[max(0, kept + 1 - batch.first) :]
                marks[key] = raised[key] = last
        return fresh, raised

    async def _add_sums(self, connection: AsyncConnection, folded: Folded, rollups: Mapping[RollupKey, Rollup]) -> None:
        for some in _pieces(self._sketches.unknown_of(rollups)):
            await _add_kept_sketches(connection, rollups, some)
        for key, rollup in rollups.items():
            known = self._sketches.of(key)
            if known is not None:
                # A copy, for what is known must stay true if the transaction fails.
                rollup.durations = added_sketch(known[0], rollup.durations)
                rollup.ttfts = added_sketch(known[1], rollup.ttfts)
        rows = [rollup_row(key, rollup) for key, rollup in rollups.items()]
        await connection.exec_driver_sql(self._compiled.add_rollups, rows)
        if folded.unit_days:
            days = [unit_day_row(key, sums) for key, sums in folded.unit_days.items()]
            await connection.exec_driver_sql(self._compiled.add_unit_days, days)


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


def _pieces(keys: Sequence[RollupKey]) -> list[Sequence[RollupKey]]:
    return [keys[start : start + _KEYS_IN_ONE_QUESTION] for start in range(0, len(keys), _KEYS_IN_ONE_QUESTION)]


def _is_full_disk(error: BaseException) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if getattr(cause, "sqlite_errorcode", None) == _SQLITE_FULL:
        return True
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


def _as_it_is(_route: str, text: str) -> str:
    return text
