"""Samples before the store: bounded, never in the way, and dropped with a reason where they cannot be kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.record.batch import StoreError
from gateway.record.sample import Sample
from gateway.record.sample_keeper import KeeperLimits, SampleKeeper, disk_use_of

BRISK = KeeperLimits(max_rows=10, max_bytes=1_000, group_rows=4, group_bytes=300, rest_s=0.001, tend_every_s=0.02)


def sample(name: str) -> Sample:
    """Give a sample of a request."""
    return Sample(name, 1, 2, "support", "r", 1, "a", 0, "q", "a")


@dataclass(slots=True)
class Shelf:
    """A store of samples that can fail, and its disk; the first two times it cannot be tended."""

    groups: list[list[str]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    tended: int = 0
    is_away: bool = False
    disk_use: float = 0.5

    async def keep_samples(self, samples: Sequence[Sample]) -> None:
        """Keep them, or raise the next error."""
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        self.groups.append([each.request_id for each in samples])

    async def tend(self) -> None:
        """Count."""
        self.tended += 1
        if self.tended <= 2:
            raise (StoreError("busy"), ArithmeticError())[self.tended - 1]

    @property
    def kept(self) -> list[str]:
        """Give all that was kept."""
        return [name for group in self.groups for name in group]


@asynccontextmanager
async def keeping(shelf: Shelf, limits: KeeperLimits = BRISK) -> AsyncIterator[SampleKeeper]:
    """Give a keeper at work that has no store yet."""
    keeper = SampleKeeper(lambda: shelf.is_away, disk_use=lambda _: shelf.disk_use, limits=limits)
    keeper.open()
    yield keeper
    await keeper.close(1.0)


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(3):
        while not is_so():  # noqa: ASYNC110 - what is waited for is a timer
            await asyncio.sleep(0.002)


async def test_waits_for_the_store() -> None:
    """What comes before the store is open is kept once it is, a few at a time and by size."""
    shelf = Shelf()
    async with keeping(shelf) as keeper:
        for number in range(5):
            keeper.offer(sample(str(number)), 10)
        keeper.offer(sample("large"), 290)
        keeper.use(shelf, None)
        await until(lambda: len(shelf.kept) == 6)
        assert shelf.groups == [["0", "1", "2", "3"], ["4", "large"]]
        assert keeper.counts() == {"kept": 6, "queued": 0, "dropped": {}}


async def test_bounds() -> None:
    """Beyond rows or bytes samples are dropped and counted."""
    shelf = Shelf()
    async with keeping(shelf) as keeper:
        keeper.offer(sample("huge"), 1_001)
        for number in range(12):
            keeper.offer(sample(str(number)), 1)
        keeper.note_losses("worker_rows", 3)
        assert keeper.counts() == {"kept": 0, "queued": 10, "dropped": {"too_many": 3, "worker_rows": 3}}


async def test_store_away() -> None:
    """While the store is away nothing waits for it: not what comes, nor what came before."""
    shelf = Shelf()
    async with keeping(shelf) as keeper:
        keeper.offer(sample("before"), 1)
        shelf.is_away = True
        keeper.offer(sample("meanwhile"), 1)
        keeper.use(shelf, None)
        await until(lambda: not keeper.counts()["queued"])
        shelf.is_away = False
        keeper.offer(sample("after"), 1)
        await until(lambda: shelf.kept == ["after"])
        assert keeper.counts()["dropped"] == {"store_away": 2}


@pytest.mark.parametrize(("error", "reason"), [(StoreError("full"), "store_away"), (ArithmeticError(), "unfit")])
async def test_failures(error: Exception, reason: str) -> None:
    """A group the store does not keep is lost, said and counted; the next one is kept."""
    shelf = Shelf(errors=[error])
    async with keeping(shelf, KeeperLimits(rest_s=0.001)) as keeper:
        keeper.use(shelf, None)
        keeper.offer(sample("lost"), 1)
        await until(lambda: keeper.counts()["dropped"])
        keeper.offer(sample("kept"), 1)
        await until(lambda: shelf.kept == ["kept"])
        assert keeper.counts()["dropped"] == {reason: 1}


async def test_full_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Over 90 % of the disk no samples are kept until there is room again; said once each way."""
    shelf = Shelf(disk_use=0.95)
    async with keeping(shelf) as keeper:
        keeper.use(shelf, tmp_path)
        for use, wanted in ((0.95, {"disk_full": 1}), (0.96, {"disk_full": 2}), (0.85, {"disk_full": 2})):
            shelf.disk_use = use
            await keeper.tend()
            keeper.offer(sample(str(use)), 1)
            assert keeper.counts()["dropped"] == wanted
        await until(lambda: shelf.kept == ["0.85"])
    said = [record.message for record in caplog.records if "samples are kept" in record.message]
    assert said == ["no samples are kept: the store's disk is nearly full", "samples are kept again"]


async def test_tends(caplog: pytest.LogCaptureFixture) -> None:
    """The store is tended now and then, also after a time when that failed; never while it is away."""
    shelf = Shelf()
    async with keeping(shelf) as keeper:
        keeper.use(shelf, None)
        await until(lambda: shelf.tended >= 4)
        assert caplog.text.count("could not be tended") == 2
        shelf.is_away = True
        n_tended = shelf.tended
        await keeper.tend()
        assert shelf.tended == n_tended


async def test_close() -> None:
    """What waits at the end is kept without pauses, and what comes later is not taken."""
    shelf = Shelf()
    async with keeping(shelf, KeeperLimits(group_rows=1, rest_s=60.0)) as keeper:
        keeper.use(shelf, None)
        for number in range(5):
            keeper.offer(sample(str(number)), 1)
        await until(lambda: shelf.groups)
        await keeper.close(1.0)
        keeper.offer(sample("late"), 1)
        assert (len(shelf.kept), keeper.counts()["dropped"]) == (5, {"leaving": 1})


async def test_close_without_a_store() -> None:
    """Where no store ever opened, what waits is dropped and nobody waits for it."""
    keeper = SampleKeeper(lambda: False)
    keeper.open()
    keeper.offer(sample("a"), 1)
    async with asyncio.timeout(0.5):
        await keeper.close(5.0)
    assert keeper.counts() == {"kept": 0, "queued": 0, "dropped": {"leaving": 1}}


def test_disk_use(tmp_path: Path) -> None:
    """A disk is used between not at all and wholly; of one that is not there nobody knows."""
    assert 0 < disk_use_of(tmp_path) <= 1
    with pytest.raises(FileNotFoundError):
        disk_use_of(tmp_path / "none")
