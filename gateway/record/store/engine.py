"""
Connections to the store: SQLite by default, PostgreSQL by URL.

SQLite is written by one connection in one process, which also does every checkpoint: versions before 3.51.3 can
corrupt a file that two connections checkpoint at once. Readers cannot write and never checkpoint.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiosqlite
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

from gateway.errors import StateError

BUSY_TIMEOUT_MS = 1_500
"""How long a writer waits for another process's lock; a gateway's facts wait elsewhere after that."""

ANSWER_WITHIN_S = 2.0
"""How long PostgreSQL may take for a statement before its connection is given up."""

FILE_NAME = "facts.sqlite"

_WRITER_PRAGMAS = (
    f"busy_timeout={BUSY_TIMEOUT_MS}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "secure_delete=ON",
    "wal_autocheckpoint=4000",
    "journal_size_limit=67108864",
    "cache_size=-16384",
    "temp_store=MEMORY",
    "foreign_keys=OFF",
)
_READER_PRAGMAS = (f"busy_timeout={BUSY_TIMEOUT_MS}", "query_only=ON", "wal_autocheckpoint=0", "temp_store=MEMORY")

_NO_POOL: dict[str, Any] = {"poolclass": NullPool}
_ONE_CONNECTION: dict[str, Any] = {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0}


@dataclass(frozen=True, slots=True)
class Location:
    """
    Where a store is.

    Attributes:
        path: SQLite's file; None for PostgreSQL.
        url: PostgreSQL's URL, its driver named; None for SQLite.
    """

    path: Path | None = None
    url: sa.URL | None = None

    def __str__(self) -> str:
        """Give it without a password."""
        return f"sqlite:///{self.path}" if self.url is None else self.url.render_as_string(hide_password=True)


def location_of(url: str | None, state: Path) -> Location:
    """
    Give where the store is: as `url` says, else a SQLite file in the state directory.

    Raises:
        StateError: The URL is neither `sqlite:///PATH` nor `postgresql://…`.
    """
    if url is None:
        return Location(path=state / FILE_NAME)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is not None and parsed.drivername in ("sqlite", "sqlite+aiosqlite"):
        if parsed.database and parsed.database != ":memory:" and not parsed.query:
            return Location(path=Path(parsed.database))
    elif parsed is not None and parsed.drivername in ("postgresql", "postgresql+asyncpg", "postgres"):
        return Location(url=parsed.set(drivername="postgresql+asyncpg"))
    # The URL may hold a password, so it is not shown.
    msg = "the store wants sqlite:///PATH or postgresql://USER@HOST/DATABASE"
    raise StateError(msg)


def open_writer(location: Location) -> AsyncEngine:
    """
    Give an engine for one connection that writes; nothing is opened yet.

    Raises:
        StateError: PostgreSQL's driver is not installed.
    """
    if location.path is None:
        return _postgres_engine(location, read_only=False)
    _make_private(location.path)
    return _sqlite_engine(location.path, "rwc", _WRITER_PRAGMAS, "BEGIN IMMEDIATE")


def open_reader(location: Location) -> AsyncEngine:
    """
    Give an engine whose connections cannot change anything; nothing is opened yet.

    Raises:
        StateError: PostgreSQL's driver is not installed.
    """
    if location.path is None:
        return _postgres_engine(location, read_only=True)
    return _sqlite_engine(location.path, "ro", _READER_PRAGMAS, "BEGIN")


def _sqlite_engine(path: Path, mode: str, pragmas: tuple[str, ...], begin: str) -> AsyncEngine:
    # A percent-encoded URI, so that a path with `?` or `#` in it is a path.
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"

    async def connect() -> aiosqlite.Connection:
        connection = aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)
        # An interpreter that ends without `close` must not wait for this thread.
        connection._thread.daemon = True
        try:
            return await connection
        except BaseException:
            # Its thread still has a word for this loop, which might be closed by then.
            await asyncio.to_thread(connection._thread.join, 1.0)
            raise

    pool = _NO_POOL if mode == "ro" else _ONE_CONNECTION
    engine = create_async_engine("sqlite+aiosqlite://", async_creator=connect, pool_reset_on_return=None, **pool)

    @sa.event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def begin_at_once(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _postgres_engine(location: Location, *, read_only: bool) -> AsyncEngine:
    assert location.url is not None
    settings = {"application_name": "sluice", "idle_in_transaction_session_timeout": "600000"}
    if read_only:
        settings["default_transaction_read_only"] = "on"
    # A reader's statement may be an export of a million rows; a writer's is a batch.
    patience: dict[str, Any] = {} if read_only else {"command_timeout": ANSWER_WITHIN_S}
    arguments = {"timeout": ANSWER_WITHIN_S, "server_settings": settings, **patience}
    pool = _NO_POOL if read_only else _ONE_CONNECTION
    try:
        return create_async_engine(location.url, connect_args=arguments, **pool)
    except ImportError:
        msg = "PostgreSQL needs its driver: pip install 'sluice-gateway[postgres]'"
        raise StateError(msg) from None


def _make_private(path: Path) -> None:
    """Make the file, readable by its owner alone; SQLite gives its companions the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
