"""
The exploration slice of a bandit as an experiment of its own: whoever is in it, and in which arm, no reward decides.

Its shares are equal and its users never change arms, so all its stretches are one epoch; users of an arm that was
removed came over to another, and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gateway.record.experiment_query import (
    Cell,
    DayColumns,
    EpochShares,
    ExposureColumns,
    SaidColumns,
    UnitBlock,
)
from gateway.report.reward_gathering import slots_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

SLICE_EPOCH = 0
"""The epoch that all of a slice's are taken for."""


def slice_shares(arms: Sequence[str], since_unix_ms: int) -> EpochShares:
    """Give how the slice is divided: equally."""
    return EpochShares(SLICE_EPOCH, since_unix_ms, tuple((arm, 1) for arm in arms))


def slice_of(block: UnitBlock, cells: Sequence[Cell], arms: Sequence[str], n_buckets: int) -> UnitBlock:
    """
    Give a block's users of the exploration slice, each in the cell of its arm in the slice's one epoch.

    Args:
        block: As read.
        cells: What its rows are of.
        arms: Those that are in the bandit now; rows of others are left out.
        n_buckets: The slice's size: it owns the buckets from 0 on.
    """
    import numpy as np

    index = {arm: at for at, arm in enumerate(arms)}
    arm_of = np.array([index.get(cell.arm, -1) for cell in cells], dtype=np.int16)
    shown = block.exposures
    own = arm_of[shown.cells]
    units = _units_of_one_arm(shown.units, own, n_buckets)
    is_in = np.isin(shown.units, units)
    shown = ExposureColumns(shown.units[is_in], own[is_in], shown.first_unix_ms[is_in], shown.segments[is_in])
    return UnitBlock(
        exposures=_first_of_each(shown),
        days=_days_of(block.days, arm_of, units),
        said={name: _said_of(said, arm_of, units) for name, said in block.said.items()},
        history=block.history,
        segments=block.segments,
        n_two_arms=0,
    )


def _units_of_one_arm(units: Column, arms: Column, n_buckets: int) -> Column:
    """Give the units of the slice that had one arm, and that one of the bandit's; `units` is sorted."""
    import numpy as np

    if not len(units):
        return units
    starts = np.flatnonzero(np.concatenate([[True], units[1:] != units[:-1]]))
    least, most = np.minimum.reduceat(arms, starts), np.maximum.reduceat(arms, starts)
    is_ours = (least == most) & (least >= 0) & (slots_of(units[starts]) < n_buckets)
    return np.asarray(units[starts][is_ours])


def _first_of_each(shown: ExposureColumns) -> ExposureColumns:
    """Give each unit's earliest row."""
    import numpy as np

    order = np.lexsort((shown.first_unix_ms, shown.units))
    ordered = shown.units[order]
    is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, np.bool_)
    return ExposureColumns(*(column[order[is_first]] for column in shown))


def _days_of(days: DayColumns, arm_of: Column, units: Column) -> DayColumns:
    import numpy as np

    is_in = np.isin(days.units, units)
    sums = {name: column[is_in] for name, column in days.sums.items()}
    return DayColumns(days.units[is_in], arm_of[days.cells[is_in]], days.days[is_in], sums)


def _said_of(said: SaidColumns, arm_of: Column, units: Column) -> SaidColumns:
    import numpy as np

    chosen = SaidColumns(*(column[np.isin(said.units, units)] for column in said))
    return chosen._replace(cells=arm_of[chosen.cells])
