"""The latency rule's vectorised copy is the rule."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from bench.proofs.latency import CELL_MIN, CELLS_PER_DAY, FAULT_CELL, Durations, Load, acts
from bench.proofs.trips import ALPHA
from gateway.domain.rollout import Action, Signal, SignalKind
from gateway.gates.facts import Timing
from gateway.gates.latency import MAX_ROWS, LatencyRules

LATENCY = Signal("latency_p95", SignalKind.LATENCY, Action.ROLLBACK, 2.0, window_s=1_800)
MINUTE_MS = 60_000
LOAD = Load(300, 0.5)


def timings(arm: Durations, cell: int, minute: int) -> list[Timing]:
    """Give what came in one minute."""
    rows = range(arm.by(minute - 1), arm.by(minute))
    return [Timing(int(arm.user[cell, row]), False, exp(float(arm.logs[cell, row]))) for row in rows]


def really_acts(candidate: Durations, baseline: Durations) -> int | None:
    """Give the minute in which the rule itself acts."""
    rules = LatencyRules(LATENCY, since_ms=0)
    for cell in range(len(candidate.user)):
        for minute in range(1, CELL_MIN + 1):
            now_ms = (cell * CELL_MIN + minute - 1) * MINUTE_MS
            arms = (timings(arm, cell, minute) for arm in (candidate, baseline))
            rules.include(now_ms, epoch=0, candidate=next(arms), baseline=next(arms))
            if rules.judge(now_ms + MINUTE_MS - 1, LATENCY, ALPHA) is not None:
                return cell * CELL_MIN + minute
    return None


@pytest.mark.parametrize("times", [1.0, 2.2, 2.5, 4.0])
def test_acts_in_the_same_minute(times: float) -> None:
    """Fed the same durations, the rule acts when its copy says; or never, where that says never."""
    chance = np.random.default_rng([5, round(10 * times)])
    candidate, baseline = (LOAD.arm(chance, 30, is_candidate=one) for one in (True, False))
    slowed = candidate.slowed(times)
    assert acts(slowed, baseline)[0] == really_acts(slowed, baseline)


def test_slow_is_seen() -> None:
    """Four times as slow is seen within half an hour, and not before it is slow."""
    chance = np.random.default_rng(5)
    arms = (LOAD.arm(chance, 30, is_candidate=one) for one in (True, False))
    seen, _ = acts(next(arms).slowed(4.0), next(arms))
    assert seen is not None
    assert FAULT_CELL * CELL_MIN < seen <= FAULT_CELL * CELL_MIN + 30


def test_alike_is_left_alone() -> None:
    """A day of two arms that are alike is quiet."""
    chance = np.random.default_rng(7)
    candidate, baseline = (LOAD.arm(chance, CELLS_PER_DAY, is_candidate=one) for one in (True, False))
    assert acts(candidate, baseline) == (None, None)


def test_busy_arms_are_sampled() -> None:
    """An arm keeps as many rows of a sub-window as the rule does, of as many fewer users."""
    arm = Load(20_000).arm(np.random.default_rng(7), 2, is_candidate=False)
    assert MAX_ROWS / 2 < arm.user.shape[1] <= MAX_ROWS
