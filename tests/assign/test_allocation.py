"""Every bucket has one owner, weights are exact, and no more buckets move than must."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.assign.allocation import FREE, allocate, allocate_parts, range_of
from gateway.domain.release import BUCKETS, SlotRange

Ranges = tuple[SlotRange, ...]


def owners(ranges: Ranges) -> list[int]:
    """Give the owner of every bucket, in order; fails when ranges overlap or leave gaps."""
    found: list[int] = []
    for part in ranges:
        assert part.start == len(found)
        found += [part.arm] * (part.end - part.start)
    assert len(found) == BUCKETS
    return found


def slots(ranges: Ranges, arm: int) -> set[int]:
    """Give the buckets of one arm."""
    return {slot for slot, owner in enumerate(owners(ranges)) if owner == arm}


@st.composite
def weightings(draw: st.DrawFn, *, n_updates: int = 3) -> tuple[int, list[list[int]]]:
    """Give a baseline and a few weightings of the same arms."""
    n_arms = draw(st.integers(1, 7))
    cuts = st.lists(st.integers(0, BUCKETS), min_size=n_arms - 1, max_size=n_arms - 1).map(sorted)
    edges = [[0, *draw(cuts), BUCKETS] for _ in range(n_updates)]
    return draw(st.integers(0, n_arms - 1)), [[b - a for a, b in pairwise(e)] for e in edges]


@given(weightings())
def test_weights_are_exact(plan: tuple[int, list[list[int]]]) -> None:
    """After any history of weights every bucket is owned, and every arm owns exactly its weight."""
    baseline, updates = plan
    ranges: Ranges | None = None
    for weights in updates:
        ranges = allocate(weights, baseline=baseline, previous=ranges)
        owned = owners(ranges)
        assert [owned.count(arm) for arm in range(len(weights))] == weights
        assert all(a.arm != b.arm for a, b in pairwise(ranges))


@given(weightings())
def test_moves_are_minimal(plan: tuple[int, list[list[int]]]) -> None:
    """The buckets that change owner are the total variation between the weights, which none can beat."""
    baseline, updates = plan
    ranges = allocate(updates[0], baseline=baseline)
    for old, new in pairwise(updates):
        after = allocate(new, baseline=baseline, previous=ranges)
        moved = sum(a != b for a, b in zip(owners(ranges), owners(after), strict=True))
        assert moved == sum(max(0, n - o) for o, n in zip(old, new, strict=True))
        ranges = after


@given(weightings(n_updates=2))
def test_growing_arms_keep(plan: tuple[int, list[list[int]]]) -> None:
    """An arm whose weight does not fall keeps every bucket it had."""
    baseline, (old, new) = plan
    before = allocate(old, baseline=baseline)
    after = allocate(new, baseline=baseline, previous=before)
    for arm, (was, now) in enumerate(zip(old, new, strict=True)):
        if now >= was:
            assert slots(before, arm) <= slots(after, arm)


@given(st.integers(0, 1), st.lists(st.integers(0, BUCKETS), min_size=1, max_size=8))
def test_two_arms_nest(baseline: int, candidate_weights: list[int]) -> None:
    """With two arms the candidate owns the lowest buckets whatever came before, so stages nest."""
    ranges: Ranges | None = None
    for weight in candidate_weights:
        weights = [0, 0]
        weights[baseline], weights[1 - baseline] = BUCKETS - weight, weight
        ranges = allocate(weights, baseline=baseline, previous=ranges)
        assert slots(ranges, 1 - baseline) == set(range(weight))


def test_canonical_order() -> None:
    """A first allocation puts the other arms in order at the bottom, the baseline on top."""
    assert allocate([2_000, 7_000, 1_000], baseline=1) == (
        SlotRange(0, 2_000, 0),
        SlotRange(2_000, 3_000, 2),
        SlotRange(3_000, 10_000, 1),
    )


def test_zero_owns_nothing() -> None:
    """An arm of weight zero has no range, and the whole is one range."""
    assert allocate([10_000, 0], baseline=0) == (SlotRange(0, 10_000, 0),)
    assert allocate([0, 10_000], baseline=0) == (SlotRange(0, 10_000, 1),)


def test_vanished_arm_is_shared() -> None:
    """The buckets of an arm that is gone go to those that grow, and nobody else moves."""
    previous = (SlotRange(0, 2_000, 1), SlotRange(2_000, 4_000, FREE), SlotRange(4_000, 10_000, 0))
    after = allocate([7_000, 3_000], baseline=0, previous=previous)
    assert after == (
        SlotRange(0, 2_000, 1),
        SlotRange(2_000, 3_000, 0),
        SlotRange(3_000, 4_000, 1),
        SlotRange(4_000, 10_000, 0),
    )


def test_new_arm_takes_lowest() -> None:
    """An arm that joins takes what the baseline lets go: its lowest."""
    before = allocate([9_000, 1_000, 0], baseline=0)
    after = allocate([8_500, 1_000, 500], baseline=0, previous=before)
    assert slots(after, 2) == set(range(1_000, 1_500))


@pytest.mark.parametrize("weights", [[], [9_999], [10_001], [-1, 10_001], [5_000, 5_001]])
def test_bad_weights_raise(weights: list[int]) -> None:
    """Weights that do not add up to the whole are refused."""
    with pytest.raises(ValueError, match="add up to 10000"):
        allocate(weights, baseline=0)


@pytest.mark.parametrize("baseline", [-1, 2])
def test_bad_baseline_raises(baseline: int) -> None:
    """A baseline that is not an arm is refused."""
    with pytest.raises(ValueError, match="not one of 2 arms"):
        allocate([5_000, 5_000], baseline=baseline)


@pytest.mark.parametrize(
    "previous",
    [
        (SlotRange(0, 6_000, 0), SlotRange(5_000, 10_000, 1)),
        (SlotRange(0, 10_001, 0),),
        (SlotRange(-1, 10_000, 0),),
        (SlotRange(5, 5, 0),),
        (SlotRange(0, 10_000, 2),),
        (SlotRange(0, 10_000, -2),),
    ],
)
def test_bad_previous_raises(previous: Ranges) -> None:
    """An allocation that could not have been ours is refused."""
    with pytest.raises(ValueError, match="overlaps, is out of bounds or names an arm"):
        allocate([5_000, 5_000], baseline=0, previous=previous)


def test_gaps_are_free() -> None:
    """Buckets nobody owned are given away first."""
    assert allocate([10_000], baseline=0, previous=()) == (SlotRange(0, 10_000, 0),)
    assert allocate([10_000], baseline=0, previous=(SlotRange(5, 9, 0),)) == (SlotRange(0, 10_000, 0),)


@pytest.mark.parametrize("n_arms", range(1, 9))
def test_owner_by_range(n_arms: int) -> None:
    """The walk and the bisection agree with the ranges, at every edge."""
    weights = [BUCKETS // n_arms] * n_arms
    weights[0] += BUCKETS - sum(weights)
    ranges = allocate(weights, baseline=0)
    for part in ranges:
        assert {range_of(ranges, slot).arm for slot in (part.start, part.end - 1)} == {part.arm}


def test_parts_are_divided_apart() -> None:
    """A part's buckets stay its own, and each moves as few as it can."""
    first = allocate_parts([[500, 500], [4_500, 4_500]], baseline=0)
    after = allocate_parts([[500, 500], [9_000, 0]], baseline=0, previous=first)
    assert owners(after)[:1_000] == owners(first)[:1_000]
    assert sum(a != b for a, b in zip(owners(first), owners(after), strict=True)) == 4_500


def test_parts_fill_the_buckets() -> None:
    """Too few, or too many, are refused."""
    with pytest.raises(ValueError, match="must add up to 10000"):
        allocate_parts([[500, 500], [4_500, 4_499]], baseline=0)
