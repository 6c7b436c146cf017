"""Files that the configuration names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.settings.files import MAX_NAMED_FILE_BYTES, NamedFiles


def test_text_is_read_once(tmp_path: Path) -> None:
    """Every mention within one compilation sees the same contents."""
    (tmp_path / "p.md").write_text("\ufeffone")
    files = NamedFiles(tmp_path)
    assert files.read_text("p.md") == "one"
    (tmp_path / "p.md").write_text("two")
    assert files.read_text("p.md") == "one"


def test_missing_file_is_watched(tmp_path: Path) -> None:
    """What could not be read is remembered: its appearance is worth a reload."""
    files = NamedFiles(tmp_path)
    with pytest.raises(FileNotFoundError):
        files.read_text("p.md")
    assert files.seen == {tmp_path / "p.md"}


def test_pipe_does_not_hang(tmp_path: Path) -> None:
    """Only regular files are read."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        NamedFiles(tmp_path).read_bytes("pipe")


def test_size_is_bounded(tmp_path: Path) -> None:
    """A file over the limit is refused."""
    (tmp_path / "big").write_bytes(b"x" * (MAX_NAMED_FILE_BYTES + 1))
    with pytest.raises(OSError, match="too large"):
        NamedFiles(tmp_path).read_bytes("big")


def test_secrets_stay_apart(tmp_path: Path) -> None:
    """Secrets are stripped, and are not among the contents that are hashed."""
    (tmp_path / "key").write_text("sk-1\n")
    files = NamedFiles(tmp_path)
    assert files.read_secret("key") == "sk-1"
    assert (files.contents, "sk-1" in repr(files)) == ({}, False)
