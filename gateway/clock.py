"""
Time, as a thing one is handed: the only file that reads the system's clocks.

`now_s` is monotonic, for measuring; it is never stored. `unix_ms` is the wall clock, for display
and for records; nothing is decided by it.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time. Tests hand in one they turn themselves."""

    def now_s(self) -> float:
        """Give monotonic seconds; only differences mean anything."""
        ...

    def unix_ms(self) -> int:
        """Give milliseconds since 1970, which may jump."""
        ...


class SystemClock:
    """The machine's clocks."""

    # Not wrapped: a request asks three times, and the wrapper costs three times what it asks.
    now_s = staticmethod(time.monotonic)

    def unix_ms(self) -> int:
        """Give milliseconds since 1970."""
        return time.time_ns() // 1_000_000


class SettableClock:
    """
    A clock that stands still until told otherwise.

    >>> clock = SettableClock(unix_ms=1_000)
    >>> clock.advance(2.5)
    >>> clock.now_s(), clock.unix_ms()
    (2.5, 3500)
    """

    def __init__(self, *, now_s: float = 0.0, unix_ms: int = 0) -> None:
        self._now_s = now_s
        self._unix_ms = unix_ms

    def advance(self, seconds: float) -> None:
        """Move both clocks forward by `seconds`."""
        self._now_s += seconds
        self._unix_ms += int(seconds * 1000)

    def now_s(self) -> float:
        """Give the seconds advanced so far."""
        return self._now_s

    def unix_ms(self) -> int:
        """Give the wall clock as set and advanced."""
        return self._unix_ms
