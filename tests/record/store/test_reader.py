"""Questions have typed answers, however much there is and whoever writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.clock import SettableClock
from gateway.domain.release import Reason
from gateway.record.batch import StoreError
from gateway.record.rollup import DAY_MS
from gateway.record.store.engine import location_of
from gateway.record.store.reader import PAGE_ROWS, ArmKey, UnitFeedback, Within
from gateway.record.store.store import Store
from tests.record.store.making import NOW_UNIX_MS, batch, feedback, keep, outcome

ARM = ArmKey("support-concise", 2, "concise")
OTHER = ArmKey("support-concise", 3, "current")


async def test_totals(store: Store) -> None:
    """Totals are per release, epoch and arm, of one reason and segment."""
    other = outcome(epoch=3, arm="current", segments=None)
    await keep(store, [batch(outcome(), outcome(), other, outcome(reason=Reason.OVERRIDE))], [])
    reader = store.reader
    found = await reader.totals("support-concise")
    assert {arm: (sums.requests, sums.cost_usd) for arm, sums in found.items()} == {ARM: (2, 0.5), OTHER: (1, 0.25)}
    assert {*await reader.totals("support-concise", segment="plan=pro")} == {ARM}
    assert (await reader.totals("support-concise", reason="override"))[ARM].requests == 1
    assert await reader.totals("support-concise", since_unix_s=NOW_UNIX_MS) == {}


async def test_pages(store: Store) -> None:
    """What is longer than a page comes whole, in order, and once."""
    n_rows = 2 * PAGE_ROWS + 7
    rows = [outcome(number, unix_ms=NOW_UNIX_MS + number // 3, request_id=str(number)) for number in range(1, n_rows)]
    await keep(store, [batch(*rows)], [])
    assert [row.request_id async for row in store.reader.outcomes(Within())] == [row.request_id for row in rows]
    assert len({row.unit_hash async for row in store.reader.exposures(Within())}) == n_rows - 1
    assert len([key async for key, _ in store.reader.unit_days("support-concise")]) == n_rows - 1


async def test_within(store: Store) -> None:
    """Rows are chosen by route and by time, the end excluded."""
    times = [outcome(number, unix_ms=NOW_UNIX_MS + number) for number in (1, 2, 3)]
    await keep(store, [batch(*times, outcome(4, route="other"))], [feedback()])
    within = Within(route="support", since_unix_ms=NOW_UNIX_MS + 2, until_unix_ms=NOW_UNIX_MS + 3)
    assert [row.unit_hash async for row in store.reader.outcomes(within)] == [2]
    assert [row.unit_hash async for row in store.reader.exposures(within)] == [2]
    assert await store.reader.count("outcomes", Within(since_unix_ms=NOW_UNIX_MS + 3)) == 4
    assert await store.reader.count("feedback", Within(release="none")) == 0


async def test_unit_days(store: Store) -> None:
    """A unit's days are apart, and an epoch can be asked for alone."""
    await keep(store, [batch(outcome(), outcome(unix_ms=NOW_UNIX_MS + DAY_MS), outcome(epoch=3))], [])
    found = [(key.epoch, sums.requests) async for key, sums in store.reader.unit_days("support-concise")]
    assert found == [(2, 1), (2, 1), (3, 1)]
    assert [key.epoch async for key, _ in store.reader.unit_days("support-concise", epoch=3)] == [3]


async def test_feedback_of_exposed_units(store: Store) -> None:
    """Only what exposed units said in time is summed, per metric, arm and unit."""
    unit = 2**64 - 7
    said = [feedback("a", unit_hash=unit), feedback("b", unit_hash=unit, value=3.0), feedback("c", metric="score")]
    rest = [feedback("d", unit_hash=unit, is_late=True), feedback("e", unit_hash=unit, arm="current")]
    await keep(store, [batch(outcome(unit))], [*said, *rest])
    found = await store.reader.feedback_of("support-concise")
    assert found == [UnitFeedback("thumbs", 2, "concise", unit, 2, 4.0, 10.0, NOW_UNIX_MS + 60_000)]
    assert await store.reader.feedback_of("support-concise", metric="score") == []


async def test_health(store: Store) -> None:
    """The store says how large it is and how far back it goes."""
    await store.open()
    assert (await store.reader.health()).oldest_unix_ms is None
    await keep(store, [batch(outcome(), outcome(8))], [feedback()])
    health = await store.reader.health()
    assert health.size_bytes > 4_096 and health.oldest_unix_ms == NOW_UNIX_MS
    assert (health.rows["outcomes"], health.rows["exposures"], health.rows["feedback"]) == (2, 2, 1)


async def test_releases(store: Store) -> None:
    """Every release of which anything is kept is named, once."""
    await keep(store, [batch(outcome(), outcome(release="b", reason=Reason.INTERNAL))], [feedback(release="a")])
    assert await store.reader.releases() == ["a", "b", "support-concise"]


async def test_no_store(tmp_path: Path, clock: SettableClock) -> None:
    """Where there is no store, none is made by looking."""
    store = Store(location_of(None, tmp_path), clock=clock)
    with pytest.raises(StoreError, match="no store"):
        await store.reader.check()
    with pytest.raises(StoreError, match="unable to open"):
        await store.reader.totals("x")
    await store.close()
    assert os.listdir(tmp_path) == []
