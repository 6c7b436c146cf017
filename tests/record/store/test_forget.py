"""Nothing of a user who is forgotten is left, not even in the raw files."""

from __future__ import annotations

from pathlib import Path

from gateway.assign.bucketing import unit_hash_of
from gateway.clock import SettableClock
from gateway.record.copied import salt_of
from gateway.record.sample import Sample
from gateway.record.store.engine import location_of
from gateway.record.store.forget import hashes_of
from gateway.record.store.reader import Within
from gateway.record.store.store import Store
from tests.record.store.making import NOW_UNIX_MS, batch, feedback, judged, keep, outcome, pair, texts

RELEASE = "support-concise"
ANN, BOB = hashes_of("ann", [RELEASE])[RELEASE], hashes_of("bob", [RELEASE])[RELEASE]


async def fill(store: Store, times: int = 1) -> None:
    """Keep something of two users in every table, interleaved."""
    for number in range(times):
        marks = [(ANN, f"of-ann-{number}-"), (BOB, f"of-bob-{number}-")]
        rows = [outcome(unit, request_id=mark * 9) for unit, mark in marks for _ in range(20)]
        said = [feedback(mark, unit_hash=unit, value=None, text=mark * 200) for unit, mark in marks]
        await keep(store, [batch(*rows, first=number * 40 + 1)], said)
        await store.keep_samples(
            [Sample(m, NOW_UNIX_MS, 2 * NOW_UNIX_MS, "s", RELEASE, 2, "a", unit, m * 500, m) for unit, m in marks]
        )


def test_hashes() -> None:
    """A user has one hash per release, in NFC and without the spaces around; nobody has none."""
    assert hashes_of(" Ame\u0301lie ", ["r"]) == {"r": unit_hash_of("r", "Am\u00e9lie")}
    assert hashes_of(" ", ["r"]) == {}


async def test_forgets_one_alone(store: Store) -> None:
    """Every row of the user is gone from every table, and nobody else's."""
    await fill(store)
    assert await store.forget([ANN, 0]) == 24
    reader = store.reader
    for rows in (reader.outcomes(Within()), reader.exposures(Within()), reader.feedback(Within())):
        assert {row.unit_hash % 2**64 async for row in rows} == {BOB}
    assert {key.unit_hash async for key, _ in reader.unit_days(RELEASE)} == {BOB}
    assert await reader.rows_of(reader.select("samples", "answer")) == [("of-bob-0-",)]


async def test_forgets_pairs(tmp_path: Path, clock: SettableClock) -> None:
    """A user's pairs are found under the salt of each route's shadows, and no byte of them stays in any file."""
    store = Store(location_of(None, tmp_path), clock=clock)
    for user, name in ((user, f"of-{user}-{number}") for number in range(40) for user in ("ann", "bob")):
        unit_hash = hashes_of(user, [salt_of("support")])[salt_of("support")]
        row = pair(name * 9, unit_hash=unit_hash, texts=texts(name * 300))
        await store.keep_pairs([row, judged(row, name * 20)])
    ann = list(hashes_of("ann", await store.reader.salts()).values())
    assert await store.forget(ann) == 80
    held = [(tmp_path / f"facts.sqlite{end}").read_bytes() for end in ("", "-wal")]
    assert not any(b"of-ann" in content for content in held) and b"of-bob" in held[0]
    assert [len(lot) async for lot in store.reader.pairs("support")] == [40]
    await store.close()


async def test_no_bytes_remain(tmp_path: Path, clock: SettableClock) -> None:
    """In no file of the store is a byte of what was forgotten."""
    store = Store(location_of(None, tmp_path), clock=clock)
    await fill(store, times=30)
    files = [tmp_path / "facts.sqlite", tmp_path / "facts.sqlite-wal"]
    assert any(b"of-ann" in file.read_bytes() for file in files)
    await store.forget([ANN])
    held = [file.read_bytes() for file in files]
    assert not any(b"of-ann" in content for content in held)
    assert not any(ANN.to_bytes(8, "big") in content for content in held)
    assert any(b"of-bob" in content for content in held)
    await store.close()


async def test_forgotten_users_may_come_back(store: Store) -> None:
    """A user who was forgotten and comes again is exposed anew."""
    await keep(store, [batch(outcome(ANN))], [])
    await store.forget([ANN])
    await keep(store, [batch(outcome(ANN), first=2)], [])
    assert [row.unit_hash % 2**64 async for row in store.reader.exposures(Within())] == [ANN]
