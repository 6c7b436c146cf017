"""Sums add; sketches give quantiles within a hundredth; segments have an end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.record.rollup import (
    MAX_SEGMENT_VALUES,
    SegmentNames,
    Sums,
    added,
    added_sketch,
    bucket_of,
    quantile_of,
)


def test_adding_nothing() -> None:
    """Nothing is what adds nothing."""
    assert added(Sums(), Sums(requests=2, cost_usd=0.5)) == Sums(requests=2, cost_usd=0.5)


@given(st.lists(st.floats(0.01, 1e6), min_size=1), st.floats(0, 1))
def test_quantiles(values: list[float], ratio: float) -> None:
    """A sketch's quantile is within 1 % of the value it stands for."""
    sketch: dict[int, int] = {}
    for value in values:
        sketch = added_sketch(sketch, {bucket_of(value): 1})
    exact = sorted(values)[int(ratio * (len(values) - 1))]
    assert quantile_of(sketch, ratio) == pytest.approx(exact, rel=0.0101)


def test_no_quantile_of_nothing() -> None:
    """Of nothing there is no quantile."""
    assert quantile_of({}, 0.5) is None


def test_segment_names_have_an_end() -> None:
    """After so many values of a segment the rest share a name; known ones keep theirs."""
    names = SegmentNames()
    for number in range(MAX_SEGMENT_VALUES + 5):
        list(names.all_of("support", [("app", str(number))]))
    assert list(names.all_of("support", [("app", "0"), ("app", "99")])) == ["", "app=0", "app=(other)"]
