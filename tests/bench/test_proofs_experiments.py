"""The simulations of experiments: they draw what they say, and judge with the product's own code."""

from __future__ import annotations

import numpy as np
import pytest

from bench.proofs.experiments import drawn, looked, prove_experiments, simpson


def test_draws_what_it_says() -> None:
    """Counts only grow, shares and rates are those asked for."""
    n, successes = drawn(np.random.default_rng(1), 0.9, 0.5, 0.2)
    assert (np.diff(n.sum(axis=1)) == 100).all() and (successes <= n).all()
    assert n[-1, 0] / n[-1].sum() == pytest.approx(0.2, abs=0.02)
    assert successes[-1] / n[-1] == pytest.approx([0.9, 0.5], abs=0.03)


def test_looks_with_the_products_code() -> None:
    """A look is an effect with an interval, better when it is."""
    found = looked(np.array([4_000, 4_000]), np.array([3_600, 3_200]))
    assert found.is_better and found.effect == pytest.approx(0.1)


def test_ramp_is_judged_by_day() -> None:
    """Kohavi's ramp is better though the pooled rates say worse."""
    assert simpson().is_met


def test_runs() -> None:
    """All of it runs, and says what it must be."""
    rows = prove_experiments(0.001)
    assert len(rows) == 16 and sum(bool(row.must) for row in rows) == 14
