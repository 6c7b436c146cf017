"""What a scenario expects of many runs: a quantity and a bound, such as `rolled_back: ">= 95%"`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

SHARES = (
    "rolled_back",
    "stepped_back",
    "paused",
    "completed",
    "unfinished",
    "alerted",
    "reacted",
    "shipped",
    "shipped_wrong",
    "decided",
    "best_ahead",
    "best_share",
)
"""Quantities that are a share of the runs."""

DURATIONS = ("detect_median", "detect_p90", "complete_median", "decide_median")
"""Quantities that are a time."""

COUNTS = ("users_harmed_median", "users_harmed_p90", "requests_harmed_median", "requests_harmed_p90")
"""Quantities that are a number."""

QUANTITIES = (*SHARES, *DURATIONS, *COUNTS)
EXAMPLE = 'rolled_back: ">= 95%", detect_p90: "<= 30m" or users_harmed_median: "<= 50"'

_BOUND = re.compile(r"(>=|<=|==|>|<)\s*(\d+(?:\.\d+)?)\s*(%|m|h|d|)\Z")
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_UNITS = {"%": 0.01, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "": 1.0}


@dataclass(frozen=True, slots=True)
class Expectation:
    """
    A bound on a quantity.

    Attributes:
        quantity: One of QUANTITIES.
        sign: `>=`, `<=`, `==`, `>` or `<`.
        bound: A ratio, seconds or a number.
        text: As the file says it.
    """

    quantity: str
    sign: str
    bound: float
    text: str

    def is_met(self, value: float | None) -> bool:
        """Tell whether a value is within the bound; what was never seen meets nothing."""
        return value is not None and _SIGNS[self.sign](value, self.bound)


def parse_expectation(quantity: str, text: str) -> Expectation | str:
    """
    Give the expectation, or what is wrong with it.

    >>> parse_expectation("detect_p90", "<= 30m").bound
    1800.0
    >>> parse_expectation("rolled_back", ">= 30m")
    "'>= 30m' is no share of the runs"
    """
    if quantity not in QUANTITIES:
        return f"there is no quantity {quantity!r}; known: {', '.join(QUANTITIES)}"
    match = _BOUND.match(text)
    if match is None:
        return f"{text!r} is no bound"
    wanted, words = (("%",), "share of the runs") if quantity in SHARES else (("m", "h", "d"), "time")
    if quantity in COUNTS:
        wanted, words = ("",), "number"
    if match[3] not in wanted:
        return f"{text!r} is no {words}"
    return Expectation(quantity, match[1], round(float(match[2]) * _UNITS[match[3]], 9), text)
