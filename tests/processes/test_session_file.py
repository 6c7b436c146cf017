"""Sessions on disk: private, whole, and never a reason not to start."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.admin.auth import Role
from gateway.admin.sessions import Session
from gateway.processes.session_file import SESSIONS, SessionFile

ONE = Session("id", "d" * 64, "t" * 64, Role.VIEWER, "ana", "10.0.0.1", "browser", 1, 2)


def test_comes_back(tmp_path: Path) -> None:
    """As it was, in a file nobody else may read."""
    file = SessionFile(tmp_path / SESSIONS)
    assert file.load() == []
    file.save([ONE])
    assert file.load() == [ONE]
    assert (tmp_path / SESSIONS).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"[", b'[{"session_id": 1}]', b"\xff"])
def test_broken_file_signs_out(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """People sign in again; the log says why."""
    (tmp_path / SESSIONS).write_bytes(content)
    assert SessionFile(tmp_path / SESSIONS).load() == []
    assert "sign in again" in caplog.text


def test_full_disk_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It raises nothing."""
    SessionFile(tmp_path / "gone" / SESSIONS).save([ONE])
    assert "sessions are not kept" in caplog.text
