"""What is too old or too much goes, and nothing else; nobody waits long for it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

from gateway.clock import SettableClock, SystemClock
from gateway.record.retention import DAY_S, Retention
from gateway.record.sample import Sample
from gateway.record.store.engine import location_of
from gateway.record.store.reader import Within
from gateway.record.store.store import Store
from gateway.record.store.sweep import Swept
from tests.record.store.making import NOW_UNIX_MS, batch, feedback, keep, outcome

EVERYTHING = Swept(outcomes=2, rollups=2, exposures=1, unit_days=1, feedback=1, samples=1, watermarks=1)


async def fill(store: Store) -> None:
    """Keep something in every table."""
    await keep(store, [batch(outcome(), outcome())], [feedback()])
    await store.keep_samples([Sample("x", NOW_UNIX_MS, NOW_UNIX_MS + 10_000, "support", "r", 1, "a", 7, "q", "a")])


async def test_nothing_young_goes(store: Store) -> None:
    """What is young stays."""
    await fill(store)
    assert await store.tend() == Swept()


async def test_everything_old_goes(store: Store, clock: SettableClock) -> None:
    """Beyond every age every table is empty, and a unit that comes again is exposed again."""
    await fill(store)
    clock.advance(400 * DAY_S)
    assert await store.tend() == EVERYTHING
    assert sum((await store.reader.health()).rows.values()) == 0
    await keep(store, [batch(outcome(unix_ms=clock.unix_ms()), boot=12)], [])
    assert (await store.reader.health()).rows["exposures"] == 1


async def test_each_has_its_age(store: Store, clock: SettableClock) -> None:
    """Samples go when they expire, single requests after a week, sums per minute after five."""
    await fill(store)
    for days, wanted in ((1, Swept(samples=1)), (7, Swept(outcomes=2)), (30, Swept(rollups=2, watermarks=1))):
        clock.advance(days * DAY_S)
        assert await store.tend() == wanted


async def test_most_rows(store: Store) -> None:
    """Beyond the most rows the oldest go."""
    for number in range(10):
        await keep(store, [batch(outcome(request_id=str(number)), first=number + 1)], [])
    store.set_retention(replace(Retention(), max_outcomes=3))
    assert await store.tend() == Swept(outcomes=7)
    assert [row.request_id async for row in store.reader.outcomes(Within())] == ["7", "8", "9"]
    store.set_retention(replace(Retention(), outcomes_s=0))
    assert await store.tend() == Swept(outcomes=3)


async def test_nobody_waits_long(tmp_path: Path) -> None:
    """While ten thousand rows go, writers get their turn between steps."""
    store = Store(location_of(None, tmp_path), clock=SystemClock())
    await keep(store, [batch(*[outcome(request_id="x" * 90)] * 10_000)], [])
    sweeping = asyncio.ensure_future(store.tend())
    waits, first = [], 10_001
    while not sweeping.done():
        began_s = time.monotonic()
        now = SystemClock().unix_ms()
        await store.keep([batch(outcome(unix_ms=now), first=first)], [])
        waits.append(time.monotonic() - began_s)
        first += 1
    assert sweeping.result().outcomes == 10_000
    await store.close()
    # Of a step, 50 ms at most, and its own commit, on a machine that others use too.
    assert sorted(waits)[len(waits) // 2] < 0.2
