"""
What the last quarter of an hour brought, by release and arm: differences of the sums that are kept anyway.

Nothing is done per request. The sums are read every few seconds and kept in a ring; what a window brought is what they
are now without what they were when it began. Not thread-safe: it belongs to the loop that writes the sums.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.clock import Clock
from gateway.telemetry import instruments as metrics
from gateway.telemetry.accumulate import Accumulator, Key

WINDOW_S = 900
NOTED_EVERY_S = 5.0
POINT_S = 15

_FAILURES = frozenset({"provider", "gateway"})
"""Faults that are errors to those who operate: what a client does wrong is none."""


class Place(NamedTuple):
    """Whose traffic: route, release and arm; "" where there is none."""

    route: str
    release: str
    arm: str


@dataclass(slots=True)
class Traffic:
    """
    What requests of one place came to; not changed once it is read.

    Attributes:
        n_requests: Those that have ended.
        n_errors: Those that failed by the provider's fault or ours.
        n_unsafe: Answers stopped or flagged.
        n_without_user: Those that named no user.
        n_unpriced: Those with tokens and no price.
        cost_usd: What they cost.
        tokens_in: Prompt tokens.
        tokens_out: Answer tokens.
        latency: Answered requests by duration, in the buckets of OPERATION_DURATION.
        ttft: Streams by time to the first token, in the buckets of TIME_TO_FIRST_CHUNK.
        feedback: By metric and verdict.
    """

    n_requests: float = 0
    n_errors: float = 0
    n_unsafe: float = 0
    n_without_user: float = 0
    n_unpriced: float = 0
    cost_usd: float = 0
    tokens_in: float = 0
    tokens_out: float = 0
    latency: list[int] = field(default_factory=lambda: [0] * (len(metrics.OPERATION_DURATION.bounds) + 1))
    ttft: list[int] = field(default_factory=lambda: [0] * (len(metrics.TIME_TO_FIRST_CHUNK.bounds) + 1))
    feedback: dict[tuple[str, str], float] = field(default_factory=dict)

    def since(self, before: Traffic) -> Traffic:
        """Give what came after `before`; a series that was forgotten meanwhile and began again counts as nothing."""
        numbers = {name: max(getattr(self, name) - getattr(before, name), 0) for name in _NUMBERS}
        return Traffic(
            **numbers,
            latency=_less(self.latency, before.latency),
            ttft=_less(self.ttft, before.ttft),
            feedback={key: max(n - before.feedback.get(key, 0), 0) for key, n in self.feedback.items()},
        )


_NUMBERS = (
    "n_requests",
    "n_errors",
    "n_unsafe",
    "n_without_user",
    "n_unpriced",
    "cost_usd",
    "tokens_in",
    "tokens_out",
)

Sums = Mapping[Place, Traffic]
"""Everything since the process began, by place."""


Totals = Mapping[str, tuple[float, float]]
"""Requests and errors by route."""


@dataclass(frozen=True, slots=True)
class Noted:
    """The sums as they stood at one moment."""

    now_s: float
    unix_ms: int
    sums: Sums
    totals: Totals


class Point(NamedTuple):
    """
    A quarter of a minute of one route.

    Attributes:
        unix_s: When it began.
        n_requests: Requests that ended.
        n_errors: Those that failed by the provider's fault or ours.
    """

    unix_s: int
    n_requests: int
    n_errors: int


@dataclass(frozen=True, slots=True)
class Recent:
    """
    What the window brought.

    Attributes:
        unix_ms: When it was read.
        seen_s: How much of the window is known: less after a start.
        traffic: By place; places without traffic may be missing.
        points: By route, oldest first.
    """

    unix_ms: int
    seen_s: float
    traffic: Sums
    points: Mapping[str, Sequence[Point]]


class Bins:
    """Requests and errors of every route per quarter of a minute, of the last window."""

    def __init__(self, since_unix_ms: int) -> None:
        self._first_s = _bin_of(since_unix_ms)
        self._bins: dict[int, dict[str, tuple[float, float]]] = {}

    def add(self, before: Noted, after: Noted) -> None:
        """Add what came between two looks; forget what the window has left behind."""
        unix_s = _bin_of(after.unix_ms)
        into = self._bins.setdefault(unix_s, {})
        for route, (n_requests, n_errors) in _between(before, after).items():
            n_requests_before, n_errors_before = into.get(route, (0, 0))
            into[route] = n_requests_before + n_requests, n_errors_before + n_errors
        for old_s in [each for each in self._bins if each < unix_s - WINDOW_S]:
            del self._bins[old_s]

    def points(self, before: Noted, now: Noted) -> dict[str, list[Point]]:
        """Give each route's points up to now; those without a request are there too."""
        last_s = _bin_of(now.unix_ms)
        rest = _between(before, now)
        starts = range(max(self._first_s, last_s - WINDOW_S), last_s + 1, POINT_S)
        found: dict[str, list[Point]] = {route: [] for route in now.totals}
        for start_s in starts:
            of_bin = self._bins.get(start_s, {})
            for route, points in found.items():
                n_requests, n_errors = of_bin.get(route, (0, 0))
                if start_s == last_s and route in rest:
                    n_requests, n_errors = n_requests + rest[route][0], n_errors + rest[route][1]
                points.append(Point(start_s, int(n_requests), int(n_errors)))
        return found


def _bin_of(unix_ms: int) -> int:
    return unix_ms // 1000 // POINT_S * POINT_S


def _between(before: Noted, after: Noted) -> dict[str, tuple[float, float]]:
    """Give what came between two looks, of routes that had any."""
    came: dict[str, tuple[float, float]] = {}
    for route, totals in after.totals.items():
        was = before.totals.get(route, (0, 0))
        if totals != was:
            came[route] = max(totals[0] - was[0], 0), max(totals[1] - was[1], 0)
    return came


class RecentTraffic:
    """A ring of the sums as they stood, from which windows are told."""

    def __init__(self, accumulator: Accumulator, clock: Clock) -> None:
        self._accumulator = accumulator
        self._clock = clock
        # One more than the window has, so that its beginning is in the ring.
        self._ring: deque[Noted] = deque(maxlen=int(WINDOW_S / NOTED_EVERY_S) + 1)
        self._ring.append(self._read())
        # What lies behind is added up once, for it does not change any more.
        self._bins = Bins(self._ring[0].unix_ms)

    async def run(self) -> None:
        """Keep the ring filled, until cancelled."""
        while True:
            await asyncio.sleep(NOTED_EVERY_S)
            self.note()

    def note(self) -> None:
        """Keep the sums as they stand; to be called every NOTED_EVERY_S."""
        noted = self._read()
        self._bins.add(self._ring[-1], noted)
        self._ring.append(noted)

    def read(self) -> Recent:
        """Give what the window brought up to now."""
        now = self._read()
        least_s = now.now_s - WINDOW_S
        first = next((noted for noted in self._ring if noted.now_s >= least_s), self._ring[-1])
        nothing = Traffic()
        traffic = {place: sums.since(first.sums.get(place, nothing)) for place, sums in now.sums.items()}
        return Recent(now.unix_ms, now.now_s - first.now_s, traffic, self._bins.points(self._ring[-1], now))

    def _read(self) -> Noted:
        before = self._ring[-1].sums if self._ring else {}
        sums = read_sums(self._accumulator)
        # What has not moved is kept once for the whole ring.
        kept = {place: old if (old := before.get(place)) == each else each for place, each in sums.items()}
        return Noted(self._clock.now_s(), self._clock.unix_ms(), kept, _totals_of(kept))


def read_sums(accumulator: Accumulator) -> dict[Place, Traffic]:
    """Give the sums as they stand; what overflowed belongs to nobody."""
    found: dict[Place, Traffic] = {}

    def at(key: Key, first: int = 0) -> Traffic:
        place = Place(*key[first : first + 3])
        traffic = found.get(place)
        if traffic is None:
            traffic = found[place] = Traffic()
        return traffic

    for key, n in accumulator.numbers(metrics.REQUESTS):
        traffic = at(key)
        traffic.n_requests += n
        traffic.n_errors += n if key[8] in _FAILURES else 0
        traffic.n_without_user += n if key[6] == "no_user" else 0
    for key, n in accumulator.numbers(metrics.SAFETY_INCIDENTS):
        at(key).n_unsafe += n
    for key, n in accumulator.numbers(metrics.UNPRICED):
        at(key).n_unpriced += n
    for key, usd in accumulator.numbers(metrics.COST_USD):
        at(key).cost_usd += usd
    for key, n in accumulator.numbers(metrics.TOKENS):
        traffic = at(key)
        traffic.tokens_in += n if key[4] == "input" else 0
        traffic.tokens_out += n if key[4] == "output" else 0
    for key, n in accumulator.numbers(metrics.FEEDBACK):
        feedback = at(key).feedback
        feedback[key[3], key[4]] = feedback.get((key[3], key[4]), 0) + n
    _read_times(accumulator, at)
    return found


def _read_times(accumulator: Accumulator, at: Callable[[Key, int], Traffic]) -> None:
    for key, counts in accumulator.counts(metrics.OPERATION_DURATION):
        if not key[8]:  # the type of the error: how long failures took says nothing of answers
            _include(at(key, 4).latency, counts)
    for key, counts in accumulator.counts(metrics.TIME_TO_FIRST_CHUNK):
        _include(at(key, 4).ttft, counts)


def _include(into: list[int], counts: Sequence[int]) -> None:
    for bucket, n in enumerate(counts):
        into[bucket] += n


def _less(now: Sequence[int], before: Sequence[int]) -> list[int]:
    return [max(n - n_before, 0) for n, n_before in zip(now, before, strict=True)]


def _totals_of(sums: Sums) -> dict[str, tuple[float, float]]:
    totals: dict[str, tuple[float, float]] = {}
    for place, traffic in sums.items():
        n_requests, n_errors = totals.get(place.route, (0, 0))
        totals[place.route] = n_requests + traffic.n_requests, n_errors + traffic.n_errors
    return totals


def quantile_of(counts: Sequence[int], bounds: Sequence[float], ratio: float) -> float | None:
    """
    Give the value below which `ratio` of a histogram's values lie; None when it is empty.

    Within a bucket values are taken to lie evenly on a logarithmic scale: a bucket that is twice as wide as the one
    before says no more. What is beyond the last bound is the last bound.

    >>> quantile_of([0, 0, 4, 0], [1.0, 2.0, 4.0], 0.5)
    2.8284271247461903
    """
    total = sum(counts)
    if not total:
        return None
    wanted, seen = ratio * total, 0
    for bucket, n in enumerate(counts):
        if n and seen + n >= wanted:
            if bucket >= len(bounds):
                break
            high = bounds[bucket]
            low = bounds[bucket - 1] if bucket else high / 2
            return float(low * (high / low) ** ((wanted - seen) / n))
        seen += n
    return float(bounds[-1])
