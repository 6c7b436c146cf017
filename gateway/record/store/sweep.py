"""
Letting go of what is too old or too much, a little at a time.

What has to go is looked for by a reader; the writer is held only to remove rows it is given by key, and so few of them
that whoever waits for it waits some milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clock import Clock
from gateway.record.retention import Retention
from gateway.record.rollup import DAY_MS
from gateway.record.store import log, schema
from gateway.record.store.reader import Reader

Writing = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
"""Opens a transaction that commits at its end."""

HOLD_S = 0.02
"""What a step aims at; at most it may hold the writer for 50 ms."""

_FIND_ROWS = 4_000
_ONE: sa.ColumnElement[int] = sa.literal(1)
_FIRST_STEP = 50
_FIRST_BATCHES = 4
"""A batch takes as long as a hundred rows."""
_MAX_STEP = 2_000


@dataclass(frozen=True, slots=True)
class Swept:
    """Outcomes let go of, and rows by table."""

    outcomes: int = 0
    rollups: int = 0
    exposures: int = 0
    unit_days: int = 0
    feedback: int = 0
    samples: int = 0
    watermarks: int = 0
    shadow_texts: int = 0
    shadow_pairs: int = 0
    shadow_counts: int = 0


async def sweep(
    writing: Writing, reader: Reader, retention: Retention, clock: Clock, *, within_s: float | None = None
) -> Swept:
    """
    Let go of everything beyond `retention`, or of as much as fits into `within_s`.

    Raises:
        StoreError: It could not go on; what is done stays done.
    """
    swept: dict[str, int] = {}
    batches = Broom(writing, reader, clock, within_s=within_s, step=_FIRST_BATCHES)
    for beyond in _batches_beyond(retention, clock.unix_ms()):
        # What is not folded yet is still needed, however old.
        n_removed = await batches.remove(schema.outcome_batches, log.is_folded() & beyond, schema.outcome_batches.c.n)
        swept["outcomes"] = swept.get("outcomes", 0) + n_removed
    broom = Broom(writing, reader, clock, within_s=within_s)
    for table, beyond in _beyond(retention, clock.unix_ms()):
        swept[table.name] = await broom.remove(table, beyond)
    return Swept(**swept)


class Broom:
    """Removes rows in steps, each as large as it can be without holding the writer for long."""

    __slots__ = ("_clock", "_deadline_s", "_reader", "_step", "_writing")

    def __init__(
        self, writing: Writing, reader: Reader, clock: Clock, *, within_s: float | None = None, step: int = _FIRST_STEP
    ) -> None:
        self._writing = writing
        self._reader = reader
        self._clock = clock
        self._deadline_s = None if within_s is None else clock.now_s() + within_s
        self._step = step

    async def remove(self, table: sa.Table, where: sa.ColumnElement[bool], worth: sa.ColumnElement[int] = _ONE) -> int:
        """Remove every row that `where` finds; give how many went, each counted as so much as it is `worth`."""
        keys = list(table.primary_key.columns)
        find = sa.select(*keys, worth).where(where).limit(_FIND_ROWS)
        remove = sa.delete(table).where(*[key == sa.bindparam(f"of_{key.name}") for key in keys])
        removed = 0
        while not self._is_late() and (found := await self._reader.rows_of(find)):
            rows = [{f"of_{key.name}": value for key, value in zip(keys, row, strict=False)} for row in found]
            n_removed = await self._remove_rows(remove, rows)
            removed += sum(row[-1] for row in found[:n_removed])
        return removed

    async def _remove_rows(self, remove: sa.Delete, rows: Sequence[dict[str, Any]]) -> int:
        at = 0
        while at < len(rows) and not self._is_late():
            async with self._writing() as connection:
                # From here: waiting for the writer is not holding it.
                began_s = self._clock.now_s()
                await connection.execute(remove, rows[at : at + self._step])
            at += self._step
            took_s = self._clock.now_s() - began_s
            self._step = max(1, self._step // 2) if took_s > HOLD_S else min(_MAX_STEP, self._step * 5 // 4 + 1)
            # Whoever waits for the writer goes first.
            await asyncio.sleep(0)
        return min(at, len(rows))

    def _is_late(self) -> bool:
        return self._deadline_s is not None and self._clock.now_s() >= self._deadline_s


def _beyond(retention: Retention, now_unix_ms: int) -> list[tuple[sa.Table, sa.ColumnElement[bool]]]:
    """Give what is beyond retention; cheapest and largest first, for a full disk."""

    def before_ms(age_s: float) -> int:
        return now_unix_ms - int(age_s * 1000)

    units = before_ms(retention.units_s)
    samples, rollups = schema.samples.c, schema.rollups.c
    pairs, texts, counts = schema.shadow_pairs.c, schema.shadow_texts.c, schema.shadow_counts.c
    pairs_from = before_ms(retention.pairs_s)
    exposures, days, feedback = schema.exposures.c, schema.unit_days.c, schema.feedback.c
    return [
        (schema.samples, samples.expires_unix_ms <= now_unix_ms),
        (schema.shadow_texts, (texts.expires_unix_ms <= now_unix_ms) | (texts.unix_ms < pairs_from)),
        (schema.shadow_pairs, pairs.unix_ms < pairs_from),
        (schema.shadow_counts, counts.day < before_ms(retention.shadow_counts_s) // DAY_MS),
        (schema.rollups, rollups.minute_unix_s < before_ms(retention.rollups_s) // 1000),
        (schema.unit_days, days.day < units // DAY_MS),
        (schema.exposures, exposures.first_unix_ms < units),
        (schema.feedback, feedback.received_unix_ms < before_ms(retention.feedback_s)),
        (schema.watermarks, schema.watermarks.c.seen_unix_ms < before_ms(retention.watermarks_s)),
    ]


def _batches_beyond(retention: Retention, now_unix_ms: int) -> list[sa.ColumnElement[bool]]:
    """Give which batches of outcomes are beyond retention; a batch goes as a whole, with its youngest outcome."""
    batches = schema.outcome_batches.c
    if not retention.keeps_outcomes:
        return [batches.id > 0]
    # Totals count up, so what has the most we keep behind it is too much; nothing has to be counted.
    newest = sa.select(sa.func.max(batches.total)).scalar_subquery()
    too_old = now_unix_ms - int(retention.outcomes_s * 1000)
    return [batches.total <= newest - retention.max_outcomes, batches.max_unix_ms < too_old]
