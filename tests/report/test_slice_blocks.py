"""The exploration slice is an experiment of its own, whatever the rest does."""

from __future__ import annotations

import numpy as np

from gateway.record.experiment_query import Cell, DayColumns, ExposureColumns, SaidColumns, UnitBlock
from gateway.report.slice_blocks import slice_of, slice_shares

CELLS = (Cell(3, "old"), Cell(3, "new"), Cell(4, "old"), Cell(4, "new"), Cell(4, "gone"))
INSIDE, BOTH, REMOVED, OUTSIDE = -4, -3, -2, 2**61
"""The highest hashes and the lowest slots: of 10,000 buckets the last, so a slice of all of them holds these."""


def block() -> UnitBlock:
    """Give users who came in two epochs; one of them changed arms."""
    rows = [(INSIDE, 0, 50), (INSIDE, 2, 20), (BOTH, 0, 10), (BOTH, 3, 11), (REMOVED, 4, 12), (OUTSIDE, 1, 13)]
    units, cells, first = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    nothing, days = np.zeros(len(rows)), np.zeros(len(rows), np.int32)
    return UnitBlock(
        exposures=ExposureColumns(units, cells.astype(np.int16), first, days),
        days=DayColumns(units, cells.astype(np.int16), days, {"requests": np.ones(len(rows))}),
        said={"m": SaidColumns(units, cells.astype(np.int16), days, np.ones(len(rows)), nothing, nothing, nothing)},
        history={},
        segments=((),),
        n_two_arms=2,
    )


def test_users_who_stayed() -> None:
    """Once each, from when they first came, with all that is theirs; who changed arms, or left the bandit, is out."""
    found = slice_of(block(), CELLS, ["old", "new"], 10_000)
    assert found.exposures.units.tolist() == [INSIDE, OUTSIDE]
    assert (found.exposures.cells.tolist(), found.exposures.first_unix_ms.tolist()) == ([0, 1], [20, 13])
    assert found.days.units.tolist() == found.said["m"].units.tolist() == [INSIDE, INSIDE, OUTSIDE]
    assert (found.days.cells.tolist(), found.days.sums["requests"].sum()) == ([0, 0, 1], 3)


def test_only_the_slice() -> None:
    """Buckets beyond it are the rest's."""
    assert slice_of(block(), CELLS, ["old", "new"], 2_000).exposures.units.tolist() == [OUTSIDE]


def test_nobody() -> None:
    """An empty block stays one."""
    empty = slice_of(block(), CELLS, ["old", "new"], 0)
    assert len(empty.exposures.units) == len(empty.days.units) == 0


def test_shares_are_equal() -> None:
    """However the rest is divided."""
    assert slice_shares(["a", "b", "c"], 7).arms == (("a", 1), ("b", 1), ("c", 1))
