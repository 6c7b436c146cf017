"""People's sums as the store would give them: one block of units, for the code that reads real experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gateway.record.experiment_query import DayColumns, ExposureColumns, SaidColumns, UnitBlock
from gateway.record.rollup import DAY_MS
from gateway.record.store.experiment import SUM_NAMES

Floats = npt.NDArray[np.float64]

REQUEST_SUMS = {"requests": "requests", "provider_faults": "fails", "unsafe": "unsafe"}
"""What a world counts of requests, by the store's names."""


class StretchRows(NamedTuple):
    """
    People of one arm, in one stretch of constant weights.

    Attributes:
        people: (n,) their numbers.
        cell: Index of the query's.
        since_unix_ms: When the stretch began.
        sums: By name (n,), of their requests.
        said: By metric ((n,) how often, (n,) sum of values, (n,) catastrophes).
    """

    people: npt.NDArray[np.int64]
    cell: int
    since_unix_ms: int
    sums: Mapping[str, Floats]
    said: Sequence[tuple[Floats, Floats, Floats]]


def merged(rows: Sequence[StretchRows], hashes: npt.NDArray[np.int64], metrics: Sequence[str]) -> UnitBlock:
    """
    Give stretches as one block, by unit and cell.

    Args:
        rows: In the order of time.
        hashes: (people,) signed, as the store keeps them.
        metrics: Names, in the order of `said`.
    """
    units = _joined([hashes[row.people] for row in rows], np.int64)
    cells = _joined([np.full(len(row.people), row.cell) for row in rows], np.int16)
    first = _joined([np.full(len(row.people), row.since_unix_ms) for row in rows], np.int64)
    order = np.lexsort((first, cells, units))
    units, cells, first = units[order], cells[order], first[order]
    days = (first // DAY_MS).astype(np.int32)
    is_first = np.ones(len(units), np.bool_)
    is_first[1:] = (units[1:] != units[:-1]) | (cells[1:] != cells[:-1])
    # What a world does not count is nothing: answers that nobody gave have no duration and no cost.
    sums = dict.fromkeys(SUM_NAMES, np.zeros(len(units)))
    sums |= {name: _joined([row.sums[name] for row in rows], float)[order] for name in REQUEST_SUMS}
    said = {}
    for at, name in enumerate(metrics):
        counts, totals, tails = (_joined([row.said[at][part] for row in rows], float)[order] for part in range(3))
        spoke = counts > 0
        nothing = np.zeros(int(spoke.sum()))
        said[name] = SaidColumns(
            units[spoke], cells[spoke], days[spoke], counts[spoke], totals[spoke], nothing, tails[spoke]
        )
    shown = ExposureColumns(units[is_first], cells[is_first], first[is_first], np.zeros(int(is_first.sum()), np.int32))
    return UnitBlock(shown, DayColumns(units, cells, days, sums), said, {}, ((),))


def _joined(columns: Sequence[Any], kind: Any) -> npt.NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *columns]).astype(kind)
