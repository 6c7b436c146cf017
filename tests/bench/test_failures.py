"""Promises of bench.proofs.failures: the vectorised model is the real process."""

from __future__ import annotations

from math import inf, log

import numpy as np
import pytest

from bench.proofs.failures import Failures, Ramp, Rule, crossings
from gateway.stats.eprocess import RestartedProcess

RAMP = Ramp((0.0, 4_000.0), (0.1, 0.4))


def failing(seed: int, n: int = 500) -> Failures:
    """Give a run of a candidate that harms, over a change of weight and more than two lives of a start."""
    chance = np.random.default_rng(seed)
    at_s = np.sort(chance.integers(0, 9_000_000, n) / 1000.0)
    user = chance.integers(0, 80, n)
    is_candidate = user / 80 < np.array(RAMP.shares)[RAMP.stage_at(at_s)]
    kept = is_candidate | (chance.random(n) < 0.4)
    return Failures(at_s[kept], user[kept], is_candidate[kept], RAMP)


@pytest.mark.parametrize("seed", range(6))
def test_is_the_real_process(seed: int) -> None:
    """The largest evidence so far is the real process's, at every failure, over weights that change."""
    run = failing(seed)
    found = crossings(run, n_starts=120, log_floor=-inf, every_s=60, lives=20)
    process = RestartedProcess(since_unix_ms=0, horizon_s=7_200, restart_every_s=60, lives_s=1_200)
    largest = best = 0.0
    for event, (at_s, user, is_candidate) in enumerate(zip(run.at_s, run.user, run.is_candidate, strict=True)):
        share = RAMP.shares[int(RAMP.stage_at(np.array([at_s]))[0])]
        process.note(int(user), round(at_s * 1000), is_candidate=bool(is_candidate), share=share)
        if is_candidate:
            largest = max(largest, process.e_value)
            best = float(np.exp(found.log_e[found.event <= event].max()))
            assert best == pytest.approx(largest, rel=1e-9)
    assert best > 1.0


def test_counts_are_the_real_ones() -> None:
    """Users counted where evidence is largest are those of the real process's start."""
    run = failing(1, 120)
    found = crossings(run, n_starts=120, log_floor=-inf, every_s=60, lives=20)
    process = RestartedProcess(since_unix_ms=0, horizon_s=7_200, restart_every_s=60, lives_s=1_200)
    n_checked = 0
    for event, (at_s, user, is_candidate) in enumerate(zip(run.at_s, run.user, run.is_candidate, strict=True)):
        share = RAMP.shares[int(RAMP.stage_at(np.array([at_s]))[0])]
        process.note(int(user), round(at_s * 1000), is_candidate=bool(is_candidate), share=share)
        for at in np.flatnonzero((found.event == event) & np.isclose(found.log_e, log(process.e_value))):
            n_checked += 1
            assert found.candidate[at] + found.baseline[at] >= process.fired.candidate
    assert n_checked > 5


def test_trips_on_harm_only() -> None:
    """A candidate that fails five times as often trips, an equal one does not, an outage of both does not."""
    chance, rule = np.random.default_rng(3), Rule(alpha=0.004, n_starts=144, requests_per_s=1.0)
    ramp = Ramp((0.0,), (0.2,))
    user = chance.integers(0, 50_000, 4_000)
    at_s = np.sort(chance.uniform(0, 40_000, 4_000))
    mine = user < 10_000
    equal = Failures(at_s, user, mine, ramp)
    harmful = np.where(mine, True, chance.random(4_000) < 0.2)
    assert rule.tripped(equal) is None
    assert rule.tripped(Failures(at_s[harmful], user[harmful], mine[harmful], ramp)) is not None
