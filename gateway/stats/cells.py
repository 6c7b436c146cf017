"""
Candidate against baseline from sums of products (`stats.products`): means of units' means, ratios, with history.

What `stats.strata` computes from units, this computes from a few matrices: stratified by epoch, clustered by unit
across epochs and arms. The same numbers, for any number of units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import NamedTuple

from gateway.stats.products import CellProducts, Influence, variance_of
from gateway.stats.strata import normalized

MEAN_COLUMNS = 2
"""1, the unit's mean."""

HISTORY_COLUMNS = 4
"""1, the unit's mean, whether it has a history, its history (0 without)."""

RATIO_COLUMNS = 3
"""1, numerator, denominator."""


class CellPair(NamedTuple):
    """The candidate's and the baseline's cell of one epoch."""

    candidate: int
    baseline: int


@dataclass(frozen=True, slots=True)
class CellContrast:
    """
    Candidate against baseline over epochs.

    Attributes:
        mean: The candidate's, epochs weighted alike in both arms.
        baseline_mean: The baseline's.
        effect: Candidate minus baseline.
        se: Its standard error, clustered by unit.
        log_ratio: ln(mean/baseline_mean); None where one is not above 0.
        log_ratio_se: Its standard error; None likewise.
        n_strata: Epochs with two units or more in each arm; the others say nothing.
        variance_cut: Share of the effect's variance that history took away, 0 to 1; None without history.
    """

    mean: float
    baseline_mean: float
    effect: float
    se: float
    log_ratio: float | None
    log_ratio_se: float | None
    n_strata: int
    variance_cut: float | None = None


class _Cell(NamedTuple):
    """A cell's estimate, and the coefficients of a unit's share of its error before weights."""

    at: int
    n: float
    mean: float
    coefficients: tuple[float, ...]


_CellOf = Callable[[CellProducts, int], _Cell]


def mean_contrast(products: CellProducts, pairs: Sequence[CellPair]) -> CellContrast | None:
    """
    Compare means of units' means.

    Args:
        products: Of MEAN_COLUMNS, or of HISTORY_COLUMNS to take off what history explains.
        pairs: One per epoch.

    Returns:
        The contrast, or None where no epoch has two units in each arm.

    Source:
        Greenland & Robins (1985), Biometrics 41:55-68, for the weights; Liang & Zeger (1986), Biometrika 73:13-22, for
        the variance; Deng, Xu, Kohavi & Walker (2013), WSDM, for CUPED: θ pooled over cells, θ = Σcov / Σvar.

    >>> import numpy as np
    >>> products = CellProducts(2)
    >>> values = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    >>> products.note(np.arange(6), np.array([0, 0, 0, 1, 1, 1]), np.column_stack([np.ones(6), values]))
    >>> found = mean_contrast(products, [CellPair(0, 1)])
    >>> round(found.effect, 4), round(found.se, 4)
    (0.3333, 0.4714)
    """
    known = _known(products, pairs)
    if not known:
        return None
    plain = _contrast(products, known, _mean_cell)
    if products.n_columns != HISTORY_COLUMNS:
        return plain
    theta, centre = _theta(products, known)
    if theta == 0.0:
        return plain
    helped = _contrast(products, known, lambda one, index: _cuped_cell(one, index, theta, centre))
    cut = 1 - (helped.se / plain.se) ** 2 if plain.se else 0.0
    # By chance a θ of few units may add variance; then it is not used.
    if cut <= 0:
        return plain
    return CellContrast(
        helped.mean,
        helped.baseline_mean,
        helped.effect,
        helped.se,
        helped.log_ratio,
        helped.log_ratio_se,
        helped.n_strata,
        cut,
    )


def ratio_contrast(products: CellProducts, pairs: Sequence[CellPair]) -> CellContrast | None:
    """
    Compare ratios of sums: cost per request, milliseconds per answer.

    Args:
        products: Of RATIO_COLUMNS.
        pairs: One per epoch.

    Returns:
        The contrast, or None where no epoch has two units and something to divide by in each arm.

    Source:
        Delta method: Deng, Knoblich & Lu (2018), KDD, § 3; Var(R) = Σ(x − R·d)²·n/(n−1)/(Σd)².

    >>> import numpy as np
    >>> products = CellProducts(3)
    >>> columns = np.array([[1, 2.0, 1.0], [1, 4.0, 1.0], [1, 1.0, 1.0], [1, 3.0, 1.0]])
    >>> products.note(np.arange(4), np.array([0, 0, 1, 1]), columns)
    >>> found = ratio_contrast(products, [CellPair(0, 1)])
    >>> (found.mean, found.baseline_mean, round(found.se, 4))
    (3.0, 2.0, 1.4142)
    """
    known = [
        pair for pair in _known(products, pairs) if all(float(products.between[cell, cell][0, 2]) > 0 for cell in pair)
    ]
    return _contrast(products, known, _ratio_cell) if known else None


def _known(products: CellProducts, pairs: Sequence[CellPair]) -> list[CellPair]:
    def n_of(cell: int) -> float:
        found = products.within(cell)
        return 0.0 if found is None else float(found[0, 0])

    return [pair for pair in pairs if n_of(pair.candidate) > 1 and n_of(pair.baseline) > 1]


def _contrast(products: CellProducts, pairs: Sequence[CellPair], cell_of: _CellOf) -> CellContrast:
    cells = [(cell_of(products, pair.candidate), cell_of(products, pair.baseline)) for pair in pairs]
    weights = normalized([(round(candidate.n), round(baseline.n)) for candidate, baseline in cells])
    mean = sum(weight * candidate.mean for weight, (candidate, _) in zip(weights, cells, strict=True))
    baseline_mean = sum(weight * baseline.mean for weight, (_, baseline) in zip(weights, cells, strict=True))

    def se_with(candidate_scale: float, baseline_scale: float) -> float:
        influences = []
        for weight, pair in zip(weights, cells, strict=True):
            for cell, scale in zip(pair, (candidate_scale, -baseline_scale), strict=True):
                influences.append(Influence(cell.at, [weight * scale * each for each in cell.coefficients]))
        return sqrt(variance_of(products, influences))

    is_positive = min(mean, baseline_mean) > 0
    return CellContrast(
        mean,
        baseline_mean,
        mean - baseline_mean,
        se_with(1.0, 1.0),
        log(mean / baseline_mean) if is_positive else None,
        se_with(1 / mean, 1 / baseline_mean) if is_positive else None,
        len(pairs),
    )


def _mean_cell(products: CellProducts, index: int) -> _Cell:
    sums = products.between[index, index][0]
    n, mean = float(sums[0]), float(sums[1] / sums[0])
    scale = sqrt(n / (n - 1)) / n
    rest = (0.0,) * (products.n_columns - MEAN_COLUMNS)
    return _Cell(index, n, mean, (-mean * scale, scale, *rest))


def _cuped_cell(products: CellProducts, index: int, theta: float, centre: float) -> _Cell:
    sums = products.between[index, index][0]
    n = float(sums[0])
    mean = float(sums[1] - theta * (sums[3] - centre * sums[2])) / n
    scale = sqrt(n / (n - 1)) / n
    return _Cell(index, n, mean, (-mean * scale, scale, theta * centre * scale, -theta * scale))


def _ratio_cell(products: CellProducts, index: int) -> _Cell:
    sums = products.between[index, index][0]
    n, ratio = float(sums[0]), float(sums[1] / sums[2])
    scale = sqrt(n / (n - 1)) / float(sums[2])
    return _Cell(index, n, ratio, (0.0, scale, -ratio * scale))


def _theta(products: CellProducts, pairs: Sequence[CellPair]) -> tuple[float, float]:
    """Give θ and the history's mean; θ is 0 where history says nothing."""
    covariance = variance = total = n_all = 0.0
    for cell in {cell for pair in pairs for cell in pair}:
        matrix = products.between[cell, cell]
        n = float(matrix[2, 2])
        if n < 2:
            continue
        said, before = float(matrix[2, 1]), float(matrix[2, 3])
        covariance += float(matrix[3, 1]) - said * before / n
        variance += float(matrix[3, 3]) - before * before / n
        total += before
        n_all += n
    return (covariance / variance, total / n_all) if variance > 0 else (0.0, 0.0)
