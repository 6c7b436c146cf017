"""Promises of gateway.stats.alpha."""

from __future__ import annotations

from math import pi

import pytest

from gateway.stats.alpha import alpha_of_life, alpha_of_round, spent

DAY_S = 86_400.0


def test_first_life() -> None:
    """The first life spends six parts in π², as the contract says for k = 0."""
    assert alpha_of_life(0.004, 0) == pytest.approx(0.004 * 6 / pi**2)


def test_resumes_add_up_to_alpha() -> None:
    """A million resumes spend no more than alpha together."""
    assert 0.00399 < spent(0.004, 1_000) < 0.004
    assert spent(0.004, 3) == pytest.approx(sum(alpha_of_life(0.004, k) for k in range(4)))


def test_a_life_spends_less_than_the_one_before() -> None:
    """The k-th resume has a (k+1)²-th of the first life."""
    assert alpha_of_life(0.01, 2) == pytest.approx(alpha_of_life(0.01, 0) / 9)


def test_rounds_count_from_one() -> None:
    """Round r of a ladder is the life after r − 1 resumes."""
    assert alpha_of_round(0.05, 4) == alpha_of_life(0.05, 3)


@pytest.mark.parametrize(("alpha", "n"), [(0.0, 0), (1.0, 0), (0.05, -1)])
def test_refuses(alpha: float, n: int) -> None:
    """No alpha of nothing or all, and no resume before the first life."""
    with pytest.raises(ValueError):
        alpha_of_life(alpha, n)
