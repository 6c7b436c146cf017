"""
The statements of the hot path, built with SQLAlchemy and compiled once per dialect.

SQLAlchemy's own executemany costs more than the database for rows this small, so its text is handed to the driver with
plain tuples.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_into_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_into_sqlite

from gateway.record.rollup import Sums, UnitSums
from gateway.record.store import schema

_SKETCHES = ("duration_sketch", "ttft_sketch")


@dataclass(frozen=True, slots=True)
class Statements:
    """
    Text for one dialect; parameters are tuples in the tables' column order.

    Attributes:
        add_batches: Of outcomes.
        add_exposures: Keeps the earliest time.
        add_unit_days: Adds to what is there.
        add_rollups: Adds to what is there, and replaces sketches.
        add_feedback: An id that is there is an error.
        add_samples: Without ids.
        add_pairs: One that is there is an error.
        add_pair_texts: Likewise.
        add_shadow_counts: Adds to what is there.
        raise_watermarks: Never lowers one.
    """

    add_batches: str
    add_exposures: str
    add_unit_days: str
    add_rollups: str
    add_feedback: str
    add_samples: str
    add_pairs: str
    add_pair_texts: str
    add_shadow_counts: str
    raise_watermarks: str


def compile_statements(dialect: sa.Dialect) -> Statements:
    """Give the statements as `dialect` spells them."""
    return Statements(
        add_batches=_text_of(dialect, sa.insert(schema.outcome_batches)),
        add_exposures=_text_of(dialect, _earliest(dialect)),
        add_unit_days=_text_of(dialect, _adding(dialect, schema.unit_days, UnitSums._fields)),
        add_rollups=_text_of(dialect, _adding(dialect, schema.rollups, Sums._fields, replacing=_SKETCHES)),
        add_feedback=_text_of(dialect, sa.insert(schema.feedback)),
        add_samples=_text_of(dialect, sa.insert(schema.samples), without="id"),
        add_pairs=_text_of(dialect, sa.insert(schema.shadow_pairs)),
        add_pair_texts=_text_of(dialect, sa.insert(schema.shadow_texts)),
        add_shadow_counts=_text_of(dialect, _adding(dialect, schema.shadow_counts, ("n", "usd"))),
        raise_watermarks=_text_of(dialect, _rising(dialect)),
    )


def _insert(dialect: sa.Dialect, table: sa.Table) -> Any:
    # Both have ON CONFLICT with the same words; SQLAlchemy has no common type for it.
    return (insert_into_sqlite if dialect.name == "sqlite" else insert_into_postgresql)(table)


def _adding(dialect: sa.Dialect, table: sa.Table, adding: Iterable[str], *, replacing: Iterable[str] = ()) -> Any:
    statement = _insert(dialect, table)
    new = statement.excluded
    changes = {name: table.c[name] + new[name] for name in adding} | {name: new[name] for name in replacing}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=changes)


def _earliest(dialect: sa.Dialect) -> Any:
    table = schema.exposures
    statement = _insert(dialect, table)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={"first_unix_ms": new.first_unix_ms, "segments": new.segments},
        where=new.first_unix_ms < table.c.first_unix_ms,
    )


def _rising(dialect: sa.Dialect) -> Any:
    table = schema.watermarks
    statement = _insert(dialect, table)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={"last": new["last"], "seen_unix_ms": new.seen_unix_ms},
        where=new["last"] > table.c["last"],
    )


def _text_of(dialect: sa.Dialect, statement: Any, *, without: str = "") -> str:
    names = [column.name for column in statement.table.columns if column.name != without]
    compiled = statement.inline().compile(dialect=dialect, column_keys=names)
    assert list(compiled.positiontup) == names, "the rows' order is the table's"
    return cast(str, compiled.string)
