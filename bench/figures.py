"""What was measured: readings by side, their median and spread, and the ratio between sides."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """
    Readings of one thing, one per round.

    Attributes:
        readings: In the order they were taken; at least one.
    """

    readings: tuple[float, ...]

    @property
    def median(self) -> float:
        """Give the middle reading."""
        return statistics.median(self.readings)

    @property
    def low(self) -> float:
        """Give the lowest reading."""
        return min(self.readings)

    @property
    def high(self) -> float:
        """Give the highest reading."""
        return max(self.readings)

    @property
    def spread_ratio(self) -> float:
        """Give highest minus lowest over the median."""
        return (self.high - self.low) / self.median if self.median else 0.0


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One line of the table.

    Attributes:
        name: What was measured.
        unit: Of the readings.
        sluice: The gateway's readings.
        nginx: The reference's, taken in turn with them; None where there is nothing to compare.
        must: The budget, as text.
        aim: What we would like, as text.
        digits: Shown after the point.
        is_difference: Readings are differences, which may be about nothing: no ratio is made of them.
    """

    name: str
    unit: str
    sluice: Series
    nginx: Series | None = None
    must: str = ""
    aim: str = ""
    digits: int = 1
    is_difference: bool = False

    @property
    def ratio(self) -> Series | None:
        """Give sluice ÷ nginx round by round: what disturbs a whole round disturbs both."""
        if self.nginx is None or self.is_difference or self.nginx.low <= 0:
            return None
        pairs = zip(self.sluice.readings, self.nginx.readings, strict=True)
        return Series(tuple(ours / theirs for ours, theirs in pairs))


def quantile(ordered: Sequence[float], share: float) -> float:
    """Give the reading below which `share` of a sorted, non-empty sequence lies (nearest rank)."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def series_by_side(rounds: Sequence[Mapping[str, float]]) -> dict[str, Series]:
    """Give one series per side from one mapping per round."""
    return {side: Series(tuple(reading[side] for reading in rounds)) for side in rounds[0]}
