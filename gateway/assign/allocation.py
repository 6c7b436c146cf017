"""
Which buckets each arm owns, and how few of them change hands when weights change.

A release's first allocation is canonical: the other arms in order from bucket 0, the baseline gets
what is left. From then on a new allocation starts from the one in force: an arm that shrinks lets go
of exactly what it has too much of, an arm that grows takes exactly what it lacks from what was let
go. So the share of units that change arm is the total variation between the old and the new weights,
and no allocation can move fewer. With two arms the candidate always owns the lowest buckets, so its
1 % is among its 5 %, and stepping back from 50 % returns to the same first 5 %.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from operator import attrgetter

from gateway.domain.release import BUCKETS, SlotRange

FREE = -1
"""The arm index of a range whose arm is no longer in the release."""

_LINEAR_UP_TO = 4
_start_of = attrgetter("start")

Span = tuple[int, int]
"""First bucket, and one past the last."""


def range_of(ranges: tuple[SlotRange, ...], slot: int) -> SlotRange:
    """
    Give the range that `slot` lies in, and with it the arm that owns it.

    Args:
        ranges: Sorted, touching, from 0 to 10,000, as `allocate` gives them.
        slot: 0 to 9,999.
    """
    # Two to four ranges are the rule, and there a walk is faster than a bisection.
    if len(ranges) <= _LINEAR_UP_TO:
        for owned in ranges:
            if slot < owned.end:
                return owned
    return ranges[bisect_right(ranges, slot, key=_start_of) - 1]


def allocate(
    weights: Sequence[int],
    *,
    baseline: int,
    previous: tuple[SlotRange, ...] | None = None,
    n_buckets: int = BUCKETS,
) -> tuple[SlotRange, ...]:
    """
    Give each arm its buckets, moving as few as any allocation could.

    Args:
        weights: Buckets per arm, each 0 to 10,000, together `n_buckets`.
        baseline: Index of the baseline. It lets go of its lowest buckets, the others of their highest.
        previous: The allocation in force, its arms numbered as in `weights`; FREE (-1) for an arm
            that is gone. Buckets it does not mention are free. None for a first allocation.
        n_buckets: How many there are to give, from 0 on.

    Returns:
        Sorted, touching, merged ranges from 0 to `n_buckets`; an arm of weight 0 owns none.

    Raises:
        ValueError: Weights are negative or do not add up, `baseline` or an arm of `previous` is not
            an index into `weights`, or ranges of `previous` overlap or leave 0 to `n_buckets`.

    >>> allocate([9_500, 500], baseline=0)
    (SlotRange(start=0, end=500, arm=1), SlotRange(start=500, end=10000, arm=0))
    """
    _check_weights(weights, baseline, n_buckets)
    if previous is None:
        return _canonical(weights, baseline)
    owned, free = _spans_of(previous, len(weights), n_buckets)
    for arm, weight in enumerate(weights):
        excess = _size(owned[arm]) - weight
        if excess > 0:
            owned[arm], released = _release(owned[arm], excess, lowest=arm == baseline)
            free += released
    free.sort()
    for arm, weight in enumerate(weights):
        taken, free = _split(free, weight - _size(owned[arm]))
        owned[arm] += taken
    return _merged((start, end, arm) for arm, spans in enumerate(owned) for start, end in spans)


def allocate_parts(
    parts: Sequence[Sequence[int]], *, baseline: int, previous: tuple[SlotRange, ...] | None = None
) -> tuple[SlotRange, ...]:
    """
    Give each arm its buckets in parts that are divided apart: nobody moves from one part into another.

    Args:
        parts: From bucket 0 on, each part's buckets per arm; all together 10,000.
        baseline: As of `allocate`.
        previous: As of `allocate`, over all parts.

    Raises:
        ValueError: As of `allocate`.

    >>> allocate_parts([[50, 50], [9_900, 0]], baseline=0)
    (SlotRange(start=0, end=50, arm=1), SlotRange(start=50, end=10000, arm=0))
    """
    if sum(map(sum, parts)) != BUCKETS:
        msg = f"parts {[list(part) for part in parts]} must add up to {BUCKETS}"
        raise ValueError(msg)
    given: list[tuple[int, int, int]] = []
    start = 0
    for weights in parts:
        size = sum(weights)
        before = None if previous is None else _within(previous, start, start + size)
        ranges = allocate(weights, baseline=baseline, previous=before, n_buckets=size)
        given += [(start + one.start, start + one.end, one.arm) for one in ranges]
        start += size
    return _merged(given)


def _within(ranges: Iterable[SlotRange], first: int, last: int) -> tuple[SlotRange, ...]:
    """Give what of ranges lies in these buckets, counted from the first of them."""
    cut = ((max(one.start, first), min(one.end, last), one.arm) for one in ranges)
    return tuple(SlotRange(start - first, end - first, arm) for start, end, arm in cut if start < end)


def _check_weights(weights: Sequence[int], baseline: int, n_buckets: int) -> None:
    if any(weight < 0 for weight in weights) or sum(weights) != n_buckets:
        msg = f"weights {list(weights)} must not be negative and must add up to {n_buckets}"
        raise ValueError(msg)
    if not 0 <= baseline < len(weights):
        msg = f"baseline {baseline} is not one of {len(weights)} arms"
        raise ValueError(msg)


def _canonical(weights: Sequence[int], baseline: int) -> tuple[SlotRange, ...]:
    order = [arm for arm in range(len(weights)) if arm != baseline] + [baseline]
    ranges, start = [], 0
    for arm in order:
        end = start + weights[arm]
        if end > start:
            ranges.append(SlotRange(start, end, arm))
        start = end
    return tuple(ranges)


def _spans_of(previous: tuple[SlotRange, ...], n_arms: int, n_buckets: int) -> tuple[list[list[Span]], list[Span]]:
    """Give each arm's spans, and the free ones: those of vanished arms and the gaps."""
    owned: list[list[Span]] = [[] for _ in range(n_arms)]
    free: list[Span] = []
    at = 0
    for part in sorted(previous, key=_start_of):
        if not at <= part.start < part.end <= n_buckets or not FREE <= part.arm < n_arms:
            msg = f"{part} overlaps, is out of bounds or names an arm that is not one of {n_arms}"
            raise ValueError(msg)
        if part.start > at:
            free.append((at, part.start))
        (free if part.arm == FREE else owned[part.arm]).append((part.start, part.end))
        at = part.end
    if at < n_buckets:
        free.append((at, n_buckets))
    return owned, free


def _size(spans: Iterable[Span]) -> int:
    return sum(end - start for start, end in spans)


def _release(spans: list[Span], count: int, *, lowest: bool) -> tuple[list[Span], list[Span]]:
    """Give what is kept and what is let go: `count` buckets from one end."""
    if lowest:
        released, kept = _split(spans, count)
    else:
        kept, released = _split(spans, _size(spans) - count)
    return kept, released


def _split(spans: list[Span], count: int) -> tuple[list[Span], list[Span]]:
    """Give the lowest `count` buckets of sorted spans, and the others."""
    low: list[Span] = []
    high: list[Span] = []
    for start, end in spans:
        middle = min(end, start + max(count, 0))
        if start < middle:
            low.append((start, middle))
        if middle < end:
            high.append((middle, end))
        count -= middle - start
    return low, high


def _merged(parts: Iterable[tuple[int, int, int]]) -> tuple[SlotRange, ...]:
    ranges: list[SlotRange] = []
    for start, end, arm in sorted(parts):
        if ranges and ranges[-1].arm == arm:
            ranges[-1] = SlotRange(ranges[-1].start, end, arm)
        else:
            ranges.append(SlotRange(start, end, arm))
    return tuple(ranges)
