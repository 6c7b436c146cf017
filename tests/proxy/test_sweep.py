"""Tests for gateway.proxy.sweep."""

from __future__ import annotations

import asyncio
from math import inf

from gateway.proxy.sweep import Sweep, Watched

TICK_S = 0.02


class Thing(Watched):
    """Something watched that remembers when it expired."""

    def __init__(self, limit_s: float, *, fails: bool = False) -> None:
        super().__init__()
        self.limit_s = limit_s
        self.expired_s: list[float] = []
        self.fails = fails

    def expire(self) -> None:
        self.expired_s.append(asyncio.get_running_loop().time())
        if self.fails:
            message = "cannot"
            raise RuntimeError(message)


def sweep_over(*things: Thing) -> Sweep:
    """Give a sweep that watches these."""
    sweep = Sweep(asyncio.get_running_loop(), tick_s=TICK_S)
    for thing in things:
        sweep.add(thing)
    return sweep


async def test_expires_in_time() -> None:
    """What stands still expires once, after its limit and within two ticks of it."""
    start_s = asyncio.get_running_loop().time()
    thing = Thing(0.1)
    sweep = sweep_over(thing)
    await asyncio.sleep(0.4)
    assert len(thing.expired_s) == 1
    assert 0.1 <= thing.expired_s[0] - start_s < 0.1 + 2 * TICK_S + 0.05
    sweep.close()


async def test_movement_postpones() -> None:
    """What moves does not expire, however long it lives; when it stops, it does."""
    thing = Thing(0.1)
    sweep = sweep_over(thing)
    for _ in range(10):
        await asyncio.sleep(0.03)
        thing.moved = True
    assert thing.expired_s == []
    await asyncio.sleep(0.25)
    assert len(thing.expired_s) == 1
    sweep.close()


async def test_no_limit_never_expires() -> None:
    """Without a limit nothing expires, and a new limit counts from when it was set."""
    thing = Thing(inf)
    sweep = sweep_over(thing)
    await asyncio.sleep(0.15)
    thing.limit_s, thing.moved = 0.1, True
    await asyncio.sleep(0.05)
    assert thing.expired_s == []
    await asyncio.sleep(0.2)
    assert len(thing.expired_s) == 1
    sweep.close()


async def test_discarded_is_left_alone() -> None:
    """What is no longer watched does not expire, and an empty sweep sleeps."""
    thing = Thing(0.05)
    sweep = sweep_over(thing)
    sweep.discard(thing)
    await asyncio.sleep(0.15)
    assert (thing.expired_s, len(sweep)) == ([], 0)
    assert sweep._timer is None


async def test_one_failure_harms_nobody() -> None:
    """One that fails to expire is reported, and the others expire all the same."""
    loop = asyncio.get_running_loop()
    reported: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    late = Thing(0.12)
    sweep = sweep_over(Thing(0.05, fails=True), late)
    await asyncio.sleep(0.3)
    assert (len(reported), len(late.expired_s)) == (1, 1)
    sweep.close()
