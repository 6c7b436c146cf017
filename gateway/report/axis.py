"""A line of numbers that intervals are drawn along: where it begins and ends, and which numbers stand below it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from statistics import median

_MARGIN = 0.06
_MOST_TICKS = 5


@dataclass(frozen=True, slots=True)
class Axis:
    """
    A line of numbers with 0 on it.

    Attributes:
        low: Its left end, below 0.
        high: Its right end, above 0.
    """

    low: float
    high: float

    def at(self, value: float) -> float:
        """
        Give where a number stands, 0 (left end) to 1; what is further out stands at the end.

        >>> Axis(-1.0, 3.0).at(0.0), Axis(-1.0, 3.0).at(99.0)
        (0.25, 1.0)
        """
        return (min(self.high, max(self.low, value)) - self.low) / (self.high - self.low)

    def holds(self, value: float) -> bool:
        """Tell whether a number is within its ends."""
        return self.low <= value <= self.high

    def ticks(self) -> tuple[float, ...]:
        """
        Give up to five round numbers, 0 among them, rising.

        >>> Axis(-0.04, 0.11).ticks()
        (0.0, 0.05, 0.1)
        """
        size = 10.0 ** floor(log10((self.high - self.low) / _MOST_TICKS))
        counts = (self._counts(size * part) for part in (1, 2, 5, 10))
        step, first, last = next(each for each in counts if each[2] - each[1] < _MOST_TICKS)
        return tuple(float(f"{n * step:.6g}") for n in range(first, last + 1))

    def _counts(self, step: float) -> tuple[float, int, int]:
        return step, ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)


def axis_of(intervals: Iterable[tuple[float, float]], reach: float | None = None) -> Axis:
    """
    Give a line that holds 0 and these intervals, without letting the widest make the others unreadable.

    Args:
        intervals: (low, high); those without an end are left out.
        reach: How far from 0 it goes at most; by default four times the median interval's reach.

    >>> axis_of([(-1.0, 2.0), (0.0, 1.0)])
    Axis(low=-1.18, high=2.18)
    """
    known = [(low, high) for low, high in intervals if isfinite(low) and isfinite(high)]
    reaches = [max(abs(low), abs(high)) for low, high in known]
    if not any(reaches):
        return Axis(-1.0, 1.0)
    most = reach if reach is not None and reach > 0 else 4 * median(each for each in reaches if each)
    low = max(min(0.0, *(low for low, _ in known)), -most)
    high = min(max(0.0, *(high for _, high in known)), most)
    margin = _MARGIN * (high - low)
    return Axis(low - margin, high + margin)
