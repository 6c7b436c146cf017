"""
Main effects and interactions of factors, by least squares with standard errors that know whose rows belong together.

Two-level factors are coded ±½, so that a coefficient is the difference of the levels; larger ones by contrasts that sum
to zero. Every effect told is a contrast of the fitted cell means, each cell weighing the same whatever its size. Epochs
are strata: days differ, and a cell that was stopped has none of the later ones.

Beside the model, `own_means` gives what each cell's own units say, for comparing cell with cell.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from math import erfc, inf, isnan, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.stats.factorial_sums import CellSums, FactorialSums, UnitRow, sums_of_cells, sums_of_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[Any]

Levels = tuple[tuple[int, int, int], ...]
"""(factor, from level, to level): one for a main effect, two or three for an interaction."""


@dataclass(frozen=True, slots=True)
class Effect:
    """
    One contrast.

    Attributes:
        levels: (factor, from level, to level) of one factor; of an interaction, of two or three.
        estimate: To minus from, in the metric's unit; of an interaction the difference of such differences.
        se: Its cluster-robust standard error.
        p_value: Two-sided and for one look, before any correction.
    """

    levels: Levels
    estimate: float
    se: float
    p_value: float


class Difference(NamedTuple):
    """
    A cell beside another, by their own units alone: what no model of the factors can get wrong.

    Attributes:
        cell: Which.
        estimate: Its mean minus the other's.
        se: Cluster-robust.
    """

    cell: int
    estimate: float
    se: float


class OwnMeans(NamedTuple):
    """
    What each cell's own units say, by no model.

    Attributes:
        means: (cells,) of all epochs together; nan where nobody is.
        covariance: (cells, cells), CR1; 0 where nobody is.
    """

    means: Matrix
    covariance: Matrix


@dataclass(frozen=True, slots=True)
class Fit:
    """
    What was fitted.

    Attributes:
        sizes: Levels of each factor; the last factor changes fastest among cells.
        order: Factors in the largest interaction fitted.
        n_units: Independent units.
        coefficients: (columns,); `design` says of what.
        covariance: (columns, columns), CR1.
        cell_means: (cells,) fitted, of all epochs together.
        cell_covariance: (cells, cells).
    """

    sizes: tuple[int, ...]
    order: int
    n_units: int
    coefficients: Matrix
    covariance: Matrix
    cell_means: Matrix
    cell_covariance: Matrix

    def means(self) -> list[float]:
        """Give every cell's fitted mean, in the metric's unit."""
        return [float(mean) for mean in self.cell_means]


def design(sizes: Sequence[int], order: int = 2) -> Matrix:
    """
    Give a row per cell: (cells, columns), the first column 1.

    Raises:
        ValueError: A factor has fewer than two levels, or order is not 1 to 3.

    >>> design([2, 2]).tolist()[0]
    [1.0, -0.5, -0.5, 0.25]
    """
    import numpy as np

    if not sizes or min(sizes) < 2 or order not in {1, 2, 3}:
        msg = f"no design has {tuple(sizes)} levels and order {order}: two levels or more, and 1 to 3"
        raise ValueError(msg)
    cells = list(product(*(range(size) for size in sizes)))
    columns = [
        np.prod(chosen, axis=0)
        for size in range(1, order + 1)
        for factors in combinations(range(len(sizes)), size)
        for chosen in product(*(_coded(sizes[at], [cell[at] for cell in cells]) for at in factors))
    ]
    return np.column_stack([np.ones(len(cells)), *columns])


def _coded(size: int, levels: Sequence[int]) -> list[Matrix]:
    import numpy as np

    if size == 2:
        return [np.array(levels) - 0.5]
    coded = np.vstack([np.eye(size - 1), -np.ones(size - 1)])
    return list(coded[list(levels)].T)


def fit_sums(
    sizes: Sequence[int], sums: FactorialSums, *, order: int = 2, left_out: Collection[int] = ()
) -> Fit | None:
    """
    Fit.

    Args:
        sizes: Levels of each factor.
        sums: Of the units.
        order: Factors in the largest interaction, 1 to 3; no more than there are.
        left_out: Cells to leave out: too few units, say. Their means are then what the model says.

    Returns:
        The fit, or None where cells without units leave an effect unknown or no unit is left over for the error.

    Raises:
        ValueError: There is a cell that no levels make, or as of `design`.

    Source:
        Liang & Zeger (1986), Biometrika 73:13-22; with the correction G/(G−1)·(N−1)/(N−K) that is called CR1.

    >>> sums = sums_of_cells([CellSums(100, 100 * mean, 100 * mean) for mean in (0.70, 0.72, 0.80, 0.90)])
    >>> fit = fit_sums([2, 2], sums)
    >>> [(round(one.estimate, 3), round(one.se, 4)) for one in pairs_of(fit, 0)]
    [(0.14, 0.0413)]
    """
    import numpy as np

    x = design(sizes, order)
    if any(not 0 <= cell < len(x) for cell in sums.cells):
        msg = f"a place's cell is not one of {len(x)} cells"
        raise ValueError(msg)
    some = sums.without(left_out)
    solved = _solved(x[np.array(some.cells, dtype=int)], some)
    if solved is None:
        return None
    width = x.shape[1]
    beta, covariance = solved[0][:width], solved[1][:width, :width]
    return Fit(tuple(sizes), order, some.n_units, beta, covariance, x @ beta, x @ covariance @ x.T)


def fit_cells(sizes: Sequence[int], cells: Sequence[CellSums], *, order: int = 2) -> Fit | None:
    """
    Fit from each cell's sums, when every unit was in one cell.

    Returns:
        As of `fit_sums`.

    Raises:
        ValueError: There are not as many sums as cells, or as of `design`.
    """
    wanted = len(design(sizes, order))
    if len(cells) != wanted:
        msg = f"{wanted} cells are wanted, not {len(cells)}"
        raise ValueError(msg)
    return fit_sums(sizes, sums_of_cells(cells), order=order)


def fit_rows(sizes: Sequence[int], rows: Sequence[UnitRow], *, order: int = 2) -> Fit | None:
    """
    Fit from a row per unit and place, when units were in several cells or epochs.

    Returns:
        As of `fit_sums`.

    Raises:
        ValueError: A row's cell does not exist, a unit has two rows of one place, or as of `design`.
    """
    return fit_sums(sizes, sums_of_rows(rows), order=order)


def own_means(n_cells: int, sums: FactorialSums, *, left_out: Collection[int] = ()) -> OwnMeans:
    """
    Give every cell's own mean; all unknown where epochs and cells cannot be told apart.

    >>> own = own_means(2, sums_of_cells([CellSums(100, 70, 70), CellSums(100, 80, 80)]))
    >>> [round(one.estimate, 3) for one in differences_of(own, 0)]
    [0.1]
    """
    import numpy as np

    some = sums.without(left_out)
    present = sorted(set(some.cells))
    means, covariance = np.full(n_cells, np.nan), np.zeros((n_cells, n_cells))
    solved = _solved(np.array([[float(cell == one) for one in present] for cell in some.cells]), some)
    if solved is not None:
        width = len(present)
        means[present], covariance[np.ix_(present, present)] = solved[0][:width], solved[1][:width, :width]
    return OwnMeans(means, covariance)


def _solved(x: Matrix, some: FactorialSums) -> tuple[Matrix, Matrix] | None:
    """Give coefficients and their covariance by units, epochs being strata; None where something is unknown."""
    import numpy as np

    n = np.diag(some.counts)
    if not len(n):
        return None
    x = np.column_stack([x, *_strata(np.array(some.epochs), n)])
    n_units, n_rows = some.n_units, float(n.sum())
    if np.linalg.matrix_rank(x) < x.shape[1] or n_units < 2 or n_rows <= x.shape[1]:
        return None
    bread = np.linalg.inv((x.T * n) @ x)
    beta = bread @ (x.T @ np.diag(some.totals))
    fitted = x @ beta
    crossed = some.totals * fitted
    errors = some.products - crossed - crossed.T + some.counts * np.outer(fitted, fitted)
    correction = n_units / (n_units - 1) * (n_rows - 1) / (n_rows - x.shape[1])
    return beta, correction * bread @ (x.T @ errors @ x) @ bread


def _strata(epochs: Matrix, n: Matrix) -> list[Matrix]:
    """Give a column for each epoch but the first, centred: other coefficients are then of all epochs together."""
    columns = [(epochs == epoch).astype(float) for epoch in sorted(set(epochs.tolist()))[1:]]
    return [column - float(column @ n / n.sum()) for column in columns]


def effect_of(fit: Fit, levels: Levels) -> Effect:
    """Give one contrast: of one factor's levels, or of two or three factors together."""
    return _effects(fit, (levels,), _weights(fit.sizes, levels)[None, :])[0]


def pairs_of(fit: Fit, factor: int) -> list[Effect]:
    """Give the difference of every two levels of a factor, averaged over the other factors."""
    return _effects(fit, *_family(fit.sizes, (factor,)))


def interactions_of(fit: Fit, *, order: int = 2) -> list[Effect]:
    """Give every interaction of `order` factors, by every two levels of each; none if not fitted."""
    if order > fit.order:
        return []
    families = combinations(range(len(fit.sizes)), order)
    return [one for factors in families for one in _effects(fit, *_family(fit.sizes, factors))]


def n_interactions(sizes: Sequence[int]) -> int:
    """
    Give how many two-way interactions there are, by every two levels of each.

    >>> n_interactions([2, 2]), n_interactions([5, 3, 2])
    (1, 43)
    """
    pairs = [size * (size - 1) // 2 for size in sizes]
    return sum(one * other for one, other in combinations(pairs, 2))


def differences_of(own: OwnMeans, baseline: int) -> list[Difference]:
    """Give every other cell beside the baseline's; none where that has no units."""
    means, covariance = own
    if isnan(means[baseline]):
        return []
    found = []
    for cell in range(len(means)):
        if cell != baseline and not isnan(means[cell]):
            variance = covariance[cell, cell] + covariance[baseline, baseline] - 2 * covariance[cell, baseline]
            found.append(Difference(cell, float(means[cell] - means[baseline]), sqrt(max(float(variance), 0.0))))
    return found


@lru_cache(maxsize=256)  # the same few at every look
def _family(sizes: tuple[int, ...], factors: tuple[int, ...]) -> tuple[tuple[Levels, ...], Matrix]:
    import numpy as np

    pairs = [[(factor, low, high) for low, high in combinations(range(sizes[factor]), 2)] for factor in factors]
    levels: tuple[Levels, ...] = tuple(product(*pairs))
    return levels, np.array([_weights(sizes, one) for one in levels])


def _weights(sizes: Sequence[int], levels: Levels) -> Matrix:
    """Give (cells,) what each cell weighs in a contrast."""
    import numpy as np

    cells = np.array(list(product(*(range(size) for size in sizes))))
    weights = np.ones(len(cells))
    for factor, low, high in levels:
        weights = weights * ((cells[:, factor] == high).astype(float) - (cells[:, factor] == low))
    named = {factor for factor, *_ in levels}
    return weights / np.prod([size for at, size in enumerate(sizes) if at not in named])


def _effects(fit: Fit, levels: Sequence[Levels], weights: Matrix) -> list[Effect]:
    estimates = weights @ fit.cell_means
    variances = ((weights @ fit.cell_covariance) * weights).sum(axis=1)
    found = []
    for one, estimate, variance in zip(levels, estimates.tolist(), variances.tolist(), strict=True):
        se = sqrt(max(variance, 0.0))
        z = abs(estimate) / se if se else (inf if estimate else 0.0)
        found.append(Effect(one, estimate, se, erfc(z / sqrt(2))))
    return found


def main_p_value(fit: Fit, factor: int) -> float:
    """Give P(such differences of a factor's levels by chance): Wald's chi-square on all of them, for one look."""
    import numpy as np
    from scipy.stats import chi2  # type: ignore[import-untyped]

    first = 1 + sum(size - 1 for size in fit.sizes[:factor])
    span = slice(first, first + fit.sizes[factor] - 1)
    beta, covariance = fit.coefficients[span], fit.covariance[span, span]
    return float(chi2.sf(beta @ np.linalg.pinv(covariance) @ beta, len(beta)))
