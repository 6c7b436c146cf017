"""What is too old or too much goes, and nothing else; nobody waits long for it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

from gateway.clock import SettableClock, SystemClock
from gateway.record.retention import DAY_S, Retention
from gateway.record.sample import Sample
from gateway.record.shadowed import ShadowCount
from gateway.record.store.engine import location_of
from gateway.record.store.reader import Within
from gateway.record.store.store import Store
from gateway.record.store.sweep import Swept
from tests.record.store.making import NOW_UNIX_MS, batch, feedback, judged, keep, outcome, pair, texts

SHADOWS = {"shadow_texts": 1, "shadow_pairs": 1, "shadow_counts": 1}
EVERYTHING = Swept(outcomes=2, rollups=2, exposures=1, unit_days=1, feedback=1, samples=1, watermarks=2, **SHADOWS)


async def fill(store: Store) -> None:
    """Keep something in every table."""
    await keep(store, [batch(outcome(), outcome())], [feedback()])
    await store.keep_samples([Sample("x", NOW_UNIX_MS, NOW_UNIX_MS + 10_000, "support", "r", 1, "a", 7, "q", "a")])
    await store.keep_pairs([pair(texts=texts())])
    day = NOW_UNIX_MS // 86_400_000
    await store.count_shadows(65_535, 7, 1, [ShadowCount(day, "support", "small", "answered", 1, 0.0)])


async def test_nothing_young_goes(store: Store) -> None:
    """What is young stays."""
    await fill(store)
    assert await store.tend() == Swept()


async def test_everything_old_goes(store: Store, clock: SettableClock) -> None:
    """Beyond every age every table is empty, and a unit that comes again is exposed again."""
    await fill(store)
    clock.advance(402 * DAY_S)
    assert await store.tend() == EVERYTHING
    assert sum((await store.reader.health()).rows.values()) == 0
    await keep(store, [batch(outcome(unix_ms=clock.unix_ms()), boot=12)], [])
    assert (await store.reader.health()).rows["exposures"] == 1


async def test_each_has_its_age(store: Store, clock: SettableClock) -> None:
    """Texts go when they expire, single requests after a week, sums per minute after five, pairs after 90 days."""
    await fill(store)
    words, rollups = Swept(samples=1, shadow_texts=1), Swept(rollups=2, watermarks=2)
    for days, wanted in ((1, words), (7, Swept(outcomes=2)), (30, rollups), (53, Swept(shadow_pairs=1))):
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


async def test_expired_texts_leave_no_bytes(tmp_path: Path, clock: SettableClock) -> None:
    """Texts of pairs, and what a judge said of them, are gone from the raw files once they expire; the pairs stay."""
    store = Store(location_of(None, tmp_path), clock=clock)
    for number in range(40):
        row = pair(str(number), texts=texts(f"secret-{number}-" * 400))
        await store.keep_pairs([row, judged(row, f"secret-{number} is longer")])
    clock.advance(11.0)
    assert await store.tend() == Swept(shadow_texts=40)
    # Whoever forgets also writes the log back, which otherwise happens by and by.
    await store.forget([1])
    held = [(tmp_path / f"facts.sqlite{end}").read_bytes() for end in ("", "-wal")]
    assert not any(b"secret" in content for content in held)
    assert [len(lot) async for lot in store.reader.pairs("support")] == [40]
    await store.close()
