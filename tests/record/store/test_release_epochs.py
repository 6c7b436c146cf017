"""How releases are divided is kept as it was first written, in both dialects."""

from __future__ import annotations

from gateway.record.experiment_query import EpochShares
from gateway.record.store.store import Store

HALF = EpochShares(1, 1_000, (("concise", 5_000), ("current", 5_000)), "c1", "support")


async def test_comes_back(store: Store) -> None:
    """Oldest first, arms by name, of the release that was asked for."""
    more = EpochShares(2, 2_000, (("concise", 9_000), ("current", 1_000)), "c1", "support")
    await store.keep_epochs([more, HALF, EpochShares(1, 1_500, (("a", 10_000),), "", "other")])
    assert await store.reader.epochs("support") == [HALF, more]
    assert await store.reader.epochs("nobody") == []


async def test_first_writing_wins(store: Store) -> None:
    """A restart that notes an epoch again changes nothing."""
    await store.keep_epochs([HALF])
    await store.keep_epochs([EpochShares(1, 9_000, (("concise", 1), ("current", 1)), "c1", "support")])
    assert await store.reader.epochs("support") == [HALF]


async def test_epochs_of_other_contents(store: Store) -> None:
    """Numbers come again after a lost state directory: what the arms were tells them apart."""
    again = EpochShares(1, 9_000, (("concise", 100), ("current", 9_900)), "c2", "support")
    await store.keep_epochs([HALF, again])
    assert await store.reader.epochs("support") == [HALF, again]
