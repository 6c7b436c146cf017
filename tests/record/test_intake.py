"""Control's end on a real socket: workers are told what is settled, and garbage ends only its own connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.clock import SystemClock
from gateway.processes.facts import bind_facts, connector
from gateway.record.channel import Channel, ChannelLimits
from gateway.record.desk import FactDesk
from gateway.record.feedback import Receipt
from gateway.record.frames import SHADOW_SLOT, Ack, FrameReader, Handed, Hello, Kind, Losses, Summed, encode_frame
from gateway.record.ledger import LedgerLimits
from gateway.record.outcome import Outcome
from gateway.record.shadowed import Shadowed
from tests.fakes.facts import MemoryStore, batch_of, feedback_of
from tests.record.store.making import judged, pair

QUICK = LedgerLimits(group_s=0.001, patience_s=0.05, first_pause_s=0.005, max_pause_s=0.02, max_queued_rows=200)


@dataclass
class Post:
    """
    A desk at work.

    Attributes:
        desk: Intake and ledger.
        store: What is behind them.
        folder: Where the socket is.
        sock: The listening socket, which outlives desks.
    """

    desk: FactDesk
    store: MemoryStore
    folder: Path
    sock: socket.socket

    def open_desk(self) -> None:
        """Open another desk in the place of the one that is gone."""

        async def opened() -> MemoryStore:
            return self.store

        self.desk = FactDesk(opened, self.folder / "spool", clock=SystemClock(), limits=QUICK)
        self.desk.open(self.sock)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Give a bare connection."""
        return await asyncio.open_unix_connection(str(self.folder / "facts.sock"))


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    """Give a desk at work."""
    facts = bind_facts(tmp_path)
    post = Post(None, MemoryStore(), tmp_path, facts.sock)  # type: ignore[arg-type]
    post.open_desk()
    yield post
    await post.desk.close()
    facts.close()


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - what is waited for is the other end of a socket
            await asyncio.sleep(0.005)


def hello(worker: int = 0, boot: int = 7) -> bytes:
    """Give how a worker begins."""
    return bytes(encode_frame(Kind.HELLO, Hello(worker, boot, 77)))


async def test_settles(post: Post) -> None:
    """A worker is greeted with what is settled, and told when more is."""
    reader, writer = await post.connect()
    writer.write(hello() + encode_frame(Kind.BATCH, batch_of(1, 10)))
    frames = FrameReader()
    told = list[int]()
    async with asyncio.timeout(3):
        while told[-1:] != [10]:
            found = frames.feed(await reader.read(1000))
            told += [msgspec.msgpack.decode(payload, type=Ack).through for _, payload in found]
    assert told == [0, 10] and len(post.store.rows) == 10
    assert post.desk.intake.workers()[0].accepted == 10
    writer.close()


async def test_desk_reborn(post: Post) -> None:
    """When control dies its successor on the same socket gets what was not settled: each outcome once."""
    channel = Channel(connector(post.folder), worker=0, boot=7, limits=ChannelLimits(flush_s=0.002))
    channel.open()
    for number in range(1, 301):
        channel.note(Outcome(route=f"0/7/{number}"))
        if number % 100 == 0:
            await asyncio.sleep(0.01)
            await post.desk.intake.close()
            await post.desk.close()
            post.open_desk()
    await until(lambda: channel.counts()["facts_settled"] == 300)
    assert len(post.store.rows) == 300 and set(post.store.counts.values()) == {1}
    assert await channel.close(1.0)


async def test_full_ledger_is_not_read_for(post: Post) -> None:
    """While the queue is full workers keep theirs; nothing is dropped and everything arrives."""
    post.store.gate.clear()
    channel = Channel(connector(post.folder), worker=0, boot=7, limits=ChannelLimits(flush_s=0.002))
    channel.open()
    for _ in range(3_000):
        channel.note(Outcome())
    post.store.gate.set()
    await until(lambda: len(post.store.rows) == 3_000)
    assert await channel.close(2.0) and post.desk.account().dropped == {}


async def test_feedback_goes_through(post: Post) -> None:
    """From a worker's call to the store and back."""
    channel = Channel(connector(post.folder), worker=0, boot=7)
    channel.open()
    assert await channel.give_feedback([feedback_of("a")]) == [Receipt.STORED]
    assert await channel.give_feedback([feedback_of("a")]) == [Receipt.REPEATED]
    await channel.close(1.0)


async def test_losses_are_counted_once(post: Post) -> None:
    """A worker tells its losses again over every connection; only what is new counts."""
    for n_rows in (5, 5, 8):
        _, writer = await post.connect()
        writer.write(hello() + encode_frame(Kind.LOSSES, Losses({"worker_rows": n_rows})))
        await writer.drain()
        writer.close()
        await asyncio.sleep(0.02)
    assert post.desk.account().dropped == {"worker_rows": 8} and post.desk.account().is_balanced


@pytest.mark.parametrize(
    "said",
    [
        b"\xff" * 64,
        bytes(encode_frame(Kind.BATCH, batch_of(1, 1))),
        hello() + encode_frame(Kind.BATCH, batch_of(1, 1, worker=3)),
        hello() + encode_frame(Kind.BATCH, batch_of(1, 0)),
        hello() + encode_frame(Kind.BATCH, batch_of(0, 1)),
        hello() + encode_frame(Kind.ACK, Ack(1)),
        hello(worker=-1),
        hello() + b"\0\0\0\2\x02\xc1\xc1",
    ],
    ids=["noise", "nameless", "another's", "empty", "numberless", "for-workers", "impossible", "no-msgpack"],
)
async def test_hostile_is_hung_up_on(post: Post, said: bytes) -> None:
    """What no worker of ours says ends its connection, and nobody else's."""
    reader, writer = await post.connect()
    writer.write(said)
    async with asyncio.timeout(3):
        while await reader.read(1000):
            pass
    writer.close()
    await test_feedback_goes_through(post)
    assert post.desk.account().accepted == 0


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=300))
def test_no_garbage_kills(tmp_path_factory: pytest.TempPathFactory, garbage: bytes) -> None:
    """After any bytes at all the next worker is served."""

    async def run() -> None:
        folder = tmp_path_factory.mktemp("f")
        facts = bind_facts(folder)
        post = Post(None, MemoryStore(), folder, facts.sock)  # type: ignore[arg-type]
        post.open_desk()
        _, writer = await post.connect()
        writer.write(hello() + garbage)
        writer.close()
        handed = encode_frame(Kind.FEEDBACK, Handed(1, [feedback_of("a")]))
        reader, asking = await post.connect()
        asking.write(hello(worker=1) + handed)
        async with asyncio.timeout(3):
            frames, kinds = FrameReader(), set[Kind]()
            while Kind.RECEIPTS not in kinds:
                kinds |= {kind for kind, _ in frames.feed(await reader.read(1000))}
        asking.close()
        await post.desk.close()
        facts.close()

    asyncio.run(run())


async def test_sample_losses_are_told_once(post: Post) -> None:
    """Samples that a worker lost are counted apart from outcomes, and once, over however many connections it tells."""
    for _ in range(2):
        _, writer = await post.connect()
        writer.write(hello() + encode_frame(Kind.LOSSES, Losses({}, {"worker_rows": 3})))
        await until(lambda: post.desk.render()["samples"]["dropped"] == {"worker_rows": 3})
        await asyncio.sleep(0.02)
        writer.close()
    assert post.desk.render()["samples"]["dropped"] == {"worker_rows": 3}
    assert post.desk.account().dropped == {}


@pytest.mark.parametrize("payload", [b"\xc0", b"\x91\xa1x"])
async def test_hostile_samples(post: Post, payload: bytes) -> None:
    """Who sends what is no sample is hung up on."""
    reader, writer = await post.connect()
    writer.write(hello() + len(payload).to_bytes(4) + bytes([Kind.SAMPLE]) + payload)
    async with asyncio.timeout(3):
        await reader.read()
    writer.close()
    assert post.desk.render()["samples"] == {"kept": 0, "queued": 0, "dropped": {}}


async def test_shadow_is_no_worker(post: Post) -> None:
    """The shadow process hands over pairs and counts, is shown apart, and is told of nobody's absence."""
    channel = Channel(connector(post.folder), worker=SHADOW_SLOT, boot=7, limits=ChannelLimits(flush_s=0.002))
    channel.open()
    channel.note_pair(pair())
    channel.note_judged(judged(pair()))
    channel.note_shadowed(Shadowed([("support", "small", "answered", 3, 0.5)]))
    await until(lambda: (found := post.desk.intake.shadow()) is not None and found.copies == 3)
    assert post.desk.intake.workers() == []
    found = post.desk.intake.shadow()
    assert found is not None and (found.pairs, found.judgements, found.dropped) == (1, 1, {})
    await channel.close(0.0)
    await until(lambda: post.desk.intake.shadow() is None)


@pytest.mark.parametrize("said", [(Kind.SHADOWED, Summed(0, [])), (Kind.SHADOWED, Summed(2**62, [])), (Kind.PAIR, "x")])
async def test_hostile_pairs(post: Post, said: tuple[Kind, object]) -> None:
    """What is no pair, or counts of no possible number, ends the connection it came over."""
    reader, writer = await post.connect()
    writer.write(hello(SHADOW_SLOT) + encode_frame(*said))
    async with asyncio.timeout(3):
        while await reader.read(1000):
            pass
    writer.close()
