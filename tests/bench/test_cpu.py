"""What processes have used."""

from __future__ import annotations

import os
import sys
import time

import pytest

from bench.children import child
from bench.cpu import Usage, cpu_between, family_of, usage_of
from bench.errors import BenchError


def test_our_own_time() -> None:
    """Time spent computing is found in the difference of two readings, to a few clock ticks."""
    before, began_s = usage_of(os.getpid()), time.process_time()
    while time.process_time() - began_s < 0.3:
        pass
    used_s = usage_of(os.getpid()).cpu_s[os.getpid()] - before.cpu_s[os.getpid()]
    assert 0.2 <= used_s <= 0.6
    assert before.rss_bytes > 1_000_000


def test_family_has_grandchildren() -> None:
    """A grandchild's time counts."""
    with child([sys.executable, "-c", "import time; import subprocess, sys; " + _waiting_twice()]) as process:
        deadline_s = time.monotonic() + 10
        while len(family_of(process.pid)) < 2 and time.monotonic() < deadline_s:
            time.sleep(0.02)
        assert len(family_of(process.pid)) == 2
        assert family_of(os.getpid()).count(process.pid) == 1


def _waiting_twice() -> str:
    return "subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"


def test_lost_process_is_noticed() -> None:
    """A process that ended takes its time with it, so the difference would lie."""
    with pytest.raises(BenchError, match="came or went"):
        cpu_between(Usage({1: 0.0, 2: 0.0}, 0), Usage({1: 1.0}, 0))


def test_gone_process() -> None:
    """What is not running cannot be measured."""
    with child([sys.executable, "-c", "pass"]) as process:
        process.wait(10)
    with pytest.raises(BenchError, match="ended"):
        usage_of(process.pid)
