"""Sketches are within 1 %, merge exactly, and a clustered quantile knows how little it knows."""

from __future__ import annotations

import random
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.record.rollup import bucket_of as recorded_bucket_of
from gateway.record.rollup import quantile_of
from gateway.stats.quantile import (
    bucket_at,
    bucket_of,
    clustered_quantile,
    merged,
    quantile,
    quantile_ratio,
    sketch_of,
    value_of,
    without_largest,
)

VALUES = st.lists(st.floats(0.001, 1e9), min_size=1, max_size=60)


@given(VALUES, st.floats(0, 1))
def test_within_one_percent(values: list[float], q: float) -> None:
    """Every quantile is within 1 % of the order statistic of the same rank."""
    exact = sorted(values)[max(1, ceil(q * len(values) - 1e-9)) - 1]
    assert quantile(sketch_of(values), q) == pytest.approx(exact, rel=0.0101)


@given(VALUES, VALUES)
def test_merging(first: list[float], second: list[float]) -> None:
    """Merging is exact: the sketch of both is the sketch of all."""
    assert merged([sketch_of(first), sketch_of(second)]) == sketch_of([*first, *second])


@given(st.floats(1e-6, 1e9))
def test_same_buckets_as_recorded(value: float) -> None:
    """What minute rollups keep can be read here as it is."""
    assert bucket_of(value) == recorded_bucket_of(value)
    assert value_of(bucket_of(value)) == pytest.approx(quantile_of({bucket_of(value): 1}, 0.5))


def test_empty() -> None:
    """An empty sketch has no quantile, and one unit no interval."""
    assert quantile({}, 0.5) is None
    assert clustered_quantile([{3: 5}, {}], 0.95) is None
    assert quantile_ratio([{3: 5}, {3: 1}], [], 0.95) is None
    with pytest.raises(ValueError, match="no quantile"):
        bucket_at({}, 0.5)


@pytest.mark.parametrize("q", [-0.1, 1.1])
def test_refuses(q: float) -> None:
    """A share outside [0, 1] is no quantile's."""
    with pytest.raises(ValueError, match="not"):
        quantile({1: 1}, q)
    with pytest.raises(ValueError, match="not"):
        clustered_quantile([{1: 1}, {1: 1}], q)


def test_independent_rank() -> None:
    """One value per unit gives the textbook √(q(1 − q)/n) for the rank."""
    found = clustered_quantile([sketch_of([float(v)]) for v in range(1, 4001)], 0.9)
    assert found is not None
    assert found.se_rank == pytest.approx((0.9 * 0.1 / 4000) ** 0.5, rel=0.06)


def test_twins_know_no_more() -> None:
    """Every unit saying everything ten times widens the naive interval √10-fold: back to that of the units."""
    units = [sketch_of([float(v)]) for v in range(1, 1001)]
    tenfold = [{bucket: 10 * count for bucket, count in unit.items()} for unit in units]
    once, ten = clustered_quantile(units, 0.95), clustered_quantile(tenfold, 0.95)
    assert once is not None
    assert ten is not None
    assert ten.se_rank == pytest.approx(once.se_rank)
    assert (ten.low, ten.high) == (once.low, once.high)


def slow_users(rng: random.Random, n: int, factor: float = 1.0) -> list[dict[int, int]]:
    """Give users whose latencies resemble each other: each has a speed of their own."""
    users = []
    for _ in range(n):
        speed = factor * rng.lognormvariate(6.5, 0.4)
        users.append(sketch_of(speed * rng.lognormvariate(0, 0.3) for _ in range(rng.randint(3, 20))))
    return users


def test_ratio_covers() -> None:
    """With persistent users the 95 % interval of a p95 ratio holds the truth in 90 to 99 % of 120 draws."""
    rng = random.Random(11)
    held = 0
    for _ in range(120):
        found = quantile_ratio(slow_users(rng, 60, 1.5), slow_users(rng, 150), 0.95)
        assert found is not None
        held += not found.interval.excludes(1.5)
    assert 0.90 <= held / 120 <= 0.99


def test_ratio_sees_double() -> None:
    """Twice as slow is surely slower with 100 users each, and the estimate is near 2."""
    rng = random.Random(12)
    found = quantile_ratio(slow_users(rng, 100, 2.0), slow_users(rng, 100), 0.95)
    assert found is not None
    assert found.interval.low > 1.2
    assert 1.6 < found.ratio < 2.5


def test_without_largest() -> None:
    """Who has most values above the quantile is left out, not who has most values; of too few nobody is left."""
    many, slow, fast = {0: 400}, {0: 2, 50: 8}, {0: 10}
    assert without_largest([many, slow, {}, fast], 0.95, 1) == [many, fast]
    assert without_largest([many, slow], 0.95, 2) == []
    with pytest.raises(ValueError, match="not"):
        without_largest([many], 1.0, 1)
