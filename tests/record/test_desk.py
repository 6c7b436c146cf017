"""Intake and ledger as one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from gateway.clock import SettableClock, SystemClock
from gateway.processes.facts import bind_facts, connector
from gateway.record.channel import Channel
from gateway.record.desk import FactDesk
from gateway.record.outcome import Outcome
from gateway.record.redaction import RouteRedaction
from gateway.record.sample import Sample
from gateway.record.store.engine import location_of
from gateway.record.store.store import Store
from tests.fakes.facts import MemoryStore


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
