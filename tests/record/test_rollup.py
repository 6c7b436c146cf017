"""Sums add, whichever way outcomes are cut; sketches give quantiles within a hundredth."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.outcome import Fault, Safety
from gateway.domain.release import Reason
from gateway.record.outcome import Outcome
from gateway.record.rollup import (
    DAY_MS,
    MAX_SEGMENT_VALUES,
    Folded,
    SegmentNames,
    Sums,
    UnitDayKey,
    added,
    added_sketch,
    bucket_of,
    fold,
    quantile_of,
    sums_of,
)
from tests.record.store.making import NOW_UNIX_MS, outcome

# Whole numbers, so that sums of floats are exact and their order cannot be seen.
whole = st.integers(0, 1_000).map(float)
outcomes: st.SearchStrategy[Outcome] = st.builds(
    outcome,
    st.sampled_from([0, 7, 8]),
    unix_ms=st.integers(NOW_UNIX_MS, NOW_UNIX_MS + 2 * DAY_MS),
    reason=st.sampled_from([None, *Reason]),
    arm=st.sampled_from([None, "concise", "current"]),
    fault=st.sampled_from(Fault),
    safety=st.sampled_from(Safety),
    attempts=st.integers(0, 3),
    is_stream=st.booleans(),
    is_client_gone=st.booleans(),
    is_valid_format=st.sampled_from([None, True, False]),
    duration_ms=whole,
    ttft_ms=st.none() | whole,
    cost_usd=st.none() | whole,
    output_tokens=st.none() | st.integers(0, 2),
    segments=st.none() | st.fixed_dictionaries({"plan": st.sampled_from(["free", "pro"])}),
)


def shown(folded: Folded) -> tuple[Any, ...]:
    """Give everything that was folded, to be compared."""
    return folded.groups, folded.unit_days, folded.exposures


@given(st.lists(outcomes), st.lists(outcomes), st.lists(outcomes))
def test_folding_adds(one: list[Outcome], two: list[Outcome], three: list[Outcome]) -> None:
    """Folded apart and put together, in either order, is what folding them together gives."""
    left, right = fold(one), fold(two)
    left.include(right)
    left.include(fold(three))
    right.include(fold(three))
    first = fold(one)
    first.include(right)
    whole_fold = fold(one + two + three)
    assert shown(left) == shown(first)
    assert shown(left)[1:] == shown(whole_fold)[1:]
    assert left.rollups(SegmentNames()).keys() == whole_fold.rollups(SegmentNames()).keys()


@given(st.lists(outcomes, min_size=1))
def test_every_request_counts_once(many: list[Outcome]) -> None:
    """All requests are in the rollups without a segment, and those of a segment in its own."""
    rollups = fold(many).rollups(SegmentNames())
    counted = sum(rollup.sums.requests for key, rollup in rollups.items() if not key.segment)
    in_segments = sum(rollup.sums.requests for key, rollup in rollups.items() if key.segment)
    assert (counted, in_segments) == (len(many), sum(each.segments is not None for each in many))


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, {"requests": 1, "sent": 1, "answered": 1, "priced": 1, "metered": 1, "input_tokens": 100}),
        ({"fault": Fault.PROVIDER}, {"provider_faults": 1, "answered": 0, "duration_ms": 0.0}),
        ({"is_client_gone": True}, {"clients_gone": 1, "answered": 0}),
        ({"served": "current"}, {"fallbacks": 1}),
        ({"served": None}, {"fallbacks": 0}),
        ({"safety": Safety.REFUSED}, {"refused": 1, "flagged": 0}),
        ({"is_valid_format": False}, {"checked_formats": 1, "invalid_formats": 1}),
        ({"ttft_ms": 230.0}, {"ttfts": 1, "ttft_ms": 230.0, "tpots": 1, "tpot_ms": 30.0}),
        ({"ttft_ms": 0.0}, {"ttfts": 1}),
        ({"ttft_ms": 1.0, "output_tokens": None}, {"ttfts": 1, "tpots": 0, "metered": 0}),
        ({"cost_usd": float("nan")}, {"priced": 0, "cost_usd": 0.0}),
        ({"is_estimated": True}, {"estimated": 1}),
        ({"attempts": 0}, {"sent": 0, "attempts": 0}),
    ],
)
def test_what_is_counted(changes: dict[str, Any], wanted: dict[str, float]) -> None:
    """Each thing that can be said of a request is in its own sum."""
    sums = sums_of(outcome(**changes))._asdict()
    assert {name: sums[name] for name in wanted} == wanted


def test_unit_days_by_day() -> None:
    """A unit's day is the day in UTC, and its sums are those of its requests."""
    folded = fold([outcome(), outcome(), outcome(unix_ms=NOW_UNIX_MS + DAY_MS)])
    day = NOW_UNIX_MS // DAY_MS
    found = {key[4]: sums.requests for key, sums in folded.unit_days.items()}
    assert found == {day: 2, day + 1: 1}
    assert UnitDayKey("support-concise", 2, "concise", 7, day) in folded.unit_days


def test_adding_nothing() -> None:
    """Nothing is what adds nothing."""
    assert added(Sums(), sums_of(outcome())) == sums_of(outcome())


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
