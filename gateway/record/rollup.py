"""
What facts come down to, by minute and arm and by unit and day: sums that add, and sketches for what cannot be added.

A quantile cannot; so it is kept as counts of logarithmic buckets, each 2 % wide. `record.folded` makes all this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil, log
from operator import add
from typing import NamedTuple

MINUTE_MS = 60_000
DAY_MS = 86_400_000
MAX_TOKENS = 1 << 40
"""More than any answer has; what a provider claims beyond it is not believed."""

MAX_SEGMENT_VALUES = 50
MAX_SEGMENT_CHARS = 64
OTHER = "(other)"

SKETCH_ERROR_RATIO = 0.01
_GAMMA = (1 + SKETCH_ERROR_RATIO) / (1 - SKETCH_ERROR_RATIO)
PER_LOG = 1 / log(_GAMMA)
LEAST = 1e-3

Sketch = dict[int, int]
"""Bucket to count; bucket i holds values in (γ^(i-1), γ^i], γ = 1.01 / 0.99."""


class Sums(NamedTuple):
    """
    What adds up over requests. Squares are there so that variances follow: (Σx² − (Σx)²/n) / (n − 1).

    Attributes:
        requests: All of them.
        sent: Those of which a first attempt was sent.
        attempts: Attempts sent, over all requests.
        fallbacks: Answered by another variant than the arm's.
        client_faults: Failures that are the client's.
        gateway_faults: Failures that are ours.
        provider_faults: Failures that count against the arm.
        input_blocked: Safety class, likewise the next three.
        output_blocked: See above.
        refused: See above.
        flagged: See above.
        checked_formats: Answers whose format was checked.
        invalid_formats: Those that did not keep to it.
        truncated: Answers that ended without saying so.
        clients_gone: Clients that left first.
        answered: No fault and the client stayed: those whose duration counts.
        duration_ms: Sum over `answered`.
        duration_ms2: Sum of squares.
        ttfts: Answered streams whose time to the first token is known.
        ttft_ms: Sum over `ttfts`.
        ttft_ms2: Sum of squares.
        tpots: Those with more than one token after it.
        tpot_ms: Sum of their times per output token after the first.
        priced: Requests with a cost.
        cost_usd: Sum over `priced`.
        cost_usd2: Sum of squares.
        metered: Requests with both token counts.
        estimated: Those whose counts are our own estimate.
        input_tokens: Sum over `metered`.
        input_tokens2: Sum of squares.
        output_tokens: Sum over `metered`.
        output_tokens2: Sum of squares.
        cached_tokens: Sum over `metered`.
        reasoning_tokens: Sum over `metered`.
    """

    requests: int = 0
    sent: int = 0
    attempts: int = 0
    fallbacks: int = 0
    client_faults: int = 0
    gateway_faults: int = 0
    provider_faults: int = 0
    input_blocked: int = 0
    output_blocked: int = 0
    refused: int = 0
    flagged: int = 0
    checked_formats: int = 0
    invalid_formats: int = 0
    truncated: int = 0
    clients_gone: int = 0
    answered: int = 0
    duration_ms: float = 0.0
    duration_ms2: float = 0.0
    ttfts: int = 0
    ttft_ms: float = 0.0
    ttft_ms2: float = 0.0
    tpots: int = 0
    tpot_ms: float = 0.0
    priced: int = 0
    cost_usd: float = 0.0
    cost_usd2: float = 0.0
    metered: int = 0
    estimated: int = 0
    input_tokens: int = 0
    input_tokens2: float = 0.0
    output_tokens: int = 0
    output_tokens2: float = 0.0
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class UnitSums(NamedTuple):
    """
    The sums that are kept per unit and day: what experiments compare. Named and meant as in `Sums`.

    There are as many of them as there are users, so there are fewer columns.
    """

    requests: int = 0
    provider_faults: int = 0
    input_blocked: int = 0
    output_blocked: int = 0
    refused: int = 0
    flagged: int = 0
    invalid_formats: int = 0
    answered: int = 0
    duration_ms: float = 0.0
    duration_ms2: float = 0.0
    ttfts: int = 0
    ttft_ms: float = 0.0
    priced: int = 0
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0


class RollupKey(NamedTuple):
    """
    What a rollup is of. Text is "" where the request had none.

    Attributes:
        minute_unix_s: Start of the minute in which requests were complete.
        route: Route name.
        release: Release name.
        epoch: The release's epoch.
        arm: Arm assigned.
        reason: Why; only `bucket` is analysed.
        is_stream: Whether streams were asked for.
        segment: "" for all requests, else `name=value`: a request counts once in "" and once in each of its segments.
    """

    minute_unix_s: int
    route: str
    release: str
    epoch: int
    arm: str
    reason: str
    is_stream: bool
    segment: str


class UnitDayKey(NamedTuple):
    """
    One unit's day in one arm.

    Attributes:
        release: Release name.
        epoch: The release's epoch.
        arm: Arm assigned.
        unit_hash: 64 bits, unsigned.
        day: Days since 1970, UTC.
    """

    release: str
    epoch: int
    arm: str
    unit_hash: int
    day: int


class ExposureKey(NamedTuple):
    """A unit in an arm of an epoch; `unit_hash` is unsigned."""

    release: str
    unit_hash: int
    epoch: int
    arm: str


class Exposure(NamedTuple):
    """When a unit was first exposed, and as what."""

    first_unix_ms: int
    route: str
    segments: tuple[tuple[str, str], ...]


class Rollup:
    """
    One key's sums and sketches.

    Attributes:
        sums: What adds.
        durations: Sketch of the answered requests' durations in ms.
        ttfts: Sketch of times to the first token in ms.
    """

    __slots__ = ("durations", "sums", "ttfts")

    def __init__(self, sums: Sums, durations: Sketch | None = None, ttfts: Sketch | None = None) -> None:
        self.sums = sums
        self.durations: Sketch = {} if durations is None else durations
        self.ttfts: Sketch = {} if ttfts is None else ttfts

    def __repr__(self) -> str:
        """Give what it holds."""
        return f"Rollup({self.sums!r}, {self.durations!r}, {self.ttfts!r})"

    def __eq__(self, other: object) -> bool:
        """Tell whether both hold the same."""
        if not isinstance(other, Rollup):
            return NotImplemented
        return (self.sums, self.durations, self.ttfts) == (other.sums, other.durations, other.ttfts)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def include(self, other: Rollup) -> None:
        """Add what `other` holds."""
        self.sums = added(self.sums, other.sums)
        add_sketch(self.durations, other.durations)
        add_sketch(self.ttfts, other.ttfts)


class SegmentNames:
    """
    What a segment is called in rollups: `name=value`, for so many values per route and name; the rest are one.

    A segment's value may come from a client's header: without an end to it, one client could make a rollup per request.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], set[str]] = {}

    def all_of(self, route: str, segments: Iterable[tuple[str, str]]) -> Iterator[str]:
        """Give "" and a name per segment."""
        yield ""
        for name, value in segments:
            known = self._known.setdefault((route, name), set())
            shown = value[:MAX_SEGMENT_CHARS].replace("\0", "")
            if shown not in known:
                if len(known) >= MAX_SEGMENT_VALUES:
                    shown = OTHER
                else:
                    known.add(shown)
            yield f"{name}={shown}"


def added(one: Sums, other: Sums) -> Sums:
    """Give both together."""
    return Sums._make(map(add, one, other))


def add_sketch(sketch: Sketch, other: Sketch) -> None:
    """Add `other`'s counts to `sketch`."""
    for bucket, count in other.items():
        sketch[bucket] = sketch.get(bucket, 0) + count


def added_sketch(sketch: Sketch, other: Sketch) -> Sketch:
    """Give both together, and leave them as they are; `other` is the smaller."""
    together = sketch.copy()
    add_sketch(together, other)
    return together


def bucket_of(value: float) -> int:
    """Give the sketch's bucket of a value; those below 0.001 share one."""
    return ceil(log(value if value > LEAST else LEAST) * PER_LOG)


def quantile_of(sketch: Sketch, ratio: float) -> float | None:
    """
    Give the value below which `ratio` of a sketch's values lie, within 1 %; None when it is empty.

    >>> round(quantile_of({bucket_of(100.0): 3}, 0.95) or 0.0)
    100
    """
    total = sum(sketch.values())
    if not total:
        return None
    rank = ratio * (total - 1)
    seen = 0
    bucket = 0
    for bucket in sorted(sketch):
        seen += sketch[bucket]
        if seen > rank:
            break
    return float(2 * _GAMMA**bucket / (_GAMMA + 1))
