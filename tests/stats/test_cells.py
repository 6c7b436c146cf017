"""Contrasts from sums of products: the same numbers as from units, and what history takes away."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.stats.cells import CellPair, mean_contrast, ratio_contrast
from gateway.stats.products import CellProducts
from gateway.stats.strata import Stratum, compare

PAIRS = [CellPair(0, 1), CellPair(2, 3), CellPair(4, 5)]


def ramp(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give (units, cells, sums, counts) of three nested epochs, where some users change arms."""
    rng = np.random.default_rng(seed)
    rows = []
    own = rng.normal(1.0, 0.4, 600)
    for epoch, share in enumerate((0.1, 0.3, 0.5)):
        for unit in np.nonzero(rng.random(600) < 0.8)[0]:
            is_candidate = unit < 600 * share
            counts = rng.integers(1, 4)
            rows.append((unit, 2 * epoch + (0 if is_candidate else 1), own[unit] * counts + rng.normal(), counts))
    table = np.array(sorted(rows))
    return table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2], table[:, 3]


def test_same_as_from_units() -> None:
    """Means of units' means over three epochs with shared units are those of `stats.strata`."""
    units, cells, sums, counts = ramp(3)
    strata = []
    for pair in PAIRS:
        arms = [
            {
                int(u): (float(s), int(c))
                for u, s, c in zip(*(x[cells == cell] for x in (units, sums, counts)), strict=True)
            }
            for cell in pair
        ]
        strata.append(Stratum(arms[0], arms[1]))
    products = CellProducts(2)
    products.note(units, cells, np.column_stack([np.ones(len(units)), sums / counts]))
    ours, theirs = mean_contrast(products, PAIRS), compare(strata)
    assert ours is not None and theirs is not None
    assert (ours.mean, ours.baseline_mean) == pytest.approx((theirs.candidate.mean, theirs.baseline.mean))
    assert (ours.effect, ours.se, ours.log_ratio, ours.log_ratio_se, ours.n_strata) == pytest.approx(
        (theirs.effect, theirs.se, theirs.log_ratio, theirs.log_ratio_se, theirs.n_strata)
    )


def test_ratio_of_sums() -> None:
    """A ratio's standard error is what 20,000 resamplings of units say."""
    rng = np.random.default_rng(5)
    counts = rng.poisson(3, 800) + 1.0
    sums = counts * rng.lognormal(0, 0.5, 800)
    cells = np.repeat([0, 1], 400)
    products = CellProducts(3)
    products.note(np.arange(800), cells, np.column_stack([np.ones(800), sums, counts]))
    found = ratio_contrast(products, PAIRS[:1])
    assert found is not None
    drawn = [rng.integers(0, 400, (20_000, 400)) + start for start in (0, 400)]
    ratios = [sums[each].sum(axis=1) / counts[each].sum(axis=1) for each in drawn]
    assert found.mean == pytest.approx(sums[:400].sum() / counts[:400].sum())
    assert found.se == pytest.approx(float((ratios[0] - ratios[1]).std()), rel=0.03)


def history(seed: int, correlation: float, n: int = 20_000, known: float = 1.0) -> CellProducts:
    """Give two arms alike whose values go with their history so much."""
    rng = np.random.default_rng(seed)
    before = rng.normal(5, 2, n)
    values = correlation * (before - 5) / 2 + np.sqrt(1 - correlation**2) * rng.normal(size=n)
    has = (rng.random(n) < known).astype(float)
    products = CellProducts(4)
    columns = np.column_stack([np.ones(n), values, has, before * has])
    products.note(np.arange(n), rng.integers(0, 2, n), columns)
    return products


@pytest.mark.parametrize(("correlation", "cut"), [(0.7, 0.49), (0.9, 0.81)])
def test_history_cuts_the_variance(correlation: float, cut: float) -> None:
    """CUPED leaves 1 − ρ² of the variance (decisions.md § 1.7)."""
    found = mean_contrast(history(1, correlation), PAIRS[:1])
    assert found is not None
    assert found.variance_cut == pytest.approx(cut, abs=0.02)
    assert found.se == pytest.approx(np.sqrt((1 - cut) * 4 / 20_000), rel=0.03)


def test_half_a_history() -> None:
    """Units without a history are compared as they are: half of them, half of the cut."""
    found = mean_contrast(history(2, 0.7, known=0.5), PAIRS[:1])
    assert found is not None and found.variance_cut == pytest.approx(0.245, abs=0.02)


def test_history_biases_nothing() -> None:
    """Over 400 experiments without a difference the adjusted interval covers none about 95 times in a hundred."""
    held = 0
    for seed in range(400):
        found = mean_contrast(history(seed, 0.7, n=400), PAIRS[:1])
        assert found is not None
        held += abs(found.effect) <= 1.96 * found.se
    assert 0.92 <= held / 400 <= 0.98


def test_history_that_says_nothing() -> None:
    """A constant history changes nothing."""
    products = CellProducts(4)
    columns = np.column_stack([np.ones(8), np.arange(8.0), np.ones(8), np.full(8, 3.0)])
    products.note(np.arange(8), np.array([0, 1] * 4), columns)
    found = mean_contrast(products, PAIRS[:1])
    assert found is not None and found.variance_cut is None


def test_nobody_to_compare() -> None:
    """With one unit in an arm, or nothing to divide by, there is no contrast."""
    products = CellProducts(3)
    products.note(np.arange(3), np.array([0, 1, 1]), np.array([[1, 1, 1.0]] * 3))
    assert mean_contrast(products, PAIRS) is None
    products.note(np.arange(3, 6), np.array([0, 0, 1]), np.array([[1, 1, 0.0]] * 3))
    assert ratio_contrast(products, [CellPair(0, 2)]) is None
