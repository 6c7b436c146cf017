"""`sluice serve`: what is refused before anything is started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.main import main


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        (["--workers", "0"], "--workers"),
        (["--port", "70000"], "--port"),
        (["--admin-host", "0.0.0.0"], "SLUICE_ADMIN_TOKEN"),
    ],
)
def test_wrong_settings_are_2(
    tmp_path: Path, flags: list[str], hint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that cannot be is named, nothing is started and nothing is left behind."""
    monkeypatch.delenv("SLUICE_ADMIN_TOKEN", raising=False)
    assert main(["serve", "--state", str(tmp_path / "s"), *flags]) == 2
    assert hint in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_foreign_address_is_2(tmp_path: Path) -> None:
    """An address that is not this machine's is named, and nothing is left behind."""
    command = [sys.executable, "-m", "gateway", "serve", "--state", str(tmp_path / "s"), "--host", "203.0.113.7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2 and "cannot listen on 203.0.113.7" in done.stderr
    assert not (tmp_path / "s").exists()
