"""The second version adds the tables of shadows, and leaves what was there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations

from gateway.clock import SettableClock
from gateway.record.store.engine import Location, open_writer
from gateway.record.store.migrations.versions import v0001_facts
from gateway.record.store.schema import metadata
from gateway.record.store.store import Store
from tests.record.store.making import pair


async def test_upgrades_a_store(location: Location, clock: SettableClock) -> None:
    """A store of the first version keeps its facts, becomes what this one makes, and takes pairs."""
    await make_first_version(location)
    store = Store(location, clock=clock)
    await store.keep_pairs([pair()])
    rows = (await store.reader.health()).rows
    assert (rows["samples"], rows["shadow_pairs"]) == (1, 1)
    engine = open_writer(location)
    async with engine.connect() as connection:
        found = await connection.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), metadata))
    await engine.dispose()
    await store.close()
    assert found == []


async def make_first_version(location: Location) -> None:
    """Make a store as the first version did, with one sample in it."""
    engine = open_writer(location)
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)
    await engine.dispose()


def _upgrade(connection: sa.Connection) -> None:
    context = MigrationContext.configure(connection)
    with Operations.context(context):
        v0001_facts.upgrade()
    context._ensure_version_table()
    connection.execute(sa.text("INSERT INTO alembic_version VALUES ('0001')"))
    names = "request_id, unix_ms, expires_unix_ms, route, release, epoch, arm, unit_hash, prompt, answer"
    connection.execute(sa.text(f"INSERT INTO samples ({names}) VALUES ('x', 1, 2, 's', 'r', 1, 'a', 7, 'q', 'a')"))
