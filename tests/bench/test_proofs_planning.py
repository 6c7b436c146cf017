"""The simulations of plans: they draw votes, look every day, and find what was planned."""

from __future__ import annotations

import pytest

from bench.proofs.planning import CASES, found_by, prove_planning


def test_power_is_the_plans() -> None:
    """24 days at 210 users a day find five percent more with 80 % (2,000 runs: one standard error is .9 points)."""
    assert float(found_by(CASES[0], 24, 2_000, seed=1).mean()) == pytest.approx(0.8, abs=0.035)


def test_nothing_before_the_burn_in() -> None:
    """On the first day there are 105 per arm or nothing is said: at a fifth of that nobody finds anything."""
    few = found_by(CASES[4], 1, 200, seed=2)
    assert not few.any()


def test_rows() -> None:
    """Two rows a case, in seconds at a small scale."""
    rows = prove_planning(0.01)
    assert len(rows) == 2 * len(CASES) and all(row.must for row in rows)
