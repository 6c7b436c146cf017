"""
A split's `stop_on_safety`: is the arm's share of unsafe answers surely two points above the baseline's?

A one-sided asymptotic confidence sequence on the difference of shares, over the whole life of the split, clustered by
unit: an arm is stopped when its lower bound lies beyond the margin. Requests are known in all, not by unit, so the
standard error is the larger one that needs no more (`stats.clustered.share_of_units`). Epochs are weighed as in
`gates.ratings`: (1 − w) for the arm, w for the baseline. Burn-in: 500 requests in each arm, and 5 units with an
incident in the arm. Memory: one number per unit that ever had an incident, at most 8,192 per arm; later ones count as
one unit each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.domain.rollout import Action
from gateway.gates.failing import Found
from gateway.stats.anytime import lower_bound
from gateway.stats.clustered import share_of_units
from gateway.stats.ratio import Estimate

ALPHA = 0.004
"""P(an arm is stopped though it is not beyond the margin), over its life."""

LEAST_REQUESTS = 500
LEAST_USERS = 5
MAX_UNITS = 8_192
N_STAR = 10_000
"""Requests of both arms at which the sequence is tightest."""


class MarginRule:
    """The difference of unsafe shares, since the split began."""

    __slots__ = ("_is_dirty", "_others", "_requests", "_units", "_weighted", "lower")

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._units: tuple[dict[int, float], dict[int, float]] = ({}, {})
        self._others = [0.0, 0.0]
        self._weighted = [0.0, 0.0]
        self._requests = [0, 0]
        self._is_dirty = False
        self.lower: float | None = None

    def note(
        self, *, share: float, requests: tuple[int, int], unsafe: tuple[Iterable[int], Iterable[int]]
    ) -> None:  # fmt: skip
        """Count requests and units with incidents of (arm, baseline), at the arm's share of those compared."""
        if not 0.0 < share < 1.0:
            return
        for arm, weight in enumerate((1.0 - share, share)):
            self._requests[arm] += requests[arm]
            self._weighted[arm] += requests[arm] * weight
            units = self._units[arm]
            for unit in unsafe[arm]:
                self._is_dirty = True
                if unit in units or len(units) < MAX_UNITS:
                    units[unit] = units.get(unit, 0.0) + weight
                else:
                    self._others[arm] += weight

    def judge(self, margin: float, alpha: float) -> Found | None:
        """Give the arm's harm, if it is surely beyond `margin`, in [0, 1]."""
        if not self._is_dirty or self.lacking() is not None:
            return None
        self._is_dirty = False
        one, two = self._share(0), self._share(1)
        if one is None or two is None or one.value - two.value <= margin:
            return None
        difference = one.value - two.value
        se = (one.se**2 + two.se**2) ** 0.5
        n = sum(self._requests)
        self.lower = lower_bound(difference, se=se, n=n, alpha=alpha, n_star=N_STAR)
        if self.lower <= margin:
            return None
        self._is_dirty = True
        evidence = {
            "difference": difference, "se": se, "difference_low": self.lower, "margin": margin, "alpha": alpha,
            "n_star": N_STAR, "candidate_requests": self._requests[0], "candidate_unsafe_share": one.value,
            "candidate_unsafe_users": len(self._units[0]), "baseline_requests": self._requests[1],
            "baseline_unsafe_share": two.value, "baseline_unsafe_users": len(self._units[1]),
        }  # fmt: skip
        sentence = (
            f"{one.value:.1%} of the arm's answers were unsafe, {two.value:.1%} of the baseline's: surely more than"
            f" {self.lower:.1%} worse, and {margin:.1%} is the most allowed."
        )
        return Found("safety_margin", Action.ROLLBACK, sentence, evidence)

    @property
    def difference(self) -> float | None:
        """Give the arm's unsafe share minus the baseline's; None without requests in one."""
        one, two = self._share(0), self._share(1)
        return None if one is None or two is None else one.value - two.value

    @property
    def numbers(self) -> dict[str, Any]:
        """Give what was counted."""
        return {
            "candidate_requests": self._requests[0], "candidate_unsafe_users": len(self._units[0]),
            "baseline_requests": self._requests[1], "baseline_unsafe_users": len(self._units[1]),
        }  # fmt: skip

    def lacking(self) -> str | None:
        """Say what is missing before it may act; None where nothing is."""
        if min(self._requests) < LEAST_REQUESTS:
            return f"{min(self._requests)} requests in the smaller arm; {LEAST_REQUESTS} are needed"
        return None if len(self._units[0]) >= LEAST_USERS else f"{len(self._units[0])} of {LEAST_USERS} unsafe users"

    def dump(self) -> Any:
        """Give what `load` takes."""
        return [list(self._units), self._others, self._weighted, self._requests, self._is_dirty, self.lower]

    def load(self, dumped: Any) -> None:
        """Take back what was dumped."""
        units, self._others, self._weighted, self._requests, self._is_dirty, self.lower = dumped
        self._units = (dict(units[0]), dict(units[1]))

    def _share(self, arm: int) -> Estimate | None:
        trials = self._weighted[arm]
        if not trials:
            return None
        scale = self._requests[arm] / trials
        events = [x * scale for x in self._units[arm].values()]
        events.extend([1.0] * round(self._others[arm] * scale))
        return share_of_units(events, self._requests[arm])
