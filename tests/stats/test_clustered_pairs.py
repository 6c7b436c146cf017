"""How far a mean may be off when clusters are what is independent."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from gateway.stats.clustered_pairs import (
    MIN_PAIRS,
    Spread,
    coded,
    codes_of,
    half_and_p,
    mean_spread,
    n_clusters,
    ready_of,
    shrunk_effect,
    t_at,
)


def test_equal_clusters_are_their_means() -> None:
    """With clusters of one size it is the t test on clusters' means, degrees of freedom and all."""
    chance = np.random.default_rng(1)
    values, code = chance.normal(0, 1, 60), np.repeat(np.arange(12), 5)
    means = values.reshape(12, 5).mean(axis=1)
    spread = mean_spread(code, 12, values - values.mean(), np.ones(60))
    assert spread == pytest.approx((stats.sem(means), 11))


def test_one_large_cluster() -> None:
    """Where one user has most of the pairs there are few degrees of freedom, however many others there are."""
    code = np.concatenate([np.zeros(1_000, dtype=int), np.arange(1, 101)])
    spread = mean_spread(code, 101, np.random.default_rng(2).normal(0, 1, 1_100), np.ones(1_100))
    assert spread.degrees < 1.3


def test_matches_definition() -> None:
    """Closed forms agree with Bell and McCaffrey's matrices, worked out in full for clusters of unequal size."""
    sizes = [1, 2, 5, 3]
    code, n = np.repeat(np.arange(4), sizes), sum(sizes)
    values = np.random.default_rng(3).normal(0, 1, n)
    left = np.eye(n) - np.full((n, n), 1 / n)
    rows = []
    for one in range(4):
        mine = code == one
        eigen, vectors = np.linalg.eigh(left[np.ix_(mine, mine)])
        adjusted = vectors @ np.diag(eigen**-0.5) @ vectors.T
        rows.append(adjusted.sum(axis=0) @ left[mine] / n)
    weights = np.array(rows)
    gram = weights @ weights.T
    spread = mean_spread(code, 4, values - values.mean(), np.ones(n))
    assert spread.se == pytest.approx(np.sqrt(((weights @ values) ** 2).sum()))
    assert spread.degrees == pytest.approx(np.trace(gram) ** 2 / (gram**2).sum())


def test_t() -> None:
    """The t distribution's quantiles are scipy's, the normal's where degrees are endless."""
    assert t_at(0.975, 3.7) == pytest.approx(stats.t.ppf(0.975, 3.7))
    assert t_at(0.975, inf) == pytest.approx(stats.norm.ppf(0.975))


def test_half_and_p() -> None:
    """The p-value is 0.05 just where the interval ends at no effect; without spread all or nothing is known."""
    half, _ = half_and_p(0.0, Spread(0.3, 8), 0.95)
    assert half_and_p(half, Spread(0.3, 8), 0.95)[1] == pytest.approx(0.05)
    assert half_and_p(0.0, Spread(0.0, 8), 0.95) == (0.0, 1.0)
    assert half_and_p(1.0, Spread(0.0, 8), 0.95) == (0.0, 0.0)


def test_unknown_pairs_are_left_out() -> None:
    """A NaN on either side takes the pair out; too few pairs or clusters are none."""
    first, second = [1.0] * 40, [2.0] * 39 + [float("nan")]
    ready = ready_of(range(40), first, second)
    assert ready is not None
    assert ready[1] == len(ready[2][0]) == 39
    assert ready_of(range(40), [float("nan")] * 21 + [1.0] * 19) is None
    assert ready_of([0, 1] * 200, [1.0] * 400) is None
    assert ready_of(range(MIN_PAIRS - 1), [1.0] * (MIN_PAIRS - 1)) is None


def test_hashes_are_clusters() -> None:
    """Unsigned hashes of 64 bits stay apart, next to each other as well."""
    units = np.array([2**64 - 1, 2**64 - 2] * 20, dtype=np.uint64)
    assert n_clusters(units) == 2


@pytest.mark.parametrize("kind", [np.int64, np.uint64, np.int32, np.float64])
def test_codes(kind: type) -> None:
    """Small integers and any others are coded alike: in their order, without gaps."""
    code, n_units = codes_of(np.array([5, 2, 9, 2], dtype=kind))
    assert (code.tolist(), n_units) == ([1, 0, 2, 0], 3)
    assert codes_of(np.array([-5, 2**40, -5]))[0].tolist() == [0, 1, 0]
    assert codes_of([])[1] == 0


def test_coded_together() -> None:
    """A user has one number in all columns, hashes of 64 bits and empty columns among them."""
    one, two, none = coded(np.array([2**64 - 1, 7], dtype=np.uint64), np.array([7], dtype=np.uint64), [])
    assert (one.tolist(), two.tolist(), none.tolist()) == ([1, 0], [0], [])


def test_design_effect() -> None:
    """Seen in many clusters it is believed; seen in none it is the prior's; it is never below 1."""
    sizes = np.full(50, 11.0)
    assert shrunk_effect(9.0, 0, sizes) == pytest.approx(2.0)
    assert shrunk_effect(9.0, 10_000, sizes) == pytest.approx(9.0, rel=0.01)
    assert shrunk_effect(0.1, 10_000, sizes) == 1.0
