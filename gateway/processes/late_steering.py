"""
Steering that is loaded when it is needed, which for most files is after the first table.

The controller and its rules take a quarter of a second to import, and workers wait for the first table. A file without
rollouts, on a state directory that knows of none, gives the same table without them; what it says is admitted right
after. Latches hold meanwhile as ever: the parent hands them to workers before any table.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.control.files import CONTENTS, LATCHES, ROLLOUTS
from gateway.domain.rollout import RolloutPlan
from gateway.domain.standing import Standing

if TYPE_CHECKING:
    from gateway.processes.steering import Steered

KEPT = (ROLLOUTS, LATCHES, CONTENTS)
"""What a state directory has once something was steered on it."""

Restand = Callable[[Mapping[str, Standing]], Awaitable[int]]


class LateSteering:
    """Implements `control.publish.Steering`."""

    def __init__(self, load: Callable[[], Steered], *, state: Path) -> None:
        """
        Make it; nothing is loaded yet.

        Args:
            load: Gives what steers; blocks, and may be called in a thread. Raises StateError.
            state: The state directory.
        """
        self._load = load
        self._state = state
        self._steered: Steered | None = None
        self._is_first = True
        self._waiting: Any = None
        self._loading = threading.Lock()

    def open(self) -> Steered:
        """Give what steers, loading it the first time; raises StateError when it cannot be."""
        with self._loading:
            if self._steered is None:
                self._steered = self._load()
            return self._steered

    def check(self, compiled: Any) -> None:
        """See whether a file could be taken over; one that can wait always could."""
        if not (self._is_first and self._can_wait(compiled)):
            self._admit_waiting()
            self.open().steering.check(compiled)

    def admit(self, compiled: Any) -> None:
        """Take over what a new file says, now or once the first table is out."""
        if self._is_first and self._can_wait(compiled):
            self._is_first, self._waiting = False, compiled
            return
        self._is_first = False
        # What waited comes first: an edit is an edit of what was there before it.
        self._admit_waiting()
        self.open().steering.admit(compiled)

    def standings(self) -> Mapping[str, Standing]:
        """Give how releases stand, by name."""
        return {} if self._steered is None else self._steered.steering.standings()

    async def begin(self, restand: Restand) -> None:
        """
        Load it; what waited is admitted, and how releases stand is published.

        Also where the file was refused: a table that goes on from before may give more than was decided since.
        """
        steered = await asyncio.to_thread(self.open)
        self._admit_waiting()
        await restand(steered.steering.standings())

    async def keep(self) -> None:
        """Steer, until cancelled."""
        await self.open().keep()

    def _admit_waiting(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self.open().steering.admit(waiting)

    async def close(self) -> None:
        """Keep what was counted."""
        if self._steered is not None:
            await self._steered.close()

    def _can_wait(self, compiled: Any) -> bool:
        if any(isinstance(plan, RolloutPlan) or plan.is_adaptive for plan in compiled.plans.values()):
            return False
        return not any((self._state / name).exists() for name in KEPT)
