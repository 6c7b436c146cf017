"""Bringing a store to this version's schema; a store of a newer version is refused, not guessed at."""

from __future__ import annotations

import asyncio
from importlib import import_module
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.record.batch import StoreError
from gateway.record.store.schema import HEAD

MIGRATIONS = Path(__file__).parent / "migrations"


class NewerStoreError(StoreError):
    """The store was written by a newer version; the message says what to do."""


class OlderStoreError(StoreError):
    """The store is of an older version, or none, and whoever reads it may not change it."""


async def migrate(connection: AsyncConnection) -> None:
    """
    Make the schema this version's, in the connection's open transaction.

    Safe for several processes that start at once: each waits for the other's transaction.

    Raises:
        NewerStoreError: The store was written by a newer version.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    version = await connection.run_sync(_version_of)
    if version == HEAD:
        return
    # In a thread: it takes half a second to import, and a configuration that is edited meanwhile must not wait for it.
    await asyncio.to_thread(import_module, "alembic.command")
    await connection.run_sync(_upgrade, version)


async def check_version(connection: AsyncConnection) -> None:
    """
    See to it that a store can be read as it is.

    Raises:
        NewerStoreError: It was written by a newer version.
        OlderStoreError: It has no tables yet, or those of an older version.
    """
    version = await connection.run_sync(_version_of)
    if version == HEAD:
        return
    if version is None or version < HEAD:
        msg = f"the store is of version {version or 'none'}, this program reads {HEAD}; start the gateway once"
        raise OlderStoreError(msg)
    raise NewerStoreError(_words_of(version))


LOCK_KEY = 0x736C7569
"""PostgreSQL's advisory lock that every writer of a store takes: "slui"."""


def _version_of(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: sa.Connection, version: str | None) -> None:
    # Imported where it is used: a store is mostly up to date.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    # An ini file's interpolation is what `%` means in here.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise NewerStoreError(_words_of(version))
    command.upgrade(config, "head")


def _words_of(version: str) -> str:
    return (
        f"the store was written by a newer version of Sluice (schema {version}, this one knows {HEAD}); "
        "run that version, or point --store at another place"
    )
