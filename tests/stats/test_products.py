"""Sums of products: blocks add, units are clusters, and what they say is what rows say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.stats.products import CellProducts, Influence, sums_of, variance_of


def drawn(seed: int, n: int = 400, n_cells: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give rows of units that are in one to all cells, sorted by unit."""
    rng = np.random.default_rng(seed)
    is_in = rng.random((n, n_cells)) < 0.5
    units, cells = np.nonzero(is_in)
    own = rng.normal(size=n)
    values = own[units] + rng.normal(size=len(units))
    return units, cells, np.column_stack([np.ones(len(units)), values])


def direct(units: np.ndarray, cells: np.ndarray, columns: np.ndarray, influences: list[Influence]) -> float:
    """Give the variance from the rows themselves."""
    shares = np.zeros(len(units))
    for one in influences:
        is_it = cells == one.cell
        shares[is_it] = columns[is_it] @ np.asarray(one.coefficients)
    together = np.bincount(units, weights=shares)
    return float(together @ together)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_same_as_rows(seed: int) -> None:
    """The quadratic form is the sum over units, however they are spread over cells."""
    units, cells, columns = drawn(seed)
    influences = [Influence(0, (0.3, -1.0)), Influence(1, (1.0, 2.0)), Influence(2, (-0.5, 0.25))]
    products = CellProducts(2)
    products.note(units, cells, columns)
    assert variance_of(products, influences) == pytest.approx(direct(units, cells, columns, influences), rel=1e-9)


def test_blocks_add() -> None:
    """Blocks of units make the same products as all of them at once."""
    units, cells, columns = drawn(7)
    whole, parts = CellProducts(2), CellProducts(2)
    whole.note(units, cells, columns)
    for low in range(0, 400, 90):
        is_here = (units >= low) & (units < low + 90)
        parts.note(units[is_here], cells[is_here], columns[is_here])
    assert whole.between.keys() == parts.between.keys()
    for key, matrix in whole.between.items():
        assert parts.between[key] == pytest.approx(matrix)


def test_sums() -> None:
    """A cell's sums are in its first row; a cell without units has none."""
    products = CellProducts(2)
    products.note(np.array([4, 9]), np.array([1, 1]), np.array([[1.0, 5.0], [1.0, 7.0]]))
    (only,) = sums_of(products, [0, 1]).items()
    assert (only[0], list(only[1])) == (1, [2.0, 12.0])


def test_refuses_what_does_not_fit() -> None:
    """Columns of another shape are an error."""
    with pytest.raises(ValueError, match="make no block"):
        CellProducts(2).note(np.array([1]), np.array([0]), np.ones((1, 3)))


def test_nobody() -> None:
    """An empty block changes nothing."""
    products = CellProducts(2)
    products.note(np.array([], dtype=int), np.array([], dtype=int), np.ones((0, 2)))
    assert (products.between, variance_of(products, [Influence(0, (1.0, 1.0))])) == ({}, 0.0)
