"""Children that do not outlive their block."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.children import child, python_child
from bench.errors import BenchError

_STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


def is_alive(pid: int) -> bool:
    """Say whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_gone_after_an_error() -> None:
    """An error in the block ends the child too."""
    with pytest.raises(ZeroDivisionError), child([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        raise ZeroDivisionError
    assert not is_alive(process.pid)


def test_stubborn_child() -> None:
    """A child that will not go is made to."""
    with child([sys.executable, "-c", _STUBBORN], reads=True, patience_s=0.2) as process:
        assert process.stdout is not None and process.stdout.readline() == b"\n"
    assert not is_alive(process.pid)


def test_log_is_kept(tmp_path: Path) -> None:
    """What a child says goes to its log."""
    with child([sys.executable, "-c", "print('hello')"], log=tmp_path / "log") as process:
        assert process.wait(10) == 0
    assert (tmp_path / "log").read_text() == "hello\n"


def test_module_that_fails() -> None:
    """A module that does not say its port did not start."""
    with pytest.raises(BenchError, match="did not start"), python_child("bench.shape"):
        pass
