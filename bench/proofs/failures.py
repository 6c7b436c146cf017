"""
The restarted e-process and the rule that trips, over whole runs at once.

A run is all its failing requests, sorted by time. A start is a row: the failures of its life, of which those count
whose user had not failed since it began. Evidence can only rise where a candidate's user is counted, so only those
cells are evaluated, and only those above a floor leave this file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.stats.eprocess import STAKES, log_factors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

EVERY_S = 600.0
LIVES = 144
WINDOW_S = 900.0
GROUP = 16
"""Starts that are computed together: their lives overlap in all but a few hours."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """
    The candidate's share of those compared, over time.

    Attributes:
        since_s: (stages,) when each stage begins; the first at 0.
        shares: (stages,) in (0, 1).
    """

    since_s: tuple[float, ...]
    shares: tuple[float, ...]

    def stage_at(self, at_s: Floats) -> Ints:
        """Give the stage at each time."""
        return np.searchsorted(np.array(self.since_s), at_s, side="right") - 1

    def exposure_s(self, since_s: float, until_s: float) -> float:
        """Give the integral of the share."""
        ends = [*self.since_s[1:], np.inf]
        return sum(
            share * max(0.0, min(until_s, end) - max(since_s, begin))
            for begin, end, share in zip(self.since_s, ends, self.shares, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Failures:
    """
    The failing requests of one run, oldest first.

    Attributes:
        at_s: (n,) when.
        user: (n,) who.
        is_candidate: (n,) in which arm.
        ramp: The shares in force.
    """

    at_s: Floats
    user: Ints
    is_candidate: Flags
    ramp: Ramp


class Crossings(NamedTuple):
    """
    Where weighted evidence is above a floor, by time.

    Attributes:
        event: (m,) index of the failure.
        start: (m,) index of the start; 0 is the rollout's.
        log_e: (m,) weighted log evidence after it.
        candidate: (m,) users counted by then, of the candidate.
        baseline: (m,) likewise.
    """

    event: Ints
    start: Ints
    log_e: Floats
    candidate: Ints
    baseline: Ints


def crossings(
    failures: Failures, *, n_starts: int, log_floor: float, every_s: float = EVERY_S, lives: int = LIVES
) -> Crossings:
    """Give all (failure, start) whose weighted evidence is at least the floor."""
    due = (failures.at_s // every_s).astype(np.int64)
    newest = np.minimum(due, n_starts - 1)
    first = _first_counted(failures.user, newest)
    stage = failures.ramp.stage_at(failures.at_s)
    found = [_whole(failures, first, _pays(failures.ramp)[stage, failures.is_candidate.astype(int)], log_floor)]
    # What no start counts is left out, so that the rows are short.
    kept = np.flatnonzero((first <= newest) & (newest >= 1))
    if kept.size:
        rows = _Rows(failures, kept, due, first, lives)
        shared = log_floor + np.log(2 * n_starts)
        above = rows.above(n_starts, shared)
        found.extend(part._replace(event=kept[part.event], log_e=part.log_e - np.log(2 * n_starts)) for part in above)
    return _by_time(found)


def _by_time(found: list[Crossings]) -> Crossings:
    event = np.concatenate([part.event for part in found])
    start = np.concatenate([part.start for part in found])
    log_e = np.concatenate([part.log_e for part in found])
    candidate = np.concatenate([part.candidate for part in found])
    baseline = np.concatenate([part.baseline for part in found])
    order = np.lexsort((start, event))
    return Crossings(event[order], start[order], log_e[order], candidate[order], baseline[order])


class _Rows:
    """Failures as columns and starts as rows; a failure is counted by the starts from `oldest` to `newest`."""

    def __init__(self, failures: Failures, kept: Ints, due: Ints, first: Ints, lives: int) -> None:
        self.lives = lives
        self.newest = due[kept].astype(np.int32)
        self.oldest = np.maximum(first[kept], self.newest - lives + 1).astype(np.int32)
        self.is_candidate = failures.is_candidate[kept]
        self.stage = failures.ramp.stage_at(failures.at_s[kept])
        self.pays = _pays(failures.ramp)
        self.shares = np.array(failures.ramp.shares)

    def above(self, n_starts: int, log_floor: float) -> Iterator[Crossings]:
        for first in range(1, n_starts, GROUP):
            starts = np.arange(first, min(first + GROUP, n_starts), dtype=np.int32)
            begin = int(np.searchsorted(self.newest, starts[0]))
            end = int(np.searchsorted(self.newest, starts[-1] + self.lives))
            mine = begin + np.flatnonzero(self.is_candidate[begin:end])
            if mine.size:
                yield self._group(starts[:, None], slice(begin, end), mine, log_floor)

    def _group(self, starts: NDArray[np.int32], columns: slice, mine: Ints, log_floor: float) -> Crossings:
        counted = (self.oldest[columns] <= starts) & (starts <= self.newest[columns])
        at = mine - columns.start
        seen = counted.cumsum(axis=1, dtype=np.int32)[:, at].astype(np.int64)
        is_counted = counted[:, at]
        candidate = is_counted.cumsum(axis=1)
        # Log e is at most n·KL(c/n, w), and that at most χ², w being the least share: what is not far above is left.
        w = float(self.shares[self.stage[columns]].min())
        above = candidate - seen * w
        is_far = is_counted & (above > 0)
        if log_floor > 0:
            is_far &= above * above >= log_floor * seen * w * (1 - w)
        row, cell = np.nonzero(is_far)
        candidate, seen = candidate[row, cell], seen[row, cell]
        # Every failure pays -ln(1 + w(ψ-1)), and the candidate's ln ψ more.
        logs = candidate[:, None] * (self.pays[0, 1] - self.pays[0, 0])
        stages = self.stage[columns]
        if row.size and stages[0] == stages[-1]:
            logs += seen[:, None] * self.pays[stages[0], 0]
        elif row.size:
            for stage in range(int(stages[0]), int(stages[-1]) + 1):
                n_stage = (counted & (stages == stage)).cumsum(axis=1, dtype=np.int32)[row, at[cell]]
                logs += n_stage[:, None] * self.pays[stage, 0]
        high = np.flatnonzero(logs.max(axis=1, initial=-np.inf) >= log_floor)
        log_e = mixed_log(logs[high])
        kept = high[log_e >= log_floor]
        log_e = log_e[log_e >= log_floor]
        start = starts[row[kept], 0].astype(np.int64)
        return Crossings(mine[cell[kept]], start, log_e, candidate[kept], (seen - candidate)[kept])


def _pays(ramp: Ramp) -> Floats:
    """Give (stages, 2, hazards): what a failure of the baseline and of the candidate pays."""
    return np.array([[log_factors(w, is_candidate=c) for c in (False, True)] for w in ramp.shares])


def _whole(failures: Failures, first: Ints, pay: Floats, log_floor: float) -> Crossings:
    """The process that began with the rollout counts those who never failed before."""
    ever = np.flatnonzero(first == 0)
    logs = pay[ever].cumsum(axis=0)
    mine = failures.is_candidate[ever]
    log_e = mixed_log(logs) + np.log(0.5)
    kept = np.flatnonzero(mine & (log_e >= log_floor))
    n_mine = mine.cumsum()[kept]
    return Crossings(ever[kept], np.zeros(kept.size, np.int64), log_e[kept], n_mine, kept + 1 - n_mine)


def _first_counted(user: Ints, newest: Ints) -> Ints:
    """Give the first start for which each failure is its user's first."""
    order = np.argsort(user, kind="stable")
    seen = np.full(user.size, -1, np.int64)
    again = user[order[1:]] == user[order[:-1]]
    seen[order[1:][again]] = newest[order[:-1][again]]
    return seen + 1


def mixed_log(logs: Any) -> Floats:
    """Give the logarithm of the mixture over hazards, of each row."""
    if not len(logs):
        return np.zeros(0)
    terms = logs + np.log(np.array(STAKES))
    largest = terms.max(axis=1)
    mixed: Floats = largest + np.log(np.exp(terms - largest[:, None]).sum(axis=1))
    return mixed


@dataclass(frozen=True, slots=True)
class Rule:
    """
    When evidence trips.

    Attributes:
        alpha: Evidence needed is 1/alpha.
        n_starts: Over the horizon.
        requests_per_s: Of both arms compared.
        ratio: More than this, over the window or since the start that fired.
        floor: The baseline's rate counts as at least this.
        min_users: Distinct failing users of the candidate.
    """

    alpha: float
    n_starts: int
    requests_per_s: float
    ratio: float = 2.0
    floor: float = 0.002
    min_users: int = 3

    def tripped(self, failures: Failures, *, from_s: float = 0.0) -> tuple[float, int] | None:
        """Give when it first trips at or after `from_s`, and the failing candidate users since then; None for never."""
        found = crossings(failures, n_starts=self.n_starts, log_floor=-float(np.log(self.alpha)))
        for event, start, _, candidate, baseline in zip(*found, strict=True):
            at_s = float(failures.at_s[event])
            if at_s >= from_s and (
                self._is_over_window(failures, int(event))
                or self._is_over(failures.ramp, float(start) * EVERY_S, at_s, int(candidate), int(baseline))
            ):
                since = slice(int(np.searchsorted(failures.at_s, from_s)), int(event) + 1)
                failing = failures.user[since][failures.is_candidate[since]]
                return at_s, int(np.unique(failing).size)
        return None

    def _is_over_window(self, failures: Failures, event: int) -> bool:
        at_s = float(failures.at_s[event])
        begin_s = max(0.0, at_s - WINDOW_S)
        since = slice(int(np.searchsorted(failures.at_s, begin_s, side="right")), event + 1)
        user, mine = failures.user[since], failures.is_candidate[since]
        return self._is_over(failures.ramp, begin_s, at_s, np.unique(user[mine]).size, np.unique(user[~mine]).size)

    def _is_over(self, ramp: Ramp, since_s: float, until_s: float, candidate: int, baseline: int) -> bool:
        exposed_s = ramp.exposure_s(since_s, until_s)
        requests = self.requests_per_s * exposed_s
        baseline_requests = self.requests_per_s * (until_s - since_s - exposed_s)
        if candidate < self.min_users or requests <= 0 or baseline_requests <= 0:
            return False
        return candidate / max(requests, candidate) > self.ratio * max(self.floor, baseline / baseline_requests)
