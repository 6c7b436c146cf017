"""What a failure of a database means for whoever asked."""

from __future__ import annotations

import errno
import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError

_SQLITE_FULL = 13


def is_full_disk(error: BaseException) -> bool:
    """Tell whether there was no room."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if getattr(cause, "sqlite_errorcode", None) == _SQLITE_FULL:
        return True
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


def is_refusal(error: BaseException | None) -> bool:
    """Tell whether it is the content that a database or its driver does not take, so that trying again is no use."""
    if error is None:
        return False
    cause = error.orig if isinstance(error, DBAPIError) else None
    # asyncpg has a DataError too, and is not everywhere; 22 is SQL's class of such states.
    is_named = type(error).__name__ == "DataError" or str(getattr(error, "sqlstate", "")).startswith("22")
    is_content = is_named or isinstance(error, (OverflowError, UnicodeError))
    return is_content or is_refusal(cause) or is_refusal(error.__cause__)


def is_taken(error: BaseException | None) -> bool:
    """Tell whether a key was there already."""
    return isinstance(error, (IntegrityError, sqlite3.IntegrityError))
