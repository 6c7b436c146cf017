"""A store with a stopwatch: how long it takes and how often it fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.clock import Clock
from gateway.record.batch import Batch, FactStore
from gateway.record.feedback import Feedback, Receipt
from gateway.telemetry import instruments as metrics
from gateway.telemetry.accumulate import Accumulator


class ClosableStore(FactStore, Protocol):
    """A store that can be closed."""

    async def close(self) -> None:
        """Let go of it."""
        ...


class MeasuredStore:
    """Passes everything on to a store, and counts."""

    def __init__(self, store: ClosableStore, accumulator: Accumulator, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._durations = accumulator.histogram(metrics.STORE_COMMIT_DURATION)
        self._errors = accumulator.scalar(metrics.STORE_ERRORS)

    async def keep(self, batches: Sequence[Batch], feedback: Sequence[Feedback]) -> list[Receipt]:
        """
        Keep it, as the store does.

        Raises:
            StoreError: Nothing was kept.
        """
        begun_s = self._clock.now_s()
        try:
            receipts = await self._store.keep(batches, feedback)
        except Exception:
            self._errors.value += 1
            raise
        self._durations.observe(self._clock.now_s() - begun_s)
        return receipts

    async def close(self) -> None:
        """Let go of the store."""
        await self._store.close()
