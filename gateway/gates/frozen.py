"""
The frozen baseline: what the baseline's rate was before nearly everybody got the candidate.

With 2 % or nothing left to compare with, a new fault needs hundreds of failing users before the restarted e-process can
speak, or can never be seen by it. So the candidate is compared with a number: distinct failing units per ten minutes
and request, of the baseline, in the last epoch in which it still had its share.

How it is made valid. A rate from another day is no concurrent control: hours differ, users differ, and the same users
fail again and again. So the null hypothesis is not "as before" but "at most `ratio` (twice) the *upper bound* of what
was before, and never below the signal's floor", and the evidence is a Poisson e-value against that: under a rate that
merely stayed the same every ten minutes are evidence *for* the null, by a margin that day-and-night and clusters do not
use up. Bound and e-value each get α/20, a start every ten minutes 1/(2N) of it. What a frozen number cannot know is
whether the provider is down for all. Where a holdback is left it is asked: as many of its units should fail as the
candidate's do, by its share; unless that is refuted (P ≤ 0.001) nothing is said. Where none is left an outage of the
provider does count against the candidate: nobody can tell it from a fault, and the old variant is tried.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log
from typing import Any, NamedTuple

from gateway.gates.window import MAX_UNITS, Totals
from gateway.stats.poisson import log_e_above, share_at_most, upper_rate

FROZEN_ABOVE = 0.95
"""Share from which on the frozen rate is looked at; below, it is still being counted."""

STEP_MS = 600_000
KEPT_MS = 86_400_000
LEAST_REQUESTS = 1_000
REFUTED_AT = 0.001
KEPT_EPOCHS = 8


class FrozenFault(NamedTuple):
    """
    What the rule stands on.

    Attributes:
        since_ms: Own time.
        e_value: Divided by 2N.
        failing_units: Of the candidate, per ten minutes, since then.
        requests: Its requests since then.
        expected: Failing units that the null hypothesis allows.
        frozen_failing_units: Of the baseline, in the frozen epoch.
        frozen_requests: Likewise.
        frozen_epoch: Which.
        upper_rate: Upper bound of its rate.
        holdback_failing_units: Failing units of what is left of the baseline, since then.
        holdback_expected: As many would fail if both arms did alike; 0 with no holdback.
    """

    since_ms: int
    e_value: float
    failing_units: int
    requests: int
    expected: float
    frozen_failing_units: int
    frozen_requests: int
    frozen_epoch: int
    upper_rate: float
    holdback_failing_units: int
    holdback_expected: float


class FrozenBaseline:
    """Counts the baseline while it has a share, and compares the candidate with that afterwards."""

    __slots__ = ("_block_ms", "_epochs", "_n_starts", "_seen", "_share", "_since", "is_stale")

    def __init__(self, now_ms: int, n_starts: int) -> None:
        """Begin with nothing frozen; `n_starts` share the evidence."""
        self._n_starts = n_starts
        self._epochs: dict[int, list[int]] = {}
        self._share = 0.0
        self._block_ms = 0
        self._seen: tuple[set[int], set[int]] = (set(), set())
        self._since = self._totals(now_ms)
        self.is_stale = False

    def note(
        self, now_ms: int, *, epoch: int, share: float, requests: tuple[int, int],
        failing: tuple[Iterable[int], Iterable[int]],
    ) -> None:  # fmt: skip
        """Count requests and failing units of (candidate, baseline)."""
        if now_ms - self._block_ms >= STEP_MS:
            self._block_ms = now_ms - now_ms % STEP_MS
            self._seen = (set(), set())
        if share < FROZEN_ABOVE:
            self._count(epoch, requests[1], self._fresh(1, failing[1]))
        else:
            if self._share < FROZEN_ABOVE:
                self._since = self._totals(now_ms)
            self._since.turn(now_ms)
            totals = self._since.now
            n_fresh = self._fresh(0, failing[0])
            totals[0] += n_fresh
            totals[1] += requests[0]
            totals[2] += self._fresh(1, failing[1])
            self.is_stale = self.is_stale or n_fresh > 0
        self._share = share

    @property
    def frozen(self) -> tuple[int, int, int] | None:
        """Give (epoch, failing units, requests) that are compared with; None while nothing is, or too little known."""
        if self._share < FROZEN_ABOVE:
            return None
        for epoch in sorted(self._epochs, reverse=True):
            failing, requests = self._epochs[epoch]
            if requests >= LEAST_REQUESTS:
                return epoch, failing, requests
        return None

    def found(self, *, alpha: float, ratio: float, floor: float) -> FrozenFault | None:
        """Give the fault that evidence at `alpha`/10 speaks for; None while there is none."""
        self.is_stale = False
        frozen = self.frozen
        if frozen is None:
            return None
        epoch, known_failing, known_requests = frozen
        bound = upper_rate(known_failing, known_requests, alpha=alpha / 20)
        allowed = ratio * max(floor, bound or 0.0)
        for since_ms, (failing, requests, holdback) in self._since.spans():
            expected = allowed * requests
            if failing <= expected or not expected:
                continue
            together = log_e_above(failing, expected) - log(2 * self._n_starts)
            alike = failing * (1 - self._share) / self._share
            if together < log(20 / alpha) or (self._share < 1 and share_at_most(holdback, alike) > REFUTED_AT):
                continue
            return FrozenFault(
                since_ms, exp(min(700.0, together)), failing, requests, expected, known_failing, known_requests, epoch,
                bound or 0.0, holdback, alike,
            )  # fmt: skip
        return None

    def dump(self) -> Any:
        """Give what `load` takes."""
        seen = [sorted(units) for units in self._seen]
        return [self._epochs, self._share, self._block_ms, seen, self._since.dump(), self.is_stale]

    def load(self, dumped: Any) -> None:
        """Take back what was dumped."""
        epochs, self._share, self._block_ms, seen, since, self.is_stale = dumped
        self._epochs = {int(epoch): list(counts) for epoch, counts in epochs.items()}
        self._seen = (set(seen[0]), set(seen[1]))
        self._since = Totals.load(since, step_ms=STEP_MS, kept_ms=KEPT_MS)

    def _totals(self, now_ms: int) -> Totals:
        return Totals(now_ms, step_ms=STEP_MS, kept_ms=KEPT_MS, width=3)

    def _fresh(self, arm: int, failing: Iterable[int]) -> int:
        seen = self._seen[arm]
        before = len(seen)
        if before >= MAX_UNITS:
            return 0
        seen.update(failing)
        return len(seen) - before

    def _count(self, epoch: int, requests: int, failing: int) -> None:
        counts = self._epochs.setdefault(epoch, [0, 0])
        counts[0] += failing
        counts[1] += requests
        while len(self._epochs) > KEPT_EPOCHS:
            del self._epochs[min(self._epochs)]
