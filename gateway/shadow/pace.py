"""How fast answers to copies are read: a provider that floods takes no more of this machine than a busy honest one."""

from __future__ import annotations

from gateway.clock import Clock

MAX_BYTES_PER_S = 1024 * 1024
"""Of all answers together: 32 streams of 150 tokens a second each, and a quarter of a core to read them."""

BURST_BYTES = 1024 * 1024


class Pace:
    """
    A bucket of bytes that fills with time.

    What is read beyond it is waited for, which holds back the sender by TCP's own means.
    """

    def __init__(self, clock: Clock, *, bytes_per_s: float = MAX_BYTES_PER_S, burst_bytes: float = BURST_BYTES) -> None:
        self._clock = clock
        self._bytes_per_s = bytes_per_s
        self._burst_s = burst_bytes / bytes_per_s
        self._empty_s = float("-inf")

    def delay_s(self, n_bytes: int) -> float:
        """
        Take note of bytes that were read; give how long to wait before the next, 0 mostly.

        >>> from gateway.clock import SettableClock
        >>> pace = Pace(SettableClock(), bytes_per_s=100, burst_bytes=50)
        >>> pace.delay_s(50), pace.delay_s(10), pace.delay_s(100)
        (0.0, 0.1, 1.1)
        """
        now_s = self._clock.now_s()
        self._empty_s = max(self._empty_s, now_s - self._burst_s) + n_bytes / self._bytes_per_s
        return max(0.0, self._empty_s - now_s)
