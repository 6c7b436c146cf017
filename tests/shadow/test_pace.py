"""The pace of reading: free up to a burst, then as much as time brings."""

from __future__ import annotations

import pytest

from gateway.clock import SettableClock
from gateway.shadow.pace import Pace


def test_honest_streams_wait_for_nothing() -> None:
    """What comes at less than the pace is never held up, however long it goes on."""
    clock = SettableClock()
    pace = Pace(clock, bytes_per_s=1_000, burst_bytes=100)
    delays = []
    for _ in range(200):
        delays.append(pace.delay_s(90))
        clock.advance(0.1)
    assert delays == [0.0] * 200


def test_flood_is_read_at_the_pace() -> None:
    """Over ten seconds no more than the pace and one burst, whoever reads."""
    clock = SettableClock()
    pace = Pace(clock, bytes_per_s=1_000, burst_bytes=500)
    n_read = 0
    while clock.now_s() < 10:
        n_read += 64
        clock.advance(pace.delay_s(64))
    assert n_read == pytest.approx(10_500, abs=64)


def test_idle_time_is_no_credit() -> None:
    """An hour without a byte allows one burst."""
    clock = SettableClock()
    pace = Pace(clock, bytes_per_s=1_000, burst_bytes=500)
    clock.advance(3_600)
    assert (pace.delay_s(500), pace.delay_s(1_000)) == (0.0, 1.0)
