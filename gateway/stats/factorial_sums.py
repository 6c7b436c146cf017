"""
All that a factorial fit needs of the units: sums that were kept per cell, or that come of rows or of a report.

Of units that were in one cell each three numbers per cell are enough. Of units that were in several cells or epochs the
products of what they did here and there are wanted too: what a unit did in one place is no evidence apart from what it
did in another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.stats.products import CellProducts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[Any]


class CellSums(NamedTuple):
    """
    One cell's units, each of them in no other cell.

    Attributes:
        n: Units.
        total: Sum of their means, in the metric's unit.
        squares: Sum of the squares.
    """

    n: float
    total: float
    squares: float


class UnitRow(NamedTuple):
    """
    A unit's mean in one place: a cell in one epoch.

    Attributes:
        unit: Any number of its own.
        cell: From 0.
        mean: In the metric's unit.
        epoch: Any number; strata are compared for themselves.
    """

    unit: int
    cell: int
    mean: float
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class FactorialSums:
    """
    Sums of units' means; a place is a cell in one epoch.

    Attributes:
        cells: (places,) the cell of each.
        epochs: (places,) its epoch.
        counts: (places, places) units that were in both.
        totals: (places, places) Σ of their means in the first.
        products: (places, places) Σ of the products of their means in both.
        n_units: Distinct units.
    """

    cells: tuple[int, ...]
    epochs: tuple[int, ...]
    counts: Matrix
    totals: Matrix
    products: Matrix
    n_units: int

    def without(self, cells: Collection[int]) -> FactorialSums:
        """Give the sums without these cells, and without places that nobody was in."""
        import numpy as np

        kept = [at for at, cell in enumerate(self.cells) if cell not in cells and self.counts[at, at] > 0]
        if len(kept) == len(self.cells):
            return self
        square = np.ix_(kept, kept)
        counts = self.counts[square]
        return FactorialSums(
            tuple(self.cells[at] for at in kept),
            tuple(self.epochs[at] for at in kept),
            counts,
            self.totals[square],
            self.products[square],
            # Who was in one of them only is gone; how many were in several is not known.
            min(self.n_units, round(float(np.trace(counts)))),
        )


def sums_of_cells(cells: Sequence[CellSums]) -> FactorialSums:
    """
    Give the sums when every unit was in one cell, in one epoch.

    Args:
        cells: (cells,) in order; of nobody zeros.

    >>> sums_of_cells([CellSums(10, 7, 7), CellSums(12, 9, 9)]).n_units
    22
    """
    import numpy as np

    n, total, squares = np.array(cells, dtype=float).reshape(-1, 3).T
    order = tuple(range(len(cells)))
    return FactorialSums(order, (0,) * len(order), np.diag(n), np.diag(total), np.diag(squares), round(float(n.sum())))


def sums_of_rows(rows: Sequence[UnitRow]) -> FactorialSums:
    """
    Give the sums of a row per unit and place; takes memory of units times places.

    Raises:
        ValueError: A unit has two rows of one place, or a cell is below 0.

    >>> sums = sums_of_rows([UnitRow(1, 0, 0.5), UnitRow(1, 1, 1.0), UnitRow(2, 1, 0.0)])
    >>> sums.n_units, sums.counts.tolist(), sums.totals.tolist()
    (2, [[1.0, 1.0], [1.0, 2.0]], [[0.5, 0.5], [1.0, 1.0]])
    """
    import numpy as np

    if not rows:
        return sums_of_cells(())
    unit, cell, mean, epoch = (np.array(column) for column in zip(*rows, strict=True))
    names, at_unit = np.unique(unit, return_inverse=True)
    places, at_place = np.unique(np.column_stack([cell, epoch]), axis=0, return_inverse=True)
    shape = (len(names), len(places))
    there, means = np.zeros(shape), np.zeros(shape)
    there[at_unit, at_place.ravel()] = 1
    means[at_unit, at_place.ravel()] = mean
    if there.sum() != len(rows) or cell.min() < 0:
        msg = "a unit has one row at most of each cell and epoch, and cells are counted from 0"
        raise ValueError(msg)
    cells, epochs = (tuple(int(each) for each in column) for column in places.T)
    return FactorialSums(cells, epochs, there.T @ there, means.T @ there, means.T @ means, len(names))


def sums_of_products(products: CellProducts, places: Mapping[int, tuple[int, int]], *, n_units: int) -> FactorialSums:
    """
    Give the sums of what a report gathers: ten million units, in as many epochs as there were.

    Args:
        products: Of columns whose first two are 1 and the unit's mean.
        places: From a cell of theirs, an arm in an epoch, to (cell of the release, epoch); others are left out.
        n_units: Distinct units.
    """
    import numpy as np

    named = [one for one in places if products.within(one) is not None]
    at = {one: index for index, one in enumerate(named)}
    counts, totals, both = (np.zeros((len(named), len(named))) for _ in range(3))
    for (first, second), matrix in products.between.items():
        if first in at and second in at:
            one, other = at[first], at[second]
            counts[one, other] = counts[other, one] = matrix[0, 0]
            totals[one, other], totals[other, one] = matrix[1, 0], matrix[0, 1]
            both[one, other] = both[other, one] = matrix[1, 1]
    cells, epochs = tuple(places[one][0] for one in named), tuple(places[one][1] for one in named)
    return FactorialSums(cells, epochs, counts, totals, both, n_units)
