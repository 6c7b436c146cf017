"""Whole files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.control.files import hold_lock, sync_folder, unwritable, write_synced
from gateway.errors import StateError


@pytest.mark.parametrize("is_synced", [True, False])
def test_replaces_whole(tmp_path: Path, is_synced: bool) -> None:
    """A file is replaced, is nobody else's, and leaves no draft behind."""
    for content in (b"one", b"two" * 100_000):
        write_synced(tmp_path / "file", content, is_synced=is_synced)
    assert (tmp_path / "file").read_bytes() == b"two" * 100_000
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_failure_leaves_what_was(tmp_path: Path) -> None:
    """What cannot be replaced stays as it was, and no draft stays behind."""
    (tmp_path / "file").mkdir()
    with pytest.raises(StateError, match="cannot write"):
        write_synced(tmp_path / "file", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_folder_that_is_gone(tmp_path: Path) -> None:
    """A folder that is not there is the system's own error."""
    with pytest.raises(OSError, match="No such file"):
        sync_folder(tmp_path / "gone")


def test_says_what_to_do() -> None:
    """The message names the file, the cause and the remedy."""
    text = str(unwritable(Path("a/b"), OSError(28, "No space left on device")))
    assert text.startswith("cannot write a/b: No space left on device; make room")


def test_disk_without_locks(tmp_path: Path) -> None:
    """Where a file cannot be locked the words say what is wrong, and the way out."""
    file = tmp_path / "latches.lock"
    file.touch()
    fd = os.open(file, os.O_PATH)
    try:
        with pytest.raises(StateError, match=r"cannot lock .*latches\.lock: Bad file.*; .* on a disk that has them"):
            hold_lock(file, fd)
    finally:
        os.close(fd)
