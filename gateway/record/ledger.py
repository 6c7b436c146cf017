"""
The control process's books: takes batches from the workers and sees that each outcome is kept once, or counted.

Theory of operation
===================
A batch goes from the queue to the store, a group at a time; while the store is away it goes from the queue to the
spool, and is dropped and counted where the spool does not take it. As long as the spool holds anything, the store
is fed from the spool and the queue follows behind it, so a worker's outcomes reach the store in the order of their
numbers: the store knows by the last number what it has. One task writes, so nothing can overtake.

A batch is settled once it is stored, synced to the spool, or dropped; its worker is told then and not before, in
order. An attempt at the store is never given up half-way. When it takes too long its batches go to the spool as
well, and what comes of the attempt does not matter: the store drops what it has already.

Feedback is never spooled, and refused while the store is away: whether an id was given before with another value,
only the store can tell.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from math import inf
from typing import Any, NamedTuple, Protocol

from gateway.clock import Clock
from gateway.errors import OverloadedError
from gateway.record.account import Account, StoreState
from gateway.record.batch import Batch, FactStore, RefusedError, StoreError
from gateway.record.feedback import Feedback, Receipt
from gateway.record.spool import Piece, Spool
from gateway.tasks import TaskGroup

log = logging.getLogger(__name__)

MAX_MARKS = 10_000
"""Lives of workers whose last number is remembered; a restart makes one per slot."""


class OpenedStore(FactStore, Protocol):
    """A store that can be closed."""

    async def close(self) -> None:
        """Let go of it."""
        ...


class Folder(Protocol):
    """Adds outcomes up; `record.fold` is the real one."""

    def fold(self, batch: Batch) -> None:
        """Take a batch that was not seen before."""
        ...

    def note_feedback(self, feedback: Feedback) -> None:
        """Take one piece that was stored, and had not been before."""
        ...


RETRY_AFTER_S = 2

OpenStore = Callable[[], Awaitable[OpenedStore]]
Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class LedgerLimits:
    """
    Sizes and waits.

    Attributes:
        group_rows: A group goes to the store at once when so many outcomes wait.
        group_s: It goes at the latest so long after its first outcome, and at once when feedback comes: somebody
            waits for that, and while it is written the next group gathers. 0 where they come gathered already.
        max_group_rows: More than this is more than one group.
        max_queued_rows: Beyond it workers are not read from.
        max_queued_bytes: Likewise.
        max_feedback: Pieces that may wait for one group.
        hold_s: So long after the start outcomes wait for the store to open, before they are spooled.
        patience_s: After this an attempt at the store counts as hanging.
        opening_s: After this a store that is being opened counts as away; feedback waits until then.
        first_pause_s: Before a store that failed is tried again; doubles.
        max_pause_s: The longest such pause.
    """

    group_rows: int = 500
    group_s: float = 0.0
    max_group_rows: int = 2_000
    max_queued_rows: int = 20_000
    max_queued_bytes: int = 32 * 1024 * 1024
    max_feedback: int = 5_000
    hold_s: float = 0.25
    patience_s: float = 1.0
    opening_s: float = 5.0
    first_pause_s: float = 0.1
    max_pause_s: float = 2.0


class _Queued(NamedTuple):
    batch: Batch
    n_bytes: int


class _Asked(NamedTuple):
    feedback: Sequence[Feedback]
    receipts: asyncio.Future[list[Receipt]]


class _Attempt(NamedTuple):
    batches: list[Batch]
    n_flying: int
    piece: Piece | None
    asked: list[_Asked]


@dataclass(slots=True)
class _Mark:
    seen: int = 0
    settled: int = 0
    tell: Tell | None = None


class Ledger:
    """
    Keeps facts through a store that may be away.

    Attributes:
        on_room: Called when there is room in the queue again.
    """

    def __init__(
        self,
        open_store: OpenStore,
        spool: Spool,
        *,
        clock: Clock,
        folder: Folder | None = None,
        limits: LedgerLimits | None = None,
    ) -> None:
        self.on_room: Callable[[], None] = lambda: None
        self._open_store = open_store
        self._spool = spool
        self._clock = clock
        self._folder = folder
        self._limits = limits or LedgerLimits()
        self._tasks = TaskGroup()
        self._writing: asyncio.Task[None] | None = None
        self._store: OpenedStore | None = None
        self._state = StoreState.OPENING
        self._error: tuple[str, int] | None = None
        self._pause_s = self._limits.first_pause_s
        self._retry_s = self._hold_until_s = 0.0
        self._logged_s = -inf
        self._woken, self._full = asyncio.Event(), asyncio.Event()
        self._is_closing = self._is_spool_failing = False
        self._n_careful = 0
        self._marks: OrderedDict[tuple[int, int], _Mark] = OrderedDict()
        self._queue: deque[_Queued] = deque()
        self._asked: deque[_Asked] = deque()
        self._queued_bytes = self._n_asked = 0
        self._accepted = self._stored = self._queued = self._spooled = self._recovered = self._repeated = 0
        self._dropped: Counter[str] = Counter()
        self._feedback: Counter[str] = Counter()

    # What is asked of it

    def open(self) -> None:
        """Begin: the store is opened in the background, again and again until it is."""
        self._hold_until_s = self._clock.now_s() + self._limits.hold_s
        self._tasks.spawn(self._open_until_open())
        self._writing = self._tasks.spawn(self._write())

    @property
    def has_room(self) -> bool:
        """Say whether more may be offered."""
        return self._queued < self._limits.max_queued_rows and self._queued_bytes < self._limits.max_queued_bytes

    @property
    def is_store_away(self) -> bool:
        """Say whether the store failed when it was asked last, or has taken long to open."""
        return self._state is StoreState.DEGRADED

    def join(self, worker: int, boot: int, tell: Tell) -> None:
        """Have `tell` called with the last number that is settled, now and whenever there is news."""
        mark = self._mark(worker, boot)
        mark.tell = tell
        tell(mark.settled)

    def leave(self, worker: int, boot: int, tell: Tell) -> None:
        """Call it no more, unless another has joined in its place."""
        mark = self._mark(worker, boot)
        if mark.tell == tell:
            mark.tell = None

    def offer(self, batch: Batch, n_bytes: int) -> int:
        """Take a batch of at least one outcome, or the part of it that was not seen; give how many are new."""
        mark = self._mark(batch.worker, batch.boot)
        last = batch.first + len(batch.outcomes) - 1
        n_seen = min(max(mark.seen - batch.first + 1, 0), len(batch.outcomes))
        self._repeated += n_seen
        if last <= mark.seen:
            if mark.tell is not None and last <= mark.settled:
                mark.tell(mark.settled)
            return 0
        if n_seen:
            batch = batch.part(n_seen, len(batch.outcomes))
        mark.seen = last
        n_rows = len(batch.outcomes)
        self._queue.append(_Queued(batch, n_bytes))
        self._queued_bytes += n_bytes
        self._queued += n_rows
        self._accepted += n_rows
        self._fold([batch])
        self._wake()
        return n_rows

    def note_losses(self, reason: str, n_rows: int) -> None:
        """Count what a worker could not keep: it was accepted there and dropped there."""
        self._accepted += n_rows
        self._dropped[reason] += n_rows

    async def keep_feedback(self, feedback: Sequence[Feedback]) -> list[Receipt]:
        """
        Keep feedback, and return once it is durable.

        Raises:
            OverloadedError: `feedback_unavailable`: the store is away, or too much waits. It may have been kept
                all the same; giving it again is safe.
        """
        if self._is_away() or self._is_closing:
            raise self._refusal(len(feedback), "The store is away.")
        if self._n_asked + len(feedback) > self._limits.max_feedback:
            raise self._refusal(len(feedback), "Too much feedback waits to be stored.")
        asked = _Asked(feedback, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        self._n_asked += len(feedback)
        self._wake()
        return await asked.receipts

    def account(self) -> Account:
        """Give the books as they stand."""
        text, at_unix_ms = self._error if self._error is not None else (None, None)
        return Account(
            accepted=self._accepted,
            stored=self._stored,
            queued=self._queued,
            spooled=self._spooled,
            dropped=dict(self._dropped),
            recovered=self._recovered,
            repeated=self._repeated,
            feedback=dict(self._feedback),
            spool_bytes=self._spool.size_bytes,
            store=self._state,
            store_error=text,
            store_error_unix_ms=at_unix_ms,
        )

    async def close(self, timeout_s: float) -> None:
        """Store or spool what is queued, and let go of both; after `timeout_s` leave it to the workers."""
        self._is_closing = True
        self._wake()
        self._full.set()
        is_done = True
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=timeout_s)
            is_done = self._writing.done()
        self._refuse_asked("The process that keeps feedback is going away.")
        await self._tasks.close()
        if self._store is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._store.close(), 1.0)
        if is_done:  # Else a thread may still write to it, and the process's end closes it.
            self._spool.close()

    # The writer

    async def _write(self) -> None:
        await self._reopen_spool()
        while True:
            await self._wait_for_work()
            if self._is_usable():
                await self._store_some()
            else:
                await self._divert()
                if self._is_closing:
                    return
            if self._is_closing and not self._queue:
                return

    async def _wait_for_work(self) -> None:
        while not self._has_work():
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait_s()):
                    await self._woken.wait()
        is_urgent = bool(self._asked or self._spooled or self._is_closing)
        if self._limits.group_s and self._queued < self._limits.group_rows and not is_urgent:
            self._full.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.group_s):
                    await self._full.wait()

    def _has_work(self) -> bool:
        if self._is_closing:
            return True
        if self._state is StoreState.OPENING:
            return bool(self._queue) and self._clock.now_s() >= self._hold_until_s
        return bool(self._queue or self._asked or (self._spooled and self._is_usable()))

    def _wait_s(self) -> float | None:
        now_s = self._clock.now_s()
        if self._state is StoreState.OPENING:
            return self._hold_until_s - now_s if now_s < self._hold_until_s else None
        return max(self._retry_s - now_s, 0.01) if self._spooled and self._store is not None else None

    def _is_usable(self) -> bool:
        return self._store is not None and self._clock.now_s() >= self._retry_s

    def _is_away(self) -> bool:
        return self._state is StoreState.DEGRADED and not self._is_usable()

    async def _store_some(self) -> None:
        piece, asked = None, self._take_asked()
        # Whoever is being looked at alone, since a group failed in a way that trying again does not mend.
        is_alone = bool(self._n_careful and asked)
        if self._spooled and not is_alone:
            piece = await self._read_spool()
        batches = piece.batches if piece is not None else [] if is_alone else self._next_batches()
        if piece is not None and not batches:
            self._forget(piece)
        if not batches and not asked:
            return
        assert self._store is not None
        feedback = [each for one in asked for each in one.feedback]
        keeping = self._tasks.spawn(_keep(self._store, batches, feedback))
        n_flying = 0 if piece is not None else len(batches)
        await asyncio.wait([keeping], timeout=self._limits.patience_s)
        if not keeping.done():
            n_flying -= await self._sit_out(keeping, n_flying)
        self._note_result(keeping.result(), _Attempt(batches, n_flying, piece if batches else None, asked))

    async def _sit_out(self, keeping: asyncio.Task[Any], n_flying: int) -> int:
        """Wait for a store that hangs; give how many batches of the attempt are in the spool meanwhile."""
        self._note_down(f"no answer within {self._limits.patience_s:g} s")
        self._retry_s = inf
        n_spooled = await self._spool_first(n_flying) if n_flying else 0
        while not keeping.done():
            # What follows in the queue must not get ahead of what is still in flight and nowhere else.
            if n_spooled == n_flying:
                await self._divert()
            await asyncio.wait([keeping], timeout=0.05)
        self._retry_s = 0.0
        return n_spooled

    async def _divert(self) -> None:
        """Empty the queue without the store."""
        if self._state is StoreState.DEGRADED or self._is_closing:
            self._refuse_asked("The store is away.")
        n_batches = len(self._queue)
        n_spooled = await self._spool_first(n_batches) if n_batches else 0
        if self._is_closing:
            return  # What found no place is still with its worker, and comes again to whoever is next.
        reason = "spool_failed" if self._is_spool_failing else "spool_full"
        for _ in range(n_batches - n_spooled):
            self._dropped[reason] += self._shift()

    async def _spool_first(self, n_batches: int) -> int:
        """Move the first batches of the queue to the spool; give how many it took."""
        batches = [each.batch for each in islice(self._queue, n_batches)]
        if not self._spool.is_open:
            await self._reopen_spool()
        try:
            n_spooled = await asyncio.to_thread(self._spool.append, batches)
        except OSError as error:
            self._is_spool_failing = True
            self._complain("the spool does not take outcomes", str(error))
            return 0
        self._is_spool_failing = False
        for _ in range(n_spooled):
            self._spooled += self._shift()
        return n_spooled

    async def _reopen_spool(self) -> None:
        try:
            found = await asyncio.to_thread(self._spool.open)
        except OSError as error:
            self._complain("the spool cannot be opened", str(error))
            return
        for each in found:
            mark = self._mark(each.worker, each.boot)
            mark.seen = max(mark.seen, each.last)
            mark.settled = max(mark.settled, each.last)
            self._spooled += each.rows
            self._accepted += each.rows
            self._recovered += each.rows

    async def _read_spool(self) -> Piece:
        rows = 1 if self._n_careful else self._limits.max_group_rows
        try:
            return await asyncio.to_thread(self._spool.read, rows)
        except OSError as error:
            self._note_down(f"the spool cannot be read: {error}")
            return Piece([], 0, 0, 0)

    async def _open_until_open(self) -> None:
        while self._store is None:
            opening = self._tasks.spawn(_open(self._open_store))
            await asyncio.wait([opening], timeout=self._limits.opening_s)
            if not opening.done():
                self._note_down("it takes long to open")
            result = await opening
            if isinstance(result, Exception):
                self._note_down(str(result) or type(result).__name__)
                self._wake()
                await asyncio.sleep(max(self._retry_s - self._clock.now_s(), 0.01))
            else:
                self._store = result
                self._note_up()
                self._wake()

    # The books

    def _mark(self, worker: int, boot: int) -> _Mark:
        key = (worker, boot)
        mark = self._marks.get(key)
        if mark is None:
            mark = self._marks[key] = _Mark()
            if len(self._marks) > MAX_MARKS:
                self._forget_a_mark()
        return mark

    def _forget_a_mark(self) -> None:
        for key, mark in self._marks.items():
            if mark.tell is None and mark.settled == mark.seen:
                del self._marks[key]
                return

    def _fold(self, batches: Iterable[Batch], feedback: Iterable[Feedback] = ()) -> None:
        if self._folder is None:
            return
        try:
            for batch in batches:
                self._folder.fold(batch)
            for piece in feedback:
                self._folder.note_feedback(piece)
        except Exception as error:  # A fault in adding up must not cost the facts themselves.
            self._complain("facts could not be added up", repr(error))

    def _wake(self) -> None:
        self._woken.set()
        if self._queued >= self._limits.group_rows or self._asked:
            self._full.set()

    def _next_batches(self) -> list[Batch]:
        if self._n_careful:
            return [each.batch for each in islice(self._queue, 1)]
        batches, n_rows = list[Batch](), 0
        for each in self._queue:
            n_rows += len(each.batch.outcomes)
            if batches and n_rows > self._limits.max_group_rows:
                break
            batches.append(each.batch)
        return batches

    def _take_asked(self) -> list[_Asked]:
        asked = [
            self._asked.popleft() for _ in range(min(1, len(self._asked)) if self._n_careful else len(self._asked))
        ]
        self._n_asked -= sum(len(one.feedback) for one in asked)
        return asked

    def _shift(self) -> int:
        """Take the first batch off the queue and settle it; give its rows, which the caller counts at once."""
        had_room = self.has_room
        batch, n_bytes = self._queue.popleft()
        n_rows = len(batch.outcomes)
        self._queued -= n_rows
        self._queued_bytes -= n_bytes
        mark = self._mark(batch.worker, batch.boot)
        mark.settled = batch.first + n_rows - 1
        if mark.tell is not None:
            mark.tell(mark.settled)
        if not had_room and self.has_room:
            self.on_room()
        return n_rows

    def _note_result(self, result: list[Receipt] | Exception, attempt: _Attempt) -> None:
        if isinstance(result, StoreError) and not isinstance(result, RefusedError):
            self._note_down(str(result))
            self._refuse(attempt.asked, "The store is away.")
        elif isinstance(result, Exception):
            self._note_unfit(result, attempt)
        else:
            self._note_stored(result, attempt)

    def _note_stored(self, receipts: list[Receipt], attempt: _Attempt) -> None:
        self._n_careful = max(self._n_careful - 1, 0)
        self._note_up()
        for _ in range(attempt.n_flying):
            self._stored += self._shift()
        if attempt.piece is not None:
            self._stored += attempt.piece.rows
            self._forget(attempt.piece)
        start = 0
        for one in attempt.asked:
            mine = receipts[start : start + len(one.feedback)]
            start += len(one.feedback)
            self._feedback.update(map(str, mine))
            self._fold((), (piece for piece, told in zip(one.feedback, mine, strict=True) if told is Receipt.STORED))
            if not one.receipts.done():
                one.receipts.set_result(mine)

    def _note_unfit(self, error: Exception, attempt: _Attempt) -> None:
        """Look at the members of a group one by one; let go of the one that cannot be kept whatever one does."""
        n_members = len(attempt.batches) + len(attempt.asked)
        log.error("the store cannot keep this", exc_info=error, extra={"members": n_members})
        if n_members > 1:
            self._n_careful = n_members
            self._asked.extendleft(reversed(attempt.asked))
            self._n_asked += sum(len(one.feedback) for one in attempt.asked)
            return
        self._n_careful = max(self._n_careful - 1, 0)
        self._refuse(attempt.asked, "The store cannot keep this feedback.")
        if attempt.piece is not None:
            self._dropped["unfit"] += attempt.piece.rows
            self._forget(attempt.piece)
        for _ in range(attempt.n_flying):
            self._dropped["unfit"] += self._shift()

    def _forget(self, piece: Piece) -> None:
        self._spool.forget(piece)
        self._spooled -= piece.rows + piece.lost_rows
        if piece.lost_rows:
            self._dropped["spool_unreadable"] += piece.lost_rows

    def _note_up(self) -> None:
        if self._state is StoreState.DEGRADED:
            log.warning("the store is back", extra={"spooled": self._spooled})
        self._state, self._error = StoreState.OK, None
        self._pause_s, self._retry_s = self._limits.first_pause_s, 0.0

    def _note_down(self, problem: str) -> None:
        self._state, self._error = StoreState.DEGRADED, (problem, self._clock.unix_ms())
        self._retry_s = self._clock.now_s() + self._pause_s
        self._pause_s = min(self._pause_s * 2, self._limits.max_pause_s)
        self._complain("the store does not take facts", problem)

    def _complain(self, what: str, cause: str) -> None:
        now_s = self._clock.now_s()
        if now_s - self._logged_s >= 1.0:
            self._logged_s = now_s
            log.error(what, extra={"cause": cause, "queued": self._queued, "spooled": self._spooled})

    def _refuse_asked(self, problem: str) -> None:
        asked = list(self._asked)
        self._asked.clear()
        self._n_asked = 0
        self._refuse(asked, problem)

    def _refuse(self, asked: Iterable[_Asked], problem: str) -> None:
        for one in asked:
            if not one.receipts.done():
                one.receipts.set_exception(self._refusal(len(one.feedback), problem))

    def _refusal(self, n_pieces: int, problem: str) -> OverloadedError:
        self._feedback["refused"] += n_pieces
        return OverloadedError(problem, code="feedback_unavailable", retry_after_s=RETRY_AFTER_S)


async def _keep(store: FactStore, batches: Sequence[Batch], feedback: Sequence[Feedback]) -> list[Receipt] | Exception:
    try:
        receipts = await store.keep(batches, feedback)
    except Exception as error:  # What it means is for the ledger to say.
        return error
    return receipts if len(receipts) == len(feedback) else RuntimeError("the store gave too few receipts")


async def _open(open_store: OpenStore) -> OpenedStore | Exception:
    try:
        return await open_store()
    except Exception as error:  # Whatever it is, the store is not there, and may be later.
        return error
