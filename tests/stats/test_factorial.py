"""Effects of factors, beside statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm  # type: ignore[import-untyped]

from gateway.stats.factorial import (
    Fit,
    design,
    differences_of,
    effect_of,
    fit_cells,
    fit_rows,
    fit_sums,
    interactions_of,
    main_p_value,
    own_means,
    pairs_of,
)
from gateway.stats.factorial_sums import CellSums, UnitRow, sums_of_cells, sums_of_rows


def rows_of(sizes: list[int], n: int, *, seed: int, per_unit: int = 1, n_epochs: int = 1) -> list[UnitRow]:
    """Draw unbalanced rows: low cells hold more of them, units differ, and so do epochs."""
    random = np.random.default_rng(seed)
    n_cells = int(np.prod(sizes))
    share = np.arange(n_cells, 0, -1) / np.arange(n_cells, 0, -1).sum()
    of_unit = random.normal(size=n)
    return [
        UnitRow(unit, int(cell), float(of_unit[unit] + random.normal() + 0.1 * cell + 0.5 * epoch), epoch)
        for unit in range(n)
        for epoch in range(n_epochs)
        for cell in random.choice(n_cells, size=per_unit, replace=False, p=share)
    ]


def clustered(rows: list[UnitRow], columns: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Give coefficients and covariance by statsmodels' OLS, clustered by unit."""
    theirs = sm.OLS([row.mean for row in rows], np.array(columns)).fit(
        cov_type="cluster", cov_kwds={"groups": np.array([row.unit for row in rows])}
    )
    return theirs.params, theirs.cov_params()


def fitted(fit: Fit | None) -> Fit:
    """Give the fit that there must be."""
    assert fit is not None
    return fit


@pytest.mark.parametrize("sizes", [[2, 2], [5, 3, 2], [3, 2]])
@pytest.mark.parametrize("per_unit", [1, 3])
def test_statsmodels(sizes: list[int], per_unit: int) -> None:
    """Coefficients and CR1 covariance are those of statsmodels' OLS, clustered by unit."""
    rows = rows_of(sizes, 600, seed=1, per_unit=per_unit)
    fit = fitted(fit_rows(sizes, rows))
    params, covariance = clustered(rows, design(sizes)[[row.cell for row in rows]].tolist())
    assert fit.coefficients == pytest.approx(params, abs=1e-8)
    assert fit.covariance == pytest.approx(covariance, abs=1e-8)


def test_statsmodels_in_epochs() -> None:
    """With units in several cells and epochs, it is statsmodels' OLS with a column for each epoch but the first."""
    rows = rows_of([3, 2], 400, seed=5, per_unit=2, n_epochs=3)
    fit = fitted(fit_rows([3, 2], rows))
    x = design([3, 2])[[row.cell for row in rows]].tolist()
    columns = [[*one, float(row.epoch == 1), float(row.epoch == 2)] for one, row in zip(x, rows, strict=True)]
    params, covariance = clustered(rows, columns)
    assert fit.coefficients[1:] == pytest.approx(params[1:6], abs=1e-8)
    assert fit.covariance[1:, 1:] == pytest.approx(covariance[1:6, 1:6], abs=1e-8)


def test_ramp_is_no_effect() -> None:
    """Cells whose shares changed while everybody grew happier differ no more for it: Simpson's paradox."""
    random = np.random.default_rng(6)
    shares = ([0.4, 0.1, 0.4, 0.1], [0.1, 0.4, 0.1, 0.4])
    rows = [
        UnitRow(
            unit, int(random.choice(4, p=shares[unit % 2])), float(random.random() < 0.5 + 0.3 * (unit % 2)), unit % 2
        )
        for unit in range(8_000)
    ]
    apart = pairs_of(fitted(fit_rows([2, 2], rows)), 1)[0]
    pooled = pairs_of(fitted(fit_rows([2, 2], [row._replace(epoch=0) for row in rows])), 1)[0]
    assert abs(apart.estimate) < 3 * apart.se
    assert pooled.estimate > 0.15


def test_sums_are_enough() -> None:
    """Three sums per cell give the same fit as all the rows."""
    rows = rows_of([3, 2], 400, seed=2)
    means = [[row.mean for row in rows if row.cell == cell] for cell in range(6)]
    ours = fitted(fit_cells([3, 2], [CellSums(len(one), sum(one), sum(y * y for y in one)) for one in means]))
    theirs = fitted(fit_rows([3, 2], rows))
    assert ours.coefficients == pytest.approx(theirs.coefficients, abs=1e-10)
    assert ours.covariance == pytest.approx(theirs.covariance, abs=1e-10)


def test_known_effects() -> None:
    """Cell means 0, 1, 2, 5 are main effects of 3 and 2 and an interaction of 2."""
    fit = fitted(fit_cells([2, 2], [CellSums(10, 10 * mean, 10 * mean**2 + 10) for mean in (0, 1, 2, 5)]))
    mains = [pairs_of(fit, factor)[0].estimate for factor in (0, 1)]
    assert [*mains, interactions_of(fit)[0].estimate] == pytest.approx([3, 2, 2])
    assert fit.means() == pytest.approx([0, 1, 2, 5])


def test_interaction_costs_four() -> None:
    """A two-way interaction has four times the variance of a main effect."""
    fit = fitted(fit_cells([2, 2], [CellSums(100, 80, 80)] * 4))
    assert interactions_of(fit)[0].se == pytest.approx(2 * pairs_of(fit, 0)[0].se)


def test_every_pair() -> None:
    """Five levels are ten pairs; 5 × 3 × 2 has 30 + 10 + 3 interactions, and none of three unless fitted."""
    fit = fitted(fit_rows([5, 3, 2], rows_of([5, 3, 2], 900, seed=3)))
    assert (len(pairs_of(fit, 0)), len(interactions_of(fit)), len(interactions_of(fit, order=3))) == (10, 43, 0)


def test_three_together() -> None:
    """Fitted with three, what depends on two others is found: 8 cells of which one is different."""
    cells = [CellSums(100, 100 * (cell == 7), 100 + 100 * (cell == 7)) for cell in range(8)]
    three = interactions_of(fitted(fit_cells([2, 2, 2], cells, order=3)), order=3)
    assert [one.estimate for one in three] == pytest.approx([1.0])


def test_joint_is_single_of_two() -> None:
    """Of two levels, the joint test is the pair's own."""
    fit = fitted(fit_rows([3, 2], rows_of([3, 2], 300, seed=4)))
    assert main_p_value(fit, 1) == pytest.approx(effect_of(fit, ((1, 0, 1),)).p_value, abs=1e-9)


def test_left_out_cell() -> None:
    """Without a cell of eight the rest still tell every effect, as statsmodels without its rows does."""
    sizes, rows = [2, 2, 2], rows_of([2, 2, 2], 700, seed=7)
    fit = fitted(fit_sums(sizes, sums_of_rows(rows), left_out=[3]))
    some = [row for row in rows if row.cell != 3]
    params, covariance = clustered(some, design(sizes)[[row.cell for row in some]].tolist())
    assert fit.coefficients == pytest.approx(params, abs=1e-8)
    assert fit.covariance == pytest.approx(covariance, abs=1e-8)


def test_own_means_are_their_own() -> None:
    """A cell beside another knows nothing of the factors: the difference of two means, as two samples have it."""
    sums = sums_of_cells([CellSums(200, 140, 140), CellSums(200, 150, 150), CellSums(200, 20, 20), CellSums(0, 0, 0)])
    own = own_means(4, sums)
    one, other = differences_of(own, 0)
    assert (one.cell, other.cell) == (1, 2)
    assert one.estimate == pytest.approx(0.05)
    assert one.se == pytest.approx((0.7 * 0.3 / 200 + 0.75 * 0.25 / 200) ** 0.5, rel=0.01)
    assert differences_of(own, 3) == []


def test_shared_units_are_no_more() -> None:
    """Cells that the same units were in differ more surely where units differ among themselves."""
    rows = [row for row in rows_of([2, 2], 600, seed=8, per_unit=4)]
    paired = differences_of(own_means(4, sums_of_rows(rows)), 0)[0]
    alone = [row._replace(unit=at) for at, row in enumerate(rows)]
    assert paired.se < 0.85 * differences_of(own_means(4, sums_of_rows(alone)), 0)[0].se


def test_unknown_is_none() -> None:
    """An empty cell leaves its interaction unknown, and no rows leave everything so."""
    full, empty = CellSums(10, 5, 5), CellSums(0, 0, 0)
    assert fit_cells([2, 2], [full, full, full, empty]) is None
    assert fit_cells([2, 2], [full, full, full, empty], order=1) is not None
    assert fit_rows([2, 2], []) is None
    assert np.isnan(own_means(4, sums_of_rows([])).means).all()


def test_refusals() -> None:
    """Missing cells, cells that do not exist and single levels are refused."""
    for wrong in (lambda: fit_cells([2, 2], []), lambda: fit_rows([2, 2], [UnitRow(0, 4, 1.0)]), lambda: design([1])):
        with pytest.raises(ValueError, match=r"cells|design"):
            wrong()
