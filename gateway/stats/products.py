"""
Sums of products of units' columns, within and between the cells they were in: all that a clustered comparison needs.

A cell is an arm in one epoch. A unit that was in several cells is one unit: what it did in one is no evidence apart
from what it did in the other. The variance of any weighted sum over cells of means or ratios is a quadratic form in
these products, so that ten million units come down to a few small matrices, and blocks of units simply add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[Any]


class CellProducts:
    """
    Adds blocks of units.

    Attributes:
        n_columns: Columns per row, the first of them a 1.
        between: (cell, cell) to a (n_columns, n_columns) matrix: Σ over units in both of v·v'ᵀ; the first cell is the
            lower. Cells that share no unit are not there.
    """

    def __init__(self, n_columns: int) -> None:
        self.n_columns = n_columns
        self.between: dict[tuple[int, int], Matrix] = {}

    def note(self, units: Matrix, cells: Matrix, columns: Matrix) -> None:
        """
        Add a block.

        Args:
            units: (rows,) integers, sorted. All rows of a unit are in the same block.
            cells: (rows,) integers; a unit has one row a cell at most.
            columns: (rows, n_columns) float64; the first is 1.

        Raises:
            ValueError: Lengths differ, or there are more columns or fewer.
        """
        import numpy as np

        if columns.shape != (len(units), self.n_columns) or len(cells) != len(units):
            msg = f"{len(units)} units, {len(cells)} cells and columns of {columns.shape} make no block"
            raise ValueError(msg)
        if not len(units):
            return
        for cell in np.unique(cells):
            rows = columns[cells == cell]
            self._add(int(cell), int(cell), rows.T @ rows)
        is_same = units[1:] == units[:-1]
        if is_same.any():
            is_shared = np.concatenate([[False], is_same]) | np.concatenate([is_same, [False]])
            self._note_shared(units[is_shared], cells[is_shared], columns[is_shared])

    def within(self, cell: int) -> Matrix | None:
        """Give a cell's own products; None where it has no unit."""
        return self.between.get((cell, cell))

    def _note_shared(self, units: Matrix, cells: Matrix, columns: Matrix) -> None:
        import numpy as np

        of = {int(cell): (units[cells == cell], columns[cells == cell]) for cell in np.unique(cells)}
        ordered = sorted(of)
        for at, first in enumerate(ordered):
            for second in ordered[at + 1 :]:
                _, left, right = np.intersect1d(
                    of[first][0], of[second][0], assume_unique=True, return_indices=True
                )  # fmt: skip
                if len(left):
                    self._add(first, second, of[first][1][left].T @ of[second][1][right])

    def _add(self, first: int, second: int, products: Matrix) -> None:
        known = self.between.get((first, second))
        self.between[first, second] = products if known is None else known + products


class Influence(NamedTuple):
    """
    How a cell enters a weighted sum.

    Attributes:
        cell: Which.
        coefficients: (n_columns,): a unit's share of the estimate's error is their product with its columns.
    """

    cell: int
    coefficients: Sequence[float]


def variance_of(products: CellProducts, influences: Sequence[Influence]) -> float:
    """
    Give the variance of a sum of cells' estimates, clustered by unit across them.

    Args:
        products: Of the units.
        influences: One per cell at most.

    Returns:
        Σ over units of (Σ over its cells of coefficients · columns)², not below 0.

    Source:
        Liang & Zeger (1986), Biometrika 73:13-22: the sandwich's meat, units being clusters.

    >>> import numpy as np
    >>> products = CellProducts(2)
    >>> products.note(np.array([1, 2]), np.array([0, 0]), np.array([[1.0, 2.0], [1.0, 4.0]]))
    >>> variance_of(products, [Influence(0, (-3.0, 1.0))])
    2.0
    """
    import numpy as np

    by_cell = {one.cell: np.asarray(one.coefficients, dtype=np.float64) for one in influences}
    total = 0.0
    for (first, second), matrix in products.between.items():
        left, right = by_cell.get(first), by_cell.get(second)
        if left is not None and right is not None:
            total += float(left @ matrix @ right) * (1 if first == second else 2)
    return max(0.0, total)


def sums_of(products: CellProducts, cells: Sequence[int]) -> Mapping[int, Matrix]:
    """Give (n_columns,) sums by cell, the number of its units first; cells without units are left out."""
    found = {cell: products.within(cell) for cell in cells}
    return {cell: matrix[0] for cell, matrix in found.items() if matrix is not None}
