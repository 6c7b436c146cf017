"""
Outcomes to sums, one at a time.

The rollups of two folds added are those of both together, so it does not matter how outcomes were cut into batches. The
same outcomes in the same order give the same groups and units in the same order, so a fold that was written in part
can be folded again and gone on with.

Folding is on every request's bill: a group is found with one look, and then only what a request has is added.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, isfinite, log
from operator import attrgetter
from typing import NamedTuple

from gateway.domain.outcome import Fault, Safety
from gateway.domain.release import Reason
from gateway.record.outcome import Outcome
from gateway.record.rollup import (
    DAY_MS,
    LEAST,
    MAX_TOKENS,
    MINUTE_MS,
    PER_LOG,
    Exposure,
    ExposureKey,
    Rollup,
    RollupKey,
    SegmentNames,
    Sketch,
    Sums,
    UnitDayKey,
    UnitSums,
)

_DAY_MINUTES = DAY_MS // MINUTE_MS
_MAX_MS = 1e12
_MAX_ATTEMPTS = 1_000

# Members' lookups cost 0.2 µs each on Python 3.11, and identity is all that is asked.
_NONE, _CLIENT, _GATEWAY, _PROVIDER = Fault.NONE, Fault.CLIENT, Fault.GATEWAY, Fault.PROVIDER
_SAFE = Safety.NONE
_BUCKET = Reason.BUCKET

_Segments = tuple[tuple[str, str], ...]
GroupKey = tuple[int, str, str, int, str, str, bool, _Segments]
"""Minute, route, release, epoch, arm, reason, is_stream and all segments together."""

_sums_in = attrgetter(*Sums._fields)
_unit_sums_in = attrgetter(*UnitSums._fields)


class UnitTally:
    """One unit's `UnitSums` while they are counted, and its first time among them."""

    __slots__ = ("first_unix_ms", "route", "segments", *UnitSums._fields)

    def __init__(self, first_unix_ms: int = 0, route: str = "", segments: _Segments = ()) -> None:
        self.first_unix_ms = first_unix_ms
        self.route = route
        self.segments = segments
        self.requests = self.provider_faults = self.input_blocked = self.output_blocked = 0
        self.refused = self.flagged = self.invalid_formats = self.answered = self.ttfts = self.priced = 0
        self.input_tokens = self.output_tokens = 0
        self.duration_ms = self.duration_ms2 = self.ttft_ms = self.cost_usd = 0.0

    def values(self) -> tuple[float, ...]:
        """Give what was counted, in the order of `UnitSums`."""
        values: tuple[float, ...] = _unit_sums_in(self)
        return values


class Group:
    """
    One group's `Sums` while they are counted.

    Attributes:
        durations: Sketch of the answered requests' durations in ms.
        ttft_sketch: Sketch of times to the first token in ms.
        units: Those of its arm and day, by hash; None where its requests are no exposures.
    """

    __slots__ = ("durations", "ttft_sketch", "units", *Sums._fields)

    def __init__(self, units: dict[int, UnitTally] | None) -> None:
        self.durations: Sketch = {}
        self.ttft_sketch: Sketch = {}
        self.units = units
        self.requests = self.sent = self.attempts = self.fallbacks = 0
        self.client_faults = self.gateway_faults = self.provider_faults = 0
        self.input_blocked = self.output_blocked = self.refused = self.flagged = 0
        self.checked_formats = self.invalid_formats = self.truncated = self.clients_gone = 0
        self.answered = self.ttfts = self.tpots = self.priced = self.metered = self.estimated = 0
        self.input_tokens = self.output_tokens = self.cached_tokens = self.reasoning_tokens = 0
        self.duration_ms = self.duration_ms2 = self.ttft_ms = self.ttft_ms2 = self.tpot_ms = 0.0
        self.cost_usd = self.cost_usd2 = self.input_tokens2 = self.output_tokens2 = 0.0

    def rollup(self) -> Rollup:
        """Give what was counted, apart from what will be."""
        return Rollup(Sums._make(_sums_in(self)), self.durations.copy(), self.ttft_sketch.copy())


class ArmDay(NamedTuple):
    """One day of one arm."""

    release: str
    epoch: int
    arm: str
    day: int


class Folded:
    """
    What a number of outcomes come down to.

    Attributes:
        groups: By what they have in common, in the order they came up.
        arm_days: Exposed units by arm and day, likewise.
        n_units: How many units there are in all arms and days.
    """

    __slots__ = ("_nobody", "arm_days", "groups", "n_units")

    def __init__(self) -> None:
        self.groups: dict[GroupKey, Group] = {}
        self.arm_days: dict[ArmDay, dict[int, UnitTally]] = {}
        self.n_units = 0
        # Takes what is counted of requests that expose nobody: cheaper than to ask each time.
        self._nobody = UnitTally()

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        segments, reason, unix_ms = outcome.segments, outcome.reason, outcome.unix_ms
        key = (
            unix_ms // MINUTE_MS,
            outcome.route or "",
            outcome.release or "",
            outcome.epoch,
            outcome.arm or "",
            reason._value_ if reason is not None else "",
            outcome.is_stream,
            tuple(segments.items()) if segments else (),
        )
        group = self.groups.get(key)
        if group is None:
            group = self._make_group(key)
        attempts = outcome.attempts
        group.requests += 1
        if attempts:
            group.sent += 1
            group.attempts += attempts if attempts < _MAX_ATTEMPTS else _MAX_ATTEMPTS
        units, unit_hash = group.units, outcome.unit_hash
        if units is None or not unit_hash or attempts < 1:
            unit = self._nobody
        else:
            unit = units.get(unit_hash) or self._make_unit(units, unit_hash, unix_ms, key)
            if unix_ms < unit.first_unix_ms:
                unit.first_unix_ms, unit.route, unit.segments = unix_ms, key[1], key[7]
        unit.requests += 1
        served = outcome.served
        if served is not None and served != outcome.arm and outcome.arm is not None:
            group.fallbacks += 1
        is_answered = outcome.fault is _NONE and not outcome.is_client_gone
        if is_answered:
            _add_times(group, unit, outcome)
        cost = outcome.cost_usd
        if cost is not None and isfinite(cost):
            group.priced += 1
            group.cost_usd += cost
            group.cost_usd2 += cost * cost
            unit.priced += 1
            unit.cost_usd += cost
        _add_tokens(group, unit, outcome)
        if (
            not is_answered
            or outcome.safety is not _SAFE
            or outcome.is_valid_format is not None
            or outcome.is_truncated
        ):
            _add_troubles(group, unit, outcome)

    def exposures(self) -> dict[ExposureKey, Exposure]:
        """Give each unit's first time in each arm."""
        found: dict[ExposureKey, Exposure] = {}
        for (release, epoch, arm, _), units in self.arm_days.items():
            for unit_hash, unit in units.items():
                key = ExposureKey(release, unit_hash, epoch, arm)
                known = found.get(key)
                if known is None or unit.first_unix_ms < known.first_unix_ms:
                    found[key] = Exposure(unit.first_unix_ms, unit.route, unit.segments)
        return found

    def unit_days(self) -> dict[UnitDayKey, UnitSums]:
        """Give each exposed unit's sums by day."""
        return {
            UnitDayKey(release, epoch, arm, unit_hash, day): UnitSums._make(unit.values())
            for (release, epoch, arm, day), units in self.arm_days.items()
            for unit_hash, unit in units.items()
        }

    def rollups(self, names: SegmentNames) -> dict[RollupKey, Rollup]:
        """Give a rollup per key: for all requests, and for each segment of theirs."""
        return rollups_of(self.groups.items(), names)

    def _make_group(self, key: GroupKey) -> Group:
        minute, _, release, epoch, arm, reason, _, _ = key
        units = None
        if reason == _BUCKET._value_ and release and arm:
            units = self.arm_days.setdefault(ArmDay(release, epoch, arm, minute // _DAY_MINUTES), {})
        group = self.groups[key] = Group(units)
        return group

    def _make_unit(self, units: dict[int, UnitTally], unit_hash: int, unix_ms: int, key: GroupKey) -> UnitTally:
        self.n_units += 1
        unit = units[unit_hash] = UnitTally(unix_ms, key[1], key[7])
        return unit


def rollups_of(groups: Iterable[tuple[GroupKey, Group]], names: SegmentNames) -> dict[RollupKey, Rollup]:
    """Give what groups come down to by rollup's key."""
    rollups: dict[RollupKey, Rollup] = {}
    for (minute, route, release, epoch, arm, reason, is_stream, segments), group in groups:
        one = group.rollup()
        for segment in names.all_of(route, segments):
            key = RollupKey(minute * 60, route, release, epoch, arm, reason, is_stream, segment)
            rollup = rollups.get(key)
            if rollup is None:
                rollups[key] = Rollup(one.sums, one.durations.copy(), one.ttfts.copy())
            else:
                rollup.include(one)
    return rollups


def fold(outcomes: Iterable[Outcome]) -> Folded:
    """Give what `outcomes` come down to."""
    folded = Folded()
    for outcome in outcomes:
        folded.add(outcome)
    return folded


def _add_times(group: Group, unit: UnitTally, outcome: Outcome) -> None:
    """Count an answered request's times."""
    duration_ms = outcome.duration_ms
    if not 0.0 <= duration_ms < _MAX_MS:
        duration_ms = 0.0  # neither infinity nor what is no number may get into a sum
    group.answered += 1
    group.duration_ms += duration_ms
    group.duration_ms2 += duration_ms * duration_ms
    unit.answered += 1
    unit.duration_ms += duration_ms
    unit.duration_ms2 += duration_ms * duration_ms
    _count(group.durations, duration_ms)
    ttft_ms = outcome.ttft_ms
    if ttft_ms is None or not 0.0 <= ttft_ms < _MAX_MS:
        return
    group.ttfts += 1
    group.ttft_ms += ttft_ms
    group.ttft_ms2 += ttft_ms * ttft_ms
    unit.ttfts += 1
    unit.ttft_ms += ttft_ms
    _count(group.ttft_sketch, ttft_ms)
    n_out = outcome.output_tokens
    if n_out is not None and n_out > 1 and outcome.input_tokens is not None:
        group.tpots += 1
        group.tpot_ms += (duration_ms - ttft_ms) / (min(n_out, MAX_TOKENS) - 1)


def _add_tokens(group: Group, unit: UnitTally, outcome: Outcome) -> None:
    n_in, n_out = outcome.input_tokens, outcome.output_tokens
    if n_in is None or n_out is None:
        return
    cached, reasoning = outcome.cached_tokens, outcome.reasoning_tokens
    # A provider may claim any number, and a database's end at 64 bits.
    if not (0 <= n_in <= MAX_TOKENS and 0 <= n_out <= MAX_TOKENS and cached <= MAX_TOKENS and reasoning <= MAX_TOKENS):
        n_in, n_out = min(max(n_in, 0), MAX_TOKENS), min(max(n_out, 0), MAX_TOKENS)
        cached, reasoning = min(cached, MAX_TOKENS), min(reasoning, MAX_TOKENS)
    group.metered += 1
    group.input_tokens += n_in
    group.input_tokens2 += n_in * n_in
    group.output_tokens += n_out
    group.output_tokens2 += n_out * n_out
    unit.input_tokens += n_in
    unit.output_tokens += n_out
    if cached:
        group.cached_tokens += cached
    if reasoning:
        group.reasoning_tokens += reasoning
    if outcome.is_estimated:
        group.estimated += 1


def _add_troubles(group: Group, unit: UnitTally, outcome: Outcome) -> None:
    """Count what most requests have nothing of."""
    fault, safety, is_valid = outcome.fault, outcome.safety, outcome.is_valid_format
    if fault is not _NONE:
        if fault is _PROVIDER:
            group.provider_faults += 1
            unit.provider_faults += 1
        elif fault is _CLIENT:
            group.client_faults += 1
        elif fault is _GATEWAY:
            group.gateway_faults += 1
    if safety is not _SAFE:
        name = safety._value_
        setattr(group, name, getattr(group, name) + 1)
        setattr(unit, name, getattr(unit, name) + 1)
    if is_valid is not None:
        group.checked_formats += 1
        if not is_valid:
            group.invalid_formats += 1
            unit.invalid_formats += 1
    if outcome.is_truncated:
        group.truncated += 1
    if outcome.is_client_gone:
        group.clients_gone += 1


def _count(sketch: Sketch, value: float) -> None:
    bucket = ceil(log(value if value > LEAST else LEAST) * PER_LOG)
    sketch[bucket] = sketch.get(bucket, 0) + 1
