"""The first version makes every table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from gateway.record.store.migrations.versions import v0001_facts


def test_makes_every_table() -> None:
    """From nothing comes every table."""
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        v0001_facts.upgrade()
        made = set(sa.inspect(connection).get_table_names())
    engine.dispose()
    log = {"outcome_batches", "fold_progress"}
    assert made == log | {"exposures", "rollups", "unit_days", "feedback", "samples", "watermarks"}
