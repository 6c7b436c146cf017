"""Promises of bench.proofs.shadows, small and fast: known differences are found, equal variants are not told apart."""

from __future__ import annotations

import numpy as np
import pytest

from bench.proofs.shadows import Truth, pairs_of, seen
from gateway.gates.shadow import ShadowState

WORSE = Truth(unsafe=0.05, latency=1.6, cost=2.2, win_rate=0.3)
BETTER = Truth(latency=0.5, cost=0.4, win_rate=0.7)


@pytest.mark.parametrize(
    ("truth", "state"), [(WORSE, ShadowState.WORSE), (BETTER, ShadowState.BETTER), (Truth(), ShadowState.NO_DIFFERENCE)]
)
def test_verdicts(truth: Truth, state: ShadowState) -> None:
    """In nearly all of a dozen experiments the verdict is the truth."""
    assert sum(seen(truth, 500 + seed)[1].state is state for seed in range(12)) >= 10


def test_signs_and_coverage() -> None:
    """Known ratios are found with the right sign, and their intervals hold the truth in nearly all of 30."""
    costs = [found.shadow.cost for found, _ in (seen(Truth(n_users=300, cost=1.3), seed) for seed in range(30))]
    assert all(one is not None and one.effect > 1 for one in costs)
    assert sum(one is not None and one.low <= 1.3 <= one.high for one in costs) >= 25


def test_position_bias() -> None:
    """A judge that likes what stands first is exposed, and one that does not is not."""
    for first_bias in (0.3, 0.0):
        _, verdict = seen(Truth(n_users=500, first_bias=first_bias), 3)
        assert any("stands first" in said for said in verdict.warnings) is bool(first_bias)


def test_population() -> None:
    """Users differ in how many pairs they have, and the noise pairs are some of them."""
    pairs, noise = pairs_of(Truth(n_users=200), seed=1)
    sizes = np.bincount(pairs.units)
    assert sizes.min() >= 1
    assert sizes.max() > 4 * np.median(sizes)
    assert 0.15 < len(noise.units) / len(pairs.units) < 0.35
