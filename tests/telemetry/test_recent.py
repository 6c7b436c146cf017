"""What a window brought, from sums that go on counting."""

from __future__ import annotations

import asyncio

import pytest

from gateway.clock import SettableClock
from gateway.telemetry import instruments as metrics
from gateway.telemetry.accumulate import Accumulator
from gateway.telemetry.recent import WINDOW_S, Place, Point, RecentTraffic, Traffic, quantile_of

PLACE = ("support", "v8", "current", "current")
HERE = Place("support", "v8", "current")
CALL = ("chat", "openai", "support", "model-a")


def ask(accumulator: Accumulator, n: int, *, fault: str = "none", reason: str = "bucket") -> None:
    """Count requests."""
    key = (*PLACE, "chat", "support", reason, "2xx", fault)
    accumulator.scalar(metrics.REQUESTS, key).value += n


def made() -> tuple[Accumulator, SettableClock, RecentTraffic]:
    """Give a ring that has just begun, and what it reads."""
    clock = SettableClock(unix_ms=1_000_000)
    accumulator = Accumulator(clock)
    return accumulator, clock, RecentTraffic(accumulator, clock)


def test_only_the_window_counts() -> None:
    """What came before the window is not in it, what came since is."""
    accumulator, clock, recent = made()
    ask(accumulator, 100)
    for _ in range(int(WINDOW_S / 5) + 1):
        clock.advance(5)
        recent.note()
    ask(accumulator, 7, fault="provider")
    read = recent.read()
    assert (read.traffic[HERE].n_requests, read.traffic[HERE].n_errors, read.seen_s) == (7, 7, WINDOW_S)


def test_young_window_says_so() -> None:
    """After a start the window is as long as the process lives."""
    accumulator, clock, recent = made()
    clock.advance(10)
    ask(accumulator, 3, reason="no_user")
    ask(accumulator, 2, fault="client")
    read = recent.read()
    traffic = read.traffic[HERE]
    assert (read.seen_s, traffic.n_requests, traffic.n_errors, traffic.n_without_user) == (10, 5, 0, 3)


def test_every_sum_is_read() -> None:
    """Safety, prices, tokens, times and feedback come from their own series."""
    accumulator, _, recent = made()
    add = accumulator.add
    add(metrics.SAFETY_INCIDENTS, (*PLACE, "refused", ""), 2)
    add(metrics.UNPRICED, PLACE, 1)
    add(metrics.COST_USD, (*PLACE, "false"), 0.5)
    for kind, n in (("input", 30), ("output", 20), ("cached", 10)):
        add(metrics.TOKENS, (*PLACE, kind, "false"), n)
    add(metrics.FEEDBACK, (*HERE, "thumbs", "good"), 4)
    add(metrics.OPERATION_DURATION, (*CALL, *PLACE, ""), 0.3)
    add(metrics.OPERATION_DURATION, (*CALL, *PLACE, "500"), 9.0)
    add(metrics.TIME_TO_FIRST_CHUNK, (*CALL, *PLACE), 0.1)
    traffic = recent.read().traffic[HERE]
    assert (traffic.n_unsafe, traffic.n_unpriced, traffic.cost_usd) == (2, 1, 0.5)
    assert (traffic.tokens_in, traffic.tokens_out, traffic.feedback) == (30, 20, {("thumbs", "good"): 4})
    assert (sum(traffic.latency), sum(traffic.ttft)) == (1, 1)


def test_points_touch() -> None:
    """Every quarter of a minute has a point, also one without a request."""
    accumulator, clock, recent = made()
    for n in (4, 0, 0, 0, 2):
        ask(accumulator, n)
        clock.advance(15)
        recent.note()
    points = recent.read().points["support"]
    assert [point.n_requests for point in points] == [0, 4, 0, 0, 0, 2]
    assert points[1] == Point(1_005, 4, 0)


def test_forgotten_series_is_nothing() -> None:
    """A series that began again at 0 never makes a window negative."""
    assert Traffic(n_requests=2).since(Traffic(n_requests=9)) == Traffic()


def test_idle_sums_are_kept_once() -> None:
    """What has not moved is one object in the whole ring."""
    accumulator, _, recent = made()
    ask(accumulator, 1)
    recent.note()
    recent.note()
    before, after = (noted.sums[HERE] for noted in list(recent._ring)[-2:])
    assert before is after


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([0, 0, 0, 0], None), ([0, 0, 0, 5], 4.0), ([4, 0, 0, 0], 0.70710678), ([2, 2, 0, 0], 1.0)],
)
def test_quantile(counts: list[int], expected: float | None) -> None:
    """The median lies within its bucket, at the last bound where it is beyond, nowhere without a value."""
    assert quantile_of(counts, (1.0, 2.0, 4.0), 0.5) == (None if expected is None else pytest.approx(expected))


async def test_runs_until_cancelled() -> None:
    """The ring is filled beside everything else, and ends when told."""
    _, _, recent = made()
    task = asyncio.ensure_future(recent.run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
