"""
The store's one writer: everything that is kept goes through here, a transaction at a time.

Outcomes are appended to a log as they came, which is cheap, and are durable with that. What follows from them is folded
in memory and written every few seconds by a task of the store's own: see `folding`.

Nothing is opened before it is needed, and whatever breaks is opened again at the next call: a store that is missing at
the start, or goes away, comes back by itself. Any failure is a StoreError, after which nothing was kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.clock import Clock
from gateway.record.batch import Batch, RefusedError, StoreError
from gateway.record.experiment_query import EpochShares
from gateway.record.feedback import Feedback, Receipt
from gateway.record.pair import Judged, Pair
from gateway.record.retention import Retention
from gateway.record.sample import Sample
from gateway.record.shadowed import ShadowCount
from gateway.record.store import schema
from gateway.record.store.attribution import Redact, has_feedback_by_user, keep_feedback
from gateway.record.store.ballast import Ballast
from gateway.record.store.engine import Location, open_reader, open_writer
from gateway.record.store.failure import is_full_disk, is_refusal, is_taken
from gateway.record.store.folding import Folding
from gateway.record.store.forget import forget_units
from gateway.record.store.log import (
    Numbered,
    Tail,
    append_at_once,
    fresh_of,
    number_batches,
    read_progress,
    read_tail,
)
from gateway.record.store.migrate import LOCK_KEY, migrate
from gateway.record.store.pairs import PairRows, key_of_row, routes_of, write_pairs
from gateway.record.store.reader import Reader, words_of
from gateway.record.store.release_epochs import write_epochs
from gateway.record.store.rows import Row, plain
from gateway.record.store.statements import Statements, compile_statements
from gateway.record.store.sweep import Swept, sweep
from gateway.tasks import TaskGroup

FOLD_EVERY_S = 5.0
RELIEF_WITHIN_S = 2.0
CLOSE_WITHIN_S = 0.5

log = logging.getLogger(__name__)


Marks = dict[tuple[int, int], int]
"""Last number by worker and boot."""


class _Kept(NamedTuple):
    """What a transaction wrote that is worth remembering once it is committed."""

    batches: list[Numbered]
    tail: Tail
    marks: Marks


class Store:
    """
    Keeps facts; a `FactStore`.

    Attributes:
        location: Where it is.
    """

    def __init__(
        self,
        location: Location,
        *,
        clock: Clock,
        retention: Retention | None = None,
        ballast: Ballast | None = None,
        fold_every_s: float = FOLD_EVERY_S,
    ) -> None:
        """
        Make a store; nothing is opened yet.

        Args:
            location: Where it is, from `engine.location_of`.
            clock: For ages.
            retention: How long facts are kept; the defaults when None.
            ballast: What is given up on a full disk; for SQLite a file beside it when None.
            fold_every_s: How long what is derived from outcomes may be behind them.
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
        self._marks: dict[tuple[int, int], int] = {}
        self._tail: Tail | None = None
        self._is_full = False
        # A database that others write too may change without our knowing.
        self._is_alone = location.path is not None
        self._folding = Folding(
            self._writing, lambda: self.reader, lambda: self._compiled, clock=clock, is_alone=self._is_alone
        )
        self._fold_every_s = fold_every_s
        self._folder: asyncio.Task[None] | None = None
        self._tasks = TaskGroup()
        self._waits, self._hurry = asyncio.Event(), asyncio.Event()
        self._is_closing = False

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
            RefusedError: Nothing was kept, and of all of it together nothing ever will be.
            StoreError: Nothing was kept.
        """
        if self._is_full:
            await self._relieve()
        if any(each.arm is None for each in feedback):
            self._folding.has_by_user = True
        try:
            kept, receipts = await self._keep(batches, feedback)
        except StoreError as error:
            if not is_taken(error.__cause__):
                raise
            # A predecessor was not gone yet and appended to the log. What we knew of it is forgotten by now.
            kept, receipts = await self._keep(batches, feedback)
        # Only what is committed is remembered.
        if kept is not None:
            if self._is_alone:
                self._marks.update(kept.marks)
                self._tail = kept.tail
            self._folding.add(kept.batches)
            self._waits.set()
            if self._folding.is_large:
                self._hurry.set()
        return receipts

    async def settle(self) -> None:
        """
        Write all that follows from the outcomes kept so far, ahead of its time.

        Raises:
            StoreError: It could not all be written; what is done stays done.
        """
        await self._folding.write()

    async def keep_samples(self, samples: Sequence[Sample]) -> None:
        """
        Keep texts, redacted.

        Raises:
            StoreError: Nothing was kept.
        """
        # In a thread: long texts of many short pieces take a tenth of a second.
        rows = await asyncio.to_thread(self._rows_of_samples, samples)
        async with self._writing() as connection:
            if rows:
                await connection.exec_driver_sql(self._compiled.add_samples, rows)

    async def keep_pairs(self, rows: Sequence[Pair | Judged]) -> None:
        """
        Keep pairs and judgements that came after theirs, redacted; a pair that is there already stays as it is.

        Raises:
            StoreError: Nothing was kept.
        """
        judged = [row for row in rows if isinstance(row, Judged)]
        found = await self.reader.rows_of(routes_of(judged)) if judged and self._engine is not None else []
        routes = {key_of_row(row): row.route for row in found}
        ready = await asyncio.to_thread(PairRows, rows, self._redact, routes)
        async with self._writing() as connection:
            await write_pairs(connection, self._compiled, ready)

    async def keep_epochs(self, epochs: Sequence[EpochShares]) -> None:
        """
        Keep how releases are divided; an epoch of the same content that is there already stays as it is.

        Raises:
            StoreError: Nothing was kept.
        """
        async with self._writing() as connection:
            await write_epochs(connection, epochs)

    async def count_shadows(self, worker: int, boot: int, number: int, counts: Sequence[ShadowCount]) -> bool:
        """
        Add counts of copies to what is there.

        Args:
            worker: Who sent them.
            boot: Of that worker.
            number: Of this sending, rising; one that is not above the last that was kept is not counted again.
            counts: More of each.

        Returns:
            Whether they were counted now.

        Raises:
            StoreError: Nothing was kept.
        """
        async with self._writing() as connection:
            marks = schema.watermarks.c
            # Numbered apart from the worker's outcomes.
            numbered_as = -1 - worker
            mine = sa.select(marks["last"]).where(marks.worker == numbered_as, marks.boot == boot)
            if ((await connection.execute(mine)).scalar() or 0) >= number:
                return False
            if counts:
                rows = [(each.day, *map(plain, each[1:4]), *each[4:]) for each in counts]
                await connection.exec_driver_sql(self._compiled.add_shadow_counts, rows)
            raised = self._rows_of_marks({(numbered_as, boot): number})
            await connection.exec_driver_sql(self._compiled.raise_watermarks, raised)
            return True

    async def tend(self) -> Swept:
        """
        Let go of what is too old or too much, and hold room on the disk back again; for once a minute.

        Raises:
            StoreError: It could not be done now; what is done stays done.
        """
        await self.open()
        swept = await sweep(self._writing, self.reader, self._retention, self._clock)
        if swept.exposures or swept.rollups:
            self._folding.forget_known()
        if self._ballast is not None and not self._is_full:
            await asyncio.to_thread(self._ballast.hold)
        return swept

    async def forget(self, unit_hashes: Sequence[int]) -> int:
        """
        Take every trace of units out of every table, and out of the files.

        Sums over all requests stay: they hold nobody.

        Args:
            unit_hashes: A user's hash under every salt there is: `Reader.salts`, `forget.hashes_of`.

        Returns:
            Rows removed.

        Raises:
            StoreError: Not everything was removed; ask again.
        """
        await self.settle()
        removed = await forget_units(self._writing, self.reader, unit_hashes, self._clock)
        self._folding.forget_known()
        await self._truncate_log()
        return removed

    async def close(self) -> None:
        """
        Write what waits, and close every connection; the store may be used again after that.

        What cannot be written in time or at all is made again from the log when the store is opened next.
        """
        self._is_closing = True
        self._waits.set()
        self._hurry.set()
        if self._folder is not None:
            await self._folder
            self._folder = None
        self._is_closing = False
        if self._folding.has_pending:
            with suppress(StoreError):
                await self._folding.write(until_s=self._clock.now_s() + CLOSE_WITHIN_S)
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
        async with self._guarded():
            engine = self._engine or await self._open_engine()
            async with engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    # One writer at a time: no deadlock between replicas, and what was read stays so.
                    await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")
                yield connection

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        """Hold the writer; whatever goes wrong meanwhile is a StoreError."""
        async with self._lock:
            try:
                yield
                self._is_full = False
            except RefusedError:
                raise
            except StoreError:
                await self._abandon()
                raise
            # Drivers raise what they like: sqlite3's, asyncpg's and the system's errors, and some ValueErrors.
            except Exception as error:
                if is_refusal(error):
                    raise RefusedError(words_of(error)) from error
                self._note_full(error)
                await self._abandon()
                raise StoreError(words_of(error)) from error

    async def _open_engine(self) -> AsyncEngine:
        engine = open_writer(self.location)
        try:
            async with engine.begin() as connection:
                await migrate(connection)
                if self._is_alone:
                    self._folding.has_by_user |= await has_feedback_by_user(connection)
                self._folding.begin(await read_progress(connection))
        except BaseException:
            await engine.dispose()
            raise
        # In a thread, for it takes as long as many transactions, and the loop has others to serve.
        self._statements = await asyncio.to_thread(compile_statements, engine.dialect)
        self._engine = engine
        if self._ballast is not None:
            await asyncio.to_thread(self._ballast.hold)
        if self._folder is None and not self._is_closing:
            # What a predecessor did not come to may be waiting.
            self._waits.set()
            self._folder = self._tasks.spawn(self._fold_now_and_then())
        return engine

    async def _fold_now_and_then(self) -> None:
        while not self._is_closing:
            await self._waits.wait()
            self._waits.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._fold_every_s):
                    await self._hurry.wait()
            self._hurry.clear()
            if self._is_closing:
                return
            try:
                await self._folding.write(is_over=lambda: self._is_closing)
            except StoreError as error:
                log.warning("what follows from outcomes could not be written yet", extra={"cause": str(error)})
                self._waits.set()

    async def _abandon(self) -> None:
        engine, self._engine = self._engine, None
        # What others wrote while we could not is not known here.
        self._folding.forget_known()
        self._marks.clear()
        self._tail = None
        if engine is not None:
            # What is broken may well break once more while being closed.
            with suppress(Exception):
                await engine.dispose()

    def _note_full(self, error: Exception) -> None:
        if not is_full_disk(error):
            return
        self._is_full = True
        if self._ballast is not None and self._ballast.release():
            log.warning("the store's disk is full: gave up the room held back", extra={"store": str(self.location)})

    async def _relieve(self) -> None:
        """Make room on a full disk, as far as retention allows."""
        # What cannot be swept now stays; the write that follows says whether there is room.
        with suppress(StoreError):
            # Outcomes can only go once what follows from them is written.
            await self._folding.write(until_s=self._clock.now_s() + RELIEF_WITHIN_S)
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

    async def _keep(self, batches: Sequence[Batch], feedback: Sequence[Feedback]) -> tuple[_Kept | None, list[Receipt]]:
        kept = None
        if self._tail is not None and not feedback:
            kept = await self._keep_at_once(batches)
            if kept is not None:
                return kept, []
        receipts: list[Receipt] = []
        async with self._writing() as connection:
            if batches:
                kept = await self._keep_batches(connection, batches)
            if feedback:
                receipts = await keep_feedback(connection, self._compiled.add_feedback, feedback, self._redact)
        return kept, receipts

    async def _keep_at_once(self, batches: Sequence[Batch]) -> _Kept | None:
        """Keep batches in one step of SQLite's thread, for steps cost more than rows; None when too little is known."""
        async with self._guarded():
            workers = {(batch.worker, batch.boot) for batch in batches}
            marks = {key: self._marks[key] for key in workers if key in self._marks}
            # Whoever held the writer before us may have failed, and then nothing is known any more.
            engine, tail = self._engine, self._tail
            if engine is None or tail is None or len(marks) < len(workers):
                return None
            fresh, raised = fresh_of(batches, marks)
            if not fresh:
                return None
            rows, numbered, tail = number_batches(fresh, tail)
            raw = await engine.raw_connection()
            try:
                await append_at_once(raw.driver_connection, self._compiled, rows, self._rows_of_marks(raised))
            finally:
                raw.close()
        return _Kept(numbered, tail, raised)

    async def _keep_batches(self, connection: AsyncConnection, batches: Sequence[Batch]) -> _Kept | None:
        fresh, raised = fresh_of(batches, await self._read_marks(connection, batches))
        if not fresh:
            return None
        rows, numbered, tail = number_batches(fresh, self._tail or await read_tail(connection))
        await connection.exec_driver_sql(self._compiled.add_batches, rows)
        await connection.exec_driver_sql(self._compiled.raise_watermarks, self._rows_of_marks(raised))
        return _Kept(numbered, tail, raised)

    async def _read_marks(self, connection: AsyncConnection, batches: Sequence[Batch]) -> Marks:
        """Give the last number kept of each worker and boot, as far as there is one."""
        workers = {(batch.worker, batch.boot) for batch in batches}
        marks = {key: self._marks[key] for key in workers if key in self._marks}
        if unknown := sorted({worker for worker, boot in workers if (worker, boot) not in marks}):
            table = schema.watermarks
            wanted = sa.select(table.c.worker, table.c.boot, table.c["last"]).where(table.c.worker.in_(unknown))
            marks |= {(row.worker, row.boot): row.last for row in await connection.execute(wanted)}
        return marks

    def _rows_of_samples(self, samples: Sequence[Sample]) -> list[Row]:
        return [
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

    def _rows_of_marks(self, raised: Marks) -> list[Row]:
        now_unix_ms = self._clock.unix_ms()
        return [(worker, boot, last, now_unix_ms) for (worker, boot), last in raised.items()]


def _as_it_is(_route: str, text: str) -> str:
    return text
