"""
Outcomes to sums, a lot at a time.

The rollups of two folds added are those of both together, so it does not matter how outcomes were cut into batches. The
same outcomes in the same order give the same groups and units in the same order, so a fold that was written in part
can be folded again and gone on with.

Folding is on every request's bill: a group is found once for a lot, and then only what a lot has is added, column by
column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil, isfinite, log
from operator import attrgetter, mul
from typing import NamedTuple

from gateway.domain.outcome import Fault, Safety
from gateway.domain.release import Reason
from gateway.record.lots import Lot, lots_of
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
        self.durations: Counter[int] = Counter()
        self.ttft_sketch: Counter[int] = Counter()
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
        return Rollup(Sums._make(_sums_in(self)), dict(self.durations), dict(self.ttft_sketch))


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

    def add(self, lot: Lot) -> None:
        """Count a lot of outcomes."""
        if not _is_sane(lot):
            for one in lot.singles():
                self._add(_tamed(one))
            return
        self._add(lot)

    def _add(self, lot: Lot) -> None:
        one, size = lot.first, lot.size
        reason, segments, attempts, served = one.reason, one.segments, one.attempts, one.served
        key = (
            one.unix_ms // MINUTE_MS,
            one.route or "",
            one.release or "",
            one.epoch,
            one.arm or "",
            reason._value_ if reason is not None else "",
            one.is_stream,
            tuple(segments.items()) if segments else (),
        )
        group = self.groups.get(key)
        if group is None:
            group = self._make_group(key)
        group.requests += size
        if attempts:
            group.sent += size
            group.attempts += size * min(attempts, _MAX_ATTEMPTS)
        if served is not None and served != one.arm and one.arm is not None:
            group.fallbacks += size
        _add_numbers(group, lot)
        _add_troubles(group, one, size)
        if group.units is not None and attempts >= 1:
            _add_to_units(self._units_of(lot, group.units, key), lot)

    def _units_of(self, lot: Lot, units: dict[int, UnitTally], key: GroupKey) -> list[UnitTally]:
        """Give the unit of each of a lot's outcomes, first seen as early as there."""
        found = []
        for unit_hash, unix_ms in zip(lot.unit_hashes, lot.unix_ms, strict=True):
            if not unit_hash:
                unit = self._nobody
            else:
                unit = units.get(unit_hash) or self._make_unit(units, unit_hash, unix_ms, key)
                if unix_ms < unit.first_unix_ms:
                    unit.first_unix_ms, unit.route, unit.segments = unix_ms, key[1], key[7]
            found.append(unit)
        return found

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
    for lot in lots_of(outcomes):
        folded.add(lot)
    return folded


def _is_sane(lot: Lot) -> bool:
    """Say whether every number is one that can be added up and kept: a provider may claim any, and tables end."""
    return (
        _are_times(lot.durations_ms)
        and _are_times(lot.ttfts_ms)
        and _are_tokens(lot.input_tokens)
        and _are_tokens(lot.output_tokens)
        and _are_tokens(lot.cached_tokens)
        and _are_tokens(lot.reasoning_tokens)
        and isfinite(sum(lot.costs_usd))
    )


def _are_times(times_ms: list[float]) -> bool:
    # A sum is no number if one of them is none, and no less than the greatest.
    return not times_ms or (min(times_ms) >= 0.0 and sum(times_ms) < _MAX_MS)


def _are_tokens(tokens: list[int]) -> bool:
    return not tokens or (min(tokens) >= 0 and sum(tokens) <= MAX_TOKENS)


def _tamed(single: Lot) -> Lot:
    """Change a lot of one so that it is sane, and give it."""
    if not _are_times(single.durations_ms):
        single.durations_ms = [0.0]
    if not _are_times(single.ttfts_ms):
        single.ttfts_ms = []
    if not isfinite(sum(single.costs_usd)):
        single.costs_usd = []
    for name in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"):
        setattr(single, name, [min(max(count, 0), MAX_TOKENS) for count in getattr(single, name)])
    return single


def _is_answered(one: Outcome) -> bool:
    """Say whether its times count."""
    return one.fault is _NONE and not one.is_client_gone


def _add_numbers(group: Group, lot: Lot) -> None:
    n_in, n_out, costs_usd = lot.input_tokens, lot.output_tokens, lot.costs_usd
    if _is_answered(lot.first):
        _add_times(group, lot)
    if costs_usd:
        group.priced += lot.size
        group.cost_usd += sum(costs_usd)
        group.cost_usd2 += _sum_of_squares(costs_usd)
    if n_in and n_out:
        group.metered += lot.size
        group.input_tokens += sum(n_in)
        group.input_tokens2 += _sum_of_squares(n_in)
        group.output_tokens += sum(n_out)
        group.output_tokens2 += _sum_of_squares(n_out)
        group.cached_tokens += sum(lot.cached_tokens)
        group.reasoning_tokens += sum(lot.reasoning_tokens)
        if lot.first.is_estimated:
            group.estimated += lot.size


def _add_times(group: Group, lot: Lot) -> None:
    """Count answered requests' times."""
    durations_ms, ttfts_ms = lot.durations_ms, lot.ttfts_ms
    group.answered += lot.size
    group.duration_ms += sum(durations_ms)
    group.duration_ms2 += _sum_of_squares(durations_ms)
    _count(group.durations, durations_ms)
    if not ttfts_ms:
        return
    group.ttfts += lot.size
    group.ttft_ms += sum(ttfts_ms)
    group.ttft_ms2 += _sum_of_squares(ttfts_ms)
    _count(group.ttft_sketch, ttfts_ms)
    if lot.input_tokens and lot.output_tokens:
        for duration_ms, ttft_ms, n_out in zip(durations_ms, ttfts_ms, lot.output_tokens, strict=True):
            if n_out > 1:
                group.tpots += 1
                group.tpot_ms += (duration_ms - ttft_ms) / (n_out - 1)


def _add_to_units(units: list[UnitTally], lot: Lot) -> None:
    """Count each outcome of a lot for its unit."""
    is_answered = _is_answered(lot.first)
    has_tokens = bool(lot.input_tokens and lot.output_tokens)
    if is_answered and has_tokens and lot.costs_usd:
        # Nearly all of them: one walk instead of three.
        columns = zip(units, lot.durations_ms, lot.costs_usd, lot.input_tokens, lot.output_tokens, strict=True)
        for unit, duration_ms, cost_usd, n_in, n_out in columns:
            unit.requests += 1
            unit.answered += 1
            unit.duration_ms += duration_ms
            unit.duration_ms2 += duration_ms * duration_ms
            unit.priced += 1
            unit.cost_usd += cost_usd
            unit.input_tokens += n_in
            unit.output_tokens += n_out
    else:
        _add_some_to_units(units, lot, is_answered=is_answered, has_tokens=has_tokens)
    if is_answered and lot.ttfts_ms:
        for unit, ttft_ms in zip(units, lot.ttfts_ms, strict=True):
            unit.ttfts += 1
            unit.ttft_ms += ttft_ms
    for name in _troubles_of(lot.first):
        for unit in units:
            setattr(unit, name, getattr(unit, name) + 1)


def _add_some_to_units(units: list[UnitTally], lot: Lot, *, is_answered: bool, has_tokens: bool) -> None:
    """Count what there is, column by column."""
    for unit in units:
        unit.requests += 1
    if is_answered:
        for unit, duration_ms in zip(units, lot.durations_ms, strict=True):
            unit.answered += 1
            unit.duration_ms += duration_ms
            unit.duration_ms2 += duration_ms * duration_ms
    if lot.costs_usd:
        for unit, cost_usd in zip(units, lot.costs_usd, strict=True):
            unit.priced += 1
            unit.cost_usd += cost_usd
    if has_tokens:
        for unit, n_in, n_out in zip(units, lot.input_tokens, lot.output_tokens, strict=True):
            unit.input_tokens += n_in
            unit.output_tokens += n_out


def _troubles_of(one: Outcome) -> list[str]:
    """Give the sums, of those that units have too, that count what most requests have nothing of."""
    troubles = []
    if one.fault is _PROVIDER:
        troubles.append("provider_faults")
    if one.safety is not _SAFE:
        troubles.append(one.safety._value_)
    if one.is_valid_format is False:
        troubles.append("invalid_formats")
    return troubles


def _add_troubles(group: Group, one: Outcome, size: int) -> None:
    for name in _troubles_of(one):
        setattr(group, name, getattr(group, name) + size)
    if one.fault is _CLIENT:
        group.client_faults += size
    elif one.fault is _GATEWAY:
        group.gateway_faults += size
    if one.is_valid_format is not None:
        group.checked_formats += size
    if one.is_truncated:
        group.truncated += size
    if one.is_client_gone:
        group.clients_gone += size


def _sum_of_squares(values: Sequence[float]) -> float:
    squares: Iterable[float] = map(mul, values, values)
    return sum(squares)


def _count(sketch: Counter[int], values: list[float]) -> None:
    if min(values) < LEAST:
        values = [max(value, LEAST) for value in values]
    # `rollup.bucket_of` of each, without a step of Python's.
    sketch.update(map(ceil, map(PER_LOG.__mul__, map(log, values))))
