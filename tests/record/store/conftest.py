"""A store of each dialect; PostgreSQL's is a real server of the tests' own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.clock import SettableClock
from gateway.record.store.engine import Location, location_of
from gateway.record.store.store import Store
from tests.record.store.making import HOW_TO_GET_POSTGRES, NOW_UNIX_MS, PostgresProcess, postgres


@pytest.fixture(name="server", scope="session")
def _server() -> Iterator[PostgresProcess]:
    """Give a PostgreSQL server; where there is none CI fails, and everybody else is told."""
    with postgres() as running:
        if running is None:
            if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
                pytest.fail(HOW_TO_GET_POSTGRES)
            pytest.skip(HOW_TO_GET_POSTGRES)
        yield running


@pytest.fixture(name="location", params=["sqlite", "postgresql"])
def _location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Give where a new store may be."""
    if request.param == "sqlite":
        return location_of(None, tmp_path)
    server: PostgresProcess = request.getfixturevalue("server")
    return location_of(server.new_database(), tmp_path)


@pytest.fixture(name="clock")
def _clock() -> SettableClock:
    """Give a clock that stands at the facts' time."""
    return SettableClock(unix_ms=NOW_UNIX_MS)


@pytest.fixture(name="store")
async def _store(location: Location, clock: SettableClock) -> AsyncIterator[Store]:
    """Give a store."""
    store = Store(location, clock=clock)
    yield store
    await store.close()
