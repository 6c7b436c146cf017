"""How long to wait before a process that died is started again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """
    Doubles with every death, forgets after a stretch of health.

    Attributes:
        first_s: Wait after the first death.
        max_s: Longest wait.
        healthy_s: A process that lived this long died of something new.

    >>> backoff = Backoff()
    >>> [backoff.delay_after(lifetime_s=1) for _ in range(4)]
    [0.1, 0.2, 0.4, 0.8]
    >>> backoff.delay_after(lifetime_s=11)
    0.1
    """

    first_s: float = 0.1
    max_s: float = 10.0
    healthy_s: float = 10.0
    _deaths: int = 0

    def delay_after(self, *, lifetime_s: float) -> float:
        """Give the wait after a death, given how long the dead one had lived."""
        if lifetime_s >= self.healthy_s:
            self._deaths = 0
        delay_s = min(self.first_s * 2.0 ** min(self._deaths, 30), self.max_s)
        self._deaths += 1
        return delay_s
