"""Tests for gateway.proxy.sweep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from math import inf

import pytest

from gateway.proxy.sweep import Sweep, Watched

TICK_S = 0.5


class DrivenLoop(asyncio.SelectorEventLoop):
    """A loop whose clock the test sets forward; nothing in it waits."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1_000.0
        self.n_timers = 0

    def time(self) -> float:
        """Give the moment the test has come to."""
        return self.now_s

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: object, **_: object
    ) -> asyncio.TimerHandle:
        """Count the timers that were asked for."""
        self.n_timers += 1
        return super().call_later(delay, callback, *args)

    def go_on(self, seconds: float) -> None:
        """Let so many seconds pass, a tick at a time, and call what became due."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s = min(self.now_s + TICK_S, end_s)
            self.call_soon(self.stop)
            self.run_forever()


@pytest.fixture
def loop() -> Iterator[DrivenLoop]:
    """Give a loop, and close it."""
    loop = DrivenLoop()
    yield loop
    loop.close()


class Thing(Watched):
    """Something watched that remembers when it expired."""

    def __init__(self, loop: DrivenLoop, limit_s: float, *, fails: bool = False) -> None:
        super().__init__()
        self.limit_s = limit_s
        self.expired_s: list[float] = []
        self._loop = loop
        self._fails = fails

    def expire(self) -> None:
        self.expired_s.append(self._loop.time() - 1_000)
        if self._fails:
            message = "cannot"
            raise RuntimeError(message)


def sweep_over(loop: DrivenLoop, *things: Thing) -> Sweep:
    """Give a sweep that watches these."""
    sweep = Sweep(loop, tick_s=TICK_S)
    for thing in things:
        sweep.add(thing)
    return sweep


@pytest.mark.parametrize("limit_s", [0.1, 2.0, 3.3, 60.0])
def test_expires_in_time(loop: DrivenLoop, limit_s: float) -> None:
    """What stands still expires once, after its limit and within two ticks of it."""
    thing = Thing(loop, limit_s)
    sweep_over(loop, thing)
    loop.go_on(200)
    (expired_s,) = thing.expired_s
    assert limit_s <= expired_s <= limit_s + 2 * TICK_S


def test_movement_postpones(loop: DrivenLoop) -> None:
    """What moves does not expire, however long it lives; when it stops, it does."""
    thing = Thing(loop, 2)
    sweep_over(loop, thing)
    for _ in range(10):
        loop.go_on(1.5)
        thing.moved = True
    assert thing.expired_s == []
    loop.go_on(3)
    assert len(thing.expired_s) == 1


def test_no_limit_never_expires(loop: DrivenLoop) -> None:
    """Without a limit nothing expires, and a new limit counts from when it was set."""
    thing = Thing(loop, inf)
    sweep_over(loop, thing)
    loop.go_on(10_000)
    thing.limit_s, thing.moved = 2, True
    loop.go_on(1.5)
    assert thing.expired_s == []
    loop.go_on(1.5)
    assert len(thing.expired_s) == 1


def test_discarded_is_left_alone(loop: DrivenLoop) -> None:
    """What is no longer watched does not expire, and an empty sweep sleeps."""
    thing = Thing(loop, 1)
    sweep = sweep_over(loop, thing)
    sweep.discard(thing)
    loop.go_on(30)
    assert (thing.expired_s, len(sweep), loop.n_timers) == ([], 0, 1)


def test_closed_sleeps(loop: DrivenLoop) -> None:
    """A sweep that was closed looks no more."""
    thing = Thing(loop, 1)
    sweep_over(loop, thing).close()
    loop.go_on(30)
    assert (thing.expired_s, loop.n_timers) == ([], 1)


def test_one_failure_harms_nobody(loop: DrivenLoop) -> None:
    """One that fails to expire is reported, and the others expire all the same."""
    reported: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    late = Thing(loop, 3)
    sweep_over(loop, Thing(loop, 1, fails=True), late)
    loop.go_on(10)
    assert (len(reported), len(late.expired_s)) == (1, 1)
