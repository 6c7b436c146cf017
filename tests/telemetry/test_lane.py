"""A lane never makes anybody wait, and counts what it loses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from gateway.clock import SettableClock
from gateway.telemetry.lane import COMPLAINS_EVERY_S, Lane
from gateway.telemetry.otlp import BatchLimits

WITHIN_S = 10.0


class Collector:
    """A sender that can be held up or made to fail."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.fails = False
        self.is_closed = threading.Event()
        self.on_send: Callable[[], None] = lambda: None
        self.gate.set()

    def send(self, batch: Sequence[int]) -> None:
        self.arrived.release()
        assert self.gate.wait(WITHIN_S)
        self.on_send()
        if self.fails:
            raise RuntimeError("refused")
        self.batches.append(list(batch))

    def close(self) -> None:
        self.is_closed.set()


@pytest.fixture(name="collector")
def _collector() -> Collector:
    return Collector()


@pytest.fixture(name="clock")
def _clock() -> SettableClock:
    return SettableClock()


Make = Callable[..., Lane[int]]


@pytest.fixture(name="lane_of")
def _lane_of(collector: Collector, clock: SettableClock) -> Iterator[Make]:
    made: list[Lane[int]] = []

    def make(*, keeps_newest: bool = False, **limits: float) -> Lane[int]:
        kept = BatchLimits(**({"delay_s": 0.0} | limits))  # type: ignore[arg-type]
        lane = Lane("toys", lambda: collector, limits=kept, clock=clock, keeps_newest=keeps_newest)
        made.append(lane)
        return lane

    yield make
    collector.gate.set()
    for lane in made:
        lane.close(WITHIN_S)


def test_everything_arrives_in_order(lane_of: Make, collector: Collector) -> None:
    """What is offered is sent, once, in order, in batches no larger than allowed."""
    lane = lane_of(max_batch=10)
    lane.open()
    for number in range(100):
        lane.offer(number)
    lane.close(WITHIN_S)
    assert [number for batch in collector.batches for number in batch] == list(range(100))
    assert max(map(len, collector.batches)) <= 10 and collector.is_closed.is_set()


def test_full_queue_drops(lane_of: Make, collector: Collector) -> None:
    """While the collector hangs nobody waits: what does not fit is counted."""
    collector.gate.clear()
    lane = lane_of(max_queue=5, max_batch=1)
    lane.open()
    lane.offer(0)
    assert collector.arrived.acquire(timeout=WITHIN_S)
    for number in range(1, 20):
        lane.offer(number)
    collector.gate.set()
    lane.close(WITHIN_S)
    assert ([each for batch in collector.batches for each in batch], lane.n_dropped) == ([0, 1, 2, 3, 4, 5], 14)


def test_newest_may_be_kept(lane_of: Make, collector: Collector) -> None:
    """Where the newest says it all, the older one goes, and that is no loss."""
    collector.gate.clear()
    lane = lane_of(max_queue=1, max_batch=1, keeps_newest=True)
    lane.open()
    lane.offer(0)
    assert collector.arrived.acquire(timeout=WITHIN_S)
    for number in range(1, 20):
        lane.offer(number)
    collector.gate.set()
    lane.close(WITHIN_S)
    assert (collector.batches, lane.n_dropped) == ([[0], [19]], 0)


def test_batches_wait_for_company(lane_of: Make, collector: Collector) -> None:
    """A batch goes when it is full, long before its delay is over."""
    lane = lane_of(max_batch=3, delay_s=60.0)
    lane.open()
    for number in range(3):
        lane.offer(number)
    assert collector.arrived.acquire(timeout=WITHIN_S)


def test_failure_is_said_once_a_minute(
    lane_of: Make, collector: Collector, clock: SettableClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A collector that is away costs a line a minute, and everything is counted."""
    collector.fails = True
    collector.on_send = lambda: clock.advance(COMPLAINS_EVERY_S / 2)
    lane = lane_of(max_batch=1)
    for number in range(5):
        lane.offer(number)
    lane.open()
    lane.close(WITHIN_S)
    assert (lane.n_failed, lane.n_dropped, lane.n_sent) == (5, 5, 0)
    assert [vars(record)["cause"] for record in caplog.records] == ["RuntimeError: refused"] * 3


def test_bad_exporter_is_no_end(clock: SettableClock, caplog: pytest.LogCaptureFixture) -> None:
    """An exporter that cannot be made is said in the log, and offers go on to be taken."""

    def broken() -> Collector:
        raise ValueError("no such certificate")

    lane = Lane[int]("toys", broken, limits=BatchLimits(max_queue=2), clock=clock)
    lane.open()
    lane.close(WITHIN_S)
    for number in range(3):
        lane.offer(number)
    assert lane.n_dropped == 1 and "OTLP export failed" in caplog.text


def test_hanging_collector_is_left(lane_of: Make, collector: Collector) -> None:
    """Closing waits so long and no longer, and tells the exporter to give up."""
    collector.gate.clear()
    lane = lane_of(max_batch=1)
    lane.open()
    lane.offer(0)
    assert collector.arrived.acquire(timeout=WITHIN_S)
    lane.close(0.05)
    assert collector.is_closed.is_set()


def test_never_opened_closes(lane_of: Make) -> None:
    """A lane that was never opened is closed at once, and says what went through."""
    lane = lane_of()
    lane.close(WITHIN_S)
    assert repr(lane) == "<Lane toys: 0 sent, 0 failed, 0 dropped>"
