"""The worker's end: never waits, loses nothing while control dies and comes back, and counts what it cannot keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import msgspec
import pytest

from gateway.clock import SettableClock
from gateway.errors import OverloadedError
from gateway.record.batch import Batch
from gateway.record.channel import Channel, ChannelLimits
from gateway.record.feedback import Receipt
from gateway.record.frames import Ack, Counted, FrameReader, Handed, Kind, Losses, Receipts, Summed, encode_frame
from gateway.record.outcome import Outcome
from gateway.record.pair import Judged, Pair
from gateway.record.sample import Sample
from gateway.record.shadowed import ShadowCount, Shadowed
from gateway.tasks import TaskGroup
from tests.fakes.facts import feedback_of
from tests.record.store.making import judged, pair

SENT = ("support", "small", "answered")
QUICK = ChannelLimits(flush_s=0.005, feedback_s=0.2, batch_rows=10)


class FakeControl(asyncio.Transport):
    """
    The other end, as a transport: keeps what is sent, says what it is told to.

    Attributes:
        frames: Everything that came, over all connections.
        is_away: Nobody can connect.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[tuple[Kind, bytes]] = []
        self.is_away = False
        self._protocol: asyncio.Protocol | None = None
        self._reader = FrameReader()

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> object:
        """Take a connection."""
        if self.is_away:
            raise ConnectionRefusedError
        self._reader = FrameReader()
        self._protocol = factory()
        self._protocol.connection_made(self)
        return self

    def write(self, data: Any) -> None:
        self.frames += self._reader.feed(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """Break the connection."""
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(None)

    def say(self, kind: Kind, message: object) -> None:
        """Send the worker a frame."""
        self.say_bytes(bytes(encode_frame(kind, message)))

    def say_bytes(self, data: bytes) -> None:
        """Send the worker anything."""
        assert self._protocol is not None
        self._protocol.data_received(data)

    def stall(self, *, is_full: bool) -> None:
        """Stop reading, or go on."""
        protocol = cast(asyncio.Protocol, self._protocol)
        protocol.pause_writing() if is_full else protocol.resume_writing()

    def of(self, kind: Kind, cls: type[Any]) -> list[Any]:
        """Give every message of a kind."""
        return [msgspec.msgpack.decode(payload, type=cls) for each, payload in self.frames if each is kind]

    @property
    def batches(self) -> list[tuple[int, int]]:
        """Give first number and length of every batch that came."""
        return [(batch.first, len(batch.outcomes)) for batch in self.of(Kind.BATCH, Batch)]


@pytest.fixture
async def control() -> FakeControl:
    """Give the other end."""
    return FakeControl()


@pytest.fixture
async def channel(control: FakeControl) -> AsyncIterator[Channel]:
    """Give a channel that is connected."""
    channel = Channel(control.connect, worker=1, boot=9, limits=QUICK)
    channel.open()
    await until(lambda: control.frames)
    yield channel
    await channel.close(0.0)


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(3):
        while not is_so():  # noqa: ASYNC110 - what is waited for is a timer
            await asyncio.sleep(0.002)


def note(channel: Channel, n_rows: int) -> None:
    """Note so many outcomes."""
    for _ in range(n_rows):
        channel.note(Outcome(route="support"))


@contextmanager
def refused() -> Iterator[None]:
    """Expect feedback to be refused."""
    with pytest.raises(OverloadedError) as caught:
        yield
    assert (caught.value.status, caught.value.code) == (503, "feedback_unavailable")
    assert caught.value.retry_after_s


async def test_goes_by_number_and_time(channel: Channel, control: FakeControl) -> None:
    """A full batch goes at once, the rest soon; numbers have no gap."""
    note(channel, 13)
    assert control.batches == [(1, 10)]
    await until(lambda: len(control.batches) == 2)
    assert control.batches == [(1, 10), (11, 3)]


async def test_forgets_what_is_settled(channel: Channel, control: FakeControl) -> None:
    """An acknowledgement lets go of the batches through its number and of no other."""
    note(channel, 25)
    control.say(Kind.ACK, Ack(10))
    counts = channel.counts()
    assert (counts["facts_settled"], counts["facts_waiting"], counts["facts_noted"]) == (10, 15, 25)
    control.say(Kind.ACK, Ack(19))
    assert channel.counts()["facts_settled"] == 10


async def test_says_again_after_a_break(channel: Channel, control: FakeControl) -> None:
    """What was not settled comes again over the next connection, in order, before what is new."""
    note(channel, 20)
    control.say(Kind.ACK, Ack(10))
    control.hang_up()
    note(channel, 10)
    await until(lambda: len(control.of(Kind.HELLO, Any)) == 2)
    assert control.batches == [(1, 10), (11, 10), (11, 10), (21, 10)]


async def test_waits_for_control(channel: Channel, control: FakeControl) -> None:
    """While nobody is there everything is kept, and given over later."""
    control.is_away = True
    control.hang_up()
    note(channel, 20)
    await asyncio.sleep(0.05)
    control.is_away = False
    await until(lambda: control.batches == [(1, 10), (11, 10)])


async def test_slow_reader(channel: Channel, control: FakeControl) -> None:
    """A control process that does not read gets nothing more until it does."""
    control.stall(is_full=True)
    note(channel, 20)
    assert control.batches == []
    control.stall(is_full=False)
    assert control.batches == [(1, 10), (11, 10)]


async def test_bound_in_rows(control: FakeControl) -> None:
    """Beyond the bound the newest are dropped and counted, get no number, and control is told."""
    channel = Channel(control.connect, worker=1, boot=9, limits=ChannelLimits(max_rows=15, batch_rows=10))
    note(channel, 40)
    counts = channel.counts()
    assert (counts["facts_noted"], counts["facts_waiting"], counts["facts_dropped"]) == (40, 15, 25)
    channel.open()
    await until(lambda: control.frames)
    assert control.of(Kind.LOSSES, Losses) == [Losses({"worker_rows": 25})]
    channel.flush()
    assert control.batches == [(1, 10), (11, 5)] and channel.dropped() == {"worker_rows": 25}
    await channel.close(0.0)


async def test_bound_in_bytes(control: FakeControl) -> None:
    """The same for what they take when encoded."""
    channel = Channel(control.connect, worker=1, boot=9, limits=ChannelLimits(max_bytes=2_000, batch_rows=10))
    note(channel, 1_000)
    counts = channel.counts()
    assert counts["facts_waiting_bytes"] <= 2_000 and channel.dropped()["worker_bytes"] == counts["facts_dropped"] > 0
    assert counts["facts_noted"] == 1_000


async def test_unfit_outcome_costs_itself(channel: Channel, control: FakeControl) -> None:
    """What cannot be encoded is counted, and its neighbours go."""
    channel.note(Outcome(route="a"))
    channel.note(Outcome(unit_hash=2**70))
    channel.note(Outcome(segments={"story": "x" * 2_000_000}))
    channel.note(Outcome(route="b"))
    channel.flush()
    (batch,) = control.of(Kind.BATCH, Batch)
    assert [outcome.route for outcome in batch.outcomes] == ["a", "b"]
    assert channel.dropped() == {"worker_unfit": 2}


async def test_large_batches_go_early(channel: Channel, control: FakeControl) -> None:
    """A batch that has grown large goes before it is full of rows."""
    for _ in range(4):
        channel.note(Outcome(segments={"story": "x" * 200_000}))
    assert [len(batch.outcomes) for batch in control.of(Kind.BATCH, Batch)] == [3]


async def test_feedback_waits_for_its_receipts(channel: Channel, control: FakeControl) -> None:
    """Receipts come back to the call they belong to."""
    giving = [asyncio.ensure_future(channel.give_feedback([feedback_of(name)])) for name in "ab"]
    await asyncio.sleep(0)
    first, second = control.of(Kind.FEEDBACK, Handed)
    control.say(Kind.RECEIPTS, Receipts(second.ticket, [Receipt.CONFLICT]))
    control.say(Kind.RECEIPTS, Receipts(first.ticket, [Receipt.STORED]))
    assert await asyncio.gather(*giving) == [[Receipt.STORED], [Receipt.CONFLICT]]


async def test_feedback_survives_a_break(channel: Channel, control: FakeControl) -> None:
    """Control's death in between costs no feedback: it is handed to the next."""
    giving = asyncio.ensure_future(channel.give_feedback([feedback_of("a")]))
    await asyncio.sleep(0)
    control.hang_up()
    await until(lambda: len(control.of(Kind.FEEDBACK, Handed)) == 2)
    control.say(Kind.RECEIPTS, Receipts(control.of(Kind.FEEDBACK, Handed)[1].ticket, [Receipt.REPEATED]))
    assert await giving == [Receipt.REPEATED]


async def test_feedback_is_refused(channel: Channel, control: FakeControl) -> None:
    """503 when control says so, and when nothing is said in time."""
    giving = asyncio.ensure_future(channel.give_feedback([feedback_of("a")]))
    await asyncio.sleep(0)
    control.say(Kind.RECEIPTS, Receipts(control.of(Kind.FEEDBACK, Handed)[0].ticket, None, 2, "The store is away."))
    with refused():
        await giving
    with refused():
        await channel.give_feedback([feedback_of("b")])


async def test_feedback_without_control(channel: Channel, control: FakeControl) -> None:
    """Who was away for long is not waited for."""
    control.is_away = True
    control.hang_up()
    await asyncio.sleep(0.25)
    with pytest.raises(OverloadedError, match=r"The process that keeps feedback is away\."):
        await channel.give_feedback([feedback_of("a")])


async def test_too_much_feedback(control: FakeControl) -> None:
    """What waits is bounded in calls and in size."""
    channel = Channel(control.connect, worker=1, boot=9, limits=ChannelLimits(max_feedback=0))
    with refused():
        await channel.give_feedback([feedback_of("a")])
    roomy = Channel(control.connect, worker=1, boot=9)
    with refused():
        await roomy.give_feedback([feedback_of("a" * 9_000_000)])


async def test_close_waits_until_settled(control: FakeControl) -> None:
    """A worker that leaves hands everything over first; True says that all of it is settled."""
    channel = Channel(control.connect, worker=1, boot=9, limits=QUICK)
    channel.open()
    await until(lambda: control.frames)
    note(channel, 3)
    closing = asyncio.ensure_future(channel.close(2.0))
    await until(lambda: control.batches)
    assert not closing.done()
    control.say(Kind.ACK, Ack(3))
    assert await closing


async def test_close_has_an_end(control: FakeControl) -> None:
    """Nobody settles it: the worker leaves all the same, and says that it was not."""
    channel = Channel(control.connect, worker=1, boot=9, limits=QUICK)
    note(channel, 3)
    assert not await channel.close(0.01)


@pytest.mark.parametrize("garbage", [b"\xff" * 40, bytes(encode_frame(Kind.HELLO, Ack(1))), b"\0\0\0\1\x10\xc1"])
async def test_garbled_control(channel: Channel, control: FakeControl, garbage: bytes) -> None:
    """What no worker understands ends the connection, and the next one goes on."""
    note(channel, 10)
    control.say_bytes(garbage)
    await until(lambda: control.batches == [(1, 10), (1, 10)])


def sample_of(answer: str = "yes") -> Sample:
    """Give a sample."""
    return Sample("sq1_x", 1, 2, "support", "r", 1, "a", 0, "why", answer)


async def test_samples_follow(channel: Channel, control: FakeControl) -> None:
    """Samples go at once, behind outcomes that wait for room, and are not told again."""
    channel.note_sample(sample_of())
    assert control.of(Kind.SAMPLE, Sample) == [sample_of()]
    control.stall(is_full=True)
    channel.note_sample(sample_of("later"))
    channel.note(Outcome())
    channel.flush()
    control.stall(is_full=False)
    assert [kind for kind, _ in control.frames[-2:]] == [Kind.BATCH, Kind.SAMPLE]
    control.hang_up()
    await until(lambda: channel.counts()["facts_connected"])
    assert len(control.of(Kind.SAMPLE, Sample)) == 2


async def test_sample_bounds(control: FakeControl) -> None:
    """What does not fit, by rows, bytes or form, is dropped, counted apart from outcomes, and told."""
    limits = ChannelLimits(flush_s=0.005, max_samples=2, max_sample_bytes=1_000)
    channel = Channel(control.connect, worker=1, boot=9, limits=limits)
    for answer in ("a", "x" * 1_000, "\ud800", "b", "c"):
        channel.note_sample(sample_of(answer))
    counts = channel.counts()
    assert (counts["samples_noted"], counts["samples_waiting"], counts["samples_dropped"]) == (5, 2, 3)
    assert (counts["facts_noted"], counts["facts_dropped"]) == (0, 0)
    channel.open()
    wanted = {"worker_rows": 1, "worker_bytes": 1, "worker_unfit": 1}
    await until(lambda: control.of(Kind.LOSSES, Losses) == [Losses({}, wanted)])
    assert [sample.answer for sample in control.of(Kind.SAMPLE, Sample)] == ["a", "b"]
    await channel.close(0.0)


def shadowed(n_copies: int) -> Shadowed:
    """Give so many answered copies of one day."""
    return Shadowed([("support", "small", "answered", n_copies, 0.5)], 20_000)


async def test_pairs_follow(channel: Channel, control: FakeControl) -> None:
    """Pairs and judgements go in their order, at once, and are not told again."""
    channel.note_pair(pair())
    channel.note_judged(judged(pair()))
    assert [kind for kind, _ in control.frames[-2:]] == [Kind.PAIR, Kind.JUDGED]
    assert (control.of(Kind.PAIR, Pair), control.of(Kind.JUDGED, Judged)) == ([pair()], [judged(pair())])
    control.hang_up()
    await until(lambda: channel.counts()["facts_connected"])
    assert len(control.of(Kind.PAIR, Pair)) == 1


async def test_pair_bounds(control: FakeControl) -> None:
    """Pairs that do not fit are dropped and told soon, with nothing else to take the news along."""
    channel = Channel(control.connect, worker=1, boot=9, limits=ChannelLimits(flush_s=0.005, max_pairs=1))
    channel.open()
    await until(lambda: control.frames)
    control.stall(is_full=True)
    for _ in range(3):
        channel.note_pair(pair())
    await until(lambda: control.of(Kind.LOSSES, Losses) == [Losses({}, {}, {"worker_rows": 2})])
    counts = channel.counts()
    assert (counts["pairs_noted"], counts["pairs_waiting"], counts["pairs_dropped"]) == (3, 1, 2)
    await channel.close(0.0)


async def test_counts_of_copies_are_told_until_kept(channel: Channel, control: FakeControl) -> None:
    """Sums go one frame at a time, and again over a new connection, until control says that they are kept."""
    channel.note_shadowed(shadowed(1))
    await until(lambda: control.of(Kind.SHADOWED, Summed))
    for _ in range(3):
        channel.note_shadowed(shadowed(1))
    control.hang_up()
    await until(lambda: channel.counts()["facts_connected"])
    assert [(each.number, each.counts[0].n) for each in control.of(Kind.SHADOWED, Summed)] == [(1, 1), (1, 1)]
    control.say(Kind.COUNTED, Counted(1))
    await until(lambda: len(control.of(Kind.SHADOWED, Summed)) == 3)
    assert control.of(Kind.SHADOWED, Summed)[-1] == Summed(2, [ShadowCount(20_000, *SENT, 3, 1.5)])


async def test_closing_waits_for_counts(channel: Channel, control: FakeControl) -> None:
    """At the end everything goes at once, and who closes waits until it is kept."""
    for number in (1, 2):
        channel.note_shadowed(shadowed(number))
        channel.flush()
    closing = TaskGroup().spawn(channel.close(3.0))
    await until(lambda: len(control.of(Kind.SHADOWED, Summed)) == 2)
    assert not closing.done()
    control.say(Kind.COUNTED, Counted(2))
    await asyncio.wait_for(closing, 1.0)


async def test_day_of_copies(control: FakeControl) -> None:
    """Copies that say no day are of the day on which the channel hears of them."""
    clock = SettableClock(unix_ms=20_500 * 86_400_000)
    channel = Channel(control.connect, worker=1, boot=9, limits=QUICK, clock=clock)
    channel.note_shadowed(Shadowed([(*SENT, 1, 0.0)]))
    channel.open()
    await until(lambda: control.of(Kind.SHADOWED, Summed))
    assert control.of(Kind.SHADOWED, Summed)[0].counts[0].day == 20_500
    await channel.close(0.0)
