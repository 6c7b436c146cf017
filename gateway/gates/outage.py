"""
The absolute rule: the candidate's last requests all failed, of many users, while the baseline was well.

The run must be of `run_length` distinct users. The baseline's requests must be of the run's own time, or an outage of
both arms would look like the candidate's wherever the baseline is the small one: while the candidate had L requests
the baseline had about L·(1−w)/w, and only the last half of those are looked at, 20 at most and 5 at least. How long
the run must be follows from the usual rate, or from what those few say where that is more: when half of everybody's
requests fail, runs of a dozen are nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from gateway.gates.facts import ArmFacts, Incident, Judged
from gateway.stats.outage import BASELINE_LOOKED_AT, LEAST_BASELINE, LEAST_RUN, recent_rate, run_length

MAX_RUN_USERS = 512


class Outage(NamedTuple):
    """
    What the rule stands on.

    Attributes:
        users: Distinct users of the run.
        needed: That many are needed.
        requests: Requests of the run.
        baseline_looked_at: The baseline's last requests of the same time.
        baseline_failed: Failing ones among them.
        rate: The usual rate that `needed` was computed from.
        requests_expected: Likewise.
    """

    users: int
    needed: int
    requests: int
    baseline_looked_at: int
    baseline_failed: int
    rate: float
    requests_expected: int


class OutageRun:
    """The candidate's unbroken run of failures, and the baseline's last requests."""

    __slots__ = ("_baseline", "_failed", "_is_safety", "_requests", "_share", "_users")

    def __init__(self, *, is_safety: bool) -> None:
        """Begin with no run; of unsafe answers, or of failures."""
        self._is_safety = is_safety
        self._failed: Callable[[Judged], bool] = attrgetter("is_unsafe" if is_safety else "is_failed")
        self._users: set[int] = set()
        self._requests = 0
        self._share = 0.0
        self._baseline: deque[bool] = deque(maxlen=BASELINE_LOOKED_AT)

    def note(self, candidate: ArmFacts | None, baseline: ArmFacts | None, *, share: float) -> None:
        """Follow both arms' requests, oldest first."""
        self._share = share
        if baseline is not None and baseline.requests:
            self._baseline.extend(map(self._failed, baseline.recent[-BASELINE_LOOKED_AT:]))
        if candidate is None or not candidate.requests:
            return
        failures = candidate.unsafe if self._is_safety else candidate.failures
        if not failures:
            self._break()
        else:
            self._follow(candidate, failures)

    @property
    def n_users(self) -> int:
        """Give how many distinct users the run has now."""
        return len(self._users)

    def found(self, *, rate: float, requests_expected: int, alpha: float) -> Outage | None:
        """
        Give the outage, if this is one.

        Args:
            rate: The usual failure rate of requests, in [0, 1].
            requests_expected: The candidate's, over the rest of the horizon.
            alpha: The signal's.
        """
        if len(self._users) < LEAST_RUN or rate >= 0.5:
            return None
        looked_at = failed = 0
        if self._share < 1.0:
            meanwhile = self._requests * (1.0 - self._share) / self._share
            looked_at = min(BASELINE_LOOKED_AT, int(meanwhile / 2), len(self._baseline))
            failed = sum(list(self._baseline)[-looked_at:]) if looked_at else 0
            if looked_at < LEAST_BASELINE or 2 * failed >= looked_at:
                return None
            rate = max(rate, recent_rate(failed, looked_at))
        needed = run_length(rate, requests_expected=requests_expected, alpha=alpha)
        if len(self._users) < needed:
            return None
        return Outage(len(self._users), needed, self._requests, looked_at, failed, rate, requests_expected)

    def dump(self) -> Any:
        """Give what `load` takes."""
        return [sorted(self._users), self._requests, self._share, list(self._baseline)]

    def load(self, dumped: Any) -> None:
        """Take back what was dumped."""
        users, self._requests, self._share, baseline = dumped
        self._users = set(users)
        self._baseline = deque(baseline, maxlen=BASELINE_LOOKED_AT)

    def _break(self) -> None:
        self._users.clear()
        self._requests = 0

    def _follow(self, candidate: ArmFacts, failures: Sequence[Incident]) -> None:
        listed, run = candidate.recent, []
        for one in reversed(listed):
            if not self._failed(one):
                break
            run.append(one.unit_hash)
        n_unlisted = candidate.requests - len(listed)
        # What came before the run either all failed, listed or not, or it broke what was.
        if len(run) < len(listed) or len(failures) - len(run) < n_unlisted:
            self._break()
        elif n_unlisted:
            self._extend([incident.unit_hash for incident in failures[:n_unlisted]])
        self._extend(run)

    def _extend(self, units: Sequence[int]) -> None:
        self._requests += len(units)
        for unit in units:
            if len(self._users) < MAX_RUN_USERS:
                self._users.add(unit)
