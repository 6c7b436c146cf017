"""Each outcome is counted once, as what it was, whichever way outcomes are cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.outcome import Fault, Safety
from gateway.domain.release import Reason
from gateway.record.folded import fold
from gateway.record.outcome import Outcome
from gateway.record.rollup import DAY_MS, Exposure, SegmentNames, UnitDayKey
from gateway.record.store.rows import decode_outcomes, encode_outcomes
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


def sums_of(one: Outcome) -> dict[str, float]:
    """Give one outcome's sums."""
    (group,) = fold([one]).groups.values()
    return group.rollup().sums._asdict()


@given(st.lists(outcomes), st.lists(outcomes))
def test_folding_adds(one: list[Outcome], two: list[Outcome]) -> None:
    """Rollups of two folds added are those of both together."""
    together, other = fold(one).rollups(SegmentNames()), fold(two).rollups(SegmentNames())
    for key, rollup in other.items():
        if key in together:
            together[key].include(rollup)
        else:
            together[key] = rollup
    assert together == fold(one + two).rollups(SegmentNames())


@given(st.lists(outcomes))
def test_order_follows_from_outcomes(many: list[Outcome]) -> None:
    """The same outcomes give the same groups and units in the same order, also after they were written and read."""
    one, other = fold(many), fold(decode_outcomes(encode_outcomes(many)))
    assert list(one.groups) == list(other.groups)
    assert list(one.unit_days().items()) == list(other.unit_days().items())


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
    sums = sums_of(outcome(**changes))
    assert {name: sums[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    "changes",
    [
        {"duration_ms": float("nan")},
        {"duration_ms": float("inf")},
        {"ttft_ms": -1.0},
        {"output_tokens": 2**63},
        {"attempts": 2**63},
    ],
)
def test_hostile_numbers(changes: dict[str, Any]) -> None:
    """No number makes a sum that a database cannot keep."""
    assert all(abs(value) < 2**62 for name, value in sums_of(outcome(**changes)).items() if not name.endswith("2"))


def test_unit_days_by_day() -> None:
    """A unit's day is the day in UTC, and its sums are those of its requests."""
    folded = fold([outcome(), outcome(), outcome(unix_ms=NOW_UNIX_MS + DAY_MS)])
    day = NOW_UNIX_MS // DAY_MS
    found = {key.day: sums.requests for key, sums in folded.unit_days().items()}
    assert found == {day: 2, day + 1: 1} and folded.n_units == 2
    assert UnitDayKey("support-concise", 2, "concise", 7, day) in folded.unit_days()


def test_exposure_is_the_first() -> None:
    """A unit's exposure in an arm is its earliest request, whichever came first, over all days."""
    times = [NOW_UNIX_MS + DAY_MS, NOW_UNIX_MS, NOW_UNIX_MS + 5]
    (exposure,) = fold([outcome(unix_ms=time, segments={"at": str(time)}) for time in times]).exposures().values()
    assert exposure == Exposure(NOW_UNIX_MS, "support", (("at", str(NOW_UNIX_MS)),))
