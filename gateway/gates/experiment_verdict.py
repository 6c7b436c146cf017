"""
The verdict on an experiment: one recommendation, and what it stands on.

In this order: a comparison that cannot be believed is withheld; an arm that does harm is to be stopped; an arm that is
better is to be shipped once its time is over and no tail of it is worse; an arm whose difference is surely too small
to matter ends; everything else keeps running. Intervals hold however often one looks, so looking costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.gates.experiment import (
    ArmVerdict,
    Effect,
    ExperimentState,
    ExperimentVerdict,
    Question,
    RatioCheck,
    Recommendation,
)
from gateway.gates.experiment_words import arm_sentence, effect_sentence, headline, reason, withheld

WEEK_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class ExperimentRule:
    """
    When an experiment may end.

    Attributes:
        min_duration_s: Before a verdict for an arm, and whole weeks: people differ by weekday.
        min_units: Exposed to an arm, before a verdict for it.
        no_difference: Relative: a lift surely smaller than this, either way, is none worth having; above 0.
        primary: The metric it is about; None where only guardrails are judged.
    """

    min_duration_s: float = WEEK_S
    min_units: int = 1_000
    no_difference: float = 0.02
    primary: str | None = None

    def due_s(self, elapsed_s: float) -> float:
        """
        Give the seconds until a verdict may fall; 0 when it may.

        >>> ExperimentRule().due_s(3 * 86_400.0) / 86_400, ExperimentRule().due_s(9 * 86_400.0) / 86_400
        (4.0, 5.0)
        """
        if elapsed_s < self.min_duration_s:
            return self.min_duration_s - elapsed_s
        if self.min_duration_s < WEEK_S:
            return 0.0
        over = elapsed_s % WEEK_S
        # A report is read hours after the week is over, rarely at its last second.
        return 0.0 if over < DAY_S else WEEK_S - over


DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class ArmEvidence:
    """
    What is known of one arm.

    Attributes:
        arm: Its name.
        n_units: Exposed to it.
        effects: Against the baseline, in every metric.
        is_stopped: A guardrail stopped it, or a person.
        is_over: All looks that were planned are over: what was not found by then is not there.
    """

    arm: str
    n_units: int
    effects: tuple[Effect, ...]
    is_stopped: bool = False
    is_over: bool = False


def decide_experiment(
    arms: Sequence[ArmEvidence],
    rule: ExperimentRule,
    *,
    elapsed_s: float,
    ratio_check: RatioCheck | None,
    units_per_day: float,
) -> ExperimentVerdict:
    """
    Decide.

    Args:
        arms: All but the baseline.
        rule: When it may end.
        elapsed_s: Since the first unit was exposed.
        ratio_check: Whether units came as planned; None before anybody came.
        units_per_day: New units of all arms a day, lately; 0 where unknown.
    """
    if ratio_check is not None and ratio_check.is_alarm:
        state, what = ExperimentState.INVALID, Recommendation.REPAIR
        told = tuple(ArmVerdict(each.arm, state, what, withheld(ratio_check)) for each in arms)
        return ExperimentVerdict(state, what, withheld(ratio_check), withheld(ratio_check), told)
    due_s = rule.due_s(elapsed_s)
    verdicts = tuple(_of_arm(each, rule, due_s, units_per_day) for each in arms)
    best = _foremost(arms, verdicts)
    days = _days_left(arms, rule, due_s, units_per_day)
    if best is None:
        return ExperimentVerdict(
            ExperimentState.RUNNING, Recommendation.KEEP_RUNNING, headline(None, None), "", verdicts, days_left=days
        )
    at = verdicts.index(best)
    days = days if best.recommendation is Recommendation.KEEP_RUNNING else None
    return ExperimentVerdict(
        best.state,
        best.recommendation,
        headline(best, days),
        reason(best, arms[at].effects),
        verdicts,
        days_left=days,
    )


def told(effects: Sequence[Effect]) -> tuple[Effect, ...]:
    """Give effects with their sentences."""
    return tuple(replace(effect, sentence=effect_sentence(effect)) for effect in effects)


def _of_arm(arm: ArmEvidence, rule: ExperimentRule, due_s: float, units_per_day: float) -> ArmVerdict:
    state = _state_of(arm, rule)
    is_due = due_s <= 0 and arm.n_units >= rule.min_units
    what = _recommended(state, is_due=is_due, is_stopped=arm.is_stopped)
    return ArmVerdict(arm.arm, state, what, arm_sentence(arm.arm, state, what, arm.effects, due_s))


def _state_of(arm: ArmEvidence, rule: ExperimentRule) -> ExperimentState:
    primary = next((each for each in arm.effects if each.question is Question.PRIMARY), None)
    is_harmful = any(each.is_worse for each in arm.effects if each.question is Question.GUARDRAIL)
    if primary is None:
        return ExperimentState.WORSE if is_harmful else ExperimentState.RUNNING
    if primary.is_worse:
        return ExperimentState.WORSE
    if primary.is_better:
        return ExperimentState.MIXED if is_harmful else ExperimentState.BETTER
    if is_harmful:
        return ExperimentState.WORSE
    is_none = _is_negligible(primary, rule) or (arm.is_over and primary.is_enough)
    return ExperimentState.NO_DIFFERENCE if is_none else ExperimentState.RUNNING


def _is_negligible(primary: Effect, rule: ExperimentRule) -> bool:
    low, high = primary.lift_low, primary.lift_high
    if not primary.is_enough or low is None or high is None:
        return False
    return -rule.no_difference < low and high < rule.no_difference


def _recommended(state: ExperimentState, *, is_due: bool, is_stopped: bool) -> Recommendation:
    if is_stopped or state is ExperimentState.WORSE:
        return Recommendation.STOP
    if state is ExperimentState.MIXED:
        return Recommendation.REPAIR
    if state is ExperimentState.RUNNING or not is_due:
        return Recommendation.KEEP_RUNNING
    return Recommendation.SHIP if state is ExperimentState.BETTER else Recommendation.STOP


_ORDER = (
    ExperimentState.BETTER,
    ExperimentState.MIXED,
    ExperimentState.RUNNING,
    ExperimentState.NO_DIFFERENCE,
    ExperimentState.WORSE,
)


def _foremost(arms: Sequence[ArmEvidence], verdicts: Sequence[ArmVerdict]) -> ArmVerdict | None:
    """Give the verdict that decides what is to be done: the best arm's, the greatest effect first."""

    def rank(at: int) -> tuple[int, float]:
        primary = next((each for each in arms[at].effects if each.question is Question.PRIMARY), None)
        return _ORDER.index(verdicts[at].state), -(primary.effect if primary is not None else 0.0)

    return verdicts[min(range(len(verdicts)), key=rank)] if verdicts else None


def _days_left(arms: Sequence[ArmEvidence], rule: ExperimentRule, due_s: float, units_per_day: float) -> float | None:
    """Give the days until the primary is decided and the time is over; None where nobody can tell."""
    primaries = [each for arm in arms for each in arm.effects if each.question is Question.PRIMARY]
    n_exposed = sum(arm.n_units for arm in arms)
    if units_per_day <= 0 or not primaries:
        return None
    wanted = []
    for each in primaries:
        if each.is_better or each.is_worse:
            wanted.append(0.0)
        elif each.wants_units is not None and each.n:
            # Those who say something are a part of those who come.
            wanted.append(each.wants_units * max(1.0, n_exposed / max(1, sum(p.n for p in primaries))))
    if not wanted:
        return None
    short = max((max(0, rule.min_units - arm.n_units) for arm in arms), default=0) * (len(arms) + 1)
    return max(due_s / DAY_S, min(wanted) / units_per_day, short / units_per_day)
