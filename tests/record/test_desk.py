"""Intake and ledger as one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from gateway.clock import SystemClock
from gateway.processes.facts import bind_facts, connector
from gateway.record.channel import Channel
from gateway.record.desk import FactDesk
from gateway.record.outcome import Outcome
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
    await asyncio.sleep(0.2)
    told = msgspec.json.decode(msgspec.json.encode(desk.render()))
    assert (told["accepted"], told["stored"], told["store"], told["workers"][0]["worker"]) == (1, 1, "ok", 2)
    assert desk.account().is_balanced
    channel.note(Outcome())
    channel.flush()
    await asyncio.sleep(0.005)
    await desk.close()
    facts.close()
    assert len(store.rows) == 2 and await channel.close(1.0)
