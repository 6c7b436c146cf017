"""
The fast alarm: failing requests instead of failing units, trimmed of the candidate's worst users.

It sees at once what a few busy users run into, and pauses; it never rolls back. Requests of one user are no
independent evidence, so three users may not decide: without them what is left must still suffice (untrimmed it is false
on 5 to 14 % of healthy days, trimmed on at most 0.3 %).

Starts are ten minutes apart and live for an hour; N of them fit the horizon, and each gets 1/(2N) of the evidence, so
that together they are false as seldom as one.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from math import exp, log
from typing import Any, NamedTuple

from gateway.stats.eprocess import log_e

STEP_MS = 600_000
N_STEPS = 6
TRIMMED_USERS = 3
MAX_USERS = 4_096
"""Per ten minutes; who fails later in them is counted, and cannot be among the trimmed."""


class Alarmed(NamedTuple):
    """
    What the alarm stands on.

    Attributes:
        since_ms: Own time.
        e_value: After trimming, and divided by 2N.
        candidate: Failing requests of the candidate, trimmed.
        baseline: Of the baseline.
        users: Failing candidate users that are left.
        trimmed: Requests of those left out.
        share: The candidate's share of those compared.
    """

    since_ms: int
    e_value: float
    candidate: int
    baseline: int
    users: int
    trimmed: int
    share: float


class _Step:
    __slots__ = ("baseline", "by_user", "candidate", "since_ms")

    def __init__(self, since_ms: int) -> None:
        self.since_ms = since_ms
        self.by_user: dict[int, int] = {}
        self.candidate = 0
        self.baseline = 0


class FastAlarm:
    """Evidence from failing requests of the last hour; begins anew when the share changes."""

    __slots__ = ("_n_starts", "_share", "_steps", "is_stale")

    def __init__(self, n_starts: int) -> None:
        """Begin empty; `n_starts` share the evidence."""
        self._n_starts = n_starts
        self._steps: deque[_Step] = deque()
        self._share = 0.0
        self.is_stale = False

    def note(self, now_ms: int, *, share: float, candidate: Iterable[int], baseline: int) -> None:
        """Count failing requests: whose, of the candidate; how many, of the baseline."""
        if share != self._share:
            self._steps.clear()
            self._share = share
        start_ms = now_ms - now_ms % STEP_MS
        if not self._steps or self._steps[-1].since_ms < start_ms:
            self._steps.append(_Step(start_ms))
        step = self._steps[-1]
        for user in candidate:
            if user in step.by_user or len(step.by_user) < MAX_USERS:
                step.by_user[user] = step.by_user.get(user, 0) + 1
            step.candidate += 1
            self.is_stale = True
        step.baseline += baseline

    def turn(self, now_ms: int) -> None:
        """Forget what is older than an hour."""
        oldest_ms = now_ms - now_ms % STEP_MS - (N_STEPS - 1) * STEP_MS
        while self._steps and self._steps[0].since_ms < oldest_ms:
            self._steps.popleft()

    def alarmed(self, alpha: float) -> Alarmed | None:
        """Give the start that alarms at `alpha`, newest first; None while none does."""
        self.is_stale = False
        if not 0.0 < self._share < 1.0:
            return None
        log_needed = log(2 * self._n_starts / alpha)
        baseline = candidate = 0
        for at in range(len(self._steps) - 1, -1, -1):
            step = self._steps[at]
            baseline += step.baseline
            candidate += step.candidate
            if self._can_reach(candidate, baseline, log_needed):
                alarmed = self._trimmed(at, candidate, baseline)
                if alarmed.e_value >= 1 / alpha:
                    return alarmed
        return None

    def dump(self) -> Any:
        """Give what `load` takes."""
        return [self._share, self.is_stale, [[s.since_ms, s.by_user, s.candidate, s.baseline] for s in self._steps]]

    def load(self, dumped: Any) -> None:
        """Take back what was dumped."""
        self._share, self.is_stale, steps = dumped
        self._steps.clear()
        for since_ms, by_user, candidate, baseline in steps:
            step = _Step(since_ms)
            step.by_user, step.candidate, step.baseline = dict(by_user), candidate, baseline
            self._steps.append(step)

    def _trimmed(self, at: int, candidate: int, baseline: int) -> Alarmed:
        by_user: Counter[int] = Counter()
        for step in list(self._steps)[at:]:
            for user, count in step.by_user.items():
                by_user[user] += count
        worst = sum(count for _, count in by_user.most_common(TRIMMED_USERS))
        e_value = self._e_value(candidate - worst, baseline)
        users = max(0, len(by_user) - TRIMMED_USERS)
        return Alarmed(self._steps[at].since_ms, e_value, candidate - worst, baseline, users, worst, self._share)

    def _can_reach(self, candidate: int, baseline: int, log_needed: float) -> bool:
        """Spare the mixture where even the best single alternative, at the share that was seen, falls short."""
        n = candidate + baseline
        if not n or candidate <= n * self._share:
            return False
        best = candidate * log(candidate / n / self._share)
        if baseline:
            best += baseline * log(baseline / n / (1.0 - self._share))
        return best >= log_needed

    def _e_value(self, candidate: int, baseline: int) -> float:
        together = log_e(candidate, self._share, baseline, 1.0 - self._share)
        return exp(min(700.0, together - log(2 * self._n_starts)))
