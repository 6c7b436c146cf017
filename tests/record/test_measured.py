"""The stopwatch changes nothing of what a store does."""

from __future__ import annotations

import pytest

from gateway.clock import SettableClock
from gateway.record.batch import StoreError
from gateway.record.feedback import Receipt
from gateway.record.measured import MeasuredStore
from gateway.telemetry import instruments as metrics
from gateway.telemetry.accumulate import Accumulator
from tests.fakes.facts import MemoryStore, batch_of, feedback_of


@pytest.fixture(name="accumulator")
def _accumulator() -> Accumulator:
    return Accumulator(SettableClock())


@pytest.fixture(name="inner")
def _inner() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(name="store")
def _store(inner: MemoryStore, accumulator: Accumulator) -> MeasuredStore:
    return MeasuredStore(inner, accumulator, clock=SettableClock())


async def test_passes_on(store: MeasuredStore, inner: MemoryStore, accumulator: Accumulator) -> None:
    """What is kept and what is answered are the store's; each commit is timed."""
    receipts = await store.keep([batch_of(1, 3)], [feedback_of("f")])
    assert (receipts, len(inner.rows)) == ([Receipt.STORED], 3)
    assert sum(accumulator.histogram(metrics.STORE_COMMIT_DURATION).counts) == 1


async def test_failure_is_counted(store: MeasuredStore, inner: MemoryStore, accumulator: Accumulator) -> None:
    """A failure stays one, and is no commit."""
    inner.failures = 1
    with pytest.raises(StoreError):
        await store.keep([batch_of(1, 3)], [])
    assert accumulator.scalar(metrics.STORE_ERRORS).value == 1
    assert sum(accumulator.histogram(metrics.STORE_COMMIT_DURATION).counts) == 0


async def test_closes_the_store(store: MeasuredStore, inner: MemoryStore) -> None:
    """Closing closes the store."""
    await store.close()
    assert inner.is_closed
