"""
The store's tables: a log of outcomes, what is derived from it, feedback, samples, and pairs of answers.

One schema for both dialects. Names are kept as text, not as numbers into a list of names: whoever opens the file with
sqlite3 or psql can read it. Unit hashes are 64 bits, kept signed, for neither database has unsigned ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from gateway.record.rollup import RollupKey, Sums, UnitDayKey, UnitSums

HEAD = "0003"
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


def _bool(name: str, *, optional: bool = False) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=optional)


def _side(who: str) -> list[sa.Column[Any]]:
    return [
        _int(f"{who}_status"),
        _text(f"{who}_error", optional=True),
        _text(f"{who}_model", optional=True),
        _float(f"{who}_ttft_ms", optional=True),
        _float(f"{who}_duration_ms"),
        _int(f"{who}_input_tokens", optional=True),
        _int(f"{who}_output_tokens", optional=True),
        _float(f"{who}_cost_usd", optional=True),
        _text(f"{who}_finish", optional=True),
        _text(f"{who}_safety"),
        _bool(f"{who}_is_valid_format", optional=True),
        _bool(f"{who}_is_truncated"),
        _int(f"{who}_chars", optional=True),
    ]


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

# What people ask for has columns; the program reads the two that are msgpack.
shadow_pairs = sa.Table(
    "shadow_pairs",
    metadata,
    _text("request_id"),
    _int("kind"),
    _text("shadow_variant"),
    _int("unix_ms"),
    _text("route"),
    _text("release"),
    _int("epoch"),
    _text("arm"),
    _int("unit_hash"),
    _bool("has_unit"),
    _text("segments", optional=True),
    _text("api"),
    _bool("is_stream"),
    _text("primary_variant"),
    _text("second_variant"),
    *_side("primary"),
    *_side("shadow"),
    _bool("is_exact", optional=True),
    _bool("is_equal", optional=True),
    _float("similarity", optional=True),
    _text("tool_calls", optional=True),
    _text("judge", optional=True),
    _int("judged_unix_ms", optional=True),
    _int("vote", optional=True),
    _int("vote_primary_first", optional=True),
    _int("vote_shadow_first", optional=True),
    _float("judge_cost_usd", optional=True),
    _text("judge_problem", optional=True),
    sa.Column("pair", sa.LargeBinary, nullable=False),
    sa.Column("judgement", sa.LargeBinary, nullable=True),
    sa.PrimaryKeyConstraint("request_id", "kind", "shadow_variant"),
    sa.Index("shadow_pairs_by_route", "route", "unix_ms", "request_id", "kind", "shadow_variant"),
    sa.Index("shadow_pairs_by_time", "unix_ms"),
    sa.Index("shadow_pairs_by_unit", "unit_hash"),
)

# Apart from the pairs, for they go much earlier, and whoever counts pairs does not read past them.
shadow_texts = sa.Table(
    "shadow_texts",
    metadata,
    _text("request_id"),
    _int("kind"),
    _text("shadow_variant"),
    _int("unix_ms"),
    _int("expires_unix_ms"),
    _int("unit_hash"),
    _text("prompt"),
    _text("primary_text"),
    _text("shadow_text"),
    _text("judge_reason"),
    sa.PrimaryKeyConstraint("request_id", "kind", "shadow_variant"),
    sa.Index("shadow_texts_by_expiry", "expires_unix_ms"),
    sa.Index("shadow_texts_by_time", "unix_ms"),
)

shadow_counts = sa.Table(
    "shadow_counts",
    metadata,
    _int("day"),
    _text("route"),
    _text("variant"),
    _text("result"),
    _int("n"),
    _float("usd"),
    sa.PrimaryKeyConstraint("day", "route", "variant", "result"),
    sqlite_with_rowid=False,
)

release_epochs = sa.Table(
    "release_epochs",
    metadata,
    _text("release"),
    _int("epoch"),
    _text("content"),
    _text("arm"),
    _int("buckets"),
    _int("since_unix_ms"),
    sa.PrimaryKeyConstraint("release", "epoch", "content", "arm"),
    sqlite_with_rowid=False,
)

# A worker's counts of copies are numbered apart from its outcomes, under -1 less its slot.
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
