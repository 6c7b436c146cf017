"""
DOWN_RATE and COMPLETION: are the candidate's answers rated worse, or do fewer of its tasks get done?

A user-clustered, one-sided confidence sequence on the log ratio of rates, restarted every 24 hours of own time; each
day gets an equal part of the signal's alpha. It acts when the sequence excludes 1 *and* the trailing window's ratio
lies beyond the signal's *and* both arms have 30 ratings from 20 users. A window with fewer than 30 candidate ratings
is too thin to have an opinion: then the day's ratio stands for it.

Epochs are not pooled: a candidate's rating weighs (1 − w) and a baseline's w, of the epoch of its exposure. Since users
come to the arms as w : (1 − w), both sums then weigh every epoch alike, and a candidate that got its users on a
bad day is compared with the baseline's users of the same day.

Completion counts a rating only when its exposure's attribution window has closed: early answers are the good ones.
After it acted, the day begins anew, with less of its alpha: what was acted upon once is no new evidence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from math import ceil, exp
from typing import Any, NamedTuple

from gateway.domain.metric import Metric
from gateway.domain.rollout import Action, Comparison, Signal, SignalKind
from gateway.gates.facts import Rating
from gateway.gates.failing import Found, times
from gateway.stats.alpha import alpha_of_life
from gateway.stats.anytime import lower_bound
from gateway.stats.clustered import clustered_rate, log_ratio_at_null
from gateway.stats.ratio import Estimate

DAY_MS = 86_400_000
CELL_MS = 300_000
LEAST_RATINGS = 30
LEAST_USERS = 20
N_STAR = 300
"""Users of both arms at which the sequence is tightest: some hours of ratings."""

MAX_USERS = 2_048
"""Per arm and day, 0.5 MB at most; beyond, every second user by hash, until the day ends."""

MAX_PENDING = 8_192
"""Ratings whose attribution window is still open; beyond, every second user by hash."""


_Counted = tuple[int, int, float, float]
"""Arm, user, `x` and its weight."""


class Tally(NamedTuple):
    """
    Ratings of one arm over some stretch.

    Attributes:
        ratings: How many.
        users: Whose; None where not counted.
        rate: Share that was down (DOWN_RATE), or done (COMPLETION), weighted by epoch; None without ratings.
    """

    ratings: int
    users: int | None
    rate: float | None


class ArmDay:
    """One arm's ratings of a day, by user."""

    __slots__ = ("bits", "by_user", "n", "sums")

    def __init__(self) -> None:
        """Begin empty."""
        self.by_user: dict[int, list[float]] = {}
        self.bits = 0
        self.n = 0
        self.sums = [0.0, 0.0]

    def note(self, user: int, x: float, d: float) -> None:
        """Count a rating: `x` of weight `d`."""
        if user & ((1 << self.bits) - 1):
            return
        pair = self.by_user.get(user)
        if pair is None:
            self.by_user[user] = [x, d, 1]
        else:
            pair[0] += x
            pair[1] += d
            pair[2] += 1
        self.n += 1
        self.sums[0] += x
        self.sums[1] += d
        if len(self.by_user) > MAX_USERS:
            self._thin()

    @property
    def tally(self) -> Tally:
        """Give it in numbers."""
        return Tally(self.n, len(self.by_user), self.sums[0] / self.sums[1] if self.sums[1] else None)

    @property
    def rate(self) -> Estimate | None:
        """Give the clustered rate, weights brought to a mean of 1."""
        if not self.sums[1]:
            return None
        scale = self.n / self.sums[1]
        return clustered_rate([(x * scale, d * scale) for x, d, _ in self.by_user.values()])

    def _thin(self) -> None:
        self.bits += 1
        mask = (1 << self.bits) - 1
        self.by_user = {user: pair for user, pair in self.by_user.items() if not user & mask}
        pairs = self.by_user.values()
        self.n = int(sum(count for _, _, count in pairs))
        self.sums = [sum(x for x, _, _ in pairs), sum(d for _, d, _ in pairs)]


class RatingRules:
    """The confidence sequence of one signal."""

    __slots__ = (
        "_cells", "_day", "_days", "_is_dirty", "_n_acted", "_n_pending", "_pending", "_pending_bits", "_since_ms",
        "_sums", "lower", "metric", "n_days", "window_ms",
    )  # fmt: skip

    _cells: deque[list[float]]
    _day: int
    _days: tuple[ArmDay, ArmDay]
    _is_dirty: bool
    _n_acted: int
    lower: float | None

    def __init__(self, signal: Signal, comparison: Comparison, *, since_ms: int) -> None:
        """Begin at `since_ms`."""
        self._since_ms = since_ms
        self.metric: Metric | None = comparison.metrics.get(signal.metric or "")
        self.n_days = 1
        self.spread(int(comparison.horizon_s * 1000))
        self.window_ms = int(signal.window_s * 1000)
        self._pending: list[tuple[int, int, int, int, float, float]] = []
        self._n_pending = 0
        self._pending_bits = 0
        self._begin(0, 0)

    def include(
        self, now_ms: int, signal: Signal, *, share: float, candidate: Sequence[Rating], baseline: Sequence[Rating]
    ) -> None:
        """Count ratings of both arms, given under the candidate's share of those compared."""
        is_completion = signal.kind is SignalKind.COMPLETION
        counted: list[_Counted] = []
        for arm, ratings, weight in ((0, candidate, 1.0 - share), (1, baseline, share)):
            for rating in ratings:
                if rating.metric != signal.metric or self._is_late(rating):
                    continue
                x = weight if rating.is_good is is_completion else 0.0
                open_ms = self._open_ms(rating) if is_completion else 0
                if open_ms > 0:
                    self._wait(now_ms + open_ms, arm, rating.unit_hash, x, weight)
                else:
                    counted.append((arm, rating.unit_hash, x, weight))
        self._note(now_ms, counted)

    def judge(self, now_ms: int, signal: Signal, alpha: float) -> Found | None:
        """Give what the sequence says; at most once a minute."""
        self._turn(now_ms)
        if not self._is_dirty:
            return None
        self._is_dirty = False
        self.lower = None
        if self.lacking(signal) is not None or not self._is_beyond(signal, self.ratio):
            return None
        estimate = self._log_ratio()
        if estimate is None:
            return None
        alpha_of_day = alpha_of_life(alpha / self.n_days, self._n_acted)
        n = self._days[0].tally.users, self._days[1].tally.users
        sign = -1.0 if signal.kind is SignalKind.COMPLETION else 1.0
        self.lower = lower_bound(
            sign * estimate.value, se=estimate.se, n=(n[0] or 0) + (n[1] or 0), alpha=alpha_of_day, n_star=N_STAR
        )
        if self.lower <= 0:
            return None
        found = self._found(signal, estimate, sign, alpha_of_day)
        if signal.action is not Action.ROLLBACK:
            self._begin(self._day, self._n_acted + 1)
        return found

    @property
    def tallies(self) -> tuple[Tally, Tally]:
        """Give the day's ratings so far: the candidate's and the baseline's."""
        return self._days[0].tally, self._days[1].tally

    @property
    def window(self) -> tuple[Tally, Tally]:
        """Give the trailing window's."""
        sums = self._sums
        return (
            Tally(int(sums[0]), None, sums[1] / sums[2] if sums[2] else None),
            Tally(int(sums[3]), None, sums[4] / sums[5] if sums[5] else None),
        )

    @property
    def ratio(self) -> float | None:
        """Give candidate over baseline, in the window; of the day where the window is thin."""
        window = self.window
        thin = min(window[0].ratings, window[1].ratings) < LEAST_RATINGS
        candidate, baseline = self.tallies if thin else window
        if candidate.rate is None or not baseline.rate:
            return None
        return candidate.rate / baseline.rate

    def lacking(self, signal: Signal) -> str | None:
        """Say what is missing before it may act; None where nothing is."""
        if self.metric is None:
            return f"the plan has no metric for {signal.name}"
        for name, tally in zip(("the candidate", "the baseline"), self.tallies, strict=True):
            if tally.ratings < LEAST_RATINGS or (tally.users or 0) < LEAST_USERS:
                return (
                    f"{name} has {tally.ratings} ratings from {tally.users} users today;"
                    f" {LEAST_RATINGS} from {LEAST_USERS} are needed"
                )
        return None

    def spread(self, horizon_ms: int) -> None:
        """Give each day of so long a term an equal part of alpha."""
        self.n_days = max(1, ceil(horizon_ms / DAY_MS))

    def revise(self, signal: Signal, comparison: Comparison) -> None:
        """Look over another window, and at the metric as it is now; what was counted stays."""
        self.window_ms = int(signal.window_s * 1000)
        self.metric = comparison.metrics.get(signal.metric or "")

    def dump(self) -> Any:
        """Give what `load` takes."""
        days = [[day.bits, day.n, day.sums, day.by_user] for day in self._days]
        last = [self._day, self._n_acted, self._is_dirty, self.lower, self._pending_bits, self._n_pending]
        return [self._since_ms, self.n_days, days, list(self._cells), self._pending, last, self._sums]

    def load(self, dumped: Any) -> None:
        """Take back what was dumped."""
        self._since_ms, self.n_days, days, cells, pending, last, window_sums = dumped
        for day, (bits, n, sums, by_user) in zip(self._days, days, strict=True):
            day.bits, day.n, day.sums, day.by_user = bits, n, list(sums), {u: list(p) for u, p in by_user.items()}
        self._cells, self._sums = deque(list(cell) for cell in cells), list(window_sums)
        self._pending = [tuple(one) for one in pending]
        self._day, self._n_acted, self._is_dirty, self.lower, self._pending_bits, self._n_pending = last

    def _begin(self, day: int, n_acted: int) -> None:
        self._day = day
        self._days = (ArmDay(), ArmDay())
        self._cells = deque()
        self._sums = [0.0] * 6
        self._n_acted = n_acted
        self._is_dirty = False
        self.lower = None

    def _turn(self, now_ms: int) -> None:
        pending, counted = self._pending, []
        while pending and pending[0][0] <= now_ms:
            counted.append(heappop(pending)[2:])
        self._note(now_ms, counted)
        day = (now_ms - self._since_ms) // DAY_MS
        if day != self._day:
            self._day = day
            self._days = (ArmDay(), ArmDay())
            self._n_acted = 0
            self.lower = None
        oldest_ms = now_ms - self.window_ms
        if self._cells and self._cells[0][0] + CELL_MS <= oldest_ms:
            while self._cells and self._cells[0][0] + CELL_MS <= oldest_ms:
                self._cells.popleft()
            self._sums = [sum([cell[at] for cell in self._cells]) for at in range(1, 7)]
            self._is_dirty = True

    def _note(self, now_ms: int, counted: Sequence[_Counted]) -> None:
        if not counted:
            return
        start_ms = now_ms - now_ms % CELL_MS
        if not self._cells or self._cells[-1][0] < start_ms:
            self._cells.append([start_ms, 0, 0.0, 0.0, 0, 0.0, 0.0])
        cell, sums, days = self._cells[-1], self._sums, self._days
        for arm, user, x, d in counted:
            days[arm].note(user, x, d)
            at = 3 * arm
            cell[at + 1] += 1
            cell[at + 2] += x
            cell[at + 3] += d
            sums[at] += 1
            sums[at + 1] += x
            sums[at + 2] += d
        self._is_dirty = True

    def _open_ms(self, rating: Rating) -> int:
        """Give for how long its attribution window stays open."""
        if self.metric is None or self.metric.attribution_s is None:
            return 0
        age_ms = max(0, rating.unix_ms - rating.exposed_unix_ms)
        return max(0, int(self.metric.attribution_s * 1000) - age_ms)

    def _is_late(self, rating: Rating) -> bool:
        return self.metric is not None and self.metric.is_late(
            at_unix_ms=rating.unix_ms, exposed_unix_ms=rating.exposed_unix_ms
        )

    def _wait(self, due_ms: int, arm: int, user: int, x: float, d: float) -> None:
        if user & ((1 << self._pending_bits) - 1):
            return
        self._n_pending += 1
        heappush(self._pending, (due_ms, self._n_pending, arm, user, x, d))
        if len(self._pending) > MAX_PENDING:
            self._pending_bits += 1
            mask = (1 << self._pending_bits) - 1
            # A sorted list is a heap.
            self._pending = sorted(one for one in self._pending if not one[3] & mask)

    def _is_beyond(self, signal: Signal, ratio: float | None) -> bool:
        if ratio is None:
            return signal.kind is SignalKind.DOWN_RATE and bool(self._days[0].sums[0])
        return ratio < signal.ratio if signal.kind is SignalKind.COMPLETION else ratio > signal.ratio

    def _log_ratio(self) -> Estimate | None:
        candidate, baseline = self._days[0].rate, self._days[1].rate
        return None if candidate is None or baseline is None else log_ratio_at_null(candidate, baseline)

    def _found(self, signal: Signal, estimate: Estimate, sign: float, alpha: float) -> Found:
        day, window, ratio = self.tallies, self.window, self.ratio
        bound = exp(sign * (self.lower or 0.0))
        evidence = {
            "metric": signal.metric, "ratio": ratio, "ratio_allowed": signal.ratio, "bound_of_ratio": bound,
            "log_ratio": estimate.value, "log_ratio_se": estimate.se, "alpha": alpha, "n_star": N_STAR,
            "sequence_since": "day", "day": self._day, "n_acted": self._n_acted, "window_s": signal.window_s,
            "candidate_ratings": day[0].ratings, "candidate_users": day[0].users, "candidate_rate": day[0].rate,
            "baseline_ratings": day[1].ratings, "baseline_users": day[1].users, "baseline_rate": day[1].rate,
            "window_candidate_ratings": window[0].ratings, "window_candidate_rate": window[0].rate,
            "window_baseline_ratings": window[1].ratings, "window_baseline_rate": window[1].rate,
        }  # fmt: skip
        what = "done" if sign < 0 else "down"
        side = "at most" if sign < 0 else "at least"
        sentence = (
            f"{signal.metric} of the candidate is {day[0].rate or 0:.1%} {what} in {day[0].ratings} ratings of"
            f" {day[0].users} users, the baseline's {day[1].rate or 0:.1%} in {day[1].ratings}: lately {times(ratio)},"
            f" and surely {side} {bound:.2f} ×; {signal.ratio:g} × is the line."
        )
        return Found("completion" if sign < 0 else "ratings", signal.action, sentence, evidence)
