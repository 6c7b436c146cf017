"""Which part of a rollout's alpha is being spent, since when and over how long."""

from __future__ import annotations

from typing import NamedTuple

from gateway.stats.alpha import RENEWED_EVERY_S, alpha_of_life

RENEWED_EVERY_MS = int(RENEWED_EVERY_S * 1000)


class Ledger(NamedTuple):
    """
    One part of alpha and its term, in own time.

    Every resume after a trip opens the next part, and so does every term that ends before the rollout is complete:
    one that is extended spends no more than one that is not. A complete rollout, and a split, begin a ledger of
    their own with every term.

    Attributes:
        since_ms: When the term began.
        horizon_ms: How long it lasts, above 0.
        n_resumes: Resumes after trips so far.
        part: Which part is being spent, from 0; all parts together are the signal's alpha.
    """

    since_ms: int
    horizon_ms: int
    n_resumes: int
    part: int

    @classmethod
    def opened(cls, now_ms: int, horizon_s: float, n_resumes: int) -> Ledger:
        """Give a ledger that begins now; of what came before, only the resumes are known."""
        return cls(now_ms, int(horizon_s * 1000), n_resumes, n_resumes)

    def restarted(self, now_ms: int, horizon_s: float, n_resumes: int) -> Ledger:
        """Give what follows a resume, or, where nobody resumed, thirty days of a ledger of their own."""
        more = n_resumes - self.n_resumes
        if more > 0:
            return Ledger(now_ms, int(horizon_s * 1000), n_resumes, self.part + more)
        return Ledger(now_ms, RENEWED_EVERY_MS, n_resumes, n_resumes)

    def at(self, now_ms: int, *, is_complete: bool) -> Ledger:
        """Give what is spent at `now_ms`: this, or thirty days of the next part once its term is over."""
        if now_ms - self.since_ms < self.horizon_ms:
            return self
        part = self.n_resumes if is_complete else self.part + 1
        return Ledger(now_ms, RENEWED_EVERY_MS, self.n_resumes, part)

    def alpha_of(self, alpha: float) -> float:
        """Give what of a signal's `alpha`, in (0, 1), this part may spend."""
        return alpha_of_life(alpha, self.part)
