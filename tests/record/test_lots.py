"""Lots hold every outcome once, with those alike, and every number of theirs."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.domain.outcome import Fault, Safety
from gateway.record.lots import lots_of
from tests.record.store.making import NOW_UNIX_MS, outcome


def test_columns() -> None:
    """What adds up stands in columns, in the order it came; what nobody has is left out."""
    (lot,) = lots_of([outcome(7, duration_ms=1.0), outcome(8, duration_ms=2.0, request_id="another", cost_usd=0.5)])
    assert (lot.size, lot.unit_hashes, lot.durations_ms, lot.costs_usd) == (2, [7, 8], [1.0, 2.0], [0.25, 0.5])
    assert (lot.ttfts_ms, lot.cached_tokens) == ([], [])


@pytest.mark.parametrize(
    "changes",
    [
        {"arm": "current"},
        {"served": None},
        {"epoch": 3},
        {"status": 500},
        {"fault": Fault.PROVIDER},
        {"safety": Safety.FLAGGED},
        {"attempts": 2},
        {"ttft_ms": 1.0},
        {"output_tokens": None},
        {"cost_usd": None},
        {"cached_tokens": 4},
        {"reasoning_tokens": 4},
        {"is_estimated": True},
        {"is_client_gone": True},
        {"segments": {"plan": "free"}},
        {"unix_ms": NOW_UNIX_MS + 60_000},
    ],
)
def test_unlike(changes: dict[str, Any]) -> None:
    """What is counted apart is in lots apart, these in the order of their first."""
    lots = lots_of([outcome(), outcome(**changes), outcome()])
    assert [lot.size for lot in lots] == [2, 1] and lots[1].first == outcome(**changes)


def test_singles() -> None:
    """A lot taken apart is the lots of its outcomes."""
    many = [outcome(number, ttft_ms=float(number), cached_tokens=number) for number in (3, 4, 5)]
    (lot,) = lots_of(many)
    assert [(one.size, one.unit_hashes, one.ttfts_ms, one.costs_usd) for one in lot.singles()] == [
        (1, [number], [float(number)], [0.25]) for number in (3, 4, 5)
    ]
