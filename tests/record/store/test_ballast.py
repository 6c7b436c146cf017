"""Room is held back where there is plenty, given up at once, and never fills a disk."""

from __future__ import annotations

import os
from pathlib import Path

from gateway.record.store.ballast import Ballast


def test_holds_and_gives_up(tmp_path: Path) -> None:
    """The room is really taken, and really given back."""
    ballast = Ballast(tmp_path / "facts.sqlite", size_bytes=1 << 20)
    assert ballast.hold() and ballast.hold() and ballast.is_there
    assert (tmp_path / "facts.sqlite.ballast").stat().st_blocks * 512 >= 1 << 20
    assert ballast.release() and not ballast.is_there and not ballast.release()


def test_not_where_room_is_short(tmp_path: Path) -> None:
    """Nothing is held back on a disk that has little left."""
    disk = os.statvfs(tmp_path)
    assert not Ballast(tmp_path / "facts.sqlite", size_bytes=disk.f_bavail * disk.f_frsize).hold()
    assert list(tmp_path.iterdir()) == []


def test_not_where_nothing_can_be(tmp_path: Path) -> None:
    """A folder that is not there is no error."""
    assert not Ballast(tmp_path / "gone" / "facts.sqlite", size_bytes=1).hold()
