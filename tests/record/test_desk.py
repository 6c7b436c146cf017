"""Intake and ledger as one."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import msgspec

from gateway.clock import SettableClock, SystemClock
from gateway.processes.facts import bind_facts, connector
from gateway.record.channel import Channel
from gateway.record.desk import FactDesk
from gateway.record.frames import SHADOW_SLOT
from gateway.record.outcome import Outcome
from gateway.record.redaction import RouteRedaction
from gateway.record.sample import Sample
from gateway.record.shadowed import ShadowCount, Shadowed
from gateway.record.store.engine import location_of
from gateway.record.store.store import Store
from tests.fakes.facts import MemoryStore
from tests.record.store.making import pair


async def test_says_how_it_stands(tmp_path: Path) -> None:
    """The books and the workers, as JSON; closing keeps what came and tells the worker."""
    store = MemoryStore()

    async def opened() -> MemoryStore:
        return store

    facts, desk = bind_facts(tmp_path), FactDesk(opened, tmp_path / "spool", clock=SystemClock())
    desk.open(facts.sock)
    channel = Channel(connector(tmp_path), worker=2, boot=5)
    channel.open()
    channel.note(Outcome())
    async with asyncio.timeout(5.0):
        while not desk.account().stored:  # noqa: ASYNC110 - what is waited for is a timer
            await asyncio.sleep(0.01)
    told = msgspec.json.decode(msgspec.json.encode(desk.render()))
    assert (told["accepted"], told["stored"], told["store"], told["workers"][0]["worker"]) == (1, 1, "ok", 2)
    assert desk.account().is_balanced
    channel.note(Outcome())
    channel.flush()
    await asyncio.sleep(0.005)
    await desk.close()
    facts.close()
    assert len(store.rows) == 2 and await channel.close(1.0)


async def test_samples_live_and_die(tmp_path: Path) -> None:
    """A worker's sample is redacted, kept as long as its route says, and gone after that."""
    clock = SettableClock(unix_ms=1_000_000)
    store = Store(location_of(None, tmp_path), clock=clock)
    store.set_redaction(RouteRedaction(lambda: None).redact)

    async def opened() -> Store:
        return store

    facts, desk = bind_facts(tmp_path), FactDesk(opened, tmp_path / "spool", clock=SystemClock())
    desk.samples.use(store, tmp_path)
    desk.open(facts.sock)
    channel = Channel(connector(tmp_path), worker=2, boot=5)
    channel.open()
    channel.note_sample(Sample("sq1_x", 1_000_000, 1_060_000, "r", "r", 1, "a", 7, "I am ann@example.org", "hi"))
    async with asyncio.timeout(5):
        while desk.render()["samples"]["kept"] != 1:  # noqa: ASYNC110 - what is waited for is a timer
            await asyncio.sleep(0.005)
    await desk.samples.tend()
    left = store.reader.select("samples", "prompt", "answer")
    assert await store.reader.rows_of(left) == [("I am [email]", "hi")]
    clock.advance(61.0)
    await desk.samples.tend()
    assert await store.reader.rows_of(left) == []
    await channel.close(0.0)
    await desk.close()
    facts.close()


async def test_copies_are_counted_once(tmp_path: Path) -> None:
    """However often control is replaced, with or without keeping what it was told, every copy counts once."""
    facts = bind_facts(tmp_path)
    channel = Channel(connector(tmp_path), worker=SHADOW_SLOT, boot=5)
    channel.open()
    heard: list[ShadowCount] = []
    for turn in range(4):
        store = Store(location_of(None, tmp_path), clock=SystemClock())
        desk = await open_desk(facts.sock, tmp_path, store, heard)
        for _ in range(20):
            channel.note_shadowed(Shadowed([("support", "small", "answered", 1, 0.25)], 20_000))
            await asyncio.sleep(0.01)
        if turn == 3:
            assert await channel.close(5.0)
        # In odd turns with what came last neither kept nor acknowledged.
        await (desk.close() if turn % 2 else abandon(desk))
        await store.close()
    facts.close()
    reader = Store(location_of(None, tmp_path), clock=SystemClock()).reader
    assert await reader.shadow_counts("support") == [ShadowCount(20_000, "support", "small", "answered", 80, 20.0)]
    assert sum(each.n for each in heard) >= 80
    await reader.close()


async def open_desk(sock: socket.socket, folder: Path, store: Store, heard: list[ShadowCount]) -> FactDesk:
    """Give a desk at work whose pairs have a store."""

    async def opened() -> Store:
        return store

    desk = FactDesk(opened, folder / "spool", clock=SystemClock(), on_shadowed=heard.extend)
    desk.pairs.use(store)
    desk.open(sock)
    return desk


async def abandon(desk: FactDesk) -> None:
    """End a desk as a crash does: hang up first, keep nothing more."""
    await desk.intake.close()
    await desk.pairs.close(0.0)
    await desk.samples.close(0.0)
    await desk.ledger.close(1.0)


async def test_shows_pairs(tmp_path: Path) -> None:
    """How many pairs were kept and dropped, and what the shadow process said, is on the page of the books."""
    store, facts = Store(location_of(None, tmp_path), clock=SystemClock()), bind_facts(tmp_path)
    desk = await open_desk(facts.sock, tmp_path, store, [])
    channel = Channel(connector(tmp_path), worker=SHADOW_SLOT, boot=5)
    channel.open()
    channel.note_pair(pair())
    place, results = ("support", "small"), {"answered": 1, "timeout": 2}
    channel.note_shadowed(Shadowed([(*place, result, n, 0.125 * (3 - n)) for result, n in results.items()]))
    async with asyncio.timeout(5):
        while not desk.pairs.counts()["kept"]:  # noqa: ASYNC110 - what is waited for is a timer
            await asyncio.sleep(0.01)
    told = msgspec.json.decode(msgspec.json.encode(desk.render()))
    assert told["pairs"] == {"kept": 1, "queued": 0, "dropped": {}} and told["workers"] == []
    await channel.close(3.0)
    told = desk.render()
    assert told["copies"] == [{"route": "support", "variant": "small", "results": results, "cost_usd": 0.375}]
    await desk.close()
    await store.close()
    facts.close()
