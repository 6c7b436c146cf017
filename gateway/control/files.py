"""Files of the state directory: their names, and how one is written so that it is whole or as it was."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from gateway.errors import StateError

LATCHES, LOCK = "latches.json", "latches.lock"
ROLLOUTS, WATCHES = "rollouts.json", "watches.msgpack"
JOURNAL, CONTENTS = "journal.jsonl", "contents.msgpack"
"""What `control.keep` and `control.accepted` say each is for; this module is light, so that everybody may name them."""


def write_synced(path: Path, content: bytes, *, is_synced: bool = True) -> None:
    """
    Write a file of mode 0600 so that a reader sees all of it or what was there before, after a power cut as well.

    Args:
        path: Which.
        content: All of it.
        is_synced: Wait for the disk; without, a power cut may leave what was there before, or nothing.

    Raises:
        StateError: It cannot be written; what was there is untouched.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "wb", closefd=True) as file:
            file.write(content)
            file.flush()
            if is_synced:
                os.fsync(file.fileno())
        draft.replace(path)
        if is_synced:
            sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def sync_folder(folder: Path) -> None:
    """Have a folder's own entries on the disk: without it a power cut may undo a rename. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def hold_lock(path: Path, fd: int) -> None:
    """
    Wait for a file's lock, and hold it until `fd` is closed.

    Raises:
        StateError: Its disk has no locks, or has none left; the words say what to do.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    except OSError as error:
        remedy = "put the state directory on a disk that has them, a local one for instance"
        why = "without locks two processes undo each other's latches"
        msg = f"cannot lock {path}: {error.strerror or error}; {why}: {remedy}"
        raise StateError(msg) from error


def unwritable(path: Path, error: OSError) -> StateError:
    """Give what is said of a file that cannot be written."""
    remedy = "make room or give the state directory back its permissions"
    return StateError(f"cannot write {path}: {error.strerror or error}; {remedy}")
