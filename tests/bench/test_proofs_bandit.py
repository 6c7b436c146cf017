"""The simulations of bandits: they draw what they say, and follow the product's own weights."""

from __future__ import annotations

import numpy as np
import pytest

from bench.proofs.bandit import RATES, Setting, evidence_of, last, prove_bandit, simulated
from gateway.gates.bandit import DAY_S, BanditPhase, BanditRule, decide_bandit, equal_weights


def test_draws_what_it_says() -> None:
    """Everybody is in one arm, a tenth of them by equal shares, and rewarded at the arm's rate."""
    ends = last(Setting(n_batches=10), 20, seed=1)
    assert (ends.plain[0].sum(axis=1) == 5_000).all()
    assert ends.sliced[0].sum() / ends.plain[0].sum() == pytest.approx(0.10, abs=0.005)
    assert ends.sliced[0].sum(axis=0) / ends.sliced[0].sum() == pytest.approx(np.full(5, 0.2), abs=0.02)
    assert ends.sliced[1].sum(axis=0) / ends.sliced[0].sum(axis=0) == pytest.approx(RATES, abs=0.03)


def test_follows_the_product() -> None:
    """A bandit of the simulation has the weights that the product decides on, to a bucket."""
    rule = BanditRule(half_life_s=None, min_exploration_s=0.0)
    names = [f"arm-{at}" for at in range(5)]
    decision = None
    for course in simulated(Setting(n_batches=6), 2, seed=2):
        if decision is not None:
            assert [decision.weights.of(name) / 10_000 for name in names] == pytest.approx(course.weights[1], abs=3e-4)
        evidence = evidence_of(course, 1, DAY_S, BanditPhase.EXPLORING)
        decision = decide_bandit(evidence, rule, equal_weights(names, rule))


def test_delay() -> None:
    """A reward counts once its window is over, not before."""
    first, second, *_ = (course.plain[0].sum() for course in simulated(Setting(n_batches=3, delay=1), 2, seed=3))
    assert (first, second) == (0.0, 1_000.0)


def test_equal_shares_lose_most() -> None:
    """Equal shares lose 56 in a thousand; a bandit far less."""
    even, ends = (last(Setting(is_following=follows), 8, seed=4).lost.mean() for follows in (False, True))
    assert even == pytest.approx(1_120, rel=0.02)
    assert ends < 300


def test_runs() -> None:
    """All of it runs, and says what it must be."""
    rows = prove_bandit(0.0)
    assert len(rows) == 24 and sum(bool(row.must) for row in rows) == 15
