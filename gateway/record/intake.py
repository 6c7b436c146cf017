"""
Control's end of the way to the store: takes the workers' connections, and tells each what is settled.

Whoever sends what is no frame, or speaks in another worker's name, is hung up on; nothing that comes over a
connection can end this process. While the ledger has no room the workers are not read from, and keep theirs.

Batches are gathered for a moment and then taken together: a processor that comes back to this code forty times a second
spends more on finding it again than on doing it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import msgspec

from gateway.errors import GatewayError
from gateway.record.batch import Batch, join_batches
from gateway.record.frames import (
    SHADOW_SLOT,
    Ack,
    Counted,
    FrameError,
    FrameReader,
    Handed,
    Hello,
    Kind,
    Losses,
    Receipts,
    Summed,
    decode_batch_frame,
    decode_payload,
    encode_frame,
)
from gateway.record.ledger import Ledger
from gateway.record.pair import Judged, Pair
from gateway.record.pair_keeper import PairKeeper
from gateway.record.sample import Sample
from gateway.record.sample_keeper import SampleKeeper
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

HELLO_WITHIN_S = 10.0
MAX_PEERS = 1_024
ACCEPT_PAUSE_S = 0.1
GATHER_S = 0.25
"""Four transactions a second: each costs as much as thirty outcomes."""

GATHER_BYTES = 256 * 1024
"""So much is taken at once."""

MAX_JOINED_ROWS = 512
"""The store cuts what is longer."""

UNREAD_BYTES = 4 * 1024 * 1024
"""A worker that lets more receipts lie unread is hung up on."""

_HELLO = msgspec.msgpack.Decoder(Hello)
_LOSSES = msgspec.msgpack.Decoder(Losses)
_HANDED = msgspec.msgpack.Decoder(Handed)
_SAMPLE = msgspec.msgpack.Decoder(Sample)
_PAIR = msgspec.msgpack.Decoder(Pair)
_JUDGED = msgspec.msgpack.Decoder(Judged)
_SUMMED = msgspec.msgpack.Decoder(Summed)


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """
    What one connected worker has handed over.

    Attributes:
        worker: Its slot.
        pid: Its process.
        accepted: Outcomes taken from it over this connection.
        feedback: Pieces of feedback likewise.
        dropped: What it could not keep since it was born, by reason.
    """

    worker: int
    pid: int
    accepted: int
    feedback: int
    dropped: dict[str, int]


@dataclass(frozen=True, slots=True)
class ShadowFacts:
    """
    What the connected shadow process has handed over.

    Attributes:
        pid: Its process.
        pairs: Taken from it over this connection.
        judgements: Of pairs that came before them, likewise.
        copies: Whose fate it told, likewise.
        dropped: Pairs and judgements that it could not keep since it was born, by reason.
    """

    pid: int
    pairs: int
    judgements: int
    copies: int
    dropped: dict[str, int]


class Intake:
    """
    Serves the workers' connections on a listening socket that stays its owner's.

    Attributes:
        samples: Where samples go.
        pairs: Where pairs and counts of copies go.
    """

    def __init__(self, ledger: Ledger, samples: SampleKeeper, pairs: PairKeeper, *, gather_s: float = GATHER_S) -> None:
        self._ledger = ledger
        self._gather_s = gather_s
        self.samples = samples
        self.pairs = pairs
        self._peers: set[_Peer] = set()
        self._told_losses: dict[tuple[int, int], Losses] = {}
        self._tasks = TaskGroup()
        self._is_leaving = False
        self._gathered: list[tuple[_Peer, bytes]] = []
        self._gathered_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        ledger.on_room = self._resume

    def open(self, sock: socket.socket) -> None:
        """Begin to accept."""
        sock.setblocking(False)
        self._tasks.spawn(self._accept(sock))

    def stop_reading(self) -> None:
        """Leave with the workers what was not read yet; they are still told what is settled."""
        self._is_leaving = True
        self._take_gathered()
        for peer in self._peers:
            peer.pause()

    def workers(self) -> list[WorkerFacts]:
        """Give which workers are connected and what came; the shadow process is none of them."""
        facts = [peer.facts() for peer in self._peers]
        return sorted((each for each in facts if each is not None), key=lambda each: (each.worker, each.pid))

    def shadow(self) -> ShadowFacts | None:
        """Give what came from the shadow process; None while none is connected, the youngest while one takes over."""
        facts = [each for peer in self._peers if (each := peer.shadow_facts()) is not None]
        return max(facts, key=lambda each: each.pid, default=None)

    async def close(self) -> None:
        """Accept no more and hang up; what was read is the ledger's."""
        await self._tasks.close()
        for peer in list(self._peers):
            peer.close()

    async def _accept(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(sock)
                await loop.connect_accepted_socket(lambda: _Peer(self, self._ledger, self._tasks), accepted)
            except OSError as error:
                log.error("a worker's connection could not be taken", extra={"cause": str(error)})
                await asyncio.sleep(ACCEPT_PAUSE_S)

    def add(self, peer: _Peer) -> bool:
        """Keep a connection; False when there are too many."""
        self._peers.add(peer)
        return len(self._peers) <= MAX_PEERS

    def remove(self, peer: _Peer) -> None:
        """Forget a connection."""
        self._peers.discard(peer)

    def note_losses(self, hello: Hello, losses: Losses) -> None:
        """Count what is new among a worker's losses, whichever connection tells it."""
        told = self._told_losses.setdefault((hello.worker, hello.boot), Losses({}, {}, {}))
        _note_new(told.by_reason, losses.by_reason, self._ledger.note_losses)
        _note_new(told.samples, losses.samples, self.samples.note_losses)
        _note_new(told.pairs, losses.pairs, self.pairs.note_losses)

    def gather(self, peer: _Peer, payload: bytes) -> None:
        """Keep what a BATCH frame holds until it is taken with others."""
        self._gathered.append((peer, payload))
        self._gathered_bytes += len(payload)
        if self._is_leaving or self._gathered_bytes >= GATHER_BYTES:
            self._take_gathered()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._gather_s, self._take_gathered)

    def _take_gathered(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gathered, self._gathered, self._gathered_bytes = self._gathered, [], 0
        by_peer: dict[_Peer, list[bytes]] = {}
        for peer, payload in gathered:
            by_peer.setdefault(peer, []).append(payload)
        for peer, payloads in by_peer.items():
            peer.take_batches(payloads)

    def _resume(self) -> None:
        for peer in list(self._peers):
            if not self._is_leaving:
                peer.resume()


def _note_new(told: dict[str, int], losses: dict[str, int], note: Callable[[str, int], None]) -> None:
    for reason, n_rows in losses.items():
        n_new = n_rows - told.get(reason, 0)
        if n_new > 0:
            told[reason] = n_rows
            note(reason, n_new)


class _Peer(asyncio.Protocol):
    """One worker's connection."""

    def __init__(self, intake: Intake, ledger: Ledger, tasks: TaskGroup) -> None:
        self._intake = intake
        self._ledger = ledger
        self._tasks = tasks
        self._reader = FrameReader()
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._hello: Hello | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._is_paused = False
        self._n_accepted = self._n_feedback = self._n_pairs = self._n_judged = self._n_copies = 0
        self._losses = Losses({})

    def facts(self) -> WorkerFacts | None:
        """Give what came; None before it said who it is, and where it is no worker."""
        hello = self._hello
        if hello is None or hello.worker == SHADOW_SLOT:
            return None
        return WorkerFacts(hello.worker, hello.pid, self._n_accepted, self._n_feedback, dict(self._losses.by_reason))

    def shadow_facts(self) -> ShadowFacts | None:
        """Give what came; None where it is not the shadow process."""
        hello = self._hello
        if hello is None or hello.worker != SHADOW_SLOT:
            return None
        return ShadowFacts(hello.pid, self._n_pairs, self._n_judged, self._n_copies, dict(self._losses.pairs))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for its name."""
        self._transport = cast(asyncio.Transport, transport)
        if not self._intake.add(self):
            log.error("too many connections for facts, hanging up")
            self.close()
            return
        self._deadline = asyncio.get_running_loop().call_later(HELLO_WITHIN_S, self._end_nameless)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell it nothing more."""
        self._intake.remove(self)
        if self._deadline is not None:
            self._deadline.cancel()
        if self._hello is not None:
            self._ledger.leave(self._hello.worker, self._hello.boot, self._tell)

    def data_received(self, data: bytes) -> None:
        """Take frames; hang up on what is none."""
        with self._guarded():
            for kind, payload in self._reader.feed(data):
                self._take(kind, payload)

    def take_batches(self, payloads: Sequence[bytes]) -> None:
        """Take what BATCH frames held; hang up on what is no batch of this worker's."""
        batches: list[Batch] = []
        with self._guarded():
            # Those before one that is none stay taken.
            batches.extend(self._checked(decode_batch_frame(payload)) for payload in payloads)
        with self._guarded():
            for batch in join_batches(batches, max_rows=MAX_JOINED_ROWS):
                self._n_accepted += self._ledger.offer(batch, len(batch.payload))

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except FrameError as error:
            log.error("a worker says what control does not understand, hanging up", extra={"cause": str(error)})
            self.close()
        except Exception:  # The last line of defence: one connection must not end the process for all.
            log.exception("a worker's frame could not be taken, hanging up")
            self.close()
        if not self._ledger.has_room:
            self.pause()

    def pause(self) -> None:
        """Read no more until there is room."""
        if not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._is_paused and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()

    def close(self) -> None:
        """Hang up, once what was said is written."""
        self._transport.close()

    def _take(self, kind: Kind, payload: bytes) -> None:
        if self._hello is None:
            self._begin(kind, payload)
        elif kind is Kind.BATCH:
            self._intake.gather(self, payload)
        elif kind is Kind.FEEDBACK:
            handed = decode_payload(payload, _HANDED)
            self._n_feedback += len(handed.feedback)
            self._tasks.spawn(self._keep_feedback(handed))
        elif kind is Kind.SAMPLE:
            self._intake.samples.offer(decode_payload(payload, _SAMPLE), len(payload))
        elif kind is Kind.LOSSES:
            self._losses = decode_payload(payload, _LOSSES)
            self._intake.note_losses(self._hello, self._losses)
        else:
            self._take_of_shadow(self._hello, kind, payload)

    def _take_of_shadow(self, hello: Hello, kind: Kind, payload: bytes) -> None:
        pairs = self._intake.pairs
        if kind is Kind.PAIR:
            self._n_pairs += 1
            pairs.offer(decode_payload(payload, _PAIR), len(payload))
        elif kind is Kind.JUDGED:
            self._n_judged += 1
            pairs.offer(decode_payload(payload, _JUDGED), len(payload))
        elif kind is Kind.SHADOWED:
            summed = decode_payload(payload, _SUMMED)
            if not 1 <= summed.number < 2**62:
                message = "counts of an impossible number"
                raise FrameError(message)
            self._n_copies += sum(each.n for each in summed.counts)
            pairs.offer_counts(hello.worker, hello.boot, summed, self._tell_counted)
        else:
            message = f"{kind.name} is not for control"
            raise FrameError(message)

    def _begin(self, kind: Kind, payload: bytes) -> None:
        if kind is not Kind.HELLO:
            message = f"{kind.name} before HELLO"
            raise FrameError(message)
        hello = decode_payload(payload, _HELLO)
        if not (0 <= hello.worker < 2**31 and 0 <= hello.boot < 2**63):
            message = "a worker of impossible numbers"
            raise FrameError(message)
        self._hello = hello
        if self._deadline is not None:
            self._deadline.cancel()
        self._ledger.join(hello.worker, hello.boot, self._tell)

    def _checked(self, batch: Batch) -> Batch:
        hello = self._hello
        is_its_own = hello is not None and (batch.worker, batch.boot) == (hello.worker, hello.boot)
        if not is_its_own or not batch.outcomes or not 1 <= batch.first < 2**62:
            message = "a batch that is another's, empty or without a number"
            raise FrameError(message)
        return batch

    async def _keep_feedback(self, handed: Handed) -> None:
        try:
            receipts = Receipts(handed.ticket, await self._ledger.keep_feedback(handed.feedback))
        except GatewayError as error:
            receipts = Receipts(handed.ticket, None, error.retry_after_s or 1, error.message)
        self._send(encode_frame(Kind.RECEIPTS, receipts))

    def _tell(self, through: int) -> None:
        self._send(encode_frame(Kind.ACK, Ack(through)))

    def _tell_counted(self, through: int) -> None:
        self._send(encode_frame(Kind.COUNTED, Counted(through)))

    def _send(self, frame: bytearray) -> None:
        if self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > UNREAD_BYTES:
            log.error("a worker does not read what is settled, hanging up")
            self._transport.abort()
            return
        self._transport.write(frame)

    def _end_nameless(self) -> None:
        if self._hello is None:
            self.close()
