"""Pairs as columns: what statistics take, a number per pair, NaN where it is not known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from gateway.domain.outcome import Fault, Safety
from gateway.gates.evidence import ShadowEvidence
from gateway.gates.shadow import decide_shadow
from gateway.gates.shadow_findings import PairColumns, SideColumns, measure
from gateway.gates.shadow_verdict import ShadowVerdict
from gateway.record.pair import Pair, PairKind, Side

_UNSAFE = frozenset({Safety.INPUT_BLOCKED, Safety.OUTPUT_BLOCKED, Safety.FLAGGED})
_PER_SIDE = ("failed", "unsafe", "refused", "is_valid_format", "ttft_ms", "duration_ms", "cost_usd", "output_tokens")


@dataclass(frozen=True, slots=True)
class PairTable:
    """
    A shadow's pairs, and the noise pairs beside them.

    Attributes:
        pairs: Of the shadow, oldest first.
        noise: Of the primary's variant asked again, oldest first.
    """

    pairs: tuple[Pair, ...]
    noise: tuple[Pair, ...]

    def where(self, is_in: Callable[[Pair], bool]) -> PairTable:
        """Give those that are in a segment."""
        return PairTable(tuple(filter(is_in, self.pairs)), tuple(filter(is_in, self.noise)))


def table_of(pairs: Iterable[Pair]) -> PairTable:
    """Give pairs sorted by what they are of."""
    found: dict[PairKind, list[Pair]] = {PairKind.SHADOW: [], PairKind.NOISE: []}
    for pair in pairs:
        found[pair.kind].append(pair)
    return PairTable(tuple(found[PairKind.SHADOW]), tuple(found[PairKind.NOISE]))


def verdict_of(table: PairTable) -> ShadowVerdict:
    """Give what is to be thought of a shadow."""
    noise = columns_of(table.noise) if table.noise else None
    return decide_shadow(measure(columns_of(table.pairs), noise))


def shadow_evidence_of(table: PairTable) -> ShadowEvidence | None:
    """Give the verdict as a rollout's stage looks at it; None without a pair."""
    if not table.pairs:
        return None
    verdict = verdict_of(table)
    findings = tuple(
        {"name": one.name, "effect": one.effect, "low": one.low, "high": one.high, "sentence": one.sentence}
        for one in verdict.findings
        if one.is_decisive
    )
    return ShadowEvidence(str(verdict.state), verdict.headline, verdict.n_pairs, verdict.n_users, findings)


def columns_of(pairs: Sequence[Pair]) -> PairColumns:
    """Give pairs of one kind as columns."""
    import numpy as np

    def column(values: Iterable[float | None]) -> Any:
        return np.fromiter((nan if value is None else value for value in values), dtype=np.float64, count=len(pairs))

    likeness = [pair.likeness for pair in pairs]
    judged = [pair.judgement for pair in pairs]
    # Signed or not does not matter: equal integers are one user. 64 bits do not fit a float.
    units = np.fromiter((pair.unit_hash for pair in pairs), dtype=np.uint64, count=len(pairs))
    return PairColumns(
        units=units,
        primary=_side_columns([pair.primary for pair in pairs], column),
        shadow=_side_columns([pair.shadow for pair in pairs], column),
        similarity=column(one.similarity if one is not None else None for one in likeness),
        is_equal=column(one.is_equal if one is not None else None for one in likeness),
        has_other_fields=column(
            None if one is None or one.changed_fields is None else bool(one.changed_fields) for one in likeness
        ),
        has_other_tools=column(
            None if one is None or one.tool_calls == "none" else one.tool_calls != "same" for one in likeness
        ),
        primary_first=column(None if one is None else one.primary_first for one in judged),
        shadow_first=column(None if one is None else one.shadow_first for one in judged),
    )


def _side_columns(sides: Sequence[Side], column: Callable[[Iterable[float | None]], Any]) -> SideColumns:
    numbers = [_numbers_of(side) for side in sides]
    by_name = zip(*numbers, strict=True) if numbers else ([] for _ in range(len(_PER_SIDE) + 1))
    return SideColumns(*(column(values) for values in by_name))


def _numbers_of(side: Side) -> tuple[float | None, ...]:
    """Give one side's numbers in the order of SideColumns."""
    safety, is_answer = side.safety, side.is_answer
    is_signal = safety is not Safety.NONE
    if is_answer or is_signal:
        failed: float | None = 0.0
    else:
        failed = None if side.fault is Fault.CLIENT else 1.0
    is_known = failed == 0.0
    return (
        failed,
        float(safety in _UNSAFE) if is_known else None,
        float(safety is Safety.REFUSED) if is_known else None,
        side.is_valid_format if is_answer else None,
        side.ttft_ms if is_answer else None,
        side.duration_ms if is_answer else None,
        side.cost_usd if is_answer else None,
        side.output_tokens if is_answer else None,
        side.n_chars if is_answer else None,
    )
