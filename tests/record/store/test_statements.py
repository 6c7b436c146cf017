"""Statements are compiled for each dialect, with parameters in the tables' order."""

from __future__ import annotations

from dataclasses import fields

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from gateway.record.store.statements import compile_statements


@pytest.mark.parametrize(("url", "mark"), [("sqlite+aiosqlite://", "?"), ("postgresql+asyncpg://", "$1::")])
def test_each_dialect_its_words(url: str, mark: str) -> None:
    """Every statement has the dialect's marks and gives nothing back."""
    dialect: sa.Dialect = make_url(url).get_dialect()()
    statements = compile_statements(dialect)
    texts = [getattr(statements, each.name) for each in fields(statements)]
    assert all(text.startswith("INSERT INTO ") and mark in text and "RETURNING" not in text for text in texts)
    assert "requests = (rollups.requests + excluded.requests)" in statements.add_rollups
