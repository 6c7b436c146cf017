"""
Typed questions to the store, on connections that cannot change it.

Everything that may be long is an iterator that reads a page at a time and holds no transaction between pages: a million
rows pass in the memory of one page, and the writer's checkpoints are not kept waiting. What is derived from outcomes
is some seconds behind them: `Store.settle` writes what waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.record.batch import StoreError
from gateway.record.copied import salt_of
from gateway.record.experiment_query import EpochShares
from gateway.record.outcome import Outcome
from gateway.record.pair import Pair, PairKey, PairTexts
from gateway.record.rollup import Rollup, RollupKey, Sums, UnitDayKey, UnitSums
from gateway.record.shadowed import ShadowCount
from gateway.record.store import schema
from gateway.record.store.engine import Location
from gateway.record.store.log import batches_after
from gateway.record.store.migrate import check_version
from gateway.record.store.pair_reading import (
    COLUMNS,
    Progress,
    exported_pairs,
    read_counts,
    read_pairs,
    read_texts,
    read_unjudged,
)
from gateway.record.store.release_epochs import read_epochs
from gateway.record.store.rows import OutcomeRow, decode_outcomes, decode_sketch, outcome_row
from gateway.record.store.schema import unsigned

_SAMPLES_AT_ONCE = 50
"""A sample may be 128 KiB."""
PAGE_ROWS = 2_000
_BATCHES_AT_ONCE = 4


class ArmKey(NamedTuple):
    """An arm in one epoch of a release."""

    release: str
    epoch: int
    arm: str


class UnitFeedback(NamedTuple):
    """
    What one exposed unit said of one metric, in one arm.

    Attributes:
        metric: Name in `metrics`.
        epoch: Of the exposure.
        arm: Arm at exposure.
        unit_hash: 64 bits, unsigned.
        n: How often it was said, late ones left out.
        total: Sum of the values.
        total2: Sum of their squares.
        last_unix_ms: When it was said last.
    """

    metric: str
    epoch: int
    arm: str
    unit_hash: int
    n: int
    total: float
    total2: float
    last_unix_ms: int


@dataclass(frozen=True, slots=True)
class Within:
    """
    Which rows are asked for.

    Attributes:
        route: Of this route only.
        release: Of this release only.
        since_unix_ms: From here on.
        until_unix_ms: Up to here, exclusive.
    """

    route: str | None = None
    release: str | None = None
    since_unix_ms: int | None = None
    until_unix_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """
    How large the store is.

    Attributes:
        size_bytes: On disk, its log included.
        rows: Rows by table, and outcomes.
        oldest_unix_ms: Time of the oldest outcome; None when there is none.
    """

    size_bytes: int
    rows: dict[str, int] = field(default_factory=dict)
    oldest_unix_ms: int | None = None


class Reader:
    """Reads one store, whoever writes it meanwhile."""

    def __init__(self, engine: AsyncEngine, location: Location) -> None:
        self._engine = engine
        self._location = location

    def __repr__(self) -> str:
        """Give where it reads."""
        return f"<Reader {self._location}>"

    @property
    def is_postgresql(self) -> bool:
        """Tell which of the two dialects is spoken."""
        return self._location.path is None

    async def check(self) -> None:
        """
        See to it that there is a store of this version.

        Raises:
            StoreError: There is none, or one of another version; the message says what to do.
        """
        if self._location.path is not None and not self._location.path.is_file():
            msg = f"there is no store at {self._location.path}"
            raise StoreError(msg)
        try:
            async with self._engine.connect() as connection:
                await check_version(connection)
        except StoreError:
            raise
        # Drivers raise what they like.
        except Exception as error:
            raise StoreError(words_of(error)) from error

    async def rows_of(self, statement: sa.Select[Any] | sa.TextClause) -> list[Any]:
        """
        Give all of a short answer.

        Raises:
            StoreError: It could not be read.
        """
        try:
            async with self._engine.connect() as connection:
                return list((await connection.execute(statement)).all())
        # Drivers raise what they like.
        except Exception as error:
            raise StoreError(words_of(error)) from error

    async def totals(
        self, release: str, *, since_unix_s: int = 0, reason: str = "bucket", segment: str = ""
    ) -> dict[ArmKey, Sums]:
        """Give each arm's sums per epoch, for requests with this reason."""
        table = schema.rollups
        arm = (table.c.release, table.c.epoch, table.c.arm)
        sums = [sa.cast(sa.func.sum(table.c[name]), table.c[name].type) for name in Sums._fields]
        wanted = (
            sa.select(*arm, *sums)
            .where(table.c.release == release, table.c.reason == reason, table.c.segment == segment)
            .where(table.c.minute_unix_s >= since_unix_s)
            .group_by(*arm)
        )
        return {ArmKey(*row[:3]): Sums(*row[3:]) for row in await self.rows_of(wanted)}

    async def rollups(
        self, since_unix_s: int, *, release: str | None = None, segment: str | None = None
    ) -> AsyncIterator[tuple[RollupKey, Rollup]]:
        """Give rollups of minutes from `since_unix_s` on, oldest first; of every segment where none is named."""
        table = schema.rollups
        where = [table.c.minute_unix_s >= since_unix_s]
        if release is not None:
            where.append(table.c.release == release)
        if segment is not None:
            where.append(table.c.segment == segment)
        n_keys = len(RollupKey._fields)
        async for row in self._pages(table, list(table.primary_key.columns), where):
            sums = Sums(*row[n_keys:-2])
            yield RollupKey(*row[:n_keys]), Rollup(sums, decode_sketch(row[-2]), decode_sketch(row[-1]))

    async def count_exposures(self, release: str) -> dict[ArmKey, int]:
        """Give how many units were exposed, per epoch and arm."""
        table = schema.exposures
        arm = (table.c.release, table.c.epoch, table.c.arm)
        wanted = sa.select(*arm, sa.func.count()).where(table.c.release == release).group_by(*arm)
        return {ArmKey(*row[:3]): row[3] for row in await self.rows_of(wanted)}

    async def unit_days(self, release: str, *, epoch: int | None = None) -> AsyncIterator[tuple[UnitDayKey, UnitSums]]:
        """Give every exposed unit's days; a unit's days in one arm follow each other."""
        table = schema.unit_days
        where = [table.c.release == release]
        if epoch is not None:
            where.append(table.c.epoch == epoch)
        async for row in self._pages(table, list(table.primary_key.columns), where):
            yield UnitDayKey(row[0], row[1], row[2], unsigned(row[3]), row[4]), UnitSums(*row[5:])

    async def feedback_of(self, release: str, *, metric: str | None = None) -> Sequence[UnitFeedback]:
        """Give what exposed units said, summed per metric, arm and unit; late and unattributed words left out."""
        said, shown = schema.feedback.c, schema.exposures.c
        unit = (said.metric, said.epoch, said.arm, said.unit_hash)
        same = sa.and_(
            said.release == shown.release,
            said.unit_hash == shown.unit_hash,
            said.epoch == shown.epoch,
            said.arm == shown.arm,
        )
        # float8's sum is float8 in both dialects; a count's is not.
        square = said.value * said.value
        wanted = (
            sa.select(
                *unit, sa.func.count(), sa.func.sum(said.value), sa.func.sum(square), sa.func.max(said.at_unix_ms)
            )
            .select_from(schema.feedback.join(schema.exposures, same))
            .where(said.release == release, sa.not_(said.is_late), said.value.is_not(None))
            .group_by(*unit)
            .order_by(*unit)
        )
        if metric is not None:
            wanted = wanted.where(said.metric == metric)
        return [UnitFeedback(*row)._replace(unit_hash=unsigned(row[3])) for row in await self.rows_of(wanted)]

    async def releases(self) -> list[str]:
        """Give the name of every release that anything is kept of."""
        names: set[str] = set()
        for table in (schema.exposures, schema.unit_days, schema.feedback, schema.samples, schema.rollups):
            found = await self.rows_of(sa.select(table.c.release).distinct())
            names |= {row[0] for row in found if row[0]}
        return sorted(names)

    async def salts(self) -> list[str]:
        """Give everything that any kept unit may be salted with: release names, and those of routes' shadows."""
        routes = await self.rows_of(sa.select(schema.shadow_pairs.c.route).distinct())
        return [*await self.releases(), *sorted(salt_of(row[0]) for row in routes)]

    def pairs(
        self,
        route: str,
        *,
        since_unix_ms: int = 0,
        shadow_variant: str | None = None,
        progress: Progress | None = None,
    ) -> AsyncIterator[list[Pair]]:
        """
        Give a route's pairs in lots, oldest first, without texts and without judges' reasons.

        Args:
            route: Route name.
            since_unix_ms: From requests of this time on.
            shadow_variant: Those made for this shadow alone, noise pairs included; of all when None.
            progress: Called after each lot with how many were given and how many there are.

        Raises:
            StoreError: They could not be read; as the lots are asked for.
        """
        return read_pairs(
            self.rows_of, route, since_unix_ms=since_unix_ms, shadow_variant=shadow_variant, progress=progress
        )

    async def pair_texts(self, keys: Sequence[PairKey]) -> dict[PairKey, PairTexts]:
        """Give the texts of these pairs as far as they are kept: `record.pair.key_of` gives a pair's key."""
        return await read_texts(self.rows_of, keys)

    async def unjudged(self, since_unix_ms: int, limit: int = 1_000, *, route: str | None = None) -> list[Pair]:
        """Give at most so many pairs that have texts and no judgement, with their texts, oldest first."""
        return await read_unjudged(self.rows_of, since_unix_ms=since_unix_ms, limit=limit, route=route)

    async def shadow_counts(self, route: str, since_day: int = 0) -> Sequence[ShadowCount]:
        """Give what became of a route's copies per UTC day, variant and result, from a day since 1970 on."""
        return await read_counts(self.rows_of, route, since_day)

    async def epochs(self, release: str) -> list[EpochShares]:
        """Give how a release was divided, epoch by epoch, oldest first."""
        return await read_epochs(self.rows_of, release)

    async def outcomes(self, within: Within) -> AsyncIterator[OutcomeRow]:
        """Give single requests in the order they were kept, which is that of their ends but for some seconds."""
        where = _where_batches(within)
        page = batches_after(0, limit=_BATCHES_AT_ONCE).where(*where)
        while rows := await self.rows_of(page):
            for _, payload in rows:
                for outcome in decode_outcomes(payload):
                    if _is_within(outcome, within):
                        yield outcome_row(outcome)
            page = batches_after(rows[-1][0], limit=_BATCHES_AT_ONCE).where(*where)

    def exposures(self, within: Within) -> AsyncIterator[Any]:
        """Give exposures by release and unit."""
        table = schema.exposures
        return self._pages(table, list(table.primary_key.columns), _where(table, table.c.first_unix_ms, within))

    def feedback(self, within: Within) -> AsyncIterator[Any]:
        """Give feedback in the order it came."""
        table = schema.feedback
        keys = [table.c.received_unix_ms, table.c.id]
        return self._pages(table, keys, _where(table, table.c.received_unix_ms, within))

    def samples(self, within: Within) -> AsyncIterator[Any]:
        """Give samples in the order they were kept."""
        table = schema.samples
        return self._pages(table, [table.c.id], _where(table, table.c.unix_ms, within), page_rows=_SAMPLES_AT_ONCE)

    def exported_pairs(self, within: Within) -> AsyncIterator[Any]:
        """Give pairs with their texts where they are kept, oldest first, as rows of `columns_of("pairs")`."""
        table = schema.shadow_pairs
        return exported_pairs(self.rows_of, _where(table, table.c.unix_ms, within))

    async def count(self, table: str, within: Within) -> int:
        """Give how many rows `outcomes` and its like will give; of outcomes at most so many."""
        if table == "outcomes":
            n_outcomes = sa.func.coalesce(sa.func.sum(schema.outcome_batches.c.n), 0)
            return int((await self.rows_of(sa.select(n_outcomes).where(*_where_batches(within))))[0][0])
        of = schema.shadow_pairs if table == "pairs" else schema.metadata.tables[table]
        time = {"exposures": "first_unix_ms", "feedback": "received_unix_ms"}.get(table, "unix_ms")
        wanted = sa.select(sa.func.count()).select_from(of).where(*_where(of, of.c[time], within))
        return int((await self.rows_of(wanted))[0][0])

    def select(self, table: str, *columns: str) -> sa.Select[Any]:
        """Give a question for `rows_of`: these columns of a whole table."""
        of = schema.metadata.tables[table].c
        return sa.select(*[of[name] for name in columns])

    def columns_of(self, table: str) -> list[str]:
        """Give the columns of `outcomes`, `exposures`, `feedback`, `samples` or `pairs`, in the rows' order."""
        if table == "pairs":
            return COLUMNS
        if table == "outcomes":
            return list(OutcomeRow._fields)
        # SQLAlchemy's names are strings of its own kind, which orjson does not take for keys.
        return [str(column.name) for column in schema.metadata.tables[table].columns]

    async def health(self) -> StoreHealth:
        """Give the store's size."""
        batches = schema.outcome_batches.c
        wanted = sa.select(sa.func.coalesce(sa.func.sum(batches.n), 0), sa.func.min(batches.min_unix_ms))
        n_outcomes, oldest_unix_ms = (await self.rows_of(wanted))[0]
        rows = {"outcomes": int(n_outcomes)}
        for table in schema.metadata.sorted_tables:
            if table not in (schema.outcome_batches, schema.fold_progress):
                rows[table.name] = (await self.rows_of(sa.select(sa.func.count()).select_from(table)))[0][0]
        return StoreHealth(await self._size_bytes(), rows, oldest_unix_ms)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    async def _size_bytes(self) -> int:
        path = self._location.path
        if path is None:
            return int((await self.rows_of(sa.select(sa.func.pg_database_size(sa.func.current_database()))))[0][0])
        files = (path, Path(f"{path}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    async def _pages(
        self,
        table: sa.Table,
        keys: Sequence[sa.Column[Any]],
        where: Sequence[sa.ColumnElement[bool]],
        *,
        page_rows: int = PAGE_ROWS,
    ) -> AsyncIterator[Any]:
        page = sa.select(table).where(*where).order_by(*keys).limit(page_rows)
        after = page
        while rows := await self.rows_of(after):
            for row in rows:
                yield row
            if len(rows) < page_rows:
                return
            last = rows[-1]._mapping
            reached = sa.tuple_(*[sa.literal(last[key.name], key.type) for key in keys])
            after = page.where(sa.tuple_(*keys) > reached)


def _where_batches(within: Within) -> list[sa.ColumnElement[bool]]:
    """Give which batches may hold what is asked for."""
    batches = schema.outcome_batches.c
    where = []
    if within.since_unix_ms is not None:
        where.append(batches.max_unix_ms >= within.since_unix_ms)
    if within.until_unix_ms is not None:
        where.append(batches.min_unix_ms < within.until_unix_ms)
    return where


def _is_within(outcome: Outcome, within: Within) -> bool:
    return (
        (within.route is None or outcome.route == within.route)
        and (within.release is None or outcome.release == within.release)
        and (within.since_unix_ms is None or outcome.unix_ms >= within.since_unix_ms)
        and (within.until_unix_ms is None or outcome.unix_ms < within.until_unix_ms)
    )


def words_of(error: Exception) -> str:
    """Give the cause alone: SQLAlchemy's own words hold the statement and its parameters."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__


def _where(table: sa.Table, time: sa.Column[int], within: Within) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if within.route is not None:
        where.append(table.c.route == within.route)
    if within.release is not None:
        where.append(table.c.release == within.release)
    if within.since_unix_ms is not None:
        where.append(time >= within.since_unix_ms)
    if within.until_unix_ms is not None:
        where.append(time < within.until_unix_ms)
    return where
