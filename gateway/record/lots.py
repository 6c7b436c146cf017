"""
Outcomes sorted into lots: alike in all that is counted apart, and column by column in what is added up.

Metrics and rollups count the same outcomes by much the same values. To find out where an outcome belongs costs more
than to add its numbers there, so it is done once for both, and numbers are added by the column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from typing import Any

from gateway.record.outcome import Outcome
from gateway.record.rollup import MINUTE_MS

_COLUMNS = (
    "cached_tokens",
    "costs_usd",
    "durations_ms",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "ttfts_ms",
    "unit_hashes",
    "unix_ms",
)


class Lot:
    """
    Outcomes of one minute that differ in nothing but what its columns hold, and texts that nobody counts.

    Columns are in the order in which the outcomes came. A column has all of them or, where they have no such value,
    none: outcomes that have one and outcomes that do not are never in one lot.

    Attributes:
        first: The first of them, for what they have in common.
        size: How many there are, at least one.
        unix_ms: As in Outcome, like all that follow.
        unit_hashes: Of each.
        durations_ms: Of each.
        ttfts_ms: Of each, or empty.
        input_tokens: Of each, or empty.
        output_tokens: Of each, or empty.
        cached_tokens: Of each, or empty when all of them, and all of `reasoning_tokens`, are 0.
        reasoning_tokens: Likewise.
        costs_usd: Of each, or empty.
    """

    __slots__ = (*_COLUMNS, "first", "size")

    def __init__(self, outcomes: Sequence[Any]) -> None:
        first: Outcome = outcomes[0]
        has_rare = bool(first.cached_tokens or first.reasoning_tokens)
        self.first = first
        self.size = len(outcomes)
        self.unix_ms: list[int] = [each.unix_ms for each in outcomes]
        self.unit_hashes: list[int] = [each.unit_hash for each in outcomes]
        self.durations_ms: list[float] = [each.duration_ms for each in outcomes]
        self.ttfts_ms: list[float] = [] if first.ttft_ms is None else [each.ttft_ms for each in outcomes]
        self.input_tokens: list[int] = [] if first.input_tokens is None else [each.input_tokens for each in outcomes]
        self.output_tokens: list[int] = [] if first.output_tokens is None else [each.output_tokens for each in outcomes]
        self.cached_tokens: list[int] = [each.cached_tokens for each in outcomes] if has_rare else []
        self.reasoning_tokens: list[int] = [each.reasoning_tokens for each in outcomes] if has_rare else []
        self.costs_usd: list[float] = [] if first.cost_usd is None else [each.cost_usd for each in outcomes]

    def singles(self) -> Iterator[Lot]:
        """Give a lot of one for each outcome, with nothing of the others."""
        for at in range(self.size):
            single = copy(self)
            single.size = 1
            for name in _COLUMNS:
                setattr(single, name, getattr(self, name)[at : at + 1])
            yield single


def lots_of(outcomes: Iterable[Outcome]) -> list[Lot]:
    """Give outcomes as lots, these in the order of their first outcomes."""
    lots: dict[Any, list[Outcome]] = {}
    find = lots.get
    for outcome in outcomes:
        route, segments = outcome.route, outcome.segments
        key = (
            outcome.unix_ms // MINUTE_MS,
            route,
            outcome.release,
            outcome.epoch,
            outcome.arm,
            outcome.served,
            outcome.reason,
            outcome.api,
            outcome.provider,
            outcome.model_requested if route is None else None,
            outcome.model_sent,
            outcome.model_served,
            outcome.status,
            outcome.error_code,
            outcome.fault,
            outcome.attempts,
            outcome.is_stream,
            outcome.ttft_ms is None,
            outcome.input_tokens is None,
            outcome.output_tokens is None,
            bool(outcome.cached_tokens or outcome.reasoning_tokens),
            outcome.is_estimated,
            outcome.cost_usd is None,
            outcome.safety,
            outcome.safety_category,
            outcome.is_valid_format,
            outcome.is_truncated,
            outcome.is_client_gone,
            tuple(segments.items()) if segments else None,
        )
        lot = find(key)
        if lot is None:
            lots[key] = [outcome]
        else:
            lot.append(outcome)
    return list(map(Lot, lots.values()))
