"""
COST: does the candidate cost half as much again, per request or per user?

Over the trailing hour. The number shown is the raw mean of every request; the interval is over units, each unit's costs
brought down to the 99.5th percentile of units, by the delta method on the log ratio and an asymptotic confidence
sequence, since it is looked at whenever a twelfth of the window is over. Each hour of the horizon gets an equal part of
alpha, halved between the two ways to count. It acts when the lower bound lies above 1 and the estimate beyond the
signal's ratio, and then is quiet for a day. A change of weights begins the window anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, exp
from typing import Any, NamedTuple

from gateway.domain.rollout import Action, Comparison, Signal
from gateway.gates.facts import Cost
from gateway.gates.failing import Found, times
from gateway.gates.window import Lane
from gateway.stats.anytime import lower_bound
from gateway.stats.moments import PairMoments
from gateway.stats.ratio import Estimate, log_ratio, ratio_mean, winsorized

N_CELLS = 12
MAX_ROWS = 512
"""Per five minutes and arm: 4 KB."""

LEAST_USERS = 100
"""Per arm: the burn-in of an asymptotic sequence (decisions.md, what matters most, 4)."""

WINSORIZED_AT = 0.995
N_STAR = 1_000
SPARED_BELOW = 0.8
"""Of the signal's ratio: cells are sampled apart, so a quick look at costs per user may be off by some percent."""

DAY_MS = 86_400_000


class Spent(NamedTuple):
    """
    One way to count, both arms.

    Attributes:
        per: `request` or `user`.
        ratio: Candidate over baseline, raw.
        low: Lower bound of the ratio, winsorised.
        log_ratio: Winsorised.
        se: Of the log ratio.
        users: Of both arms, sampled.
    """

    per: str
    ratio: float
    low: float
    log_ratio: float
    se: float
    users: tuple[int, int]


class CostRules:
    """Sampled costs of both arms over the trailing hour."""

    __slots__ = ("_cell_ms", "_epoch", "_lanes", "_next_ms", "_quiet_until_ms", "n_hours", "spent")

    def __init__(self, signal: Signal, comparison: Comparison, *, since_ms: int) -> None:
        """Begin empty."""
        self._cell_ms = cell_ms = max(1_000, int(signal.window_s * 1000 / N_CELLS))
        self._next_ms = since_ms + cell_ms
        self._lanes = tuple(Lane(cell_ms=cell_ms, n_cells=N_CELLS, max_rows=MAX_ROWS) for _ in range(2))
        self.n_hours = 1
        self.spread(signal, int(comparison.horizon_s * 1000))
        self._epoch = -1
        self._quiet_until_ms = since_ms
        self.spent: tuple[Spent, ...] = ()

    def include(self, now_ms: int, *, epoch: int, candidate: Sequence[Cost], baseline: Sequence[Cost]) -> None:
        """Take costs of both arms; late ones of an earlier epoch are left out."""
        if epoch < self._epoch:
            return
        if epoch > self._epoch:
            self._epoch = epoch
            for lane in self._lanes:
                lane.clear()
        for lane, costs in zip(self._lanes, (candidate, baseline), strict=True):
            if costs:
                units, values = zip(*costs, strict=True)
                lane.note(now_ms, units, values)

    def judge(self, now_ms: int, signal: Signal, alpha: float) -> Found | None:
        """Give what costs too much; at most once in a twelfth of the window."""
        if now_ms < self._next_ms:
            return None
        self._next_ms = now_ms + self._cell_ms
        self.spent = ()
        for lane in self._lanes:
            lane.turn(now_ms)
        if now_ms < self._quiet_until_ms or not self._may_be_beyond(now_ms, signal.ratio):
            return None
        self.spent = self._compare(alpha / self.n_hours / 2)
        for spent in self.spent:
            if spent.ratio > signal.ratio and spent.low > 1.0:
                if signal.action is not Action.ROLLBACK:
                    self._quiet_until_ms = now_ms + DAY_MS
                return self._found(spent, signal, alpha / self.n_hours / 2)
        return None

    @property
    def means(self) -> tuple[tuple[int, float | None], tuple[int, float | None]]:
        """Give (requests, mean US dollars) of the candidate and of the baseline."""
        return self._lanes[0].mean(), self._lanes[1].mean()

    @property
    def ratio(self) -> float | None:
        """Give candidate over baseline per request, raw; None without a cost in both."""
        (_, candidate), (_, baseline) = self.means
        return candidate / baseline if candidate is not None and baseline else None

    def spread(self, signal: Signal, horizon_ms: int) -> None:
        """Give each window of so long a term an equal part of alpha."""
        self.n_hours = max(1, ceil(horizon_ms / (signal.window_s * 1000)))

    def lacking(self) -> str | None:
        """Say what is missing before it may act; None where nothing is."""
        for name, lane in zip(("the candidate", "the baseline"), self._lanes, strict=True):
            n_users = len(_users_of(lane))
            if n_users < LEAST_USERS:
                return f"{name} has costs of {n_users} users in the window; {LEAST_USERS} are needed"
        return None

    def dump(self) -> Any:
        """Give what `load` takes."""
        return [self._epoch, self._quiet_until_ms, self._next_ms, self.n_hours, [lane.dump() for lane in self._lanes]]

    def load(self, dumped: Any) -> None:
        """Take back what was dumped."""
        self._epoch, self._quiet_until_ms, self._next_ms, self.n_hours, lanes = dumped
        for lane, saved in zip(self._lanes, lanes, strict=True):
            lane.load(saved)

    def _may_be_beyond(self, now_ms: int, ratio: float) -> bool:
        """Spare the work where costs are alike: per request, and, once in a window, per user of those sampled."""
        per_request = self.ratio
        if per_request is None or per_request > ratio:
            return per_request is not None
        if (now_ms // self._cell_ms) % N_CELLS:
            return False
        busy = [sum(len(c.units) for c in lane.cells) / max(1, len(_users_of(lane))) for lane in self._lanes]
        return per_request * max(1.0, busy[0] / max(busy[1], 1e-9)) > ratio * SPARED_BELOW

    def _compare(self, alpha: float) -> tuple[Spent, ...]:
        arms = [_units_of(lane) for lane in self._lanes]
        if min(len(units) for units in arms) < LEAST_USERS:
            return ()
        users = len(arms[0]), len(arms[1])
        raw_per_request = self.ratio
        found = []
        for per in ("request", "user"):
            raw = [ratio_mean(_pairs(units, per)) for units in arms]
            trimmed = [ratio_mean(_pairs(_trimmed(units), per)) for units in arms]
            one, two = raw
            scale = _log_ratio(trimmed)
            if one is None or two is None or scale is None or not two.value or raw_per_request is None:
                continue
            low = lower_bound(scale.value, se=scale.se, n=sum(users), alpha=alpha, n_star=N_STAR)
            ratio = raw_per_request if per == "request" else one.value / two.value
            found.append(Spent(per, ratio, exp(low), scale.value, scale.se, users))
        return tuple(found)

    def _found(self, spent: Spent, signal: Signal, alpha: float) -> Found:
        (n, mean), (baseline_n, baseline_mean) = self.means
        evidence = {
            "per": spent.per, "ratio": spent.ratio, "ratio_allowed": signal.ratio, "ratio_low": spent.low,
            "log_ratio": spent.log_ratio, "log_ratio_se": spent.se, "alpha": alpha, "n_star": N_STAR,
            "candidate_requests": n, "candidate_mean_usd": mean, "candidate_users": spent.users[0],
            "baseline_requests": baseline_n, "baseline_mean_usd": baseline_mean, "baseline_users": spent.users[1],
            "window_s": signal.window_s, "winsorized_at": WINSORIZED_AT, "epoch": self._epoch,
        }  # fmt: skip
        sentence = (
            f"In the last {signal.window_s / 60:g} min the candidate cost {times(spent.ratio)} the baseline per"
            f" {spent.per} (${mean or 0:.5f} against ${baseline_mean or 0:.5f} per request), surely more than"
            f" {spent.low:.2f} ×; {signal.ratio:g} × is the line. It may be expected of a better model."
        )
        return Found("cost", signal.action, sentence, evidence)


def _users_of(lane: Lane) -> set[int]:
    users: set[int] = set()
    for cell in lane.cells:
        users.update(cell.units)
    return users


def _units_of(lane: Lane) -> list[tuple[float, int]]:
    """Give (US dollars, requests) by unit."""
    units: dict[int, tuple[float, int]] = {}
    for unit, usd in lane.rows():
        before = units.get(unit, (0.0, 0))
        units[unit] = (before[0] + usd, before[1] + 1)
    return list(units.values())


def _trimmed(units: list[tuple[float, int]]) -> list[tuple[float, int]]:
    costs = winsorized([usd for usd, _ in units], share=WINSORIZED_AT)
    return [(usd, n) for usd, (_, n) in zip(costs, units, strict=True)]


def _pairs(units: list[tuple[float, int]], per: str) -> PairMoments:
    return PairMoments.of((usd, float(n) if per == "request" else 1.0) for usd, n in units)


def _log_ratio(trimmed: list[Estimate | None]) -> Estimate | None:
    one, two = trimmed
    return None if one is None or two is None else log_ratio(one, two)
