"""
LATENCY p95: is the candidate twice as slow, and stays so?

Four things together, over the trailing window (30 min): the pooled ratio of the p95s beyond the signal's, at least
three of the six sub-windows beyond it, the lower bound of the ratio above 1, and 200 requests of 50 users in each arm.
To ask for six of six would miss most of what is slow; one of six would act on an unlucky five minutes.

It is looked at for weeks, so alpha is divided among the windows of three weeks. That is not enough where an arm is few
people: its p95 is that of the two or three slowest, slow for as long as they stay, and few users say too little of how
unusual those are. So ratio and bound have to hold without the candidate's four slowest users too, and fewer than 50
users, of whom 5 % are two, are not judged (`make proofs`, part `latency`: with 20, and nobody left out, every tenth
small rollout was rolled back by chance).

Streams (to the first token) and other requests (to the last byte) are judged apart; either is enough. A change of
weights begins the window anew, since quantiles of two mixtures cannot be weighed afterwards. Memory: 8 bytes a request
of a sampled unit, 1,024 a cell: 49 KB per arm and kind, at most four times that where very few users send everything.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.domain.rollout import Action, Signal
from gateway.gates.facts import Timing
from gateway.gates.failing import Found, times
from gateway.gates.window import Lane
from gateway.stats.quantile import QuantileRatio, Sketch, bucket_of, quantile_ratio, without_largest

Q = 0.95
N_CELLS = 6
BEYOND_NEEDED = 3
LEAST_REQUESTS = 200
LEAST_USERS = 50
LEAST_IN_CELL = 20
N_SLOWEST = 4
HORIZON_S = 21 * 86_400.0
MAX_ROWS = 1_024
KINDS = ("other requests", "streams")
DAY_MS = 86_400_000
MAX_CACHED = 64


@dataclass(frozen=True, slots=True)
class Slowness:
    """
    How much slower the candidate is.

    Attributes:
        all: Of all users.
        rest: Without the candidate's N_SLOWEST slowest.
    """

    all: QuantileRatio
    rest: QuantileRatio

    @property
    def low(self) -> float:
        """Give what the ratio surely is above, by both."""
        return min(self.all.interval.low, self.rest.interval.low)

    def is_beyond(self, ratio: float) -> bool:
        """Tell whether it is beyond a ratio, whoever is left out, and surely not by chance."""
        return min(self.all.ratio, self.rest.ratio) > ratio and self.low > 1.0


class LatencyRules:
    """Sampled durations of both arms, streams apart."""

    __slots__ = ("_cached", "_epoch", "_lanes", "_quiet_until_ms", "_window_s", "last")

    def __init__(self, signal: Signal, *, since_ms: int) -> None:
        """Begin empty."""
        self._window_s = signal.window_s
        cell_ms = max(1_000, int(signal.window_s * 1000 / N_CELLS))
        self._lanes = tuple(
            tuple(Lane(cell_ms=cell_ms, n_cells=N_CELLS, max_rows=MAX_ROWS) for _ in range(2)) for _ in KINDS
        )
        self._cached: dict[tuple[int, int, int], tuple[int, float]] = {}
        self._epoch = -1
        self._quiet_until_ms = since_ms
        self.last: dict[int, Slowness] = {}

    def include(self, now_ms: int, *, epoch: int, candidate: Sequence[Timing], baseline: Sequence[Timing]) -> None:
        """Take durations of both arms; late ones of an earlier epoch are left out."""
        if epoch < self._epoch:
            return
        if epoch > self._epoch:
            self._epoch = epoch
            self._clear()
        for arm, timings in enumerate((candidate, baseline)):
            if timings:
                self._note(now_ms, arm, timings)

    def judge(self, now_ms: int, signal: Signal, alpha: float) -> Found | None:
        """Give what is too slow; at most once a minute."""
        self.last = {}
        self._turn(now_ms)
        if now_ms < self._quiet_until_ms:
            return None
        for kind in range(len(KINDS)):
            closed = self._cell_ratios(kind, skip_open=True)
            if sum(ratio > signal.ratio for ratio in closed) < BEYOND_NEEDED - 1:
                continue  # The open sub-window, which grows and would be sorted each time, could not decide.
            ratios = self._cell_ratios(kind)
            if sum(ratio > signal.ratio for ratio in ratios) < BEYOND_NEEDED or self.lacking(kind) is not None:
                continue
            slowness = self._slowness(kind, alpha)
            if slowness is None:
                continue
            self.last[kind] = slowness
            if slowness.is_beyond(signal.ratio):
                if signal.action is not Action.ROLLBACK:
                    self._quiet_until_ms = now_ms + DAY_MS
                    self._clear()
                return self._found(kind, slowness, ratios, signal, alpha)
        return None

    def ratio(self, kind: int) -> float | None:
        """Give the newest sub-window's ratio that has enough requests; None without any."""
        ratios = self._cell_ratios(kind)
        return ratios[-1] if ratios else None

    def requests(self, kind: int) -> tuple[int, int]:
        """Give the candidate's and the baseline's requests in the window."""
        return self._lanes[kind][0].mean()[0], self._lanes[kind][1].mean()[0]

    def n_beyond(self, kind: int, ratio: float) -> int:
        """Give how many sub-windows lie beyond `ratio`."""
        return sum(one > ratio for one in self._cell_ratios(kind))

    def lacking(self, kind: int) -> str | None:
        """Say what is missing before it may act; None where nothing is."""
        for name, lane in zip(("the candidate", "the baseline"), self._lanes[kind], strict=True):
            n = lane.mean()[0]
            if n < LEAST_REQUESTS:
                return f"{name} has {n} {KINDS[kind]} in {self._window_s / 60:g} min; {LEAST_REQUESTS} are needed"
            users: set[int] = set()
            for cell in lane.cells:
                users.update(cell.units)
                if len(users) >= LEAST_USERS:
                    break
            else:
                return f"{name} has {len(users)} users with {KINDS[kind]}; {LEAST_USERS} are needed"
        return None

    def dump(self) -> Any:
        """Give what `load` takes."""
        return [self._epoch, self._quiet_until_ms, [[lane.dump() for lane in pair] for pair in self._lanes]]

    def load(self, dumped: Any) -> None:
        """Take back what was dumped."""
        self._epoch, self._quiet_until_ms, lanes = dumped
        for pair, saved in zip(self._lanes, lanes, strict=True):
            for lane, one in zip(pair, saved, strict=True):
                lane.load(one)

    def _note(self, now_ms: int, arm: int, timings: Sequence[Timing]) -> None:
        units, streams, values = zip(*timings, strict=True)
        if not any(streams) or all(streams):
            self._lanes[int(streams[0])][arm].note(now_ms, units, values)
            return
        for kind in range(len(KINDS)):
            rows = [at for at, is_stream in enumerate(streams) if is_stream == kind]
            self._lanes[kind][arm].note(now_ms, [units[at] for at in rows], [values[at] for at in rows])

    def _clear(self) -> None:
        self._cached.clear()
        for pair in self._lanes:
            for lane in pair:
                lane.clear()

    def _turn(self, now_ms: int) -> None:
        for pair in self._lanes:
            for lane in pair:
                lane.turn(now_ms)
        if len(self._cached) > 4 * MAX_CACHED:
            self._cached.clear()

    def _cell_ratios(self, kind: int, *, skip_open: bool = False) -> list[float]:
        """Give candidate over baseline of the sub-windows with enough requests in both arms, oldest first."""
        candidate, baseline = self._lanes[kind]
        starts = {cell.start_ms: cell.values for cell in baseline.cells}
        newest_ms = max(starts, default=-1) if skip_open else None
        ratios = []
        for cell in candidate.cells:
            if cell.start_ms == newest_ms:
                continue
            other = starts.get(cell.start_ms)
            if other is not None and min(len(cell.values), len(other)) >= LEAST_IN_CELL:
                below = self._p95(kind, 1, cell.start_ms, other)
                if below > 0:
                    ratios.append(self._p95(kind, 0, cell.start_ms, cell.values) / below)
        return ratios

    def _p95(self, kind: int, arm: int, start_ms: int, values: array[float]) -> float:
        """Give a sub-window's p95; one that has not grown is not sorted again."""
        known = self._cached.get((kind, arm, start_ms))
        if known is not None and known[0] == len(values):
            return known[1]
        value = sorted(values)[int(Q * (len(values) - 1) + 0.5)]
        self._cached[kind, arm, start_ms] = (len(values), value)
        return value

    def _slowness(self, kind: int, alpha: float) -> Slowness | None:
        candidate, baseline = (_by_unit(lane) for lane in self._lanes[kind])
        # The interval is two-sided and only its lower end is asked for.
        confidence = 1 - 2 * min(alpha * self._window_s / HORIZON_S, 0.25)
        pooled = quantile_ratio(candidate, baseline, Q, confidence=confidence)
        rest = quantile_ratio(without_largest(candidate, Q, N_SLOWEST), baseline, Q, confidence=confidence)
        return None if pooled is None or rest is None else Slowness(pooled, rest)

    def _found(self, kind: int, slowness: Slowness, ratios: list[float], signal: Signal, alpha: float) -> Found:
        requests = self.requests(kind) if self._lanes[kind][0].cells else (0, 0)
        pooled, one, two = slowness.all, slowness.all.candidate, slowness.all.baseline
        evidence = {
            "of": KINDS[kind], "quantile": Q, "window_s": self._window_s, "ratio": pooled.ratio, "alpha": alpha,
            "ratio_allowed": signal.ratio, "ratio_low": slowness.low, "log_ratio_se": pooled.log_se,
            "ratio_without_slowest": slowness.rest.ratio,
            "sub_window_ratios": ratios, "candidate_p95_ms": one.value, "baseline_p95_ms": two.value,
            "candidate_low_ms": one.low, "baseline_high_ms": two.high, "candidate_requests": requests[0],
            "baseline_requests": requests[1], "candidate_sampled": one.n_values, "baseline_sampled": two.n_values,
            "candidate_users": one.n_units, "baseline_users": two.n_units, "epoch": self._epoch,
        }  # fmt: skip
        beyond = sum(ratio > signal.ratio for ratio in ratios)
        sentence = (
            f"For {self._window_s / 60:g} min, 95 % of {KINDS[kind]} took up to {one.value:,.0f} ms, of the baseline's"
            f" {two.value:,.0f} ms: {times(pooled.ratio)}, surely more than {slowness.low:.2f} ×, and beyond"
            f" {signal.ratio:g} × in {beyond} of {len(ratios)} stretches."
        )
        return Found("latency", signal.action, sentence, evidence)


def _by_unit(lane: Lane) -> list[Sketch]:
    units: dict[int, Sketch] = {}
    for unit, ms in lane.rows():
        sketch = units.setdefault(unit, {})
        bucket = bucket_of(ms)
        sketch[bucket] = sketch.get(bucket, 0) + 1
    return list(units.values())
