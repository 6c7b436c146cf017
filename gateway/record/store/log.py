"""
The log: batches of outcomes as they came, numbered without gaps in the order of their commits.

Whoever appends is the only one who does, so a reader that has number n never sees n - 1 appear. A number is never given
twice: what is removed from the log was folded before, and numbers go on from the last one folded.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.record.batch import Batch, RefusedError
from gateway.record.lots import Lot
from gateway.record.store import schema
from gateway.record.store.rows import Row
from gateway.record.store.statements import Statements

MAX_ROWS = 512
"""A longer batch is cut, for a payload is read and written as a whole."""

_MAX_UNIX_MS = 1 << 53
_MAX_EPOCH = 1 << 62

_log, _progress = schema.outcome_batches.c, schema.fold_progress.c
_find_tail = sa.select(
    sa.select(sa.func.max(_log.id)).scalar_subquery(),
    sa.select(_log.total).order_by(_log.id.desc()).limit(1).scalar_subquery(),
    _progress.folded_through,
)
_find_progress = sa.select(
    _progress.folded_through, _progress.folding_through, _progress.units_done, _progress.groups_done
)


class Tail(NamedTuple):
    """
    The log's end.

    Attributes:
        id: Number of the last batch; 0 before the first.
        total: Outcomes in the log up to there, those removed since the log was last empty included.
    """

    id: int
    total: int


class Progress(NamedTuple):
    """
    How far the log is folded into the derived tables.

    Attributes:
        folded_through: They hold all of every batch up to this one.
        folding_through: They hold a part of the batches up to this one; None when they hold nothing beyond.
        units_done: That part: so many units of the fold, in its order.
        groups_done: And so many groups.
    """

    folded_through: int
    folding_through: int | None = None
    units_done: int = 0
    groups_done: int = 0


@dataclass(frozen=True, slots=True)
class Numbered:
    """A batch's outcomes in lots, with its number in the log."""

    id: int
    lots: Sequence[Lot]


def number_batches(batches: Iterable[Batch], tail: Tail) -> tuple[list[Row], list[Numbered], Tail]:
    """
    Give the log's rows for batches behind `tail`, their outcomes by number, and the new tail.

    Raises:
        RefusedError: One holds what cannot be written.
    """
    rows: list[Row] = []
    numbered: list[Numbered] = []
    number, total = tail
    for batch in batches:
        for start in range(0, len(batch.outcomes), MAX_ROWS):
            part = batch if len(batch.outcomes) <= MAX_ROWS else batch.part(start, start + MAX_ROWS)
            number += 1
            total += len(part.outcomes)
            first, last = _times_of(part.lots)
            payload = _payload_of(part)
            rows.append((number, part.worker, part.boot, part.first, len(part.outcomes), total, first, last, payload))
            numbered.append(Numbered(number, part.lots))
    return rows, numbered, Tail(number, total)


def fresh_of(
    batches: Iterable[Batch], marks: dict[tuple[int, int], int]
) -> tuple[list[Batch], dict[tuple[int, int], int]]:
    """
    Give what is not in the store yet, and the last number of each worker and boot after it.

    Args:
        batches: Those of one worker and boot in their order.
        marks: The last number kept of each worker and boot; changed.
    """
    fresh: list[Batch] = []
    raised: dict[tuple[int, int], int] = {}
    for batch in batches:
        key = (batch.worker, batch.boot)
        n_kept = max(0, marks.get(key, 0) + 1 - batch.first)
        if n_kept < len(batch.outcomes):
            rest = batch.part(n_kept, len(batch.outcomes)) if n_kept else batch
            fresh.append(rest)
            marks[key] = raised[key] = batch.first + len(batch.outcomes) - 1
    return fresh, raised


async def append_at_once(connection: Any, statements: Statements, rows: Sequence[Row], marks: Sequence[Row]) -> None:
    """Append to SQLite's log in a transaction of its own, in one step of aiosqlite's thread."""
    # Step by step it would take ten of them, and each is two switches between threads.
    await connection._execute(_append, connection._conn, statements, rows, marks)


def _append(connection: sqlite3.Connection, statements: Statements, rows: Sequence[Row], marks: Sequence[Row]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(statements.add_batches, rows)
        connection.executemany(statements.raise_watermarks, marks)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


async def read_tail(connection: AsyncConnection) -> Tail:
    """Give the log's end, in a transaction that is the only one that writes."""
    last, total, folded_through = (await connection.execute(_find_tail)).one()
    return Tail(max(last or 0, folded_through), total or 0)


async def read_progress(connection: AsyncConnection) -> Progress:
    """Give how far the log is folded."""
    return Progress(*(await connection.execute(_find_progress)).one())


async def write_progress(connection: AsyncConnection, progress: Progress) -> None:
    """Say how far the log is folded, in the transaction that folded it."""
    await connection.execute(sa.update(schema.fold_progress).values(**progress._asdict()))


def batches_after(number: int, *, limit: int) -> sa.Select[tuple[int, bytes]]:
    """Give the question for the payloads that follow a batch."""
    return sa.select(_log.id, _log.payload).where(_log.id > number).order_by(_log.id).limit(limit)


def is_folded() -> sa.ColumnElement[bool]:
    """Give the condition for batches that nobody needs for the derived tables any more."""
    return _log.id <= sa.select(_progress.folded_through).scalar_subquery()


def _times_of(lots: Sequence[Lot]) -> tuple[int, int]:
    first = min(min(lot.unix_ms) for lot in lots)
    last = max(max(lot.unix_ms) for lot in lots)
    # What the log takes the derived tables must take too, else they would be tried again for ever.
    if first < 0 or last > _MAX_UNIX_MS:
        msg = "an outcome of no possible time"
        raise RefusedError(msg)
    if not all(-_MAX_EPOCH < lot.first.epoch < _MAX_EPOCH for lot in lots):
        msg = "an outcome of no possible epoch"
        raise RefusedError(msg)
    return first, last


def _payload_of(batch: Batch) -> bytes:
    try:
        return batch.payload
    except (OverflowError, UnicodeError, TypeError, ValueError) as error:
        msg = f"an outcome that cannot be written: {error}"
        raise RefusedError(msg) from error
