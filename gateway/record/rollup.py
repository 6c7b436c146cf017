"""
Outcomes to sums that add: per minute and arm, per unit and day, and who was exposed when.

Pure, and additive: folding two lists apart and merging gives what folding them together gives, so it does not
matter how outcomes were cut into batches. What cannot be added, a quantile, is kept as a sketch that can: counts
of logarithmic buckets, each 2 % wide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil, isfinite, log
from operator import add, itemgetter
from typing import NamedTuple

from gateway.domain.outcome import Fault, Safety
from gateway.domain.release import Reason
from gateway.record.outcome import Outcome

MINUTE_MS = 60_000
DAY_MS = 86_400_000
MAX_TOKENS = 1 << 40
"""More than any answer has; what a provider claims beyond it is not believed."""

MAX_SEGMENT_VALUES = 50
MAX_SEGMENT_CHARS = 64
OTHER = "(other)"

SKETCH_ERROR_RATIO = 0.01
_GAMMA = (1 + SKETCH_ERROR_RATIO) / (1 - SKETCH_ERROR_RATIO)
_PER_LOG = 1 / log(_GAMMA)
_LEAST = 1e-3

# Members' lookups cost 0.2 µs each on Python 3.11, and identity is all that is asked.
_NONE, _CLIENT, _GATEWAY, _PROVIDER = Fault.NONE, Fault.CLIENT, Fault.GATEWAY, Fault.PROVIDER
_SAFE, _INPUT_BLOCKED, _OUTPUT_BLOCKED = Safety.NONE, Safety.INPUT_BLOCKED, Safety.OUTPUT_BLOCKED
_REFUSED, _FLAGGED = Safety.REFUSED, Safety.FLAGGED
_BUCKET = Reason.BUCKET

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


_make = Sums._make
_NO_TROUBLE = (0,) * 11
_NO_TTFT = (0, 0.0, 0.0, 0, 0.0)
_NO_COST = (0, 0.0, 0.0)
_NO_TOKENS: tuple[float, ...] = (0, 0, 0, 0.0, 0, 0.0, 0, 0)


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


_make_unit = UnitSums._make
_unit_part = itemgetter(*[Sums._fields.index(name) for name in UnitSums._fields])


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


_Segments = tuple[tuple[str, str], ...]
_GroupKey = tuple[int, str, str, int, str, str, bool, _Segments]


class Folded:
    """
    What a number of outcomes come down to.

    Attributes:
        groups: Rollups by minute, route, release, epoch, arm, reason, is_stream and all segments together.
        unit_days: Sums of exposed units by day.
        exposures: First exposures.
    """

    __slots__ = ("exposures", "groups", "unit_days")

    def __init__(self) -> None:
        self.groups: dict[_GroupKey, Rollup] = {}
        self.unit_days: dict[UnitDayKey, UnitSums] = {}
        self.exposures: dict[ExposureKey, Exposure] = {}

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        sums = sums_of(outcome)
        segments = tuple(outcome.segments.items()) if outcome.segments else ()
        reason = outcome.reason
        key = (
            outcome.unix_ms // MINUTE_MS,
            outcome.route or "",
            outcome.release or "",
            outcome.epoch,
            outcome.arm or "",
            reason._value_ if reason is not None else "",
            outcome.is_stream,
            segments,
        )
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = Rollup(sums)
        else:
            group.sums = _make(map(add, group.sums, sums))
        if sums[15]:
            _count(group.durations, outcome.duration_ms)
            if outcome.ttft_ms is not None:
                _count(group.ttfts, outcome.ttft_ms)
        if reason is _BUCKET and outcome.attempts >= 1 and outcome.unit_hash and outcome.release and outcome.arm:
            self._add_exposed(outcome, sums, segments)

    def _add_exposed(self, outcome: Outcome, sums: Sums, segments: _Segments) -> None:
        release, epoch, arm, unit_hash = outcome.release or "", outcome.epoch, outcome.arm or "", outcome.unit_hash
        unix_ms = outcome.unix_ms
        # A bare tuple hashes and compares like the named one, and is made in a third of the time.
        day: UnitDayKey = (release, epoch, arm, unit_hash, unix_ms // DAY_MS)  # type: ignore[assignment]
        known = self.unit_days.get(day)
        part = _unit_part(sums)
        self.unit_days[day] = _make_unit(part if known is None else map(add, known, part))
        key: ExposureKey = (release, unit_hash, epoch, arm)  # type: ignore[assignment]
        exposure = self.exposures.get(key)
        if exposure is None or unix_ms < exposure.first_unix_ms:
            self.exposures[key] = Exposure(unix_ms, outcome.route or "", segments)

    def include(self, other: Folded) -> None:
        """Add everything of `other`, which is left alone."""
        for key, rollup in other.groups.items():
            self.groups.setdefault(key, Rollup(Sums())).include(rollup)
        for unit_day, sums in other.unit_days.items():
            known = self.unit_days.get(unit_day)
            self.unit_days[unit_day] = sums if known is None else _make_unit(map(add, known, sums))
        for unit, exposure in other.exposures.items():
            present = self.exposures.get(unit)
            if present is None or exposure.first_unix_ms < present.first_unix_ms:
                self.exposures[unit] = exposure

    def rollups(self, names: SegmentNames) -> dict[RollupKey, Rollup]:
        """Give a rollup per key: for all requests, and for each segment of theirs."""
        rollups: dict[RollupKey, Rollup] = {}
        for (minute, route, release, epoch, arm, reason, is_stream, segments), group in self.groups.items():
            for segment in names.all_of(route, segments):
                key = RollupKey(minute * 60, route, release, epoch, arm, reason, is_stream, segment)
                rollup = rollups.get(key)
                if rollup is None:
                    rollups[key] = Rollup(group.sums, group.durations.copy(), group.ttfts.copy())
                else:
                    rollup.include(group)
        return rollups


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


def fold(outcomes: Iterable[Outcome]) -> Folded:
    """Give what `outcomes` come down to."""
    folded = Folded()
    for outcome in outcomes:
        folded.add(outcome)
    return folded


def sums_of(outcome: Outcome) -> Sums:
    """Give one outcome's sums."""
    is_answered = outcome.fault is _NONE and not outcome.is_client_gone
    duration_ms = outcome.duration_ms if is_answered else 0.0
    ttft = outcome.ttft_ms if is_answered else None
    attempts, served, arm, cost = outcome.attempts, outcome.served, outcome.arm, outcome.cost_usd
    is_fallback = served != arm and served is not None and arm is not None
    tokens = _tokens_of(outcome)
    times: tuple[float, ...] = _NO_TTFT
    if ttft is not None:
        n_after = tokens[4] - 1 if tokens is not _NO_TOKENS else 0
        is_paced = n_after > 0
        times = (1, ttft, ttft * ttft, 1 if is_paced else 0, (duration_ms - ttft) / n_after if is_paced else 0.0)
    return _make(
        (1, 1 if attempts else 0, attempts, 1 if is_fallback else 0)
        + _troubles_of(outcome)
        + (1 if is_answered else 0, duration_ms, duration_ms * duration_ms)
        + times
        + ((1, cost, cost * cost) if cost is not None and isfinite(cost) else _NO_COST)
        + tokens
    )


def _troubles_of(outcome: Outcome) -> tuple[int, ...]:
    """Give the part of the sums that is nothing for most requests."""
    fault, safety, is_valid = outcome.fault, outcome.safety, outcome.is_valid_format
    if (
        fault is _NONE
        and safety is _SAFE
        and is_valid is None
        and not outcome.is_truncated
        and not outcome.is_client_gone
    ):
        return _NO_TROUBLE
    return (
        1 if fault is _CLIENT else 0,
        1 if fault is _GATEWAY else 0,
        1 if fault is _PROVIDER else 0,
        1 if safety is _INPUT_BLOCKED else 0,
        1 if safety is _OUTPUT_BLOCKED else 0,
        1 if safety is _REFUSED else 0,
        1 if safety is _FLAGGED else 0,
        0 if is_valid is None else 1,
        1 if is_valid is False else 0,
        1 if outcome.is_truncated else 0,
        1 if outcome.is_client_gone else 0,
    )


def _tokens_of(outcome: Outcome) -> tuple[float, ...]:
    n_in, n_out = outcome.input_tokens, outcome.output_tokens
    if n_in is None or n_out is None:
        return _NO_TOKENS
    cached, reasoning = outcome.cached_tokens, outcome.reasoning_tokens
    if n_in > MAX_TOKENS or n_out > MAX_TOKENS or cached > MAX_TOKENS or reasoning > MAX_TOKENS:
        n_in, n_out = min(n_in, MAX_TOKENS), min(n_out, MAX_TOKENS)
        cached, reasoning = min(cached, MAX_TOKENS), min(reasoning, MAX_TOKENS)
    estimated = 1 if outcome.is_estimated else 0
    return (1, estimated, n_in, float(n_in * n_in), n_out, float(n_out * n_out), cached, reasoning)


def added(one: Sums, other: Sums) -> Sums:
    """Give both together."""
    return _make(map(add, one, other))


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
    return ceil(log(value if value > _LEAST else _LEAST) * _PER_LOG)


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


def _count(sketch: Sketch, value: float) -> None:
    bucket = ceil(log(value if value > _LEAST else _LEAST) * _PER_LOG)
    sketch[bucket] = sketch.get(bucket, 0) + 1
