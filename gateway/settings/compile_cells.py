"""
From `factors` to variants: every combination of levels, each a patch of `base`.

A level says what it changes, in a variant's own words. Of two factors only one may change a thing: whichever came last
would win, and a cell would not be what its name says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from gateway.domain.factors import cells_of, levels_of, require_factors
from gateway.settings.document.release import FactorialSection
from gateway.settings.document.route import PriceSection
from gateway.settings.document.variant import VariantSection
from gateway.settings.inherit import Inherited, patched
from gateway.settings.scope import Scope
from gateway.settings.yaml_tree import KeyPath

MAX_NAME_BYTES = 64
"""Of a cell, which is the name of an arm: it goes into a header."""


def cell_names(scope: Scope, path: KeyPath, section: FactorialSection) -> list[str]:
    """Give the cells, the last factor changing fastest; none, with findings, where there can be none."""
    factors = {name: list(levels) for name, levels in section.factors.items()}
    try:
        require_factors(factors)
    except ValueError as error:
        scope.findings.refuse((*path, "factors"), str(error), "docs/factorial.md has an example", key=True)
        return []
    cells = cells_of(factors)
    longest = max(cells, key=lambda cell: len(cell.encode()))
    if len(longest.encode()) > MAX_NAME_BYTES:
        problem = f"the cell {longest!r} has a name of more than {MAX_NAME_BYTES} bytes"
        scope.findings.refuse((*path, "factors"), problem, "give factors and levels shorter names", key=True)
        return []
    return cells


def cells_as_variants(
    scope: Scope, path: KeyPath, section: FactorialSection, variants: Mapping[str, Inherited]
) -> dict[str, Inherited]:
    """
    Give every cell with what it inherits of `base` and of its levels; none, with findings, where that cannot be.

    Args:
        scope: The compilation.
        path: Of the section.
        section: The factorial's.
        variants: The route's own, by name.
    """
    base = variants.get(section.base)
    if base is None:
        scope.findings.refuse_unknown((*path, "base"), "variant", section.base, variants)
        return {}
    cells = cell_names(scope, path, section)
    _check_apart(scope, path, section)
    factors = {name: list(levels) for name, levels in section.factors.items()}
    made = {}
    for index, cell in enumerate(cells):
        chosen = zip(factors, levels_of(index, factors), strict=True)
        patches = [
            (section.factors[name][level], (*path, "factors", name, level))
            for name, level in chosen
            if section.factors[name][level].like is None
        ]
        made[cell] = patched(base, patches)
    taken = sorted(made.keys() & variants.keys())
    if taken:
        problem = f"a variant is called {taken[0]!r}, as a cell is"
        scope.findings.refuse((*path, "factors"), problem, "rename the variant", key=True)
    return made


def price_of_cell(
    section: FactorialSection, prices: Mapping[str, PriceSection], inherited: Inherited, base: Inherited
) -> PriceSection | None:
    """Give what the file says that a cell costs: as its base, unless a level changes who answers."""
    answers = ("provider", "model")
    is_same = all(_value(inherited, key) == _value(base, key) for key in answers)
    return prices.get(section.base) if is_same else None


def _value(inherited: Inherited, key: str) -> object:
    written = inherited.whole.get(key)
    return None if written is None else written.value


def _check_apart(scope: Scope, path: KeyPath, section: FactorialSection) -> None:
    for name, levels in section.factors.items():
        for level, patch in levels.items():
            if patch.like is not None:
                problem = "a level is a patch of `base`, and inherits from nothing else"
                at = (*path, "factors", name, level, "like")
                scope.findings.refuse(at, problem, "write what it changes", key=True)
        for one, two in combinations(levels, 2):
            if levels[one] == levels[two]:
                at = (*path, "factors", name, two)
                problem = f"{two!r} changes what {one!r} does: nothing is compared"
                scope.findings.warn(at, problem, "change something else, or leave one out", key=True)
    changed = {name: _changed(levels.values()) for name, levels in section.factors.items()}
    for one, two in combinations(changed, 2):
        for what in sorted(changed[one] & changed[two]):
            problem = f"{two!r} changes {what}, which {one!r} changes too"
            remedy = "change a thing in one factor only, or write them as one factor of more levels"
            scope.findings.refuse((*path, "factors", two), problem, remedy, key=True)


def _changed(levels: Iterable[VariantSection]) -> set[str]:
    """Give what any of these levels changes."""
    found: set[str] = set()
    for level in levels:
        found |= level.model_fields_set - {"params", "headers", "extra_body", "like"}
        params = level.params
        names = (*params.set, *params.default, *params.unset, *params.clamp, *params.rename, *params.rename.values())
        # What extra_body puts in stands where parameters do.
        found |= {f"the parameter {name}" for name in (*names, *level.extra_body)}
        found |= {f"the header {name.lower()}" for name in level.headers}
    return found
