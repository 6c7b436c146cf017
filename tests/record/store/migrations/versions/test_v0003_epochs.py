"""The third version adds the epochs of releases, and leaves what was there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from gateway.clock import SettableClock
from gateway.record.experiment_query import EpochShares
from gateway.record.store.engine import Location, open_writer
from gateway.record.store.migrations.versions import v0001_facts, v0002_shadows
from gateway.record.store.store import Store

HALF = EpochShares(1, 1_000, (("concise", 5_000), ("current", 5_000)), "c1", "support")


async def test_upgrades_a_store(location: Location, clock: SettableClock) -> None:
    """A store of the second version becomes what this one makes, and takes epochs."""
    await make_second_version(location)
    store = Store(location, clock=clock)
    try:
        await store.keep_epochs([HALF])
        assert await store.reader.epochs("support") == [HALF]
    finally:
        await store.close()


async def make_second_version(location: Location) -> None:
    """Have a store as the second version made it."""
    engine = open_writer(location)
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)
        await connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        await connection.execute(sa.text("INSERT INTO alembic_version VALUES ('0002')"))
    await engine.dispose()


def _upgrade(connection: sa.Connection) -> None:
    with Operations.context(MigrationContext.configure(connection)):
        v0001_facts.upgrade()
        v0002_shadows.upgrade()
