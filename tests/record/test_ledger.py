"""Whatever the store does, each outcome is stored once, or counted where it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clock import SystemClock
from gateway.errors import OverloadedError
from gateway.record.account import StoreState
from gateway.record.batch import StoreError
from gateway.record.feedback import Receipt
from gateway.record.ledger import Ledger, LedgerLimits
from gateway.record.spool import Spool
from tests.fakes.facts import FoldList, MemoryStore, batch_of, feedback_of

QUICK = LedgerLimits(group_s=0.001, patience_s=0.05, first_pause_s=0.005, max_pause_s=0.02)
SMALL = LedgerLimits(group_s=0.001, patience_s=0.05, first_pause_s=60.0, max_pause_s=60.0, max_queued_rows=10)


@asynccontextmanager
async def ledger_on(
    store: MemoryStore,
    file: Path,
    *,
    limits: LedgerLimits = QUICK,
    max_rows: int = 100_000,
    folder: FoldList | None = None,
    open_store: Callable[[], Awaitable[MemoryStore]] | None = None,
) -> AsyncIterator[Ledger]:
    """Give a ledger at work."""

    async def opened() -> MemoryStore:
        return store

    spool = Spool(file, max_rows=max_rows)
    ledger = Ledger(open_store or opened, spool, clock=SystemClock(), folder=folder, limits=limits)
    ledger.open()
    try:
        yield ledger
    finally:
        await ledger.close(1.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give where the spool may be."""
    return tmp_path / "spool"


@pytest.fixture
async def store() -> MemoryStore:
    """Give a store that works."""
    return MemoryStore()


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - what is waited for is a writer at work
            await asyncio.sleep(0.002)


async def is_down(ledger: Ledger) -> None:
    """Wait until the store is known to be away."""
    await until(lambda: ledger.account().store is StoreState.DEGRADED)


async def test_stores_in_groups(store: MemoryStore, file: Path) -> None:
    """What comes together is one transaction, and the worker is told once it is done."""
    told = list[int]()
    async with ledger_on(store, file) as ledger:
        ledger.join(0, 7, told.append)
        for n in range(4):
            ledger.offer(batch_of(1 + 10 * n, 10), 100)
        await until(lambda: ledger.account().stored == 40)
    assert store.groups == [(4, 0)] and told == [0, 10, 20, 30, 40] and store.is_closed


async def test_repeats_are_taken_once(store: MemoryStore, file: Path) -> None:
    """A batch sent twice, whole or overlapping, is stored, counted and folded once, and told of again."""
    folder, told = FoldList(), list[int]()
    async with ledger_on(store, file, folder=folder) as ledger:
        assert [ledger.offer(batch_of(1, 10), 100), ledger.offer(batch_of(1, 10), 100)] == [10, 0]
        assert ledger.offer(batch_of(6, 10), 100) == 5
        await until(lambda: ledger.account().stored == 15)
        ledger.join(0, 7, told.append)
        ledger.offer(batch_of(6, 10), 100)
        assert ledger.account().repeated == 25
    assert told == [15, 15] and max(store.counts.values()) == 1 and len(folder.routes) == 15


async def test_failing_store_spools(store: MemoryStore, file: Path) -> None:
    """While the store fails outcomes are on disk, and later in the store in their order."""
    store.failures = -1
    async with ledger_on(store, file) as ledger:
        for n in range(5):
            ledger.offer(batch_of(1 + 10 * n, 10), 100)
        await until(lambda: ledger.account().spooled == 50)
        assert ledger.account().store is StoreState.DEGRADED and ledger.account().store_error == "the fake store fails"
        store.failures = 0
        await until(lambda: ledger.account().stored == 50)
        assert ledger.account().store is StoreState.OK and ledger.account().spool_bytes == 0
    assert [row.route for row in store.rows] == [f"0/7/{n}" for n in range(1, 51)]


async def test_hanging_store_spools(store: MemoryStore, file: Path) -> None:
    """An attempt that hangs holds nobody up; what it did after all is not done again."""
    store.gate.clear()
    async with ledger_on(store, file) as ledger:
        ledger.offer(batch_of(1, 10), 100)
        await until(lambda: store.groups)
        ledger.offer(batch_of(11, 10), 100)
        await until(lambda: ledger.account().spooled == 20)
        store.gate.set()
        await until(lambda: ledger.account().stored == 20)
    assert len(store.groups) >= 2 and set(store.counts.values()) == {1} and len(store.rows) == 20


async def test_missing_at_the_start(store: MemoryStore, file: Path) -> None:
    """A store that cannot be opened at first is opened later, by itself."""
    attempts = list[int]()

    async def opened() -> MemoryStore:
        attempts.append(1)
        if len(attempts) < 4:
            message = "no such place"
            raise StoreError(message)
        return store

    async with ledger_on(store, file, open_store=opened) as ledger:
        ledger.offer(batch_of(1, 10), 100)
        await until(lambda: ledger.account().stored == 10)
    assert len(attempts) == 4


async def test_spool_outlives_its_process(store: MemoryStore, file: Path) -> None:
    """The next ledger stores what the last one spooled, knows what comes again, and counts it as recovered."""
    store.failures = -1
    async with ledger_on(store, file) as ledger:
        ledger.offer(batch_of(1, 10), 100)
    store.failures, store.groups = 0, []
    async with ledger_on(store, file) as ledger:
        await until(lambda: ledger.account().stored == 10)
        assert ledger.offer(batch_of(1, 12), 100) == 2
        assert (ledger.account().recovered, ledger.account().accepted) == (10, 12)
    assert set(store.counts.values()) == {1} and len(store.rows) == 12


async def test_full_spool_drops_and_counts(store: MemoryStore, file: Path) -> None:
    """What the spool does not take is dropped by reason; its worker need not keep it."""
    store.failures, told = -1, list[int]()
    async with ledger_on(store, file, limits=SMALL, max_rows=25) as ledger:
        ledger.join(0, 7, told.append)
        for n in range(4):
            ledger.offer(batch_of(1 + 10 * n, 10), 100)
        await until(lambda: ledger.account().queued == 0)
        account = ledger.account()
    assert (account.spooled, account.dropped, told[-1]) == (20, {"spool_full": 20}, 40) and account.is_balanced


async def test_broken_spool_drops_and_counts(store: MemoryStore, tmp_path: Path) -> None:
    """Without store and spool facts are lost, counted, and nothing stands still."""
    store.failures = -1
    async with ledger_on(store, tmp_path / "nowhere" / "spool", limits=SMALL) as ledger:
        ledger.offer(batch_of(1, 10), 100)
        await until(lambda: ledger.account().dropped == {"spool_failed": 10})


async def test_unfit_outcome_costs_its_batch(store: MemoryStore, file: Path) -> None:
    """What the store can never keep is let go of, counted, and its neighbours are stored."""
    store.unfit = "0/7/15"
    async with ledger_on(store, file) as ledger:
        for n in range(4):
            ledger.offer(batch_of(1 + 10 * n, 10), 100)
        assert await ledger.keep_feedback([feedback_of("a")]) == [Receipt.STORED]
        await until(lambda: ledger.account().queued == 0)
        assert ledger.account().dropped == {"unfit": 10} and ledger.account().stored == 30


async def test_unfit_in_the_spool(store: MemoryStore, file: Path) -> None:
    """The same when it comes back from the spool."""
    store.unfit, store.failures = "0/7/15", -1
    async with ledger_on(store, file) as ledger:
        for n in range(4):
            ledger.offer(batch_of(1 + 10 * n, 10), 100)
        await until(lambda: ledger.account().spooled == 40)
        store.failures = 0
        await until(lambda: ledger.account().spooled == 0)
        assert ledger.account().dropped == {"unfit": 10} and ledger.account().stored == 30


async def test_feedback_is_kept(store: MemoryStore, file: Path) -> None:
    """A receipt per piece, in order; what was new is added up."""
    folder = FoldList()
    async with ledger_on(store, file, folder=folder) as ledger:
        assert await ledger.keep_feedback([feedback_of("a"), feedback_of("b")]) == [Receipt.STORED] * 2
        pieces = [feedback_of("a"), feedback_of("b", 0.0)]
        assert await ledger.keep_feedback(pieces) == [Receipt.REPEATED, Receipt.CONFLICT]
        assert ledger.account().feedback == {"stored": 2, "repeated": 1, "conflict": 1}
    assert folder.ids == ["a", "b"]


async def test_feedback_is_refused_without_store(store: MemoryStore, file: Path) -> None:
    """While the store is away feedback is 503 at once, for it is never spooled."""
    store.failures = -1
    async with ledger_on(store, file, limits=SMALL) as ledger:
        for _ in range(2):
            with pytest.raises(OverloadedError) as caught:
                await ledger.keep_feedback([feedback_of("a")])
            assert (caught.value.code, caught.value.status) == ("feedback_unavailable", 503)
        assert ledger.account().feedback == {"refused": 2} and len(store.groups) == 1


async def test_feedback_waits_for_the_opening(store: MemoryStore, file: Path) -> None:
    """What comes while the store opens for the first time is kept as soon as it is open."""
    may_open = asyncio.Event()

    async def opened() -> MemoryStore:
        await may_open.wait()
        return store

    async with ledger_on(store, file, open_store=opened) as ledger:
        keeping = asyncio.ensure_future(ledger.keep_feedback([feedback_of("a")]))
        await asyncio.sleep(0.01)
        may_open.set()
        assert await keeping == [Receipt.STORED]


async def test_no_room_is_said(store: MemoryStore, file: Path) -> None:
    """A full queue says so, and says when it has room again."""
    store.gate.clear()
    async with ledger_on(store, file, limits=SMALL) as ledger:
        rooms = list[bool]()
        ledger.on_room = lambda: rooms.append(ledger.has_room)
        ledger.offer(batch_of(1, 10), 100)
        assert not ledger.has_room
        store.gate.set()
        await until(lambda: ledger.has_room)
        assert rooms == [True]


async def test_losses_of_workers_balance(store: MemoryStore, file: Path) -> None:
    """What a worker could not keep is in the books as well."""
    async with ledger_on(store, file) as ledger:
        ledger.note_losses("worker_rows", 7)
        assert ledger.account().dropped == {"worker_rows": 7} and ledger.account().is_balanced


async def test_broken_fold_costs_no_fact(store: MemoryStore, file: Path) -> None:
    """What cannot be added up is stored all the same."""
    folder = FoldList()
    folder.is_broken = True
    async with ledger_on(store, file, folder=folder) as ledger:
        ledger.offer(batch_of(1, 10), 100)
        await until(lambda: ledger.account().stored == 10)


async def test_closing_keeps_what_is_queued(store: MemoryStore, file: Path) -> None:
    """At the end the queue goes to the store, or to the spool when there is none."""
    async with ledger_on(store, file) as ledger:
        await until(lambda: ledger.account().store is StoreState.OK)
        ledger.offer(batch_of(1, 10), 100)
    assert len(store.rows) == 10
    store.failures = -1
    async with ledger_on(store, file) as ledger:
        ledger.offer(batch_of(11, 10), 100)
    spool = Spool(file)
    assert [each.last for each in spool.open()] == [20]
    spool.close()


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30)), max_size=40))
def test_books_always_balance(seed: int, steps: list[tuple[int, int]]) -> None:
    """With a store that fails at random the books balance at every moment, and each row is in one place."""

    async def run(folder: Path) -> None:
        chance = Random(seed)
        store = MemoryStore(chance=chance)
        async with ledger_on(store, folder / "spool", max_rows=200) as ledger:
            nexts = [1, 1, 1]
            for worker, n_rows in steps:
                first = max(1, nexts[worker] - chance.choice([0, 0, 0, 5]))
                ledger.offer(batch_of(first, n_rows, worker=worker), 100)
                nexts[worker] = max(nexts[worker], first + n_rows)
                assert ledger.account().is_balanced
                await asyncio.sleep(chance.choice([0, 0, 0.003]))
                assert ledger.account().is_balanced
            await until(lambda: not ledger.account().queued and not ledger.account().spooled)
            account = ledger.account()
        assert account.is_balanced and account.stored == len(store.rows)
        assert account.accepted == sum(nexts) - 3 and set(store.counts.values()) <= {1}

    with TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


async def test_slow_opening_spools(store: MemoryStore, file: Path) -> None:
    """A store that takes its time to open leaves outcomes on disk meanwhile, not in memory."""
    may_open = asyncio.Event()

    async def opened() -> MemoryStore:
        await may_open.wait()
        return store

    limits = LedgerLimits(group_s=0.001, hold_s=0.01)
    async with ledger_on(store, file, open_store=opened, limits=limits) as ledger:
        ledger.offer(batch_of(1, 10), 100)
        await until(lambda: ledger.account().spooled == 10)
        assert ledger.account().store is StoreState.OPENING
        may_open.set()
        await until(lambda: ledger.account().stored == 10)
    assert set(store.counts.values()) == {1}
