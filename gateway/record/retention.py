"""How long facts are kept."""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Retention:
    """
    Ages in seconds and numbers of rows; beyond them the oldest go.

    Samples have no age here: each knows when it expires, as its route says.

    Attributes:
        outcomes_s: Age of single requests' rows; 0 keeps none.
        max_outcomes: Most of those rows, whatever their age; 0 keeps none.
        rollups_s: Age of sums per minute.
        units_s: Age of exposures and of sums per unit and day: longer than any experiment takes.
        feedback_s: Age of feedback, from when it came.
        pairs_s: Age of pairs of answers; their texts go when they expire, as samples do.
        shadow_counts_s: Age of what became of copies, counted per day.
        watermarks_s: How long a worker that is gone is remembered: longer than its facts can be on their way.
    """

    outcomes_s: float = 7 * DAY_S
    max_outcomes: int = 5_000_000
    rollups_s: float = 35 * DAY_S
    units_s: float = 180 * DAY_S
    feedback_s: float = 180 * DAY_S
    watermarks_s: float = 30 * DAY_S
    pairs_s: float = 90 * DAY_S
    shadow_counts_s: float = 400 * DAY_S

    def __post_init__(self) -> None:
        """Raise ValueError when something is negative."""
        ages = (self.outcomes_s, self.rollups_s, self.units_s, self.feedback_s, self.watermarks_s)
        if min(*ages, self.pairs_s, self.shadow_counts_s, self.max_outcomes) < 0:
            msg = f"nothing can be kept for less than no time: {self}"
            raise ValueError(msg)

    @property
    def keeps_outcomes(self) -> bool:
        """Whether single requests' rows are kept at all."""
        return self.outcomes_s > 0 and self.max_outcomes > 0
