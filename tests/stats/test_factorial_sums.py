"""Sums of a factorial release: three ways in, one value."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.stats.factorial_sums import CellSums, UnitRow, sums_of_cells, sums_of_products, sums_of_rows
from gateway.stats.products import CellProducts


def rows_in_epochs(*, seed: int, n: int = 300) -> list[UnitRow]:
    """Draw units that are in one or two of four cells, in one or two of two epochs."""
    random = np.random.default_rng(seed)
    places = [(int(at) % 4, int(at) // 4) for at in range(8)]
    return [
        UnitRow(unit, *_placed(places[int(at)], float(random.normal())))
        for unit in range(n)
        for at in random.choice(8, size=int(random.integers(1, 4)), replace=False)
    ]


def _placed(place: tuple[int, int], mean: float) -> tuple[int, float, int]:
    return place[0], mean, place[1]


def test_products_are_rows() -> None:
    """What a report gathers gives the sums that rows do."""
    rows = sorted(rows_in_epochs(seed=1))
    products = CellProducts(2)
    places = [row.cell + 4 * row.epoch for row in rows]
    columns = np.array([[1.0, row.mean] for row in rows])
    products.note(np.array([row.unit for row in rows]), np.array(places), columns)
    theirs = sums_of_rows(rows)
    wanted = {cell + 4 * epoch: (cell, epoch) for cell, epoch in zip(theirs.cells, theirs.epochs, strict=True)}
    ours = sums_of_products(products, wanted, n_units=theirs.n_units)
    for name in ("counts", "totals", "products"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name))
    assert (ours.cells, ours.epochs) == (theirs.cells, theirs.epochs)


def test_counts_units_once() -> None:
    """A unit in three places is one unit, and one in each of them."""
    sums = sums_of_rows([UnitRow(7, cell, 1.0, epoch) for cell, epoch in ((0, 0), (0, 1), (3, 1))])
    assert sums.n_units == 1
    assert sums.counts.tolist() == [[1.0] * 3] * 3


def test_cells_left_out() -> None:
    """Without a cell, its places and its units are gone; nobody else's are."""
    sums = sums_of_cells([CellSums(10, 7, 7), CellSums(3, 1, 1), CellSums(0, 0, 0)]).without({1})
    assert (sums.cells, sums.n_units, sums.counts.tolist()) == ((0,), 10, [[10.0]])


def test_nobody() -> None:
    """Of no rows there are no sums."""
    assert sums_of_rows([]).n_units == 0


@pytest.mark.parametrize("rows", [[UnitRow(1, 0, 0.5), UnitRow(1, 0, 0.7)], [UnitRow(1, -1, 0.5)]])
def test_refusals(rows: list[UnitRow]) -> None:
    """Two rows of a unit in one place, and cells below 0, are refused."""
    with pytest.raises(ValueError, match="one row at most"):
        sums_of_rows(rows)
