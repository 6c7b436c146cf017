"""What the queues of texts share; `test_sample_keeper` holds the rest of it."""

from __future__ import annotations

import asyncio

from gateway.record.batch import RefusedError
from gateway.record.group_keeper import GroupKeeper, GroupLimits


async def test_refused_rows_are_unfit() -> None:
    """What a store will never take is not said to be lost to an absent store."""

    async def refuse(rows: list[str]) -> None:
        raise RefusedError(str(rows))

    keeper = GroupKeeper[str]("pairs", lambda: "", limits=GroupLimits(rest_s=0.001))
    keeper.open()
    keeper.use(refuse)
    keeper.offer("a", 1)
    async with asyncio.timeout(3):
        while not keeper.counts()["dropped"]:  # noqa: ASYNC110 - what is waited for is a timer
            await asyncio.sleep(0.002)
    await keeper.close(1.0)
    assert keeper.counts() == {"kept": 0, "queued": 0, "dropped": {"unfit": 1}}


async def test_obstacle() -> None:
    """Whatever stands in the way is the reason that is counted."""
    keeper = GroupKeeper[str]("pairs", lambda: "disk_full", limits=GroupLimits())
    keeper.offer("a", 1)
    await keeper.close(0.1)
    assert keeper.counts()["dropped"] == {"disk_full": 1}
