"""A store is made, recognised, and refused when it is of another version."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway.clock import SettableClock
from gateway.record.store.engine import Location, open_writer
from gateway.record.store.migrate import NewerStoreError, OlderStoreError
from gateway.record.store.schema import HEAD, metadata
from gateway.record.store.store import Store


async def test_makes_this_versions_schema(store: Store, location: Location) -> None:
    """What the migrations make is what the schema says, to the column."""
    await store.open()
    assert [row[0] for row in await store.reader.rows_of(sa.select(sa.text("version_num FROM alembic_version")))] == [
        HEAD
    ]
    engine = open_writer(location)
    async with engine.connect() as connection:
        found = await connection.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), metadata))
    await engine.dispose()
    assert found == []


async def test_newer_store_is_refused(store: Store, location: Location, clock: SettableClock) -> None:
    """A store of a version to come is left alone, by writers and readers."""
    await store.open()
    await mark(location, "9999")
    another = Store(location, clock=clock)
    with pytest.raises(NewerStoreError, match="newer version"):
        await another.open()
    with pytest.raises(NewerStoreError, match="9999"):
        await another.reader.check()
    await another.close()


async def test_reader_of_an_older_store(store: Store, location: Location) -> None:
    """A reader does not migrate: it says who does."""
    await store.open()
    await mark(location, "0000")
    with pytest.raises(OlderStoreError, match="start the gateway"):
        await store.reader.check()


async def mark(location: Location, version: str) -> None:
    """Have the store say it is of another version."""
    engine = open_writer(location)
    async with engine.begin() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = :v"), {"v": version})
    await engine.dispose()
