"""Numbers add up, and what is read shares nothing with what goes on counting."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SettableClock
from gateway.telemetry.accumulate import IDLE_AFTER_S, OVERFLOW_KEY, Accumulator, Buckets, Histogram, Observation
from gateway.telemetry.instruments import Instrument, Kind

COUNTER = Instrument("toy.counter", Kind.COUNTER, "{toy}", "Toys", ("colour",))
GAUGE = Instrument("toy.gauge", Kind.GAUGE, "1", "Share")
SIZES = Instrument("toy.size", Kind.HISTOGRAM, "By", "Sizes", (), (1.0, 10.0))


def values_of(accumulator: Accumulator, instrument: Instrument) -> dict[tuple[str, ...], object]:
    """Give an instrument's series by key."""
    found = [metric.points for metric in accumulator.snapshot().metrics if metric.instrument is instrument]
    return {point.key: point.value for points in found for point in points}


@pytest.fixture(name="clock")
def _clock() -> SettableClock:
    return SettableClock(unix_ms=1_000)


@pytest.fixture(name="accumulator")
def _accumulator(clock: SettableClock) -> Accumulator:
    return Accumulator(clock, max_series=4)


def test_kinds_differ(accumulator: Accumulator) -> None:
    """Counters add, gauges stand, histograms count by size; a bound belongs to the bucket below."""
    for value in (1, 10, 11):
        accumulator.add(COUNTER, ("red",), value)
        accumulator.add(GAUGE, (), value)
        accumulator.add(SIZES, (), value)
    assert values_of(accumulator, COUNTER) == {("red",): 22}
    assert values_of(accumulator, GAUGE) == {(): 11}
    assert values_of(accumulator, SIZES) == {(): Buckets((1, 1, 1), 3, 22)}


def test_series_is_kept(accumulator: Accumulator) -> None:
    """Who asks for a series twice gets the same one."""
    assert accumulator.scalar(COUNTER, ("red",)) is accumulator.scalar(COUNTER, ("red",))
    assert accumulator.histogram(SIZES) is accumulator.histogram(SIZES)


def test_wrong_key_is_refused(accumulator: Accumulator) -> None:
    """A key of the wrong length is a fault of ours, and nothing is made of it."""
    with pytest.raises(ValueError, match=r"toy\.counter has the attributes"):
        accumulator.scalar(COUNTER, ("red", "green"))
    assert repr(accumulator) == "<Accumulator: 0 series>"


def test_too_many_share_one(accumulator: Accumulator) -> None:
    """Beyond the bound everything goes to one series, and nothing is lost."""
    for number in range(10):
        accumulator.add(COUNTER, (f"colour {number}",), 1)
    values = values_of(accumulator, COUNTER)
    assert len(values) == 5 and values[OVERFLOW_KEY] == 6


def test_snapshot_is_apart(accumulator: Accumulator) -> None:
    """What is counted after a snapshot is not in it."""
    accumulator.add(SIZES, (), 5)
    before = accumulator.snapshot()
    accumulator.add(SIZES, (), 5)
    assert before.metrics[0].points[0].value == Buckets((0, 1, 0), 1, 5)


def test_start_is_remembered(accumulator: Accumulator, clock: SettableClock) -> None:
    """A series tells when it began, a snapshot when it was taken."""
    clock.advance(5)
    accumulator.add(COUNTER, ("red",), 1)
    clock.advance(5)
    snapshot = accumulator.snapshot()
    assert (snapshot.unix_ms, snapshot.metrics[0].points[0].start_unix_ms) == (11_000, 6_000)


def test_sources_are_asked(accumulator: Accumulator) -> None:
    """What is known elsewhere is read at every snapshot."""
    known = [1]
    accumulator.ask(lambda: [Observation(GAUGE, (), known[0])])
    first = values_of(accumulator, GAUGE)
    known[0] = 2
    assert (first, values_of(accumulator, GAUGE)) == ({(): 1}, {(): 2})


def test_broken_source_is_left_out(accumulator: Accumulator, caplog: pytest.LogCaptureFixture) -> None:
    """One source that fails takes nothing else away."""

    def broken() -> Iterator[Observation]:
        yield Observation(GAUGE, (), 1)
        raise RuntimeError("gone")

    accumulator.ask(broken)
    accumulator.ask(lambda: [Observation(COUNTER, ("red",), 2)])
    assert values_of(accumulator, COUNTER) == {("red",): 2}
    assert "a source of metrics failed" in caplog.text


def test_idle_series_make_room(accumulator: Accumulator, clock: SettableClock) -> None:
    """Where it is crowded, what stood still for a day goes; what moved stays."""
    for colour in ("red", "green", "blue"):
        accumulator.add(COUNTER, (colour,), 1)
    accumulator.forget_idle()
    accumulator.add(COUNTER, ("red",), 1)
    clock.advance(IDLE_AFTER_S / 2)
    accumulator.forget_idle()
    clock.advance(IDLE_AFTER_S / 2)
    accumulator.forget_idle()
    assert (values_of(accumulator, COUNTER), accumulator.generation) == ({("red",): 2}, 1)


def test_where_there_is_room_all_stay(accumulator: Accumulator, clock: SettableClock) -> None:
    """A quiet route's numbers are not taken away without need."""
    accumulator.add(COUNTER, ("red",), 1)
    for _ in range(3):
        accumulator.forget_idle()
        clock.advance(IDLE_AFTER_S)
    assert (values_of(accumulator, COUNTER), accumulator.generation) == ({("red",): 1}, 0)


@given(st.lists(st.floats(0, 1e6)))
def test_every_value_is_in_one_bucket(values: list[float]) -> None:
    """Counts are those of a plain search, and none is lost."""
    series = Histogram((1.0, 10.0, 1000.0), 0)
    for value in values:
        series.observe(value)
    bounds = [float("-inf"), *series.bounds, float("inf")]
    expected = [sum(low < v <= high for v in values) for low, high in pairwise(bounds)]
    assert series.counts == expected


@pytest.mark.parametrize("values", [[], [0.5], [1.0, 2.0, 2.0, 9.0, 0.0], [99.0, 3.0, 1.5], [4, 1, 2, 10**9]])
def test_many_at_once(values: list[float]) -> None:
    """Values counted together are in the buckets they would be in one by one, bounds included."""
    together, alone = Histogram((1.0, 2.0, 4.0), 0), Histogram((1.0, 2.0, 4.0), 0)
    together.observe_all(values)
    for value in values:
        alone.observe(value)
    assert (together.counts, together.total) == (alone.counts, alone.total)


def test_read_in_part(accumulator: Accumulator) -> None:
    """One instrument's series can be read alone; what overflowed is nobody's and is left out."""
    for colour in "abcdef":
        accumulator.add(COUNTER, (colour,), 2)
    accumulator.add(SIZES, (), 5)
    assert dict(accumulator.numbers(COUNTER)) == {("a",): 2, ("b",): 2, ("c",): 2, ("d",): 2}
    assert [(key, list(counts)) for key, counts in accumulator.counts(SIZES)] == [((), [0, 1, 0])]
    assert list(accumulator.numbers(GAUGE)) == []
