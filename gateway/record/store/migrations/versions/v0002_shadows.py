"""Pairs of answers, their texts, and what became of copies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make their tables."""
    _make_pairs()
    _make_texts()
    _make_counts()


def _make_pairs() -> None:
    op.create_table(
        "shadow_pairs",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.BigInteger(), nullable=False),
        sa.Column("shadow_variant", sa.Text(), nullable=False),
        sa.Column("unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("unit_hash", sa.BigInteger(), nullable=False),
        sa.Column("has_unit", sa.Boolean(), nullable=False),
        sa.Column("segments", sa.Text(), nullable=True),
        sa.Column("api", sa.Text(), nullable=False),
        sa.Column("is_stream", sa.Boolean(), nullable=False),
        sa.Column("primary_variant", sa.Text(), nullable=False),
        sa.Column("second_variant", sa.Text(), nullable=False),
        sa.Column("primary_status", sa.BigInteger(), nullable=False),
        sa.Column("primary_error", sa.Text(), nullable=True),
        sa.Column("primary_model", sa.Text(), nullable=True),
        sa.Column("primary_ttft_ms", sa.Double(), nullable=True),
        sa.Column("primary_duration_ms", sa.Double(), nullable=False),
        sa.Column("primary_input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("primary_output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("primary_cost_usd", sa.Double(), nullable=True),
        sa.Column("primary_finish", sa.Text(), nullable=True),
        sa.Column("primary_safety", sa.Text(), nullable=False),
        sa.Column("primary_is_valid_format", sa.Boolean(), nullable=True),
        sa.Column("primary_is_truncated", sa.Boolean(), nullable=False),
        sa.Column("primary_chars", sa.BigInteger(), nullable=True),
        sa.Column("shadow_status", sa.BigInteger(), nullable=False),
        sa.Column("shadow_error", sa.Text(), nullable=True),
        sa.Column("shadow_model", sa.Text(), nullable=True),
        sa.Column("shadow_ttft_ms", sa.Double(), nullable=True),
        sa.Column("shadow_duration_ms", sa.Double(), nullable=False),
        sa.Column("shadow_input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("shadow_output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("shadow_cost_usd", sa.Double(), nullable=True),
        sa.Column("shadow_finish", sa.Text(), nullable=True),
        sa.Column("shadow_safety", sa.Text(), nullable=False),
        sa.Column("shadow_is_valid_format", sa.Boolean(), nullable=True),
        sa.Column("shadow_is_truncated", sa.Boolean(), nullable=False),
        sa.Column("shadow_chars", sa.BigInteger(), nullable=True),
        sa.Column("is_exact", sa.Boolean(), nullable=True),
        sa.Column("is_equal", sa.Boolean(), nullable=True),
        sa.Column("similarity", sa.Double(), nullable=True),
        sa.Column("tool_calls", sa.Text(), nullable=True),
        sa.Column("judge", sa.Text(), nullable=True),
        sa.Column("judged_unix_ms", sa.BigInteger(), nullable=True),
        sa.Column("vote", sa.BigInteger(), nullable=True),
        sa.Column("vote_primary_first", sa.BigInteger(), nullable=True),
        sa.Column("vote_shadow_first", sa.BigInteger(), nullable=True),
        sa.Column("judge_cost_usd", sa.Double(), nullable=True),
        sa.Column("judge_problem", sa.Text(), nullable=True),
        sa.Column("pair", sa.LargeBinary(), nullable=False),
        sa.Column("judgement", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("request_id", "kind", "shadow_variant"),
    )
    by_route = ["route", "unix_ms", "request_id", "kind", "shadow_variant"]
    op.create_index("shadow_pairs_by_route", "shadow_pairs", by_route, unique=False)
    op.create_index("shadow_pairs_by_time", "shadow_pairs", ["unix_ms"], unique=False)
    op.create_index("shadow_pairs_by_unit", "shadow_pairs", ["unit_hash"], unique=False)


def _make_texts() -> None:
    op.create_table(
        "shadow_texts",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.BigInteger(), nullable=False),
        sa.Column("shadow_variant", sa.Text(), nullable=False),
        sa.Column("unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("unit_hash", sa.BigInteger(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("primary_text", sa.Text(), nullable=False),
        sa.Column("shadow_text", sa.Text(), nullable=False),
        sa.Column("judge_reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", "kind", "shadow_variant"),
    )
    op.create_index("shadow_texts_by_expiry", "shadow_texts", ["expires_unix_ms"], unique=False)
    op.create_index("shadow_texts_by_time", "shadow_texts", ["unix_ms"], unique=False)


def _make_counts() -> None:
    op.create_table(
        "shadow_counts",
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("usd", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("day", "route", "variant", "result"),
        sqlite_with_rowid=False,
    )
