"""Where the store is, and what its connections may do."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.errors import StateError
from gateway.record.store.engine import Location, location_of, open_reader, open_writer


def test_default_is_in_the_state(tmp_path: Path) -> None:
    """Without a URL the store is a file in the state directory."""
    assert location_of(None, tmp_path) == Location(path=tmp_path / "facts.sqlite")


def test_urls(tmp_path: Path) -> None:
    """Both kinds of URL are understood, and a password is never shown."""
    assert location_of("sqlite:////var/x.db", tmp_path).path == Path("/var/x.db")
    location = location_of("postgresql://ann:geheim@db/facts", tmp_path)
    assert "geheim" not in str(location) and location.url is not None
    assert location.url.drivername == "postgresql+asyncpg"


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "sqlite:///a?b=c", "ann:geheim@db"])
def test_other_urls_are_refused(url: str, tmp_path: Path) -> None:
    """Anything else is refused, in words that do not repeat it."""
    with pytest.raises(StateError, match="the store wants") as caught:
        location_of(url, tmp_path)
    assert "geheim" not in str(caught.value)


async def test_files_are_private(tmp_path: Path) -> None:
    """The file and its companions are for their owner alone, in a place with odd signs too."""
    location = Location(path=tmp_path / "a?b#c%d" / "facts.sqlite")
    engine = open_writer(location)
    async with engine.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE t (x)"))
    assert location.path is not None
    modes = {stat.S_IMODE(file.stat().st_mode) for file in location.path.parent.iterdir()}
    await engine.dispose()
    assert modes == {0o600} and location.path.exists()


async def test_pragmas(tmp_path: Path) -> None:
    """The writer keeps a synced log and wipes what it deletes."""
    engine = open_writer(Location(path=tmp_path / "facts.sqlite"))
    async with engine.begin() as connection:
        names = ("journal_mode", "synchronous", "secure_delete", "busy_timeout")
        found = [(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() for name in names]
    await engine.dispose()
    assert found == ["wal", 2, 1, 1_500]


async def test_readers_cannot_write(tmp_path: Path) -> None:
    """A reader's connection refuses to change anything."""
    location = Location(path=tmp_path / "facts.sqlite")
    writer, reader = open_writer(location), open_reader(location)
    async with writer.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE t (x)"))
    async with reader.connect() as connection:
        with pytest.raises(sa.exc.OperationalError, match="readonly"):
            await connection.execute(sa.text("INSERT INTO t VALUES (1)"))
    await writer.dispose()
    await reader.dispose()
