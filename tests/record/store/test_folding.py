"""Whatever fails, and whenever, each outcome is in the derived tables exactly once."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.clock import SettableClock, SystemClock
from gateway.record.batch import Batch, StoreError
from gateway.record.folded import fold
from gateway.record.rollup import SegmentNames
from gateway.record.store.engine import Location, location_of
from gateway.record.store.reader import ArmKey, Within
from gateway.record.store.store import Store
from tests.record.store.making import NOW_UNIX_MS, batch, feedback, outcome

ARM = ArmKey("support-concise", 2, "concise")


def batches_of(n_batches: int, n_rows: int = 30) -> list[Batch]:
    """Give batches whose outcomes differ in unit, minute and segment."""
    numbers = range(n_batches * n_rows)
    rows = [
        outcome(1 + n * 7 % 40, unix_ms=NOW_UNIX_MS + n * 900, segments={"app": str(n % 60)}, duration_ms=float(n % 13))
        for n in numbers
    ]
    return [batch(*rows[start : start + n_rows], first=start + 1) for start in numbers[::n_rows]]


async def assert_exact(store: Store, kept: list[Batch]) -> None:
    """See to it that what is derived is what follows from the batches, to the last digit."""
    folded = fold([each for one in kept for each in one.outcomes])
    assert {key: sums async for key, sums in store.reader.unit_days(ARM.release)} == folded.unit_days()
    rollups = {key: rollup async for key, rollup in store.reader.rollups(0, segment="")}
    assert rollups == {key: each for key, each in folded.rollups(SegmentNames()).items() if not key.segment}
    n_in_segments = sum([each.sums.requests async for key, each in store.reader.rollups(0) if key.segment])
    assert n_in_segments == sum(len(one.outcomes) for one in kept)
    shown = {row.unit_hash: row.first_unix_ms async for row in store.reader.exposures(Within())}
    assert shown == {key.unit_hash: each.first_unix_ms for key, each in folded.exposures().items()}


@contextmanager
def failing(schedule: Iterator[bool]) -> Iterator[None]:
    """Let statements and commits fail as the schedule says: before they are done, or after."""

    def fail(*_: object) -> None:
        if next(schedule, False):
            message = "injected"
            raise OSError(message)

    events = ("before_cursor_execute", "after_cursor_execute")
    for name in events:
        sa.event.listen(sa.Engine, name, fail)
    sa.event.listen(sa.Engine, "commit", fail)
    try:
        yield
    finally:
        for name in (*events, "commit"):
            sa.event.remove(sa.Engine, name, fail)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.sampled_from(["keep", "keep", "settle", "crash", "another"]), min_size=1, max_size=12),
    st.lists(st.integers(0, 25), max_size=12),
)
def test_exactly_once(steps: list[str], gaps: list[int]) -> None:
    """Statements and commits that fail anywhere, crashes and a second writer in between: nothing is lost or doubled."""
    with tempfile.TemporaryDirectory() as folder:
        location = location_of(None, Path(folder))
        shutil.copy(empty_store(), Path(folder) / "facts.sqlite")
        asyncio.run(run_steps(location, steps, gaps))


@cache
def empty_store() -> Path:
    """Give a store's file without anything in it, for making one takes as long as all the rest."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-store-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    async def make() -> None:
        store = Store(location_of(None, folder), clock=SettableClock())
        await store.open()
        await store.close()

    asyncio.run(make())
    return folder / "facts.sqlite"


class Flaky(Store):
    """A store that fails before it does something, or after it did it and before anybody is told."""

    schedule: Iterator[bool] = iter(())

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        async with super()._guarded():
            if next(self.schedule, False):
                message = "injected"
                raise OSError(message)
            yield
            if next(self.schedule, False):
                message = "injected: the answer is lost"
                raise OSError(message)


async def run_steps(location: Location, steps: list[str], gaps: list[int]) -> None:
    """Do the steps while things fail, then all that is missing, and compare."""
    schedule = iter([flag for gap in gaps for flag in (*[False] * gap, True)])

    def make() -> Store:
        store = Flaky(location, clock=SettableClock(), fold_every_s=3_600)
        store._folding._step = 9
        store.schedule = schedule
        return store

    stores = [make() for _ in range(2)]
    todo, at = batches_of(sum(step in ("keep", "another") for step in steps)), 0
    with failing(schedule):
        for step in steps:
            with suppress(StoreError):
                if step == "settle":
                    await stores[0].settle()
                elif step == "crash":
                    # What it had in memory is gone; its connection is closed so that the test leaks none.
                    await stores[0]._abandon()
                    await stores[0].reader.close()
                    stores[0] = make()
                else:
                    await stores[step == "another"].keep([todo[at]], [])
                    at += 1
    for _ in schedule:
        pass
    for store in stores:
        await store.keep(todo, [])
        await store.settle()
    await assert_exact(stores[0], todo)
    for store in stores:
        await store.close()


@pytest.mark.parametrize("step", [1, 7, 100])
async def test_pieces(store: Store, step: int) -> None:
    """A fold that is written in pieces, and left off after each, is gone on with by whoever is next."""
    kept = batches_of(4)
    await store.keep(kept, [])
    for _ in range(200):
        another = Store(store.location, clock=SettableClock(), fold_every_s=3_600)
        another._folding._step = step
        left = iter([False, True])
        await another._folding.write(is_over=lambda left=left: next(left))  # type: ignore[misc]
        is_done = not another._folding.has_pending
        another._folding._frozen = another._folding._growing = None
        await another.close()
        if is_done:
            break
    await assert_exact(store, kept)


async def test_two_write_one_fold(store: Store, clock: SettableClock) -> None:
    """Two writers may write pieces of the same fold in turn: neither overwrites what the other added."""
    kept = batches_of(4)
    await store.keep(kept, [])
    both = [Store(store.location, clock=clock, fold_every_s=3_600) for _ in range(2)]
    for turn in range(40):
        both[turn % 2]._folding._step = 16
        left = iter([False, True])
        await both[turn % 2]._folding.write(is_over=lambda left=left: next(left))  # type: ignore[misc]
    for each in both:
        await each.settle()
    await assert_exact(store, kept)
    for each in both:
        await each.close()


async def test_what_comes_in_between(store: Store, clock: SettableClock) -> None:
    """Two writers of one store take turns, and each folds what the other kept."""
    other = Store(store.location, clock=clock, fold_every_s=3_600)
    kept = batches_of(6)
    for number, each in enumerate(kept):
        await (store, other)[number % 2].keep([each], [])
        if number % 3 == 2:
            await (store, other)[number % 2].settle()
    await asyncio.gather(store.settle(), other.settle())
    await assert_exact(store, kept)
    await other.close()


async def test_written_by_itself(location: Location, clock: SettableClock) -> None:
    """Nobody has to ask: a little later it is there."""
    store = Store(location, clock=clock, fold_every_s=0.05)
    await store.keep([batch(outcome())], [])
    async with asyncio.timeout(10):
        while not await store.reader.totals("support-concise"):  # noqa: ASYNC110  # nobody is told
            await asyncio.sleep(0.02)
    await store.close()


async def test_closing_writes(location: Location, clock: SettableClock, store: Store) -> None:
    """A store that is closed has written what waited."""
    other = Store(location, clock=clock)
    await other.keep([batch(outcome())], [])
    await other.close()
    assert (await store.reader.totals("support-concise"))[ARM].requests == 1


async def test_feedback_finds_a_waiting_exposure(store: Store) -> None:
    """Feedback by user that comes before its exposure is written is about it all the same."""
    await store.keep([batch(outcome())], [])
    await store.keep([], [feedback(by_user=True)])
    await store.settle()
    assert [row.arm async for row in store.reader.feedback(Within())] == ["concise"]


async def test_unfolded_outcomes_stay(store: Store, clock: SettableClock) -> None:
    """Retention takes nothing that is still needed, however old."""
    await store.keep([batch(outcome())], [])
    clock.advance(400 * 86_400)
    assert (await store.tend()).outcomes == 0
    await store.settle()
    assert (await store.tend()).outcomes == 1


WRITER = """
import asyncio, sys
from pathlib import Path
from gateway.clock import SystemClock
from gateway.record.store.engine import location_of
from gateway.record.store.store import Store
from tests.record.store.test_folding import batches_of

async def main():
    store = Store(location_of(None, Path(sys.argv[1])), clock=SystemClock(), fold_every_s=0.01)
    for each in batches_of(400):
        await store.keep([each], [])
        sys.stdout.write("kept\\n")
        sys.stdout.flush()

asyncio.run(main())
"""


def run_and_kill(state: Path, after_s: float) -> int:
    """Run a writer and kill it; give how many batches it said were kept."""
    command = [sys.executable, "-c", WRITER, str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None and writer.stdout.readline()
        time.sleep(after_s)
        os.kill(writer.pid, signal.SIGKILL)
        return 1 + len(writer.stdout.read().splitlines())


@pytest.mark.parametrize("after_s", [0.05, 0.15, 0.4])
async def test_killed(tmp_path: Path, after_s: float) -> None:
    """A writer that is killed loses nothing it acknowledged, and doubles nothing."""
    n_kept = await asyncio.to_thread(run_and_kill, tmp_path, after_s)
    store = Store(location_of(None, tmp_path), clock=SystemClock())
    await store.settle()
    n_there = (await store.reader.count("outcomes", Within())) // 30
    assert n_there >= n_kept
    await assert_exact(store, batches_of(400)[:n_there])
    await store.keep(batches_of(400), [])
    await store.settle()
    await assert_exact(store, batches_of(400))
    await store.close()


async def test_nobody_waits_long_for_a_fold(tmp_path: Path) -> None:
    """While twenty thousand units are written, whoever keeps something gets a turn between pieces."""
    store = Store(location_of(None, tmp_path), clock=SystemClock(), fold_every_s=3_600)
    await store.keep([batch(*[outcome(number) for number in range(1, 15_000)])], [])
    writing = asyncio.ensure_future(store.settle())
    waits, first = [], 15_000
    while not writing.done():
        began_s = time.monotonic()
        await store.keep([batch(outcome(), first=first)], [])
        waits.append(time.monotonic() - began_s)
        first += 1
    await writing
    await store.close()
    # Of a piece, 50 ms at most, and its own commit, on a machine that others use too.
    assert len(waits) > 5 and sorted(waits)[len(waits) // 2] < 0.2
