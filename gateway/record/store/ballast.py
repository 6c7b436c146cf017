"""
Room on the disk that is held back for the moment it is full.

A database on a full disk cannot even delete: a deletion is written to its log first. So a file of nothing lies beside
it, and is given up when there is no room left; then retention can do its work.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

BALLAST_BYTES = 16 * 1024 * 1024
_ROOM_RATIO = 4
"""Held back only while this many times as much is free, so that holding back never fills a disk."""


class Ballast:
    """One file beside the database."""

    __slots__ = ("_path", "_size_bytes")

    def __init__(self, database: Path, *, size_bytes: int = BALLAST_BYTES) -> None:
        self._path = database.with_name(f"{database.name}.ballast")
        self._size_bytes = size_bytes

    def __repr__(self) -> str:
        """Give the path."""
        return f"<Ballast {self._path}>"

    @property
    def is_there(self) -> bool:
        """Whether the room is held back now."""
        return self._path.is_file()

    def hold(self) -> bool:
        """Take the room where there is plenty; tell whether it is held."""
        if self.is_there:
            return True
        try:
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize < self._size_bytes * _ROOM_RATIO:
                return False
            self._write()
        except OSError:
            # A disk that is read-only, or was filled by another meanwhile: then there is nothing to hold.
            self.release()
            return False
        return True

    def release(self) -> bool:
        """Give the room back; tell whether there was any."""
        with suppress(OSError):
            self._path.unlink()
            return True
        return False

    def _write(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size_bytes)
        finally:
            os.close(descriptor)
