"""What went wrong decides who tries again."""

from __future__ import annotations

import errno
import sqlite3

from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from gateway.record.store.failure import is_full_disk, is_refusal, is_taken


def test_full_disk() -> None:
    """A full disk is one, whoever says it."""
    assert is_full_disk(OSError(errno.ENOSPC, "no room"))
    assert not is_full_disk(OSError(errno.EIO, "broken"))
    assert not is_full_disk(sqlite3.OperationalError("locked"))


def test_refusal() -> None:
    """Content is refused by the driver, the database, or what is wrapped in their errors; a lock is no refusal."""
    assert is_refusal(OverflowError()) and is_refusal(DataError("", None, ValueError()))
    assert is_refusal(OperationalError("", None, OverflowError()))
    assert not is_refusal(OperationalError("", None, sqlite3.OperationalError("locked")))
    assert not is_refusal(None)


def test_taken() -> None:
    """A key that was there is told, with SQLAlchemy in between or without."""
    assert is_taken(sqlite3.IntegrityError()) and is_taken(IntegrityError("", None, sqlite3.IntegrityError()))
    assert not is_taken(sqlite3.OperationalError())
