"""Who is asked next: an arm's own variant, then its fallbacks, past those whose provider is left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from gateway.proxy.bound import BoundVariant


class Succession:
    """
    The variants of one request that were not asked yet.

    Attributes:
        is_own_left_out: The arm's own variant was passed over: its provider is left out.
    """

    __slots__ = ("_own", "_remaining", "is_own_left_out")

    def __init__(self, variants: Sequence[BoundVariant]) -> None:
        """Begin with the arm's own, then its fallbacks; at least one."""
        self._own = variants[0]
        self._remaining = deque(variants)
        self.is_own_left_out = False

    def own(self) -> BoundVariant:
        """Take the arm's own, whatever is said of its provider: it was asked already."""
        return self._remaining.popleft()

    def next(self, now_s: float) -> BoundVariant | None:
        """Take the first whose provider is not left out; where all are, the first; None where nobody remains."""
        remaining = self._remaining
        for place, variant in enumerate(remaining):
            if variant.ejection is None or variant.ejection.admits(now_s):
                skipped = [remaining.popleft() for _ in range(place + 1)][:-1]
                self.is_own_left_out = self.is_own_left_out or self._own in skipped
                return variant
        return remaining.popleft() if remaining else None
