"""
An experiment's users, read block by block: as many as are asked for, chosen by chance, a block in memory at a time.

Where all are asked for, a block is a range of hashes. Where some are, the hashes are divided into 8,192 strata, finer
than buckets are, and a block takes the same part of each: a random sample of all users, whatever arm they have. SQLite
finds it by its index, without reading past the others: two hundred thousand of ten million users take no longer than
all of two hundred thousand. PostgreSQL, which cannot be told how to go about it, looks at every row once a block.

Columns come as JSON arrays that the database puts together: a row as a tuple costs as much as twelve columns.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson
import sqlalchemy as sa

from gateway.domain.metric import Metric
from gateway.record.experiment_query import (
    DayColumns,
    ExperimentQuery,
    ExposureColumns,
    SaidColumns,
    UnitBlock,
)
from gateway.record.rollup import DAY_MS
from gateway.tasks import TaskGroup

if TYPE_CHECKING:
    from gateway.record.store.reader import Reader

Column = np.ndarray[Any, np.dtype[Any]]
Progress = Callable[[int, int], None]

STRATA = 8_192
STRATUM = 2**64 // STRATA
FIRST = -(2**63)
BLOCK_UNITS = 100_000
"""Of one block: 30 MB of rows and columns while they are read."""

CELLS_BY_THEMSELVES = 24
"""Up to so many are read one by one, along their index; of more, each unit's days are looked up, at twice the cost."""

AT_ONCE = 3
"""Questions that the database works on at a time."""

PROBE = 64
"""One part in so many is counted to know how many users there are; all of them where that was few."""
_FEW = 1_000
_SHOWN = "e.release = :release AND e.first_unix_ms >= :since AND e.first_unix_ms < :until"
_SAID = "f.release = :release AND NOT f.is_late AND f.value IS NOT NULL"
_NAMES = re.compile(r":(\w+)")

SUMS = (
    "requests",
    "provider_faults",
    "input_blocked + output_blocked + flagged",
    "refused",
    "answered",
    "duration_ms",
    "ttfts",
    "ttft_ms",
    "priced",
    "cost_usd",
    "output_tokens",
)
SUM_NAMES = tuple("unsafe" if "+" in each else each for each in SUMS)

# CROSS JOIN keeps SQLite from beginning with the other table.
_GRID = """WITH RECURSIVE grid(low) AS (
    SELECT CAST(:first AS BIGINT) UNION ALL SELECT low + :stratum FROM grid WHERE low < :last
) """
_DAYS_OF = (
    "unit_days AS d ON d.release = e.release AND d.epoch = e.epoch AND d.arm = e.arm AND d.unit_hash = e.unit_hash"
)


class _Part(NamedTuple):
    """
    Some of the users.

    Attributes:
        low: Of a range of hashes the first; else from where on in every stratum.
        span: One less than how many hashes.
        is_range: Whether it is one range.
    """

    low: int
    span: int
    is_range: bool


Lists = list[list[Any]]
"""Columns, as the database gives them."""


class _Fetched(NamedTuple):
    """
    What a block is made of.

    Attributes:
        shown: Exposures.
        days: Days, cell by cell or all at once.
        history: What was said before.
        said: By metric.
    """

    shown: Lists
    days: list[Lists]
    history: Lists
    said: list[Lists]


EVERYBODY = _Part(FIRST, 2**64 - 1, is_range=True)


async def read_experiment(
    reader: Reader, query: ExperimentQuery, *, max_units: int | None = None, progress: Progress | None = None
) -> AsyncIterator[UnitBlock]:
    """
    Give an experiment's users in blocks of about a hundred thousand.

    Args:
        reader: Of the store.
        query: What is asked.
        max_units: About so many at most; None for all of them.
        progress: Told how many were read, and about how many there are to read.

    Raises:
        StoreError: The store cannot be read.
    """
    reading, tasks = _Reading(reader, query), TaskGroup()
    n_units = await reading.estimated_units()
    wanted = n_units if max_units is None else min(n_units, max_units)
    first, *others = _parts(wanted, n_units)
    n_read, coming = 0, tasks.spawn(reading.fetch(first))
    try:
        for part in (*others, None):
            fetched = await coming
            if part is not None:
                # The database works on the next block while this one is looked at.
                coming = tasks.spawn(reading.fetch(part))
            block = reading.block_of(fetched)
            n_read += len(np.unique(block.exposures.units))
            if progress is not None:
                progress(n_read, max(n_read, wanted))
            yield block
    finally:
        await tasks.close()


def _parts(wanted: int, n_units: int) -> list[_Part]:
    """Give as many parts as make blocks of a hundred thousand users."""
    n_blocks = max(1, ceil(wanted / BLOCK_UNITS))
    is_all = wanted >= n_units
    whole = 2**64 if is_all else max(n_blocks, round(STRATUM * wanted / n_units))
    edges = [whole * index // n_blocks for index in range(n_blocks + 1)]
    first = FIRST if is_all else 0
    return [_Part(first + start, end - start - 1, is_range=is_all) for start, end in pairwise(edges)]


async def estimate_units(reader: Reader, query: ExperimentQuery) -> int:
    """Give about how many units there are in a query's release: within a few percent where there are thousands."""
    return await _Reading(reader, query).estimated_units()


class _Reading:
    """One query while it is read."""

    def __init__(self, reader: Reader, query: ExperimentQuery) -> None:
        self._reader = reader
        self._query = query
        self._cell_of: dict[tuple[int, str], int] = {cell: index for index, cell in enumerate(query.cells)}
        self._is_sqlite = not reader.is_postgresql
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._array, self._join = ("json_group_array", "CROSS JOIN") if self._is_sqlite else ("json_agg", "JOIN")

    async def estimated_units(self) -> int:
        """Give about how many exposures there are; exactly where there are few, and of PostgreSQL."""
        if self._is_sqlite:
            n = await self._count(_Part(0, STRATUM // PROBE - 1, is_range=False))
            if n >= _FEW:
                return n * PROBE
        return await self._count(EVERYBODY)

    async def fetch(self, part: _Part) -> _Fetched:
        """Give the columns of some of the users, as the database puts them together."""
        history = self._history(part) if self._query.history_s > 0 else _nothing()
        said = (self._said(part, metric) for metric in self._query.metrics)
        shown, days, before, *words = await asyncio.gather(self._shown(part), self._days(part), history, *said)
        return _Fetched(shown, days, before, words)

    def block_of(self, fetched: _Fetched) -> UnitBlock:
        """Give the block that columns make."""
        shown, segments, n_two_arms = self._exposures_of(fetched.shown)
        key = _Key(shown)
        words = zip(self._query.metrics, fetched.said, strict=True)
        return UnitBlock(
            shown,
            self._days_of(fetched.days, key),
            {metric.name: self._said_of(metric, columns, key) for metric, columns in words},
            self._history_of(fetched.history),
            segments,
            n_two_arms,
        )

    async def _count(self, part: _Part) -> int:
        [(n,)] = await self._rows("count(*)", "exposures AS e", "e.release = :release", part)
        return int(n)

    async def _shown(self, part: _Part) -> Lists:
        columns = ["e.unit_hash", "e.epoch", "e.arm", "e.first_unix_ms", "e.segments"]
        return await self._columns(columns, "exposures AS e", _SHOWN, part)

    def _exposures_of(self, lists: Lists) -> tuple[ExposureColumns, tuple[tuple[tuple[str, str], ...], ...], int]:
        units, epochs, arms, first, texts = lists
        codes: dict[str | None, int] = {}
        segments = np.array([codes.setdefault(text, len(codes)) for text in texts], dtype=np.int32)
        shown = ExposureColumns(_ints(units), self._cells(epochs, arms), _ints(first), segments)
        shown = _sorted(ExposureColumns(*(column[shown.cells >= 0] for column in shown)))
        shown, n_two_arms = self._without_two_arms(shown)
        return shown, tuple(_segments_of(text) for text in codes), n_two_arms

    def _without_two_arms(self, shown: ExposureColumns) -> tuple[ExposureColumns, int]:
        """Leave out units that were in two arms of one epoch; say how many."""
        epochs = np.array([cell.epoch for cell in self._query.cells], dtype=np.int64)[shown.cells]
        order = np.lexsort((epochs, shown.units))
        units, epochs = shown.units[order], epochs[order]
        doubled = np.unique(units[1:][(units[1:] == units[:-1]) & (epochs[1:] == epochs[:-1])])
        if not len(doubled):
            return shown, 0
        kept = ~np.isin(shown.units, doubled)
        return ExposureColumns(*(column[kept] for column in shown)), len(doubled)

    async def _days(self, part: _Part) -> list[Lists]:
        """Give days cell by cell; of many cells at once, with epoch and arm behind the others."""
        if not self._query.with_days:
            return []
        columns = ["d.unit_hash", "d.day", *(_named(each, "d") for each in SUMS)]
        when = "d.day >= :since_day AND d.day <= :until_day"
        if self._are_cells_few:
            where = f"d.release = :release AND d.epoch = :epoch AND d.arm = :arm AND {when}"
            return await asyncio.gather(
                *(
                    self._columns(columns, "unit_days AS d", where, part, epoch=cell.epoch, arm=cell.arm)
                    for cell in self._query.cells
                )
            )
        columns += ["d.epoch", "d.arm"]
        joined = f"{self._join} {_DAYS_OF}"
        return [await self._columns(columns, "exposures AS e", f"{_SHOWN} AND {when}", part, joined=joined)]

    @property
    def _are_cells_few(self) -> bool:
        return len(self._query.cells) <= CELLS_BY_THEMSELVES

    def _days_of(self, lots: list[Lists], key: _Key) -> DayColumns:
        if not lots:
            return DayColumns(_ints(()), np.zeros(0, np.int16), np.zeros(0, np.int32), {})
        if self._are_cells_few:
            cells = np.concatenate([np.full(len(lot[0]), at, np.int16) for at, lot in enumerate(lots)])
        else:
            *_, epochs, arms = lots[0]
            cells = self._cells(epochs, arms)
        found = [np.concatenate([np.array(lot[at]) for lot in lots]) for at in range(2 + len(SUMS))]
        units = found[0].astype(np.int64)
        kept = key.has(units, cells)
        units, cells, days = units[kept], cells[kept], found[1][kept].astype(np.int32)
        order = np.lexsort((days, cells, units))
        sums = {name: column[kept][order].astype(float) for name, column in zip(SUM_NAMES, found[2:], strict=True)}
        return DayColumns(units[order], cells[order], days[order], sums)

    async def _said(self, part: _Part, metric: Metric) -> Lists:
        columns = ["f.unit_hash", "f.epoch", "f.arm", "f.exposed_unix_ms", "f.at_unix_ms", "f.value"]
        where = f"{_SAID} AND f.metric = :metric AND f.arm IS NOT NULL AND f.exposed_unix_ms >= :since"
        return await self._columns(columns, "feedback AS f", where, part, metric=metric.name)

    def _said_of(self, metric: Metric, lists: Lists, key: _Key) -> SaidColumns:
        units, epochs, arms, exposed, said, values = lists
        counts_unix_ms = _ints(said) if metric.attribution_s is None else _ints(exposed)
        if metric.attribution_s is not None:
            counts_unix_ms = counts_unix_ms + round(metric.attribution_s * 1000)
        cells = self._cells(epochs, arms)
        kept = key.has(_ints(units), cells) & (counts_unix_ms < self._query.until_unix_ms)
        rows = (_ints(units)[kept], cells[kept], counts_unix_ms[kept] // DAY_MS, np.array(values, dtype=float)[kept])
        return _said_by_day(metric, *rows)

    async def _history(self, part: _Part) -> Lists:
        columns = ["f.unit_hash", "f.metric", "f.value"]
        where = f"{_SAID} AND f.at_unix_ms >= :before AND f.at_unix_ms < :since"
        return await self._columns(columns, "feedback AS f", where, part)

    def _history_of(self, lists: Lists) -> dict[str, Column]:
        """Give what units said before the experiment, by unit: that is what explains what they say in it."""
        if not lists or not lists[0]:
            return {}
        units, metrics, values = lists
        known, at = np.unique(_ints(units), return_inverse=True)
        found: dict[str, Column] = {"units": known}
        names, numbers = np.array(metrics), np.array(values, dtype=float)
        for metric in self._query.metrics:
            own = names == metric.name
            found[f"said.{metric.name}.count"] = np.bincount(at[own], minlength=len(known)).astype(float)
            found[f"said.{metric.name}.total"] = np.bincount(at[own], weights=numbers[own], minlength=len(known))
        return found

    async def _columns(
        self, columns: Sequence[str], table: str, where: str, part: _Part, *, joined: str = "", **more: Any
    ) -> list[list[Any]]:
        """Give columns of a part of a table, which is called by one letter."""
        arrays = ", ".join(f"{self._array}({each})" for each in columns)
        async with self._turns:
            [row] = await self._rows(arrays, table, where, part, joined=joined, **more)
        return [_decoded(each) for each in row]

    async def _rows(
        self, what: str, table: str, where: str, part: _Part, *, joined: str = "", **more: Any
    ) -> list[Any]:
        unit = f"{table[-1]}.unit_hash"
        if part.is_range:
            sql = f"SELECT {what} FROM {table} {joined} WHERE {unit} BETWEEN :low AND :high AND {where}"
        elif self._is_sqlite:
            on = f"{unit} BETWEEN grid.low AND grid.low + :span"
            sql = f"{_GRID}SELECT {what} FROM grid CROSS JOIN {table} ON {on} {joined} WHERE {where}"
        else:
            sql = f"SELECT {what} FROM {table} {joined} WHERE ({unit} & :mask) BETWEEN :low AND :high AND {where}"
        query = self._query
        known = {
            "low": part.low,
            "high": part.low + part.span,
            "mask": STRATUM - 1,
            "first": FIRST + part.low,
            "last": FIRST + part.low + (STRATA - 1) * STRATUM,
            "stratum": STRATUM,
            "span": part.span,
            "release": query.release,
            "since": query.since_unix_ms,
            "until": query.until_unix_ms,
            "since_day": query.since_unix_ms // DAY_MS,
            "until_day": min(query.until_unix_ms // DAY_MS, 2**31 - 1),
            "before": round(query.since_unix_ms - 1000 * query.history_s),
        }
        known |= more
        values = {name: known[name] for name in _NAMES.findall(sql)}
        return await self._reader.rows_of(sa.text(sql).bindparams(**values))

    def _cells(self, epochs: Sequence[int], arms: Sequence[str]) -> Column:
        """Give each row's cell; -1 of those that nobody asked for."""
        known = self._cell_of
        # A named tuple is found by a plain one, which costs a third.
        return np.array([known.get(pair, -1) for pair in zip(epochs, arms, strict=True)], dtype=np.int16)


class _Key:
    """Tells which (unit, cell) were exposed."""

    def __init__(self, shown: ExposureColumns) -> None:
        self._units, self._cells = shown.units, shown.cells
        self._n_cells = int(shown.cells.max()) + 1 if len(shown.cells) else 1
        self._known = np.unique(shown.units)
        self._pairs = np.unique(self._pair(shown.units, shown.cells))

    def has(self, units: Column, cells: Column) -> Column:
        """Give (rows,), whether each is of an exposed unit and cell."""
        if not len(self._known) or not len(units):
            return np.zeros(len(units), np.bool_)
        at = np.minimum(np.searchsorted(self._known, units), len(self._known) - 1)
        is_known = (self._known[at] == units) & (cells >= 0) & (cells < self._n_cells)
        pairs = self._pair(units, cells)
        within = np.minimum(np.searchsorted(self._pairs, pairs), len(self._pairs) - 1)
        return np.asarray(is_known & (self._pairs[within] == pairs))

    def _pair(self, units: Column, cells: Column) -> Column:
        return np.searchsorted(self._known, units) * self._n_cells + cells


async def _nothing() -> Lists:
    return []


def _said_by_day(metric: Metric, units: Column, cells: Column, days: Column, values: Column) -> SaidColumns:
    """Add up what one unit of one cell said in one day."""
    order = np.lexsort((days, cells, units))
    units, cells, days, values = units[order], cells[order], days[order].astype(np.int32), values[order]
    if len(units):
        is_new = (units[1:] != units[:-1]) | (cells[1:] != cells[:-1]) | (days[1:] != days[:-1])
        starts = np.concatenate([[0], np.flatnonzero(is_new) + 1])
        is_good, is_worst = _lines(metric, values)
        sums = [np.add.reduceat(each, starts) for each in (np.ones(len(values)), values, is_good, is_worst)]
        return SaidColumns(units[starts], cells[starts], days[starts], *sums)
    nothing = np.zeros(0)
    return SaidColumns(units, cells, days, nothing, nothing, nothing, nothing)


def _lines(metric: Metric, values: Column) -> tuple[Column, Column]:
    """Give which values are good, and which are catastrophes; NaN where no line is drawn."""
    nothing = np.full(len(values), np.nan)
    is_binary = metric.is_good(1.0) is not None and metric.good is None
    good = (values == 1).astype(float) if is_binary else nothing
    if metric.good is not None:
        good = (values >= metric.good).astype(float)
    return good, nothing if metric.catastrophic is None else (values <= metric.catastrophic).astype(float)


def _sorted(shown: ExposureColumns) -> ExposureColumns:
    order = np.lexsort((shown.cells, shown.units))
    return ExposureColumns(*(column[order] for column in shown))


def _segments_of(text: str | None) -> tuple[tuple[str, str], ...]:
    found: Mapping[str, str] = orjson.loads(text) if text else {}
    return tuple(found.items())


def _decoded(array: Any) -> list[Any]:
    """Give an array that the database put together: text of SQLite, a list of PostgreSQL; None of no rows there."""
    if array is None:
        return []
    decoded: list[Any] = orjson.loads(array) if isinstance(array, str | bytes) else array
    return decoded


def _ints(values: Sequence[int]) -> Column:
    return np.array(values, dtype=np.int64)


def _named(sums: str, table: str) -> str:
    return " + ".join(f"{table}.{name}" for name in sums.split(" + "))
