"""Pairs as columns: what statistics take, a number per pair, NaN where it is not known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from gateway.domain.outcome import Fault, Safety
from gateway.gates.evidence import ShadowEvidence
from gateway.gates.shadow import decide_shadow
from gateway.gates.shadow_findings import PairColumns, PairFindings, SideColumns, measure
from gateway.gates.shadow_verdict import ShadowVerdict
from gateway.record.pair import Pair, PairKind, Side

_UNSAFE = frozenset({Safety.INPUT_BLOCKED, Safety.OUTPUT_BLOCKED, Safety.FLAGGED})
_REFUSED, _NONE = Safety.REFUSED, Safety.NONE
_PER_SIDE = len(fields(SideColumns))
_CLIENTS_FAULT: tuple[float | None, ...] = (None,) * _PER_SIDE
_FAILED = (1.0, *_CLIENTS_FAULT[1:])


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


class TableColumns:
    """A table's pairs as columns, made once; its segments are rows of them."""

    def __init__(self, table: PairTable) -> None:
        self._table = table
        self._pairs = columns_of(table.pairs)
        self._noise = columns_of(table.noise) if table.noise else None

    def found(self) -> PairFindings:
        """Give what all of them come to."""
        return measure(self._pairs, self._noise)

    def found_where(self, is_in: Callable[[Pair], bool]) -> PairFindings:
        """Give what those in a segment come to."""
        rows = _rows_where(self._table.pairs, is_in)
        noise_rows = _rows_where(self._table.noise, is_in)
        noise = rows_of(self._noise, noise_rows) if self._noise is not None and len(noise_rows) else None
        return measure(rows_of(self._pairs, rows), noise)


def rows_of(columns: PairColumns, rows: Any) -> PairColumns:
    """Give these rows, by index, of every column."""
    return PairColumns(
        *(
            SideColumns(*(getattr(value, each.name)[rows] for each in fields(value)))
            if isinstance(value, SideColumns)
            else value[rows]
            for value in (getattr(columns, one.name) for one in fields(columns))
        )
    )


def _rows_where(pairs: Sequence[Pair], is_in: Callable[[Pair], bool]) -> Any:
    import numpy as np

    return np.flatnonzero(np.fromiter(map(is_in, pairs), dtype=np.bool_, count=len(pairs)))


def table_of(pairs: Iterable[Pair]) -> PairTable:
    """Give pairs sorted by what they are of."""
    found: dict[PairKind, list[Pair]] = {PairKind.SHADOW: [], PairKind.NOISE: []}
    for pair in pairs:
        found[pair.kind].append(pair)
    return PairTable(tuple(found[PairKind.SHADOW]), tuple(found[PairKind.NOISE]))


def verdict_of(table: PairTable) -> ShadowVerdict:
    """Give what is to be thought of a shadow."""
    return decide_shadow(TableColumns(table).found())


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
        return np.array(list(values), dtype=np.float64)  # None becomes NaN

    likeness = [pair.likeness for pair in pairs]
    judged = [pair.judgement for pair in pairs]
    # Signed or not does not matter: equal integers are one user. 64 bits do not fit a float.
    units = np.fromiter((pair.unit_hash for pair in pairs), dtype=np.uint64, count=len(pairs))
    return PairColumns(
        units=units,
        primary=_side_columns([pair.primary for pair in pairs]),
        shadow=_side_columns([pair.shadow for pair in pairs]),
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


def _side_columns(sides: Sequence[Side]) -> SideColumns:
    import numpy as np

    numbers = np.array([_numbers_of(side) for side in sides], dtype=np.float64).reshape(len(sides), _PER_SIDE)
    return SideColumns(*numbers.T)


def _numbers_of(side: Side) -> tuple[float | None, ...]:
    """Give one side's numbers in the order of SideColumns; None becomes NaN."""
    safety = side.safety
    if side.is_answer:
        return (
            0.0,
            safety in _UNSAFE,
            safety is _REFUSED,
            side.is_valid_format,
            side.ttft_ms,
            side.duration_ms,
            side.cost_usd,
            side.output_tokens,
            side.n_chars,
        )
    if safety is not _NONE:
        return (0.0, safety in _UNSAFE, safety is _REFUSED, None, None, None, None, None, None)
    return _CLIENTS_FAULT if side.fault is Fault.CLIENT else _FAILED
