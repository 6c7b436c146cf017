"""Pairs as columns: what statistics take, a number per pair, NaN where it is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
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

Slice = tuple[str, str]
"""A segment's name and value; of an arm, `arm` and its name."""


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
    """A table's pairs as columns, made once; its slices are rows of them."""

    def __init__(self, table: PairTable) -> None:
        self._pairs = columns_of(table.pairs)
        self._noise = columns_of(table.noise) if table.noise else None
        self._kinds: dict[tuple[Slice, ...], int] = {}
        self._codes, self._noise_codes = self._coded(table.pairs), self._coded(table.noise)

    def found(self) -> PairFindings:
        """Give what all of them come to."""
        return measure(self._pairs, self._noise)

    @property
    def pairs(self) -> PairColumns:
        """Give the shadow's pairs."""
        return self._pairs

    @property
    def noise(self) -> PairColumns | None:
        """Give the noise pairs; None without any."""
        return self._noise

    def sizes(self) -> Counter[Slice]:
        """Give the number of pairs in every slice there is."""
        import numpy as np

        sizes: Counter[Slice] = Counter()
        counts = np.bincount(self._codes, minlength=len(self._kinds))
        for kind, n in zip(self._kinds, counts.tolist(), strict=True):
            sizes.update(dict.fromkeys(kind, n))
        return sizes

    def found_in(self, slice_: Slice) -> PairFindings:
        """Give what those in a slice come to."""
        import numpy as np

        wanted = [code for kind, code in self._kinds.items() if slice_ in kind]
        noise_rows = np.flatnonzero(np.isin(self._noise_codes, wanted))
        noise = rows_of(self._noise, noise_rows) if self._noise is not None and len(noise_rows) else None
        return measure(rows_of(self._pairs, np.flatnonzero(np.isin(self._codes, wanted))), noise)

    def _coded(self, pairs: Sequence[Pair]) -> Any:
        """Give the number of each pair's slices: there are few, and pairs with the same ones share it."""
        import numpy as np

        kinds = self._kinds
        codes = [kinds.setdefault((("arm", pair.arm), *pair.segments.items()), len(kinds)) for pair in pairs]
        return np.array(codes, dtype=np.int64)


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
    """Give one side's numbers: an attribute of all sides at a time, which takes a third of a side at a time."""
    import numpy as np

    def column(values: list[Any]) -> Any:
        return np.array(values, dtype=np.float64)  # None becomes NaN

    safety = [side.safety for side in sides]
    n_chars = column([side.n_chars for side in sides])
    is_answer = (column([side.status for side in sides]) == 200) & ~np.isnan(n_chars)
    is_answer &= ~np.array([side.is_truncated for side in sides], dtype=np.bool_)
    is_known = is_answer | np.array([one is not _NONE for one in safety], dtype=np.bool_)
    is_clients = np.array([side.fault is Fault.CLIENT for side in sides], dtype=np.bool_)

    def of_answers(values: Any) -> Any:
        return np.where(is_answer, values, np.nan)

    return SideColumns(
        failed=np.where(is_known, 0.0, np.where(is_clients, np.nan, 1.0)),
        unsafe=np.where(is_known, column([one in _UNSAFE for one in safety]), np.nan),
        refused=np.where(is_known, column([one is _REFUSED for one in safety]), np.nan),
        is_valid_format=of_answers(column([side.is_valid_format for side in sides])),
        ttft_ms=of_answers(column([side.ttft_ms for side in sides])),
        duration_ms=of_answers(column([side.duration_ms for side in sides])),
        cost_usd=of_answers(column([side.cost_usd for side in sides])),
        output_tokens=of_answers(column([side.output_tokens for side in sides])),
        n_chars=of_answers(n_chars),
    )
