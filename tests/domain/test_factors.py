"""Factors and their cells: names, order, and what is refused."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.factors import cell_of, cells_of, levels_of, name_of, require_factors, slots_in

FACTORS = {"prompt": ["a", "b", "c", "d", "e"], "model": ["x", "y", "z"], "heat": ["low", "high"]}


def test_names_are_stable() -> None:
    """Every cell has a name of its own, and the last factor changes fastest."""
    names = cells_of(FACTORS)
    assert len(set(names)) == 30
    assert names[:3] == ["prompt=a,model=x,heat=low", "prompt=a,model=x,heat=high", "prompt=a,model=y,heat=low"]


@given(st.data(), st.lists(st.integers(2, 5), min_size=1, max_size=4))
def test_there_and_back(data: st.DataObject, sizes: list[int]) -> None:
    """A cell's levels give the cell again."""
    factors = {f"f{at}": [f"l{level}" for level in range(size)] for at, size in enumerate(sizes)}
    cell = data.draw(st.integers(0, prod(sizes) - 1))
    assert cell_of(slots_in(cell, sizes), factors) == cell


@pytest.mark.parametrize("cell", range(30))
def test_levels_name_the_cell(cell: int) -> None:
    """Levels, written out, are the cell's name."""
    assert name_of(levels_of(cell, FACTORS), FACTORS) == cells_of(FACTORS)[cell]


@pytest.mark.parametrize("slots", [(0, 0), (5, 0, 0), (0, -1, 0)])
def test_no_such_cell(slots: tuple[int, ...]) -> None:
    """Levels that do not exist are refused."""
    with pytest.raises(ValueError, match="no cell of 30"):
        cell_of(slots, FACTORS)


@pytest.mark.parametrize(
    ("factors", "why"),
    [
        ({}, "a factor at least"),
        ({"prompt": ["a"]}, "has 1 level;"),
        ({"prompt": []}, "has 0 levels"),
        ({"prompt": ["a", "b", "a"]}, "'a' twice"),
        ({"prompt": ["a", "b=c"]}, "cannot name"),
        ({"pro,mpt": ["a", "b"]}, "cannot name"),
        ({"prompt": ["a", ""]}, "cannot name"),
        ({"a": list("12345"), "b": list("12345"), "c": list("123")}, "5 × 5 × 3 levels are 75 cells"),
    ],
)
def test_refusals(factors: dict[str, list[str]], why: str) -> None:
    """What makes no factorial release is refused, and the way out said."""
    with pytest.raises(ValueError, match=why):
        require_factors(factors)
