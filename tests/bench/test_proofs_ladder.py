"""The simulations of ladders: they draw what they say, and decide as the product does."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from bench.proofs.ladder import DAY_S, Array, Setting, looks_of, prove_ladder, simulated
from gateway.gates.ladder import (
    LadderDecision,
    LadderPhase,
    LadderRule,
    LadderState,
    RoundEvidence,
    RoundResult,
    decide_ladder,
    first_state,
)

RESULTS = {1: RoundResult.CHALLENGER_WINS, -1: RoundResult.CHAMPION_STAYS, 0: RoundResult.TIE}


def test_looks() -> None:
    """By default a round is decided after one to four weeks; shorter than a week, on any day."""
    assert looks_of(LadderRule()) == [7, 14, 21, 28]
    assert looks_of(LadderRule(min_duration_s=2 * DAY_S, max_duration_s=5 * DAY_S)) == [2, 3, 4, 5]


@pytest.mark.parametrize("rule", [LadderRule(), LadderRule(margin=None, min_duration_s=DAY_S)])
def test_decides_as_the_product(rule: LadderRule) -> None:
    """Drawn again from the same seed, every round of a ladder ends as the product ends it, on the same day."""
    ends, rng = simulated(Setting(challengers=(0.81, 0.82), rule=rule), 1, seed=3), np.random.default_rng([63, 3])
    state = first_state("0", ["1", "2"])
    for at in range(2):
        rates = [(0.80, 0.81, 0.82)[int(state.champion)], (0.81, 0.82)[at]]
        found, took = played(rng, state, rule, rates)
        assert (found.result, took) == (RESULTS[int(ends.won[at, 0])], ends.days[at, 0])
        state = found.state
    assert (state.phase, state.champion) == (LadderPhase.COMPLETE, str(ends.champion[0]))


def played(
    rng: np.random.Generator, state: LadderState, rule: LadderRule, rates: list[float]
) -> tuple[LadderDecision, int]:
    """Give what the product says of one round's draws, and on which day; all days are drawn."""
    came, before, told = np.zeros((2, 1)), 0, []
    for day in looks_of(rule):
        came, before = came + rng.binomial(1_000 * (day - before), np.asarray(rates)[:, None]), day
        told.append((decide_ladder(state, evidence_of(came[:, 0], 1_000 * day, day), rule, unix_ms=0), day))
    return next((found, day) for found, day in told if found.result is not RoundResult.RUNNING)


def evidence_of(came: Array, n: int, day: int) -> RoundEvidence:
    """Give what the product would be told of (2,) successes among n users each."""
    old, new = came / n
    se = sqrt((old * (1 - old) + new * (1 - new)) / (n - 1))
    return RoundEvidence(n, n, day * DAY_S, 2 * n, float(new - old), se, float(old), float(new), is_enough=True)


def test_takes_the_best() -> None:
    """A challenger ten points better always ends as champion, and one ten points worse never."""
    ends = simulated(Setting(challengers=(0.70, 0.90, 0.80)), 50, seed=1)
    assert (ends.champion == 2).all() and (ends.won[0] == -1).all()


def test_tells_inheritance() -> None:
    """Who inherits the last loser's users is found worse than an equal; who shares them is not."""
    setting = Setting(grudge=0.05, is_divided_anew=False, rule=LadderRule(margin=None))
    assert (simulated(setting, 50, seed=1).won[1:] == -1).mean() > 0.9
    assert (simulated(replace(setting, is_divided_anew=True), 50, seed=1).won[1:] == 0).mean() > 0.9


def test_runs() -> None:
    """All of it runs, and says what it must be."""
    rows = prove_ladder(0.0)
    assert len(rows) == 33 and sum(bool(row.must) for row in rows) == 14
