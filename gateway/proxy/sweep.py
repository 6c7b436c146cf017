"""
Time limits for thousands of connections from one timer.

A `call_later` for every request and a reset for every chunk cost more than the chunk. Here a
connection marks that something moved (`moved = True`), and one timer per worker looks at all of
them: a limit is kept to within two ticks.
"""

from __future__ import annotations

import asyncio
from math import inf


class Watched:
    """
    Something that must move within a time limit.

    Attributes:
        limit_s: How long it may stand still now; `inf` for no limit.
        moved: Set by whoever saw it move; cleared by the sweep.
        deadline_s: When it expires, on the loop's clock; worked out by the sweep.
    """

    limit_s: float = inf
    moved = True
    deadline_s = inf

    def expire(self) -> None:
        """Act on the limit having passed; called once per limit."""
        raise NotImplementedError


class Sweep:
    """Looks at what it watches every `tick_s` seconds, and sleeps while there is nothing."""

    __slots__ = ("_loop", "_tick_s", "_timer", "_watched")

    def __init__(self, loop: asyncio.AbstractEventLoop, *, tick_s: float) -> None:
        self._loop = loop
        self._tick_s = tick_s
        self._watched: set[Watched] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Give how many are watched."""
        return len(self._watched)

    def add(self, watched: Watched) -> None:
        """Watch it from now on."""
        self._watched.add(watched)
        if self._timer is None:
            self._timer = self._loop.call_later(self._tick_s, self._look)

    def discard(self, watched: Watched) -> None:
        """Leave it alone."""
        self._watched.discard(watched)

    def close(self) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._watched.clear()

    def _look(self) -> None:
        now_s = self._loop.time()
        late = []
        for watched in self._watched:
            if watched.moved:
                watched.moved = False
                watched.deadline_s = now_s + watched.limit_s
            elif now_s >= watched.deadline_s:
                late.append(watched)
        # Before anything expires: one that fails to must not end the watch over all others.
        self._timer = self._loop.call_later(self._tick_s, self._look) if self._watched else None
        for watched in late:
            watched.deadline_s = inf
            watched.expire()
