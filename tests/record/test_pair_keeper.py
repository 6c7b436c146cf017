"""Pairs are dropped where they cannot be kept; counts of copies never are, and count once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from gateway.record.batch import RefusedError, StoreError
from gateway.record.frames import Summed
from gateway.record.pair import Judged, Pair
from gateway.record.pair_keeper import PairKeeper, PairLimits
from gateway.record.shadowed import ShadowCount
from tests.record.store.making import judged, pair

BRISK = PairLimits(max_rows=10, rest_s=0.001, count_every_s=0.005)
COUNT = ShadowCount(20_000, "support", "small", "answered", 3, 0.5)


@dataclass(slots=True)
class PairShelf:
    """A store of pairs and counts that can fail or be away."""

    rows: list[Pair | Judged] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    obstacle: str = ""

    async def keep_pairs(self, rows: Sequence[Pair | Judged]) -> None:
        """Keep them."""
        self.rows += rows

    async def count_shadows(self, worker: int, boot: int, number: int, counts: Sequence[ShadowCount]) -> bool:
        """Keep the number, or raise the next error."""
        if self.errors:
            raise self.errors.pop(0)
        self.numbers.append(number)
        return True


@asynccontextmanager
async def keeping(shelf: PairShelf, heard: list[ShadowCount] | None = None) -> AsyncIterator[PairKeeper]:
    """Give a keeper at work that has no store yet."""
    on_counted = None if heard is None else heard.extend
    keeper = PairKeeper(lambda: shelf.obstacle, on_counted=on_counted, limits=BRISK)
    keeper.open()
    yield keeper
    await keeper.close(1.0)


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(3):
        while not is_so():  # noqa: ASYNC110 - what is waited for is a timer
            await asyncio.sleep(0.002)


async def test_keeps_in_order() -> None:
    """Pairs and judgements wait for the store and are kept as they came."""
    shelf = PairShelf()
    async with keeping(shelf) as keeper:
        keeper.offer(pair(), 10)
        keeper.offer(judged(pair()), 10)
        keeper.use(shelf)
        await until(lambda: len(shelf.rows) == 2)
        keeper.note_losses("worker_rows", 2)
        assert shelf.rows == [pair(), judged(pair())]
        assert keeper.counts() == {"kept": 2, "queued": 0, "dropped": {"worker_rows": 2}}


async def test_store_away() -> None:
    """While the store is away pairs are dropped, and counts wait for it."""
    shelf, told = PairShelf(obstacle="store_away"), list[int]()
    async with keeping(shelf) as keeper:
        keeper.use(shelf)
        keeper.offer(pair(), 10)
        keeper.offer_counts(65_535, 7, Summed(1, [COUNT]), told.append)
        await asyncio.sleep(0.03)
        assert (told, keeper.counts()["dropped"]) == ([], {"store_away": 1})
        shelf.obstacle = ""
        await until(lambda: told == [1])
        assert shelf.rows == [] and shelf.numbers == [1]


async def test_counts_survive_failures(caplog: pytest.LogCaptureFixture) -> None:
    """What fails is tried again until it is kept; what no store takes is said, and does not stand in the way."""
    shelf, told = PairShelf(errors=[StoreError("busy"), StoreError("busy"), RefusedError("never")]), list[int]()
    async with keeping(shelf) as keeper:
        keeper.use(shelf)
        keeper.offer_counts(65_535, 7, Summed(1, [COUNT]), told.append)
        keeper.offer_counts(65_535, 7, Summed(2, [COUNT]), told.append)
        await until(lambda: told == [1, 2])
        assert shelf.numbers == [2] and "no store takes" in caplog.text


async def test_disk_nearly_full() -> None:
    """Counts are small: they are kept where no texts are."""
    shelf, told = PairShelf(obstacle="disk_full"), list[int]()
    async with keeping(shelf) as keeper:
        keeper.use(shelf)
        keeper.offer(pair(), 10)
        keeper.offer_counts(65_535, 7, Summed(1, [COUNT]), told.append)
        await until(lambda: told == [1])
        assert keeper.counts()["dropped"] == {"disk_full": 1}


async def test_said_again() -> None:
    """What is said again over another connection is heard once and kept once; the new one is told."""
    shelf, heard, first, second = PairShelf(), list[ShadowCount](), list[int](), list[int]()
    tells = (first.append, second.append)
    async with keeping(shelf, heard) as keeper:
        for tell in tells:
            keeper.offer_counts(65_535, 7, Summed(1, [COUNT]), tell)
        keeper.leave(65_535, 7, tells[0])
        keeper.use(shelf)
        await until(lambda: second == [1])
        keeper.offer_counts(65_535, 7, Summed(1, [COUNT]), tells[1])
        assert (first, second, heard, shelf.numbers) == ([], [1, 1], [COUNT], [1])
        assert keeper.results() == [
            {"route": "support", "variant": "small", "results": {"answered": 3}, "cost_usd": 0.5}
        ]


async def test_nobody_to_tell() -> None:
    """Counts of a process that is gone are kept all the same."""
    shelf = PairShelf()
    async with keeping(shelf) as keeper:
        keeper.offer_counts(65_535, 7, Summed(1, [COUNT]), print)
        keeper.leave(65_535, 7, print)
        keeper.use(shelf)
        await keeper.close(1.0)
    assert shelf.numbers == [1]
