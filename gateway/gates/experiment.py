"""
What an experiment came to, as values: effects with their intervals, the verdict on them, and what weakens it.

Renderers compute nothing; `gates.experiment_verdict` fills these in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ExperimentState(StrEnum):
    """What is to be thought of an arm, or of the whole experiment."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no_difference"
    MIXED = "mixed"
    RUNNING = "running"
    INVALID = "invalid"


class Recommendation(StrEnum):
    """What is to be done."""

    SHIP = "ship"
    KEEP_RUNNING = "keep_running"
    STOP = "stop"
    REPAIR = "repair"


class Question(StrEnum):
    """What an effect is asked for."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    GUARDRAIL = "guardrail"
    EXPLORATORY = "exploratory"


class Harm(StrEnum):
    """Which way a number gets worse."""

    UP = "up"
    DOWN = "down"
    NEITHER = "neither"


class Scale(StrEnum):
    """What a mean is of: how it is written."""

    SHARE = "share"
    SCORE = "score"
    COUNT = "count"
    SECONDS = "seconds"
    MS = "ms"
    USD = "usd"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class Effect:
    """
    One arm against the baseline, in one metric.

    Attributes:
        metric: `thumbs`; `faithfulness:good`, `faithfulness:catastrophic` of scores with lines; `errors`, `safety`,
            `duration`, `ttft`, `cost`, `output_tokens`.
        question: What it is asked for.
        scale: How its means are written.
        harm: Which way is worse.
        arm: Candidate's name.
        baseline: The baseline's name.
        n: Units of the arm that have a value.
        n_baseline: The baseline's.
        mean: Of the arm's units' means, or, of a ratio metric, sum over sum.
        baseline_mean: The baseline's.
        effect: Arm minus baseline.
        low: Lower end of its interval, which holds however often one looks.
        high: Upper end.
        lift: Effect over the baseline's mean; None where that is not above 0.
        lift_low: Lower end of its interval.
        lift_high: Upper end.
        p: Two-sided, always valid, in (0, 1]; corrected for the number of arms, and of guardrails where it is one.
        confidence: Of the intervals, in (0, 1).
        is_enough: The burn-in is over: units, successes and failures enough for the interval to hold.
        is_better: The interval excludes no effect, the right way.
        is_worse: Likewise the wrong way.
        wants_units: About how many units more, of all arms, would decide it; None when decided or never.
        variance_cut: Share of the variance that history took away (CUPED), 0 to 1; None where there was none.
        sentence: For a product owner.
    """

    metric: str
    question: Question
    scale: Scale
    harm: Harm
    arm: str
    baseline: str
    n: int
    n_baseline: int
    mean: float
    baseline_mean: float
    effect: float
    low: float
    high: float
    lift: float | None = None
    lift_low: float | None = None
    lift_high: float | None = None
    p: float = 1.0
    confidence: float = 0.95
    is_enough: bool = False
    is_better: bool = False
    is_worse: bool = False
    wants_units: int | None = None
    variance_cut: float | None = None
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class SegmentEffect:
    """
    The primary metric within one slice of units.

    Attributes:
        segment: `name=value`.
        effect: Within it; its `p` is of a fixed look, not corrected.
        is_declared: The release's file names it beforehand: corrected by Holm; by Benjamini-Hochberg otherwise.
        is_proven: It differs from no effect after the correction.
    """

    segment: str
    effect: Effect
    is_declared: bool = False
    is_proven: bool = False


@dataclass(frozen=True, slots=True)
class DayLook:
    """
    What was known at the end of a day.

    Attributes:
        arm: Candidate's name.
        day: `2026-11-22`.
        n: Units with a value so far, of both arms.
        effect: Of the primary metric.
        low: Lower end.
        high: Upper end.
    """

    arm: str
    day: str
    n: int
    effect: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ArmRow:
    """
    One arm.

    Attributes:
        name: Its name.
        is_baseline: The others are compared with it.
        share: Of the units, as planned now, 0 to 1.
        n_units: Exposed.
        n_requests: Theirs.
        usd: What they cost; None where no price is known.
        stopped: When and by what it was stopped; empty while it is not.
    """

    name: str
    is_baseline: bool
    share: float
    n_units: int
    n_requests: int
    usd: float | None = None
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class RatioCheck:
    """
    Whether units came to the arms as planned (SRM).

    Attributes:
        odds: Against the plan, over all epochs together, to be looked at at any time.
        limit: Alarm from here on.
        epochs: (epoch, ((arm, units seen, share planned), …)).
    """

    odds: float
    limit: float
    epochs: tuple[tuple[int, tuple[tuple[str, int, float], ...]], ...] = ()

    @property
    def is_alarm(self) -> bool:
        """Tell whether the comparison cannot be believed."""
        return self.odds >= self.limit


@dataclass(frozen=True, slots=True)
class Excluded:
    """
    Requests nobody analyses.

    Attributes:
        reason: Why: `no_user`, `internal`, `not_in_audience`, `override`, `breaker_open`, `rest`, `two_arms`.
        n_requests: How many; of `two_arms`, units.
    """

    reason: str
    n_requests: int


@dataclass(frozen=True, slots=True)
class ArmVerdict:
    """
    What is to be thought of one arm.

    Attributes:
        arm: Its name.
        state: In a word.
        recommendation: What to do with it.
        sentence: What, how sure, what next.
    """

    arm: str
    state: ExperimentState
    recommendation: Recommendation
    sentence: str


@dataclass(frozen=True, slots=True)
class ExperimentVerdict:
    """
    The answer.

    Attributes:
        state: Of the best arm; INVALID where nothing can be believed.
        recommendation: One of four.
        headline: What, how sure, what next: for a product owner.
        reason: What the recommendation stands on, in a sentence.
        arms: Each arm but the baseline.
        warnings: What weakens all this.
        days_left: Until an answer at the present traffic; None where unknown or never.
    """

    state: ExperimentState
    recommendation: Recommendation
    headline: str
    reason: str
    arms: tuple[ArmVerdict, ...] = ()
    warnings: tuple[str, ...] = ()
    days_left: float | None = None
