"""
The latency rule over three weeks: how often it is false, by traffic, and what it sees.

Durations are log-normal; a share of the logarithm's variance is the users' own, so that who is slow stays slow. Half of
the users are there on a day, and some ask far more than others. The rule is that of `gateway.gates.latency`, asked
where enough sub-windows lie beyond (elsewhere it cannot act) and with its own functions; that both act in the same
minute is a test. Where a sub-window would hold more rows than are kept, users are sampled, as there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from bench.proofs.rows import render_share
from bench.proofs.trips import ALPHA, false_row
from bench.rows import Row
from gateway.gates.latency import (
    BEYOND_NEEDED,
    HORIZON_S,
    LEAST_IN_CELL,
    LEAST_REQUESTS,
    LEAST_USERS,
    MAX_ROWS,
    N_CELLS,
    N_SLOWEST,
    Q,
    Slowness,
)
from gateway.stats.quantile import PER_LOG, QuantileRatio, Sketch, quantile_ratio, without_largest

SIGMA = 0.8
LIKENESS = 0.3
RATIO = 2.0
CELL_MIN = 5
WINDOW_S = 60.0 * N_CELLS * CELL_MIN
CELLS_PER_DAY = 24 * 60 // CELL_MIN
CELLS = 21 * CELLS_PER_DAY
FAULT_CELL, FAULT_CELLS = 12, 36
TICKETS = 1 << 14


@dataclass(frozen=True, slots=True)
class Load:
    """
    Who asks how much.

    Attributes:
        requests: Of the candidate in half an hour.
        share: The candidate's, of those compared.
        per_user: Requests of one who is there, in half an hour, on average.
        likeness: Share of the variance that is the users' own.
    """

    requests: int
    share: float = 0.05
    per_user: float = 2.0
    likeness: float = LIKENESS

    def arm(self, chance: np.random.Generator, cells: int, *, is_candidate: bool) -> Durations:
        """Give an arm's durations in so many sub-windows."""
        times = 1.0 if is_candidate else (1 - self.share) / self.share
        rows = ceil(self.requests * times / N_CELLS)
        users = max(2 * LEAST_USERS, round(2 * self.requests * times / self.per_user))
        while rows > MAX_ROWS:
            rows, users = rows // 2, users // 2
        appetite, slow = chance.gamma(1.0, 1.0, users) + 1e-9, chance.standard_normal(users, np.float32)
        user = np.empty((cells, rows), np.int32)
        for begin in range(0, cells, CELLS_PER_DAY):
            there = np.flatnonzero(chance.random(users) < 0.5)
            held = np.cumsum(appetite[there]) / appetite[there].sum()
            tickets = there[np.searchsorted(held, (np.arange(TICKETS) + 0.5) / TICKETS)]
            day = user[begin : begin + CELLS_PER_DAY]
            day[:] = tickets[chance.integers(0, TICKETS, day.shape, np.uint16)]
        own, drawn = SIGMA * self.likeness**0.5, SIGMA * (1 - self.likeness) ** 0.5
        logs = own * slow[user] + drawn * chance.standard_normal(user.shape, np.float32)
        return Durations(user, logs.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Durations:
    """
    An arm's durations; a row's requests come one after the other through its five minutes.

    Attributes:
        user: (cells, rows), who.
        logs: (cells, rows), logarithm of how long.
    """

    user: NDArray[np.int32]
    logs: NDArray[np.float32]

    def slowed(self, times: float) -> Durations:
        """Give the same where everything takes `times` as long from FAULT_CELL on."""
        logs = self.logs.copy()
        logs[FAULT_CELL:] += np.float32(log(times))
        return Durations(self.user, logs)

    def window(self, cell: int, minute: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Give users and logarithms of the window that ends so many minutes into a sub-window."""
        first, n = max(0, cell - N_CELLS + 1), self.by(minute)
        user = np.concatenate([self.user[first:cell].ravel(), self.user[cell, :n]])
        return user, np.concatenate([self.logs[first:cell].ravel(), self.logs[cell, :n]])

    def by(self, minute: int) -> int:
        """Give how many requests of a sub-window have come after so many of its minutes."""
        rows: int = self.user.shape[1]
        return rows * minute // CELL_MIN


def prove_latency(scale: float) -> list[Row]:
    """Let arms that are alike run for three weeks, by traffic; then let the candidate take 2.5 times as long."""
    runs, rows, seed = max(2, round(1_000 * scale)), list[Row](), 0
    hard = Load(225, 0.5, per_user=3.75, likeness=0.5)
    for load in (*(Load(n) for n in (225, 500, 2_000, 20_000)), Load(225, 0.5), hard):
        seed += 1
        found = [_acts(np.random.default_rng([67, seed, run]), load) for run in range(runs)]
        sys.stderr.write(f"  {_words(load)}: {sum(one is not None for one, _ in found)} of {runs}\n")
        rows.append(false_row(f"{_words(load)}: false in 21 days", sum(one is not None for one, _ in found), runs))
        once = render_share(sum(two is not None for _, two in found), runs)
        rows.append(Row("… with a bound for one look, and its slowest users counted", once))
    for load in (Load(225), Load(3_960), Load(225, 0.5)):
        seed += 1
        found = [_acts(np.random.default_rng([67, seed, run]), load, times=2.5) for run in range(runs)]
        minutes = [one for one, _ in found if one is not None]
        came = f"{render_share(len(minutes), runs)}; median {np.median(minutes):.0f} min" if minutes else "never"
        rows.append(Row(f"{_words(load)}, 2.5 × as slow: seen within 3 h", came, "≥ 90 %", len(minutes) >= 0.9 * runs))
    return rows


def _words(load: Load) -> str:
    alike = "" if load.likeness == LIKENESS else ", half of what differs is the users' own"
    users = round(load.requests / load.per_user)
    return f"{load.requests:,} requests of {users:,} users per 30 min, {100 * load.share:g} % candidate{alike}"


def _acts(chance: np.random.Generator, load: Load, times: float | None = None) -> tuple[int | None, int | None]:
    cells = CELLS if times is None else FAULT_CELL + FAULT_CELLS
    candidate, baseline = (load.arm(chance, cells, is_candidate=one) for one in (True, False))
    begin = 0 if times is None else CELL_MIN * FAULT_CELL
    if times is not None:
        candidate = candidate.slowed(times)
    one, two = acts(candidate, baseline, since_cell=begin // CELL_MIN)
    return None if one is None else one - begin, None if two is None else two - begin


def acts(candidate: Durations, baseline: Durations, *, since_cell: int = 0) -> tuple[int | None, int | None]:
    """
    Give the minute in which the rule first acts, and that in which it would with neither of its two precautions.

    None stands for never. At least 200 requests of half an hour are in every window that is full.
    """
    beyond = _p95(candidate.logs) - _p95(baseline.logs) > log(RATIO)
    if min(candidate.user.shape[1], baseline.user.shape[1]) < LEAST_IN_CELL:
        return None, None
    sums = np.concatenate([[0], beyond.cumsum()])
    bold = None
    for cell in range(since_cell, len(beyond)):
        n_closed = int(sums[cell] - sums[max(0, cell - N_CELLS + 1)])
        if n_closed < BEYOND_NEEDED - 1:
            continue
        for minute in range(1, CELL_MIN + 1):
            is_open_beyond = _is_beyond(candidate, baseline, cell, minute)
            if n_closed + is_open_beyond < BEYOND_NEEDED:
                continue
            is_wary, is_bold = _asked(candidate, baseline, cell, minute)
            at = cell * CELL_MIN + minute
            bold = at if is_bold and bold is None else bold
            if is_wary:
                return at, bold
    return None, bold


def _is_beyond(candidate: Durations, baseline: Durations, cell: int, minute: int) -> bool:
    one, two = candidate.logs[cell, : candidate.by(minute)], baseline.logs[cell, : baseline.by(minute)]
    return min(one.size, two.size) >= LEAST_IN_CELL and bool(_p95(one) - _p95(two) > log(RATIO))


def _asked(candidate: Durations, baseline: Durations, cell: int, minute: int) -> tuple[bool, bool]:
    (user, logs), (other, below) = candidate.window(cell, minute), baseline.window(cell, minute)
    if min(logs.size, below.size) < LEAST_REQUESTS or _p95(logs) - _p95(below) < log(RATIO) - 0.05:
        return False, False
    ours, theirs = _sketches(user, logs), _sketches(other, below)
    if min(len(ours), len(theirs)) < LEAST_USERS:
        return False, False
    once = quantile_ratio(ours, theirs, Q, confidence=1 - 2 * ALPHA)
    if once is None or once.ratio <= RATIO or once.interval.low <= 1.0:
        return False, False
    pooled, rest = (_often(units, theirs) for units in (ours, without_largest(ours, Q, N_SLOWEST)))
    return pooled is not None and rest is not None and Slowness(pooled, rest).is_beyond(RATIO), True


def _often(ours: Sequence[Mapping[int, int]], theirs: Sequence[Sketch]) -> QuantileRatio | None:
    return quantile_ratio(ours, theirs, Q, confidence=1 - 2 * ALPHA * WINDOW_S / HORIZON_S)


def _p95(logs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the p95 of the last axis as the rule does, which sorts a sub-window's durations."""
    at = int(Q * (logs.shape[-1] - 1) + 0.5)
    value: NDArray[np.float32] = np.partition(logs, at, axis=-1)[..., at]
    return value


def _sketches(user: NDArray[np.int32], logs: NDArray[np.float32]) -> list[Sketch]:
    units: dict[int, Sketch] = {}
    for one, bucket in zip(user.tolist(), np.ceil(logs * PER_LOG).astype(int).tolist(), strict=True):
        sketch = units.setdefault(one, {})
        sketch[bucket] = sketch.get(bucket, 0) + 1
    return list(units.values())
