"""An interval: what an estimate may be, given what was seen."""

from __future__ import annotations

from typing import NamedTuple


class Interval(NamedTuple):
    """
    From `low` to `high`, in the unit of what is estimated; one-sided ones end in an infinity.

    Attributes:
        low: Lower end.
        high: Upper end, at least `low`.
    """

    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """
        Tell whether `value` lies outside.

        >>> Interval(0.1, 0.3).excludes(0.0), Interval(-0.1, 0.3).excludes(0.0)
        (True, False)
        """
        return not self.low <= value <= self.high
