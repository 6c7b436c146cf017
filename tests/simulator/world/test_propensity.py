"""How people differ."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.simulator.world.propensity import RANKS, chances_of


@pytest.mark.parametrize("mean", [0.0, 0.0005, 0.01, 0.2, 0.8, 1.0])
@pytest.mark.parametrize("icc", [0.0, 0.02, 0.3])
def test_mean_is_kept(mean: float, icc: float) -> None:
    """However people differ, all of them together fail as often as is said."""
    chances = chances_of(mean, icc)
    assert chances.shape == (RANKS,)
    assert chances.mean() == pytest.approx(mean, rel=1e-6)
    assert ((chances >= 0) & (chances <= 1)).all()


@pytest.mark.parametrize(("mean", "icc"), [(0.2, 0.1), (0.8, 0.3), (0.05, 0.05)])
def test_likeness_is_kept(mean: float, icc: float) -> None:
    """The variance between people is icc · p · (1 − p), the beta distribution's."""
    assert chances_of(mean, icc).var() == pytest.approx(icc * mean * (1 - mean), rel=0.05)


def test_ranks_rise() -> None:
    """Who has a higher rank fails no less often, with whatever arm."""
    assert (np.diff(chances_of(0.03, 0.1)) >= 0).all()
    assert (chances_of(0.03, 0.1) >= chances_of(0.01, 0.1) - 1e-9).all()
