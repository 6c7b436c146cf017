"""
Where metrics add up: plain numbers and lists, 50 times cheaper than an SDK's instruments.

Writers ask once for a series and keep it; readers take a snapshot, which shares nothing with what
goes on counting. What is known elsewhere already (workers, weights, the queue) is not written here but
asked for at each snapshot. Not thread-safe: writers and `snapshot` belong to one loop, snapshots to anyone.
"""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.clock import Clock
from gateway.telemetry.instruments import MAX_SERIES, Instrument, Kind

log = logging.getLogger(__name__)

Key = tuple[str, ...]
"""A series' attribute values in the order of `Instrument.attributes`; "" where there is none."""

Number = int | float

OVERFLOW_KEY: Key = ("\x00overflow",)
"""The key of the series that takes what comes after MAX_SERIES; no instrument's attributes can make it."""

IDLE_AFTER_S = 24 * 3600.0
"""A series that has stood still for so long may be forgotten to make room."""


class Scalar:
    """
    One series of a counter or gauge.

    Attributes:
        value: Added to or set by whoever holds the series.
        start_unix_ms: When it began at 0.
    """

    __slots__ = ("start_unix_ms", "value")

    def __init__(self, start_unix_ms: int) -> None:
        self.value: Number = 0
        self.start_unix_ms = start_unix_ms


class Histogram:
    """
    One series of a histogram.

    Attributes:
        counts: Values per bucket, one more than there are bounds.
        total: Sum of the values.
        start_unix_ms: When it began empty.
    """

    __slots__ = ("bounds", "counts", "start_unix_ms", "total")

    def __init__(self, bounds: tuple[float, ...], start_unix_ms: int) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total: Number = 0
        self.start_unix_ms = start_unix_ms

    def observe(self, value: Number) -> None:
        """Count one value; a bound belongs to the bucket below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def observe_all(self, values: Sequence[Number]) -> None:
        """Count values as `observe` does one by one; many of them in a fraction of the time."""
        if not values:
            return
        # To sort them costs less than to look for each one's bucket.
        ordered, counts, size = sorted(values), self.counts, len(values)
        n_below = 0
        for bucket in range(bisect_left(self.bounds, ordered[0]), len(self.bounds)):
            n_up_to = bisect_right(ordered, self.bounds[bucket], n_below)
            counts[bucket] += n_up_to - n_below
            n_below = n_up_to
            if n_below == size:
                break
        counts[-1] += size - n_below
        self.total += sum(values)


class Observation(NamedTuple):
    """
    One number that is known elsewhere.

    Attributes:
        instrument: A counter or gauge.
        key: Its attributes' values.
        value: As it stands now.
    """

    instrument: Instrument
    key: Key
    value: Number


Source = Callable[[], Iterable[Observation]]
"""Asked at each snapshot; must answer at once."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """
    A histogram series as it stood.

    Attributes:
        counts: Values per bucket, not cumulated.
        count: All of them.
        total: Their sum.
    """

    counts: tuple[int, ...]
    count: int
    total: Number


@dataclass(frozen=True, slots=True)
class Point:
    """
    One series as it stood.

    Attributes:
        key: Its attributes' values, or OVERFLOW_KEY.
        start_unix_ms: When it began at 0.
        value: A number; Buckets of a histogram.
    """

    key: Key
    start_unix_ms: int
    value: Number | Buckets


@dataclass(frozen=True, slots=True)
class MetricSnapshot:
    """One instrument's series as they stood; at least one."""

    instrument: Instrument
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    Every series as it stood at one moment.

    Attributes:
        unix_ms: When.
        metrics: In the order of first use.
    """

    unix_ms: int
    metrics: tuple[MetricSnapshot, ...]


class Accumulator:
    """
    Every series of this process.

    Attributes:
        generation: Counts up when series were forgotten; whoever keeps series asks for them anew then.
        max_series: Per instrument; what comes after shares one.
    """

    def __init__(self, clock: Clock, *, max_series: int = MAX_SERIES) -> None:
        self.generation = 0
        self.max_series = max_series
        self._clock = clock
        self._scalars: dict[Instrument, dict[Key, Scalar]] = {}
        self._histograms: dict[Instrument, dict[Key, Histogram]] = {}
        self._sources: list[Source] = []
        self._start_unix_ms = clock.unix_ms()
        self._seen: dict[tuple[Instrument, Key], tuple[Number, float]] = {}

    def __repr__(self) -> str:
        """Give how much there is."""
        n_series = sum(map(len, self._scalars.values())) + sum(map(len, self._histograms.values()))
        return f"<Accumulator: {n_series} series>"

    def scalar(self, instrument: Instrument, key: Key = ()) -> Scalar:
        """Give a counter's or gauge's series, to be kept and written to."""
        of_one = self._scalars.get(instrument)
        if of_one is None:
            of_one = self._scalars[instrument] = {}
        series = of_one.get(key)
        if series is None:
            key = self._admitted(of_one, instrument, key)
            series = of_one.setdefault(key, Scalar(self._clock.unix_ms()))
        return series

    def histogram(self, instrument: Instrument, key: Key = ()) -> Histogram:
        """Give a histogram's series, to be kept and written to."""
        of_one = self._histograms.get(instrument)
        if of_one is None:
            of_one = self._histograms[instrument] = {}
        series = of_one.get(key)
        if series is None:
            key = self._admitted(of_one, instrument, key)
            series = of_one.setdefault(key, Histogram(instrument.bounds, self._clock.unix_ms()))
        return series

    def add(self, instrument: Instrument, key: Key, value: Number) -> None:
        """Add to a counter, count in a histogram, set a gauge."""
        if instrument.kind is Kind.HISTOGRAM:
            self.histogram(instrument, key).observe(value)
        elif instrument.kind is Kind.COUNTER:
            self.scalar(instrument, key).value += value
        else:
            self.scalar(instrument, key).value = value

    def ask(self, source: Source) -> None:
        """Ask `source` at every snapshot from now on."""
        self._sources.append(source)

    def numbers(self, instrument: Instrument) -> Iterator[tuple[Key, Number]]:
        """Give a counter's or gauge's series as they stand, without what overflowed; to be read at once."""
        for key, series in self._scalars.get(instrument, {}).items():
            if key != OVERFLOW_KEY:
                yield key, series.value

    def counts(self, instrument: Instrument) -> Iterator[tuple[Key, Sequence[int]]]:
        """Give a histogram's values per bucket, likewise; the lists are the ones that go on counting."""
        for key, series in self._histograms.get(instrument, {}).items():
            if key != OVERFLOW_KEY:
                yield key, series.counts

    def snapshot(self) -> Snapshot:
        """Give every series as it stands; a source that fails is left out and said in the log."""
        points: dict[Instrument, list[Point]] = {}
        for instrument, scalars in self._scalars.items():
            points[instrument] = [Point(key, each.start_unix_ms, each.value) for key, each in scalars.items()]
        for instrument, histograms in self._histograms.items():
            points[instrument] = [Point(key, each.start_unix_ms, _buckets_of(each)) for key, each in histograms.items()]
        for observation in self._observed():
            # Not bounded: what is known elsewhere is as many as the configuration has routes or the parent workers.
            of_one = points.setdefault(observation.instrument, [])
            of_one.append(Point(observation.key, self._start_unix_ms, observation.value))
        metrics = (MetricSnapshot(instrument, tuple(each)) for instrument, each in points.items() if each)
        return Snapshot(self._clock.unix_ms(), tuple(metrics))

    def forget_idle(self) -> None:
        """
        Make room in instruments that are half full: drop what has stood still for a day.

        Without it, every release there ever was would keep its series, and the newest would overflow.
        Called now and then; a series that comes back begins at 0 with a new start time.
        """
        now_s = self._clock.now_s()
        seen: dict[tuple[Instrument, Key], tuple[Number, float]] = {}
        n_forgotten = 0
        for instrument, of_one in self._crowded():
            for key in list(of_one):
                value = _progress_of(of_one[key])
                before, since_s = self._seen.get((instrument, key), (None, now_s))
                if value != before:
                    since_s = now_s
                elif now_s - since_s >= IDLE_AFTER_S:
                    del of_one[key]
                    n_forgotten += 1
                    continue
                seen[instrument, key] = (value, since_s)
        self._seen = seen
        if n_forgotten:
            self.generation += 1
            log.info("idle metric series forgotten", extra={"series": n_forgotten})

    def _crowded(self) -> Iterator[tuple[Instrument, dict[Key, Scalar] | dict[Key, Histogram]]]:
        for instrument, scalars in self._scalars.items():
            if instrument.kind is Kind.COUNTER and len(scalars) > self.max_series // 2:
                yield instrument, scalars
        for instrument, histograms in self._histograms.items():
            if len(histograms) > self.max_series // 2:
                yield instrument, histograms

    def _admitted(self, of_one: dict[Key, Scalar] | dict[Key, Histogram], instrument: Instrument, key: Key) -> Key:
        if len(key) != len(instrument.attributes):
            msg = f"{instrument.name} has the attributes {instrument.attributes}, not {len(key)} of them"
            raise ValueError(msg)
        return key if len(of_one) < self.max_series else OVERFLOW_KEY

    def _observed(self) -> Iterator[Observation]:
        for source in self._sources:
            try:
                yield from source()
            except Exception:  # One broken source must not take all metrics away.
                log.warning("a source of metrics failed", exc_info=True, extra={"storm": "metrics"})


def _buckets_of(series: Histogram) -> Buckets:
    counts = tuple(series.counts)
    return Buckets(counts, sum(counts), series.total)


def _progress_of(series: Scalar | Histogram) -> Number:
    return series.value if isinstance(series, Scalar) else sum(series.counts)
