"""
What an experiment's report says, as one value: the verdict first, then all it stands on. The renderers compute nothing.

Where units did not come to the arms as planned nothing that compares arms is a result: `is_withheld` says so once, for
every renderer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.gates.experiment import (
    ArmRow,
    ArmVerdict,
    DayLook,
    Effect,
    Excluded,
    ExperimentState,
    ExperimentVerdict,
    Question,
    RatioCheck,
    Recommendation,
    Scale,
    SegmentEffect,
)
from gateway.gates.experiment_words import withheld


@dataclass(frozen=True, slots=True)
class WeightsAt:
    """
    How a bandit divided its traffic from a time on.

    Attributes:
        at: `2026-11-22`, or to the minute.
        shares: (arm, share of the units, 0 to 1).
    """

    at: str
    shares: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class BanditSection:
    """
    What a bandit is at.

    Attributes:
        phase: `exploring`, `exploiting` or `no_difference`.
        leader: The arm that is ahead; None while nobody is.
        best: (arm, probability that it is the best, 0 to 1).
        weights: Over time, the earliest first.
        explore: Share of the units that is divided equally for ever, 0 to 1.
        sentence: For a product owner.
    """

    phase: str
    leader: str | None
    best: tuple[tuple[str, float], ...]
    weights: tuple[WeightsAt, ...]
    explore: float
    sentence: str


@dataclass(frozen=True, slots=True)
class FactorialEffect:
    """
    What a factor, or two together, changes.

    Attributes:
        name: `prompt: kind − plain`, or `prompt × model`.
        effect: In the primary metric.
        low: Lower end of its interval.
        high: Upper end.
        p: Corrected within its family.
        is_interaction: Of two factors together.
        is_proven: The interval excludes no effect.
        sentence: For a product owner.
    """

    name: str
    effect: float
    low: float
    high: float
    p: float
    is_interaction: bool = False
    is_proven: bool = False
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class FactorialCell:
    """
    One combination of levels.

    Attributes:
        name: `prompt=kind,model=big`.
        n: Units with a value.
        mean: Of the primary metric; None where nobody said anything.
    """

    name: str
    n: int
    mean: float | None


@dataclass(frozen=True, slots=True)
class FactorialSection:
    """
    What the factors do.

    Attributes:
        effects: Main effects, then interactions.
        cells: Every combination.
        scale: How effects and means are written.
        sentence: For a product owner.
    """

    effects: tuple[FactorialEffect, ...]
    cells: tuple[FactorialCell, ...]
    scale: Scale = Scale.SHARE
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class LadderRound:
    """
    One champion against one challenger.

    Attributes:
        number: From 1.
        champion: Who was it when the round began.
        challenger: Who wanted to be.
        result: `running`, `champion stays`, `challenger wins` or `tie`.
        sentence: For a product owner.
    """

    number: int
    champion: str
    challenger: str
    result: str
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class LadderSection:
    """
    How far the ladder is.

    Attributes:
        champion: Now.
        rounds: The earliest first.
        waiting: Challengers whose turn has not come.
        sentence: For a product owner.
    """

    champion: str
    rounds: tuple[LadderRound, ...]
    waiting: tuple[str, ...] = ()
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class ExperimentSummary:
    """
    Everything a report says.

    Attributes:
        route: Route name.
        release: Release name.
        kind: `split`, `rollout`, `bandit`, `factorial` or `ladder`.
        unit: What was randomised: `user`, `conversation` or `request`.
        generated: When it was put together.
        since: When the first unit was exposed; empty before.
        days: Since then.
        arms: The baseline among them.
        verdict: The answer.
        effects: Every arm but the baseline, in every metric.
        looks: The primary metric at the end of each day, the earliest first.
        segments: The primary metric within slices of units.
        ratio_check: SRM; None before anybody came.
        excluded: What nobody analyses.
        n_analysed: Requests of exposed units.
        primary: The metric it is about; None where only guardrails are judged.
        method: How intervals were made, in a sentence.
        detectable: Smallest lift of the primary metric that would have been found by now with a power of 80 %, by arm;
            inf where none would.
        notes: What else a reader should know.
        bandit: Of a bandit.
        factorial: Of a factorial release.
        ladder: Of a ladder.
    """

    route: str
    release: str
    kind: str
    unit: str
    generated: str
    since: str
    days: float
    arms: tuple[ArmRow, ...]
    verdict: ExperimentVerdict
    effects: tuple[Effect, ...] = ()
    looks: tuple[DayLook, ...] = ()
    segments: tuple[SegmentEffect, ...] = ()
    ratio_check: RatioCheck | None = None
    excluded: tuple[Excluded, ...] = ()
    n_analysed: int = 0
    primary: str | None = None
    method: str = ""
    detectable: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    bandit: BanditSection | None = None
    factorial: FactorialSection | None = None
    ladder: LadderSection | None = None

    @property
    def is_withheld(self) -> bool:
        """Tell whether nothing that compares arms may be shown as a result."""
        is_alarm = self.ratio_check is not None and self.ratio_check.is_alarm
        return is_alarm or self.verdict.state is ExperimentState.INVALID

    @property
    def answer(self) -> ExperimentVerdict:
        """Give the verdict; whatever it was, nothing but the reason while the units' shares are wrong."""
        check, verdict = self.ratio_check, self.verdict
        if check is None or not check.is_alarm or verdict.state is ExperimentState.INVALID:
            return verdict
        said = withheld(check)
        state, what = ExperimentState.INVALID, Recommendation.REPAIR
        arms = tuple(ArmVerdict(each.arm, state, what, said) for each in verdict.arms)
        return ExperimentVerdict(state, what, said, said, arms, verdict.warnings)

    @property
    def n_units(self) -> int:
        """Give the units exposed, of all arms."""
        return sum(arm.n_units for arm in self.arms)

    def asked(self, *questions: Question) -> Sequence[Effect]:
        """Give the effects asked for in one of these ways."""
        return [each for each in self.effects if each.question in questions]

    def primary_of(self, arm: str) -> Effect | None:
        """Give an arm's effect in the primary metric; None where there is none yet."""
        return next((each for each in self.asked(Question.PRIMARY) if each.arm == arm), None)
