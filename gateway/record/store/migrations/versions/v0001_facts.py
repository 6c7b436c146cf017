"""The first version: the log of outcomes, what is derived from it, feedback, samples, watermarks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    _make_exposures()
    _make_feedback()
    _make_fold_progress()
    _make_outcome_batches()
    _make_rollups()
    _make_samples()
    _make_unit_days()
    _make_watermarks()


def _make_exposures() -> None:
    op.create_table(
        "exposures",
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("unit_hash", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("first_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("segments", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("release", "unit_hash", "epoch", "arm"),
        sqlite_with_rowid=False,
    )


def _make_feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("unit_hash", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("arm", sa.Text(), nullable=True),
        sa.Column("exposed_unix_ms", sa.BigInteger(), nullable=True),
        sa.Column("serial", sa.BigInteger(), nullable=True),
        sa.Column("is_late", sa.Boolean(), nullable=False),
        sa.Column("is_by_user", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("feedback_by_time", "feedback", ["received_unix_ms"], unique=False)
    op.create_index("feedback_by_unit", "feedback", ["release", "unit_hash"], unique=False)


def _make_fold_progress() -> None:
    progress = op.create_table(
        "fold_progress",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("folded_through", sa.BigInteger(), nullable=False),
        sa.Column("folding_through", sa.BigInteger(), nullable=True),
        sa.Column("units_done", sa.BigInteger(), nullable=False),
        sa.Column("groups_done", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(
        progress, [{"id": 1, "folded_through": 0, "folding_through": None, "units_done": 0, "groups_done": 0}]
    )


def _make_outcome_batches() -> None:
    op.create_table(
        "outcome_batches",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("worker", sa.BigInteger(), nullable=False),
        sa.Column("boot", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("min_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("max_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    covered = ["max_unix_ms", "min_unix_ms", "n", "total"]
    op.create_index("outcome_batches_by_time", "outcome_batches", covered, unique=False)


def _make_rollups() -> None:
    op.create_table(
        "rollups",
        sa.Column("minute_unix_s", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("is_stream", sa.Boolean(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("fallbacks", sa.BigInteger(), nullable=False),
        sa.Column("client_faults", sa.BigInteger(), nullable=False),
        sa.Column("gateway_faults", sa.BigInteger(), nullable=False),
        sa.Column("provider_faults", sa.BigInteger(), nullable=False),
        sa.Column("input_blocked", sa.BigInteger(), nullable=False),
        sa.Column("output_blocked", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("flagged", sa.BigInteger(), nullable=False),
        sa.Column("checked_formats", sa.BigInteger(), nullable=False),
        sa.Column("invalid_formats", sa.BigInteger(), nullable=False),
        sa.Column("truncated", sa.BigInteger(), nullable=False),
        sa.Column("clients_gone", sa.BigInteger(), nullable=False),
        sa.Column("answered", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Double(), nullable=False),
        sa.Column("duration_ms2", sa.Double(), nullable=False),
        sa.Column("ttfts", sa.BigInteger(), nullable=False),
        sa.Column("ttft_ms", sa.Double(), nullable=False),
        sa.Column("ttft_ms2", sa.Double(), nullable=False),
        sa.Column("tpots", sa.BigInteger(), nullable=False),
        sa.Column("tpot_ms", sa.Double(), nullable=False),
        sa.Column("priced", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.Double(), nullable=False),
        sa.Column("cost_usd2", sa.Double(), nullable=False),
        sa.Column("metered", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens2", sa.Double(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens2", sa.Double(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("duration_sketch", sa.Text(), nullable=False),
        sa.Column("ttft_sketch", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("minute_unix_s", "route", "release", "epoch", "arm", "reason", "is_stream", "segment"),
        sqlite_with_rowid=False,
    )


def _make_samples() -> None:
    op.create_table(
        "samples",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("unit_hash", sa.BigInteger(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("samples_by_expiry", "samples", ["expires_unix_ms"], unique=False)
    op.create_index("samples_by_unit", "samples", ["release", "unit_hash"], unique=False)


def _make_unit_days() -> None:
    op.create_table(
        "unit_days",
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("unit_hash", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("provider_faults", sa.BigInteger(), nullable=False),
        sa.Column("input_blocked", sa.BigInteger(), nullable=False),
        sa.Column("output_blocked", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("flagged", sa.BigInteger(), nullable=False),
        sa.Column("invalid_formats", sa.BigInteger(), nullable=False),
        sa.Column("answered", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Double(), nullable=False),
        sa.Column("duration_ms2", sa.Double(), nullable=False),
        sa.Column("ttfts", sa.BigInteger(), nullable=False),
        sa.Column("ttft_ms", sa.Double(), nullable=False),
        sa.Column("priced", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.Double(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("release", "epoch", "arm", "unit_hash", "day"),
        sqlite_with_rowid=False,
    )


def _make_watermarks() -> None:
    op.create_table(
        "watermarks",
        sa.Column("worker", sa.BigInteger(), nullable=False),
        sa.Column("boot", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("seen_unix_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("worker", "boot"),
    )
