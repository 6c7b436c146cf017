"""One restart at a time, whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.processes.roll import OneAtATime
from gateway.tasks import TaskGroup


class Work:
    """Counts its runs, and runs until let go."""

    def __init__(self) -> None:
        self.runs = 0
        self.go_on = asyncio.Event()

    async def run(self) -> int:
        self.runs += 1
        number = self.runs
        await self.go_on.wait()
        return number


@pytest.fixture
async def tasks() -> AsyncIterator[TaskGroup]:
    """Give what work runs in."""
    tasks = TaskGroup()
    yield tasks
    await tasks.close()


async def test_late_askers_share_the_next(tasks: TaskGroup) -> None:
    """Whoever asks during a run gets the next one, all of them the same."""
    work = Work()
    roll = OneAtATime(work.run, tasks)
    asking = [tasks.spawn(roll.ask()) for _ in range(4)]
    await asyncio.sleep(0.01)
    assert work.runs == 1 and roll.is_busy
    work.go_on.set()
    assert await asyncio.gather(*asking) == [1, 2, 2, 2]


async def test_leaving_stops_nothing(tasks: TaskGroup) -> None:
    """Who goes away while waiting does not end the work."""
    work = Work()
    roll = OneAtATime(work.run, tasks)
    asking = tasks.spawn(roll.ask())
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.sleep(0)
    assert roll.is_busy


async def test_next_after_the_last(tasks: TaskGroup) -> None:
    """Once idle, asking starts a run at once."""
    work = Work()
    work.go_on.set()
    roll = OneAtATime(work.run, tasks)
    assert [await roll.ask(), await roll.ask()] == [1, 2]
    assert not roll.is_busy
