"""Factors of a factorial release: what they are called, and the order of their cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod

Factors = Mapping[str, Sequence[str]]
"""Names of factors, in order, and of each one's levels, in order."""

MAX_CELLS = 64
"""More can be fed by no traffic that this gateway is made for."""

_MARKS = frozenset("=,")


def require_factors(factors: Factors) -> None:
    """
    Refuse what makes no factorial release.

    Raises:
        ValueError: There is no factor, one has fewer than two levels or names one twice, a name is empty or holds `=`
            or `,` (cells are written with them), or there are more than 64 cells.

    >>> require_factors({"prompt": ["kind"]})
    Traceback (most recent call last):
    ValueError: factor 'prompt' has 1 level; two or more make a factor
    """
    if not factors:
        msg = "a factorial release has a factor at least"
        raise ValueError(msg)
    for name, levels in factors.items():
        _require_levels(name, levels)
    n_cells = prod(len(levels) for levels in factors.values())
    if n_cells > MAX_CELLS:
        shape = " × ".join(str(len(levels)) for levels in factors.values())
        msg = f"{shape} levels are {n_cells} cells; there may be {MAX_CELLS}: leave out a factor, or some levels"
        raise ValueError(msg)


def _require_levels(name: str, levels: Sequence[str]) -> None:
    if len(levels) < 2:
        msg = f"factor {name!r} has {len(levels)} level{'' if len(levels) == 1 else 's'}; two or more make a factor"
        raise ValueError(msg)
    if len(set(levels)) != len(levels):
        twice = next(level for level in levels if list(levels).count(level) > 1)
        msg = f"factor {name!r} names its level {twice!r} twice"
        raise ValueError(msg)
    for each in (name, *levels):
        if not each or _MARKS & set(each):
            msg = f"{each!r} cannot name a factor or a level: cells are written factor=level,factor=level"
            raise ValueError(msg)


def cells_of(factors: Factors) -> list[str]:
    """
    Name every cell; the last factor changes fastest.

    Raises:
        ValueError: As of `require_factors`.

    >>> cells_of({"prompt": ["kind", "terse"], "model": ["big", "small"]})[:2]
    ['prompt=kind,model=big', 'prompt=kind,model=small']
    """
    require_factors(factors)
    return [name_of(levels, factors) for levels in product(*factors.values())]


def name_of(levels: Sequence[str], factors: Factors) -> str:
    """
    Write a cell by the names of its levels, one of each factor.

    >>> name_of(["terse", "big"], {"prompt": ["kind", "terse"], "model": ["big", "small"]})
    'prompt=terse,model=big'
    """
    return ",".join(f"{factor}={level}" for factor, level in zip(factors, levels, strict=True))


def cell_of(slots: Sequence[int], factors: Factors) -> int:
    """
    Give the index in `cells_of` of these levels: a number of mixed radix.

    Args:
        slots: (factors,), each from 0 to its factor's levels less one.
        factors: Names and levels.

    Raises:
        ValueError: There are not as many as factors, or one is not a level.

    >>> cell_of((1, 0), {"prompt": ["kind", "terse"], "model": ["big", "small"]})
    2
    """
    sizes = [len(levels) for levels in factors.values()]
    if len(slots) != len(sizes) or any(not 0 <= slot < size for slot, size in zip(slots, sizes, strict=False)):
        msg = f"no cell of {prod(sizes)} has the levels {tuple(slots)}"
        raise ValueError(msg)
    cell = 0
    for slot, size in zip(slots, sizes, strict=True):
        cell = cell * size + slot
    return cell


def slots_in(cell: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """
    Give the levels of a cell: `cell_of`, the other way round.

    Args:
        cell: From 0 to the product of the sizes less one.
        sizes: (factors,) levels of each factor.

    >>> slots_in(2, [2, 2])
    (1, 0)
    """
    slots = []
    for size in reversed(sizes):
        cell, slot = divmod(cell, size)
        slots.append(slot)
    return tuple(reversed(slots))


def levels_of(cell: int, factors: Factors) -> tuple[str, ...]:
    """
    Name the levels of a cell.

    >>> levels_of(2, {"prompt": ["kind", "terse"], "model": ["big", "small"]})
    ('terse', 'big')
    """
    slots = slots_in(cell, [len(levels) for levels in factors.values()])
    return tuple(levels[slot] for levels, slot in zip(factors.values(), slots, strict=True))
