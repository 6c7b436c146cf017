"""Everything that is kept is kept once, or not at all, and the store comes back by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from gateway.clock import SettableClock
from gateway.domain.release import Reason
from gateway.record.batch import RefusedError, StoreError
from gateway.record.feedback import Receipt
from gateway.record.retention import Retention
from gateway.record.rollup import quantile_of
from gateway.record.sample import Sample
from gateway.record.store.ballast import Ballast
from gateway.record.store.engine import Location, location_of
from gateway.record.store.reader import ArmKey, Within
from gateway.record.store.store import Store
from tests.record.store.making import NOW_UNIX_MS, PostgresProcess, batch, feedback, keep, outcome

ARM = ArmKey("support-concise", 2, "concise")


async def ids_of(store: Store) -> list[str]:
    """Give the request ids of the rows kept."""
    return [row.request_id async for row in store.reader.outcomes(Within())]


async def test_keeps_what_happened(store: Store) -> None:
    """A row comes back as it was given, but for the trace."""
    given = outcome(2**64 - 1, is_stream=True, ttft_ms=80.5, is_valid_format=False, model_served="m\0x")
    await keep(store, [batch(given)], [])
    rows = [row._asdict() async for row in store.reader.outcomes(Within())]
    wanted = {name: value for name, value in msgspec.structs.asdict(given).items() if name != "trace"}
    wanted |= {"unit_hash": -1, "segments": '{"plan":"pro"}'}
    assert rows == [wanted]


async def test_drops_repeats(store: Store) -> None:
    """What was handed over before is not kept again, also where a batch overlaps only in part."""
    one, two, three = (outcome(request_id=name) for name in "abc")
    await keep(store, [batch(one, two)], [])
    await keep(store, [batch(one, two), batch(two, three, first=2), batch(two, three, first=2)], [])
    assert await ids_of(store) == ["a", "b", "c"]
    assert (await store.reader.totals("support-concise"))[ARM].requests == 3


async def test_another_boot_starts_again(store: Store) -> None:
    """A worker that was born again counts from one, beside the old one that still drains."""
    await keep(store, [batch(outcome(request_id="a"))], [])
    await keep(store, [batch(outcome(request_id="b"), boot=2**63 - 1), batch(outcome(request_id="c"), first=2)], [])
    assert await ids_of(store) == ["a", "b", "c"]


async def test_sums_survive_pieces(store: Store, location: Location, clock: SettableClock) -> None:
    """Sums and sketches are the same however outcomes were cut, across a restart too."""
    for number in range(4):
        another = Store(location, clock=clock)
        pair = [outcome(duration_ms=float(10 + number)), outcome(duration_ms=float(20 + number))]
        await keep(another, [batch(pair[0], first=2 * number + 1)], [])
        await keep(another, [batch(pair[1], first=2 * number + 2)], [])
        await another.close()
    (rollup,) = [rollup async for _, rollup in store.reader.rollups(0, segment="")]
    assert (rollup.sums.requests, rollup.sums.duration_ms) == (8, 132.0)
    assert sum(rollup.durations.values()) == 8
    assert quantile_of(rollup.durations, 1.0) == pytest.approx(23.0, rel=0.011)


async def test_only_bucketed_units_are_exposed(store: Store) -> None:
    """Overrides, internal users, requests without a unit and those never sent are counted, but are no exposures."""
    no: list[dict[str, Any]] = [
        {"reason": Reason.OVERRIDE},
        {"reason": Reason.INTERNAL},
        {"unit_hash": 0},
        {"attempts": 0},
    ]
    await keep(store, [batch(*[outcome(**{"unit_hash": 9, **each}) for each in no], outcome(8))], [])
    assert [row.unit_hash async for row in store.reader.exposures(Within())] == [8]
    assert [key.unit_hash async for key, _ in store.reader.unit_days("support-concise")] == [8]
    assert sum([rollup.sums.requests async for _, rollup in store.reader.rollups(0, segment="")]) == 5


async def test_exposure_is_the_first(store: Store) -> None:
    """A unit's first time is the earliest, in whatever order workers tell; another epoch is another exposure."""
    for first, shift in enumerate((0, 500, -500), start=1):
        await keep(store, [batch(outcome(unix_ms=NOW_UNIX_MS + shift), first=first)], [])
    await keep(store, [batch(outcome(epoch=3), first=4)], [])
    found = {(row.epoch, row.first_unix_ms) async for row in store.reader.exposures(Within())}
    assert found == {(2, NOW_UNIX_MS - 500), (3, NOW_UNIX_MS)}


async def test_twenty_at_once_are_one(store: Store) -> None:
    """The same feedback, twenty times at once and once more, is one row; another value is a conflict."""
    receipts = await asyncio.gather(*[store.keep([], [feedback()] * 2) for _ in range(10)])
    counted = [receipt for some in receipts for receipt in some]
    assert sorted(counted) == [Receipt.REPEATED] * 19 + [Receipt.STORED]
    assert await keep(store, [], [feedback(at_unix_ms=5), feedback(value=0.0)]) == [Receipt.REPEATED, Receipt.CONFLICT]
    assert [row.value async for row in store.reader.feedback(Within())] == [1.0]


async def test_texts_are_redacted(store: Store) -> None:
    """No text is written before it went through the redaction."""
    store.set_redaction(lambda route, text: text.replace("ann", f"[{route}]"))
    await keep(store, [], [feedback(value=None, text="ann\0", comment="by ann")])
    sample = Sample("sq1_x", NOW_UNIX_MS, NOW_UNIX_MS + 1, "support", "r", 1, "a", 7, "I am ann", "hi ann")
    await store.keep_samples([sample])
    said = [(row.text, row.comment) async for row in store.reader.feedback(Within())]
    assert said == [("[support]", "by [support]")]
    assert await store.reader.rows_of(store.reader.select("samples", "prompt", "answer")) == [
        ("I am [support]", "hi [support]")
    ]


async def test_keeps_no_rows_where_none_are_wanted(location: Location, clock: SettableClock) -> None:
    """Without rows of single requests the sums are still kept."""
    store = Store(location, clock=clock, retention=Retention(max_outcomes=0))
    await keep(store, [batch(outcome())], [])
    await store.tend()
    assert await ids_of(store) == []
    assert (await store.reader.totals("support-concise"))[ARM].requests == 1
    await store.close()


async def test_hostile_numbers_are_kept(store: Store) -> None:
    """What a provider claims cannot poison a batch."""
    given = outcome(input_tokens=2**63, output_tokens=2**63, cost_usd=float("nan"), segments={"app": "x" * 999 + "\0"})
    await keep(store, [batch(given)], [])
    assert (await store.reader.totals("support-concise"))[ARM].input_tokens == 2**40


async def test_by_user_finds_its_exposure(store: Store) -> None:
    """Feedback by user is about the arm at its time: known before, told after, or corrected by a late record."""
    await keep(store, [batch(outcome())], [feedback("known", by_user=True)])
    await keep(store, [], [feedback("early", by_user=True, unit_hash=8), feedback("never", by_user=True, unit_hash=9)])
    late = outcome(epoch=3, arm="current", unix_ms=NOW_UNIX_MS + 30_000)
    after = outcome(epoch=4, arm="current", unix_ms=NOW_UNIX_MS + 90_000)
    await keep(store, [batch(outcome(8), late, after, first=2)], [])
    found = {row.id: (row.epoch, row.arm) async for row in store.reader.feedback(Within())}
    assert found == {"known": (3, "current"), "early": (2, "concise"), "never": (None, None)}
    assert await keep(store, [], [feedback("known", by_user=True)]) == [Receipt.REPEATED]


async def test_segments_have_an_end(store: Store) -> None:
    """A segment with a value per request makes so many rollups and no more."""
    await keep(store, [batch(*[outcome(segments={"app": str(number)}) for number in range(300)])], [])
    assert len([key async for key, _ in store.reader.rollups(0)]) == 52


@pytest.mark.parametrize("changes", [{"epoch": 2**63}, {"unix_ms": -1}, {"unit_hash": 2**70}, {"route": "\ud800"}])
async def test_what_cannot_be_kept_is_refused(store: Store, changes: dict[str, Any]) -> None:
    """A batch that can never be kept is told from a store that is away; nothing of it and its company is left."""
    broken = batch(outcome(), outcome(**changes))
    with pytest.raises(RefusedError):
        await store.keep([batch(outcome(), boot=12), broken], [feedback()])
    assert await keep(store, [batch(outcome())], [feedback()]) == [Receipt.STORED]
    with pytest.raises(RefusedError):
        await store.keep([batch(outcome(), outcome(**changes), first=2)], [])
    assert len(await ids_of(store)) == 1
    assert await store.reader.count_exposures("support-concise") == {ARM: 1}


async def test_refused_feedback(store: Store) -> None:
    """Feedback that can never be kept is told likewise, and the batch beside it can be kept without it."""
    with pytest.raises(RefusedError):
        await store.keep([batch(outcome())], [feedback(epoch=2**63)])
    await store.keep([batch(outcome())], [])
    assert len(await ids_of(store)) == 1


async def test_concurrent_start(location: Location, clock: SettableClock) -> None:
    """Several processes may make the same store at once; who finds it locked for too long tries again."""
    stores = [Store(location, clock=clock) for _ in range(4)]

    async def begin(worker: int, store: Store) -> None:
        async with asyncio.timeout(60):
            while True:
                try:
                    await store.open()
                    await keep(store, [batch(outcome(), worker=worker)], [])
                    return
                except StoreError as error:
                    assert "locked" in str(error)

    await asyncio.gather(*[begin(worker, store) for worker, store in enumerate(stores)])
    assert (await stores[0].reader.totals("support-concise"))[ARM].requests == 4
    for store in stores:
        await store.close()


async def test_locked_file_is_soon_an_error(tmp_path: Path, clock: SettableClock) -> None:
    """Another process's lock is a StoreError within two seconds, and over when the lock is."""
    store = Store(location_of(None, tmp_path), clock=clock)
    await keep(store, [batch(outcome())], [])
    with sqlite3.connect(tmp_path / "facts.sqlite", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        began_s = time.monotonic()
        with pytest.raises(StoreError, match="locked"):
            await keep(store, [batch(outcome(), first=2)], [])
        assert time.monotonic() - began_s < 8
        other.execute("ROLLBACK")
    other.close()
    await keep(store, [batch(outcome(), first=2)], [])
    assert len(await ids_of(store)) == 2
    await store.close()


async def test_missing_place_comes_back(tmp_path: Path, clock: SettableClock) -> None:
    """A store that cannot be made at first is made when it can be."""
    (tmp_path / "there").write_text("a file, not a folder")
    store = Store(location_of(f"sqlite:///{tmp_path}/there/facts.sqlite", tmp_path), clock=clock)
    with pytest.raises(StoreError):
        await keep(store, [batch(outcome())], [])
    (tmp_path / "there").unlink()
    await keep(store, [batch(outcome())], [])
    assert len(await ids_of(store)) == 1
    await store.close()


async def test_full_disk_makes_room(tmp_path: Path, clock: SettableClock) -> None:
    """A full disk is an error; the room held back is given up, retention frees some, and it goes on."""
    ballast = Ballast(tmp_path / "facts.sqlite", size_bytes=64 * 1024)
    store = Store(location_of(None, tmp_path), clock=clock, retention=Retention(outcomes_s=60), ballast=ballast)
    with small_disk(ballast, pages=150, more=16):
        n_kept = await fill(store)
        assert store.is_full and not ballast.is_there
        clock.advance(120)
        fresh = outcome(unix_ms=clock.unix_ms(), request_id="new")
        await keep(store, [batch(*[fresh] * 50, first=n_kept + 1)], [feedback()])
        assert await ids_of(store) == ["new"] * 50 and not store.is_full
        await store.close()
    await store.tend()
    assert ballast.is_there
    await store.close()


@contextmanager
def small_disk(ballast: Ballast, *, pages: int, more: int) -> Iterator[None]:
    """Let a database grow to so many pages, and some more once the ballast is gone: what a full disk does."""

    def limit(connection: Any, _record: object) -> None:
        connection.cursor().execute(f"PRAGMA max_page_count={pages if ballast.is_there else pages + more}")

    sa.event.listen(sa.Engine, "connect", limit)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "connect", limit)


async def fill(store: Store) -> int:
    """Keep rows until the disk is full; give how many there are."""
    await store.tend()
    await store.close()
    for first in range(1, 20_000, 50):
        try:
            await keep(store, [batch(*[outcome(request_id="x" * 400)] * 50, first=first)], [])
        except StoreError as error:
            assert "full" in str(error)
            return first - 1
    pytest.fail("the disk did not fill up")


async def test_dead_server_comes_back(server: PostgresProcess, tmp_path: Path, clock: SettableClock) -> None:
    """A stopped PostgreSQL is a StoreError within seconds, and is used again once it goes on."""
    store = Store(location_of(server.new_database(), tmp_path), clock=clock)
    await keep(store, [batch(outcome())], [])
    os.kill(server.pid(), signal.SIGSTOP)
    backend = await asyncio.to_thread(server.pause)
    try:
        began_s = time.monotonic()
        with pytest.raises(StoreError):
            await keep(store, [batch(outcome(), first=2)], [])
        assert time.monotonic() - began_s < 20
    finally:
        await asyncio.to_thread(server.go_on, backend)
        os.kill(server.pid(), signal.SIGCONT)
    await keep(store, [batch(outcome(), first=2)], [])
    assert len(await ids_of(store)) == 2
    await store.close()
