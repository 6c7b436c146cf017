"""
The store's tables: a log of outcomes, what is derived from it, and feedback.

One schema for both dialects. Names are kept as text, not as numbers into a list of names: whoever opens the file with
sqlite3 or psql can read it. Unit hashes are 64 bits, kept signed, for neither database has unsigned ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from gateway.record.rollup import RollupKey, Sums, UnitDayKey, UnitSums

HEAD = "0001"
"""The version of the schema below; the last of `migrations/versions`."""

metadata = sa.MetaData()

# SQLite numbers rows by itself only where the key is exactly INTEGER.
_row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, *, optional: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=optional)


def _int(name: str, *, optional: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=optional)


def _float(name: str, *, optional: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=optional)


def _bool(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _sums(zeros: Mapping[str, float]) -> list[sa.Column[int] | sa.Column[float]]:
    return [_int(name) if type(zero) is int else _float(name) for name, zero in zeros.items()]


outcome_batches = sa.Table(
    "outcome_batches",
    metadata,
    sa.Column("id", _row_id, primary_key=True, autoincrement=False),
    _int("worker"),
    _int("boot"),
    _int("first"),
    _int("n"),
    _int("total"),
    _int("min_unix_ms"),
    _int("max_unix_ms"),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    # Covers what is asked without payloads, which lie in the way of everything else.
    sa.Index("outcome_batches_by_time", "max_unix_ms", "min_unix_ms", "n", "total"),
)

fold_progress = sa.Table(
    "fold_progress",
    metadata,
    sa.Column("id", _row_id, primary_key=True, autoincrement=False),
    _int("folded_through"),
    _int("folding_through", optional=True),
    _int("units_done"),
    _int("groups_done"),
)

exposures = sa.Table(
    "exposures",
    metadata,
    _text("release"),
    _int("unit_hash"),
    _int("epoch"),
    _text("arm"),
    _int("first_unix_ms"),
    _text("route"),
    _text("segments", optional=True),
    sa.PrimaryKeyConstraint("release", "unit_hash", "epoch", "arm"),
    sqlite_with_rowid=False,
)

rollups = sa.Table(
    "rollups",
    metadata,
    _int("minute_unix_s"),
    _text("route"),
    _text("release"),
    _int("epoch"),
    _text("arm"),
    _text("reason"),
    _bool("is_stream"),
    _text("segment"),
    *_sums(Sums()._asdict()),
    _text("duration_sketch"),
    _text("ttft_sketch"),
    sa.PrimaryKeyConstraint(*RollupKey._fields),
    sqlite_with_rowid=False,
)

unit_days = sa.Table(
    "unit_days",
    metadata,
    _text("release"),
    _int("epoch"),
    _text("arm"),
    _int("unit_hash"),
    _int("day"),
    *_sums(UnitSums()._asdict()),
    sa.PrimaryKeyConstraint(*UnitDayKey._fields),
    sqlite_with_rowid=False,
)

feedback = sa.Table(
    "feedback",
    metadata,
    _text("id"),
    _text("metric"),
    _float("value", optional=True),
    _text("text", optional=True),
    _text("comment", optional=True),
    _int("at_unix_ms"),
    _int("received_unix_ms"),
    _text("route"),
    _text("release"),
    _int("unit_hash"),
    _int("epoch", optional=True),
    _text("arm", optional=True),
    _int("exposed_unix_ms", optional=True),
    _int("serial", optional=True),
    _bool("is_late"),
    _bool("is_by_user"),
    sa.PrimaryKeyConstraint("id"),
    sa.Index("feedback_by_unit", "release", "unit_hash"),
    sa.Index("feedback_by_time", "received_unix_ms"),
)

samples = sa.Table(
    "samples",
    metadata,
    sa.Column("id", _row_id, primary_key=True, autoincrement=True),
    _text("request_id"),
    _int("unix_ms"),
    _int("expires_unix_ms"),
    _text("route"),
    _text("release"),
    _int("epoch"),
    _text("arm"),
    _int("unit_hash"),
    _text("prompt"),
    _text("answer"),
    sa.Index("samples_by_expiry", "expires_unix_ms"),
    sa.Index("samples_by_unit", "release", "unit_hash"),
)

watermarks = sa.Table(
    "watermarks",
    metadata,
    _int("worker"),
    _int("boot"),
    _int("last"),
    _int("seen_unix_ms"),
    sa.PrimaryKeyConstraint("worker", "boot"),
)


def signed(unit_hash: int) -> int:
    """
    Give 64 unsigned bits as the store keeps them.

    >>> signed(2**64 - 1)
    -1
    """
    return unit_hash - (1 << 64) if unit_hash >= 1 << 63 else unit_hash


def unsigned(kept: int) -> int:
    """Give a kept hash's 64 unsigned bits."""
    return kept & ((1 << 64) - 1)
