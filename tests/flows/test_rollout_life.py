"""Whatever happens to a rollout, in whatever order: tests/fakes/rollout_life.py says what must hold."""

from __future__ import annotations

import pytest

from tests.fakes.rollout_life import run_rollout_machine


def test_a_few_lives() -> None:
    """Two thousand random steps break no invariant."""
    assert run_rollout_machine(2_000, seed_of_run=1) >= 2_000


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_many_lives() -> None:
    """Two hundred thousand steps break none either."""
    assert run_rollout_machine(200_000, seed_of_run=20_261_122) >= 200_000
