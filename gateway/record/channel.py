"""
A worker's end of the way to the store: takes outcomes without waiting, keeps them until they are settled.

Theory of operation
===================
`note` appends to a list. Every 50 ms, or at 256 outcomes, the list becomes a numbered batch, encoded once, and is
written to the control process's socket. The encoded batch is kept until control says it is settled: stored,
spooled, or dropped and counted there. When the connection is lost it is opened again with growing pauses, and
whatever is not settled goes over it in its old order; control and store know by the numbers what they have.

What is kept is bounded in rows and bytes. Beyond that the newest are dropped and counted by reason; they get no
number, so the numbers of a worker have no gaps and `noted = settled + waiting + dropped` holds at any moment.
Feedback takes the same connection, and its giver waits for the receipt. Samples and pairs take what room is left on it:
they are neither numbered nor settled, and beyond bounds of their own they are dropped and counted. Counts of copies are
added up until control has kept them.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple, cast

import msgspec

from gateway.clock import Clock, SystemClock
from gateway.errors import OverloadedError
from gateway.record.batch import EncodedBatch, list_of_encoded
from gateway.record.feedback import Feedback, Receipt
from gateway.record.frames import (
    Ack,
    Counted,
    FrameError,
    FrameReader,
    Handed,
    Hello,
    Kind,
    Losses,
    Receipts,
    decode_payload,
    encode_frame,
    encode_outcome,
)
from gateway.record.outcome import Outcome
from gateway.record.pair import Judged, Pair
from gateway.record.sample import Sample
from gateway.record.shadow_tally import ShadowTally
from gateway.record.shadowed import Shadowed
from gateway.record.spare_frames import SpareFrames
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.02
MAX_PAUSE_S = 1.0
BATCH_BYTES = 256 * 1024
MAX_OUTCOME_BYTES = 1024 * 1024
"""An ordinary one has 300; more is segments that somebody fills with megabytes."""

UNREAD_BYTES = 1024 * 1024
"""What control may leave unread before batches wait here instead of in the transport."""

_ACK = msgspec.msgpack.Decoder(Ack)
_RECEIPTS = msgspec.msgpack.Decoder(Receipts)
_COUNTED = msgspec.msgpack.Decoder(Counted)

Connect = Callable[[Callable[[], asyncio.Protocol]], Awaitable[object]]
"""Opens a connection for a protocol; raises OSError."""


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """
    How much a worker keeps, and how long it waits.

    Attributes:
        max_rows: Outcomes not settled yet.
        max_bytes: Their encoded size.
        batch_rows: A batch goes at once when it has so many.
        flush_s: A batch goes at the latest so long after its first outcome.
        feedback_s: How long feedback may take to be durable.
        max_feedback: Calls with feedback that may wait at once.
        max_samples: Samples not sent yet.
        max_sample_bytes: Their encoded size.
        max_pairs: Pairs and late judgements not sent yet.
        max_pair_bytes: Their encoded size.
    """

    max_rows: int = 50_000
    max_bytes: int = 32 * 1024 * 1024
    batch_rows: int = 256
    flush_s: float = 0.05
    feedback_s: float = 5.0
    max_feedback: int = 1_000
    max_samples: int = 200
    max_sample_bytes: int = 8 * 1024 * 1024
    max_pairs: int = 2_000
    max_pair_bytes: int = 16 * 1024 * 1024


class _Kept(NamedTuple):
    last: int
    n_rows: int
    frame: bytearray


@dataclass(slots=True)
class _Waiting:
    frame: bytearray
    receipts: asyncio.Future[list[Receipt]]


class Channel:
    """
    Implements `record.outcome.OutcomeObserver`.

    Made inside a running loop; `open` starts to connect, `close` ends it. Outcomes may be noted before, between
    and without connections.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        worker: int,
        boot: int,
        limits: ChannelLimits | None = None,
        clock: Clock | None = None,
    ) -> None:
        """
        Make it.

        Args:
            connect: Opens a connection to control.
            worker: Our slot.
            boot: 63 random bits of our own.
            limits: How much is kept.
            clock: For the day of counts; the system's when None.
        """
        self._connect = connect
        self._worker = worker
        self._boot = boot
        self._limits = limits = limits or ChannelLimits()
        self._loop = asyncio.get_running_loop()
        self._tasks = TaskGroup()
        self._encoded = bytearray()
        self._n_encoded = 0
        self._timer: asyncio.TimerHandle | None = None
        self._unsent: deque[_Kept] = deque()
        self._sent: deque[_Kept] = deque()
        self._n_kept = 0
        self._kept_bytes = 0
        self._next = 1
        self._n_settled = 0
        self._dropped: Counter[str] = Counter()
        self._n_dropped = 0
        self._is_loss_untold = False
        self._samples = SpareFrames(max_rows=limits.max_samples, max_bytes=limits.max_sample_bytes)
        self._pairs = SpareFrames(max_rows=limits.max_pairs, max_bytes=limits.max_pair_bytes)
        self._tally = ShadowTally((clock or SystemClock()).unix_ms)
        self._wire: _Wire | None = None
        self._away_since_s: float | None = self._loop.time()
        self._is_heard = False
        self._lost = asyncio.Event()
        self._all_settled = asyncio.Event()
        self._is_leaving = False
        self._tickets = count(1)
        self._waiting: dict[int, _Waiting] = {}

    def open(self) -> None:
        """Begin to connect, and stay connected."""
        self._tasks.spawn(self._stay_connected())

    def note(self, outcome: Outcome) -> None:
        """Take one finished outcome; never waits, never raises."""
        n_rows = self._n_encoded
        if self._n_kept + n_rows >= self._limits.max_rows:
            self._drop("worker_rows", 1)
            return
        # At once: 300 bytes in a row stay in the cache, where 256 live outcomes push out what requests need.
        encoded = self._encoded
        size = len(encoded)
        try:
            encode_outcome(outcome, encoded, size)
        except Exception:  # A string or number that msgpack has no form for costs its row, not its neighbours'.
            self._drop_last(size)
            return
        if len(encoded) - size > MAX_OUTCOME_BYTES:
            self._drop_last(size)
            return
        self._n_encoded = n_rows = n_rows + 1
        if n_rows == 1:
            self._flush_soon()
        if n_rows >= self._limits.batch_rows or size >= BATCH_BYTES:
            self.flush()

    def note_sample(self, sample: Sample) -> None:
        """Take one sample, or drop and count it; never waits, never raises."""
        if self._samples.offer(Kind.SAMPLE, sample):
            self._pump()
        else:
            # Told with the next batch: there is one for every sample.
            self._is_loss_untold = True

    def note_pair(self, pair: Pair) -> None:
        """Take one pair, or drop and count it; never waits, never raises."""
        self._note_spare(Kind.PAIR, pair)

    def note_judged(self, judged: Judged) -> None:
        """Take a judgement of a pair that was noted before, or drop and count it; never waits, never raises."""
        self._note_spare(Kind.JUDGED, judged)

    def note_shadowed(self, shadowed: Shadowed) -> None:
        """Add up what became of copies, and tell it until it is kept; never waits, loses nothing while we live."""
        self._tally.note(shadowed)
        self._flush_soon()

    def flush(self) -> None:
        """Make a batch of what was noted, and send it if that can be done without waiting."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._n_encoded:
            encoded, n_rows = self._encoded, self._n_encoded
            self._encoded, self._n_encoded = bytearray(), 0
            self._keep(encoded, n_rows)
        self._pump()

    async def give_feedback(self, feedback: list[Feedback]) -> list[Receipt]:
        """
        Hand feedback over, and wait until it is durable.

        It is handed over again when control dies in between: its ids make it count once.

        Returns:
            One receipt per piece, in order.

        Raises:
            OverloadedError: `feedback_unavailable`: not durable in time, or the store is away. It may have been
                kept all the same; giving it again is safe.
        """
        self._refuse_hopeless()
        ticket = next(self._tickets)
        try:
            frame = encode_frame(Kind.FEEDBACK, Handed(ticket, feedback))
        except FrameError:
            msg = "So much feedback does not fit; give it in smaller lists."
            raise unavailable(msg, retry_after_s=1) from None
        waiting = self._waiting[ticket] = _Waiting(frame, self._loop.create_future())
        if self._wire is not None:
            self._wire.send(frame)
        try:
            async with asyncio.timeout(self._limits.feedback_s):
                return await waiting.receipts
        except TimeoutError:
            msg = "The feedback could not be made durable in time."
            raise unavailable(msg, retry_after_s=2) from None
        finally:
            del self._waiting[ticket]

    def counts(self) -> dict[str, int]:
        """Give plain counters for the worker's status; `noted = settled + waiting + dropped`."""
        n_waiting = self._n_kept + self._n_encoded
        return {
            "facts_noted": self._n_settled + n_waiting + self._n_dropped,
            "facts_settled": self._n_settled,
            "facts_waiting": n_waiting,
            "facts_waiting_bytes": self._kept_bytes,
            "facts_dropped": self._n_dropped,
            "facts_connected": int(self._wire is not None),
            "samples_noted": self._samples.n_noted,
            "samples_waiting": len(self._samples),
            "samples_dropped": self._samples.dropped.total(),
            "pairs_noted": self._pairs.n_noted,
            "pairs_waiting": len(self._pairs),
            "pairs_dropped": self._pairs.dropped.total(),
            "copies_waiting": self._tally.n_waiting,
        }

    def dropped(self) -> dict[str, int]:
        """Give what was dropped since birth, by reason."""
        return dict(self._dropped)

    async def close(self, timeout_s: float) -> bool:
        """Send what is left, wait until it is settled, hang up; give whether every outcome was settled in time."""
        self._is_leaving = True
        self.flush()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._n_kept or self._pairs or not self._tally.is_settled:
                    self._all_settled.clear()
                    await self._all_settled.wait()
                while self._is_writing():  # noqa: ASYNC110 - transports tell of low water, not of none
                    await asyncio.sleep(FIRST_PAUSE_S)
        await self._tasks.close()
        if self._wire is not None:
            self._wire.close()
        for waiting in self._waiting.values():
            if not waiting.receipts.done():
                waiting.receipts.set_exception(unavailable("This worker is going away.", retry_after_s=1))
        if self._n_kept:
            log.warning("outcomes were not settled when the worker left", extra={"rows": self._n_kept})
        return self._n_kept == 0

    # Keeping

    def _drop_last(self, size: int) -> None:
        del self._encoded[size:]
        self._drop("worker_unfit", 1)

    def _keep(self, encoded: bytearray, n_rows: int) -> None:
        outcomes = msgspec.Raw(list_of_encoded(encoded, n_rows))
        frame = encode_frame(Kind.BATCH, EncodedBatch(self._worker, self._boot, self._next, outcomes))
        if self._kept_bytes + len(frame) > self._limits.max_bytes:
            self._drop("worker_bytes", n_rows)
            return
        self._next += n_rows
        self._n_kept += n_rows
        self._kept_bytes += len(frame)
        self._unsent.append(_Kept(self._next - 1, n_rows, frame))

    def _drop(self, reason: str, n_rows: int) -> None:
        self._dropped[reason] += n_rows
        self._n_dropped += n_rows
        self._is_loss_untold = True

    def _note_spare(self, kind: Kind, message: Pair | Judged) -> None:
        if self._pairs.offer(kind, message):
            self._pump()
        else:
            self._is_loss_untold = True
            self._flush_soon()

    def _flush_soon(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(self._limits.flush_s, self.flush)

    def _is_writing(self) -> bool:
        return self._pairs.n_noted > 0 and self._wire is not None and self._wire.is_writing

    def _losses(self) -> Losses:
        return Losses(dict(self._dropped), dict(self._samples.dropped), dict(self._pairs.dropped))

    def _pump(self) -> None:
        wire = self._wire
        if wire is None:
            return
        if self._is_loss_untold:
            self._is_loss_untold = False
            wire.send(encode_frame(Kind.LOSSES, self._losses()))
        while self._unsent and not wire.is_full:
            kept = self._unsent.popleft()
            self._sent.append(kept)
            wire.send(kept.frame)
        for spare in (self._samples, self._pairs):
            while spare and not wire.is_full:
                spare.send_next(wire.send)
        # Behind the pairs: who hears that these are kept knows that those were read.
        if not wire.is_full and (frame := self._tally.frame(at_once=self._is_leaving)) is not None:
            wire.send(frame)
        self._wake_if_settled()

    def _wake_if_settled(self) -> None:
        if not self._n_kept and not self._pairs and self._tally.is_settled:
            self._all_settled.set()

    def _settle(self, through: int) -> None:
        sent = self._sent
        while sent and sent[0].last <= through:
            kept = sent.popleft()
            self._n_kept -= kept.n_rows
            self._kept_bytes -= len(kept.frame)
            self._n_settled += kept.n_rows
        self._pump()

    # The connection

    async def _stay_connected(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            self._lost.clear()
            self._is_heard = False
            try:
                await self._connect(lambda: _Wire(self))
                await self._lost.wait()
            except OSError as error:
                log.debug("control cannot be reached", extra={"cause": str(error)})
            pause_s = FIRST_PAUSE_S if self._is_heard else min(pause_s * 2, MAX_PAUSE_S)
            await asyncio.sleep(pause_s)

    def note_connected(self, wire: _Wire) -> None:
        """Introduce ourselves, and say again what is not settled."""
        self._wire = wire
        self._away_since_s = None
        # A control process reborn knows of none.
        self._is_loss_untold = bool(self._dropped or self._samples.dropped or self._pairs.dropped)
        wire.send(encode_frame(Kind.HELLO, Hello(self._worker, self._boot, os.getpid())))
        for waiting in self._waiting.values():
            wire.send(waiting.frame)
        for frame in self._tally.unsettled():
            wire.send(frame)
        self._unsent.extendleft(reversed(self._sent))
        self._sent.clear()
        self._pump()

    def note_lost(self, wire: _Wire) -> None:
        """Connect again."""
        if self._wire is wire:
            self._wire = None
            self._away_since_s = self._loop.time()
        self._lost.set()

    def note_room(self) -> None:
        """Control reads again."""
        self._pump()

    def take(self, kind: Kind, payload: bytes) -> None:
        """
        Take what control says.

        Raises:
            FrameError: It is nothing a worker is told.
        """
        self._is_heard = True
        if kind is Kind.ACK:
            self._settle(decode_payload(payload, _ACK).through)
        elif kind is Kind.RECEIPTS:
            self._take_receipts(decode_payload(payload, _RECEIPTS))
        elif kind is Kind.COUNTED:
            self._tally.settle(decode_payload(payload, _COUNTED).through)
            self._flush_soon()
            self._wake_if_settled()
        else:
            message = f"{kind.name} is not for workers"
            raise FrameError(message)

    def _take_receipts(self, answer: Receipts) -> None:
        waiting = self._waiting.get(answer.ticket)
        if waiting is None or waiting.receipts.done():
            return
        if answer.receipts is not None:
            waiting.receipts.set_result(answer.receipts)
        else:
            problem = answer.problem or "The feedback could not be made durable."
            waiting.receipts.set_exception(unavailable(problem, retry_after_s=answer.retry_after_s))

    def _refuse_hopeless(self) -> None:
        if len(self._waiting) >= self._limits.max_feedback:
            msg = "Too much feedback waits to be made durable."
            raise unavailable(msg, retry_after_s=1)
        away_since_s = self._away_since_s
        if away_since_s is not None and self._loop.time() - away_since_s > self._limits.feedback_s:
            msg = "The process that keeps feedback is away."
            raise unavailable(msg, retry_after_s=2)


class _Wire(asyncio.Protocol):
    """
    One connection to control.

    Attributes:
        is_full: Control does not read fast enough; nothing more should be sent now.
    """

    def __init__(self, channel: Channel) -> None:
        self.is_full = False
        self._channel = channel
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=UNREAD_BYTES)
        self._channel.note_connected(self)

    def data_received(self, data: bytes) -> None:
        """Hand frames on; hang up on what is none."""
        try:
            for kind, payload in self._reader.feed(data):
                self._channel.take(kind, payload)
        except FrameError as error:
            log.error("control says what no worker understands, hanging up", extra={"cause": str(error)})
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so."""
        self._channel.note_lost(self)

    def pause_writing(self) -> None:
        """Keep the rest."""
        self.is_full = True

    def resume_writing(self) -> None:
        """Send the rest."""
        self.is_full = False
        self._channel.note_room()

    @property
    def is_writing(self) -> bool:
        """Whether something that was sent has not left yet."""
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    def send(self, frame: bytearray) -> None:
        """Write a frame; it is not changed afterwards."""
        if self._transport is not None:
            self._transport.write(frame)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()


def unavailable(message: str, *, retry_after_s: int) -> OverloadedError:
    """Give the error for feedback that is not durable."""
    return OverloadedError(message, code="feedback_unavailable", retry_after_s=retry_after_s)
