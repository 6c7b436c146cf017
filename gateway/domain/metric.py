"""A metric: something that feedback may say about an answer, and which of its values are good."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MetricKind(StrEnum):
    """What a metric's values are."""

    BINARY = "binary"
    SCORE = "score"
    COUNT = "count"
    DURATION = "duration"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Metric:
    """
    Something that feedback may say about an answer.

    Attributes:
        name: What feedback calls it; at most 64 bytes.
        kind: What its values are. Binary ones are 0 or 1, and 1 is good; durations are seconds.
        role: What it stands for: `satisfaction`, `task_completion`, …; None when the file does not say.
        attribution_s: How long after the request it still counts; None for as long as request ids do.
        range: Lowest and highest score, both included; None for every other kind.
        good: Scores from here on are good; None for no such line.
        catastrophic: Scores up to here are catastrophes; None likewise. Below `good`.
    """

    name: str
    kind: MetricKind
    role: str | None = None
    attribution_s: float | None = None
    range: tuple[float, float] | None = None
    good: float | None = None
    catastrophic: float | None = None

    def is_good(self, value: float) -> bool | None:
        """
        Tell whether a value is good; None where no line is drawn.

        >>> Metric("faithfulness", MetricKind.SCORE, range=(0, 1), good=0.7).is_good(0.7)
        True
        >>> Metric("edits", MetricKind.COUNT).is_good(3) is None
        True
        """
        if self.kind is MetricKind.BINARY:
            return value == 1
        return None if self.good is None else value >= self.good

    def is_catastrophic(self, value: float) -> bool:
        """Tell whether a value is a catastrophe; False where no line is drawn."""
        return self.catastrophic is not None and value <= self.catastrophic

    def is_late(self, *, at_unix_ms: int, exposed_unix_ms: int) -> bool:
        """Tell whether what was said at `at_unix_ms` no longer counts for a request of `exposed_unix_ms`."""
        return self.attribution_s is not None and at_unix_ms - exposed_unix_ms > self.attribution_s * 1000
