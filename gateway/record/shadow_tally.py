"""
Counts of copies on their way to the store: added up here until control says that they are kept.

One numbered frame is on its way at a time, and what comes meanwhile is added up for the next, so this stays as small as
there are names however long control is away. The store knows the number of the last frame it kept, so a frame that is
sent again counts once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import isfinite
from typing import NamedTuple

from gateway.record.frames import Kind, Summed, encode_frame
from gateway.record.shadowed import DAY_MS, ShadowCount, Shadowed

MAX_SUMS = 4_096
"""Different days, routes, variants and results that wait; further ones are summed without route and variant."""

_Key = tuple[int, str, str, str]


class _Sent(NamedTuple):
    number: int
    frame: bytearray


class ShadowTally:
    """Sums that wait, and frames that are not acknowledged."""

    __slots__ = ("_next", "_now_unix_ms", "_sent", "_sums")

    def __init__(self, now_unix_ms: Callable[[], int]) -> None:
        """`now_unix_ms` tells the day of what does not say its own."""
        self._now_unix_ms = now_unix_ms
        self._sums: dict[_Key, tuple[int, float]] = {}
        self._sent: deque[_Sent] = deque()
        self._next = 1

    @property
    def is_settled(self) -> bool:
        """Whether control has acknowledged everything."""
        return not self._sums and not self._sent

    @property
    def n_waiting(self) -> int:
        """How many copies are counted here that control has not heard of."""
        return sum(n for n, _ in self._sums.values())

    def note(self, shadowed: Shadowed) -> None:
        """Add increments up."""
        day = shadowed.day or self._now_unix_ms() // DAY_MS
        for route, variant, result, n, usd in shadowed.counts:
            key = (day, route, variant, result)
            if key not in self._sums and len(self._sums) >= MAX_SUMS:
                key = (day, "", "", result)
            so_far, spent = self._sums.get(key, (0, 0.0))
            self._sums[key] = (so_far + n, spent + (usd if isfinite(usd) else 0.0))

    def frame(self, *, at_once: bool = False) -> bytearray | None:
        """
        Give the next frame to send; None when there is nothing, or one is on its way.

        Args:
            at_once: Even while another is on its way: there is no time to wait for it.
        """
        if not self._sums or (self._sent and not at_once):
            return None
        counts = [ShadowCount(*key, *sums) for key, sums in self._sums.items()]
        frame = encode_frame(Kind.SHADOWED, Summed(self._next, counts))
        self._sent.append(_Sent(self._next, frame))
        self._next += 1
        self._sums.clear()
        return frame

    def unsettled(self) -> list[bytearray]:
        """Give the frames to send again over a new connection."""
        return [sent.frame for sent in self._sent]

    def settle(self, number: int) -> None:
        """Let go of the frames up to this one."""
        while self._sent and self._sent[0].number <= number:
            self._sent.popleft()
