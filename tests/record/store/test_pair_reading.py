"""Pairs are read in lots, oldest first, quickly, and while they are written."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.record.pair import PairKind, key_of
from gateway.record.shadowed import ShadowCount
from gateway.record.store import pair_reading
from gateway.record.store.engine import location_of
from gateway.record.store.reader import Within
from gateway.record.store.store import Store
from tests.record.store.making import NOW_UNIX_MS, judged, pair, texts

N_PAIRS = 20_000


async def ids(store: Store, **asked: object) -> list[str]:
    """Give the requests of the pairs that are asked for."""
    found = store.reader.pairs("support", **asked)  # type: ignore[arg-type]
    return [each.request_id async for lot in found for each in lot]


async def test_oldest_first(store: Store) -> None:
    """Pairs come by time and then by request, of one route and, where asked, of one shadow and from one time."""
    await store.keep_pairs([pair("c", unix_ms=NOW_UNIX_MS + 1), pair("b"), pair("a", shadow_variant="other")])
    await store.keep_pairs([pair("z", route="other"), pair("0", unix_ms=NOW_UNIX_MS - 1)])
    assert await ids(store) == ["0", "a", "b", "c"]
    assert await ids(store, shadow_variant="small", since_unix_ms=NOW_UNIX_MS) == ["b", "c"]
    assert await ids(store, since_unix_ms=NOW_UNIX_MS + 2) == []


async def test_pages(tmp_path: Path) -> None:
    """Every pair comes once, however many lots there are and however many pairs share their moment; quickly."""
    store = Store(location_of(None, tmp_path), clock=SystemClock())
    pairs = [pair(f"sq1_{number:030}", unix_ms=NOW_UNIX_MS + number // 7_000) for number in range(N_PAIRS)]
    for start in range(0, N_PAIRS, 2_000):
        await store.keep_pairs(pairs[start : start + 2_000])
    told: list[tuple[int, int]] = []
    began_s = time.process_time()
    found = [len(lot) async for lot in store.reader.pairs("support", progress=lambda *at: told.append(at))]
    # 0.4 s are wanted of a machine with nothing else to do.
    assert time.process_time() - began_s < 5
    assert await ids(store) == [each.request_id for each in pairs]
    assert (sum(found), told[-1]) == (N_PAIRS, (N_PAIRS, N_PAIRS)) and len(told) == N_PAIRS / pair_reading.LOT
    await store.close()


async def test_unjudged(store: Store) -> None:
    """What can still be judged has texts and no judgement; the oldest come first, and no more than asked."""
    rows = [pair(name, texts=texts(name), unix_ms=NOW_UNIX_MS + at) for at, name in enumerate("dcba")]
    await store.keep_pairs([*rows, pair("bare"), judged(rows[1])])
    assert await store.reader.unjudged(0, 2) == [rows[0], rows[2]]
    assert await store.reader.unjudged(NOW_UNIX_MS + 3, route="support") == [rows[3]]
    assert await store.reader.unjudged(0, route="other") == []


async def test_texts_of_many(store: Store) -> None:
    """Texts of more pairs than are read at once come, those of other kinds of the same request do not."""
    rows = [pair(f"{number}", texts=texts(str(number))) for number in range(120)]
    await store.keep_pairs([*rows, pair("0", kind=PairKind.NOISE, texts=texts("noise"))])
    found = await store.reader.pair_texts([key_of(row) for row in rows])
    assert found == {key_of(row): row.texts for row in rows}


async def test_exported(store: Store) -> None:
    """An export has every pair's columns, and the texts of those that have some."""
    await store.keep_pairs(
        [pair(str(at), unix_ms=NOW_UNIX_MS + at, texts=texts() if at else None) for at in range(120)]
    )
    columns = store.reader.columns_of("pairs")
    rows = [dict(zip(columns, row, strict=True)) async for row in store.reader.exported_pairs(Within(route="support"))]
    assert [row["request_id"] for row in rows] == [str(at) for at in range(120)]
    assert (rows[0]["prompt"], rows[1]["shadow_text"], len(rows)) == (
        None,
        "why 2",
        await store.reader.count("pairs", Within()),
    )


@pytest.mark.parametrize("since_day", [0, 20_001])
async def test_counts(store: Store, since_day: int) -> None:
    """Counts add up per day, and one sending counts once however often it comes."""
    older = ShadowCount(20_000, "support", "small", "answered", 3, 0.5)
    newer = ShadowCount(20_001, "support", "", "queue_full", 1, 0.0)
    for number, n_times in ((1, 1), (1, 0), (2, 1), (1, 0)):
        counted = await store.count_shadows(65_535, 77, number, [older, newer])
        assert counted is bool(n_times)
    assert await store.count_shadows(65_535, 78, 1, [ShadowCount(20_001, "other", "small", "failed", 1, 0.0)])
    wanted = [older._replace(n=6, usd=1.0), newer._replace(n=2)]
    assert await store.reader.shadow_counts("support", since_day) == [each for each in wanted if each.day >= since_day]
