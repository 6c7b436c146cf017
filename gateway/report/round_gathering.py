"""What users of a ladder's round say, gathered block by block: the evidence that a round is decided by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from gateway.gates.course import Course, ladder_state_of
from gateway.gates.experiment import Effect, Harm, Question, Scale
from gateway.gates.experiment_effects import EffectRule, effect_of
from gateway.gates.experiment_metrics import Measure, measures_of
from gateway.gates.ladder import RoundEvidence
from gateway.record.experiment_query import Cell, EpochShares, ExperimentQuery, UnitBlock
from gateway.report.experiment_analysis import ratio_check
from gateway.report.experiment_gathering import Gathering

STOPPED = "a guardrail, or a person"
"""What stopped a challenger; the journal has more."""


@dataclass(frozen=True, slots=True)
class LadderRoundAsked:
    """
    A round, under way or the last one.

    Attributes:
        champion: Who was it when the round began.
        challenger: Who wants to be.
        since_unix_ms: When it began.
        until_unix_ms: When it ended; now, of one under way.
        epochs: How its users were divided.
    """

    champion: str
    challenger: str
    since_unix_ms: int
    until_unix_ms: int
    epochs: tuple[EpochShares, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Give whom it is about."""
        return tuple(Cell(each.epoch, arm) for each in self.epochs for arm, _ in each.arms)


def round_of(course: Course, *, unix_ms: int) -> LadderRoundAsked | None:
    """Give the round under way, or the last one of a ladder that is complete; None where there was none."""
    state = ladder_state_of(course)
    champion, challenger = state.champion, state.challenger
    since, until = state.since_unix_ms, unix_ms
    if challenger is None:
        if not state.results:
            return None
        over = state.results[-1]
        before = state.results[-2].ended_unix_ms if len(state.results) > 1 else course.started_unix_ms
        champion, challenger, since, until = over.champion, over.challenger, before, over.ended_unix_ms
    both = {champion, challenger}
    epochs = tuple(
        EpochShares(mark.epoch, mark.since_unix_ms, arms)
        for mark in course.marks
        if since <= mark.since_unix_ms < max(until, since + 1)
        and len(arms := tuple(one for one in mark.weights if one[0] in both)) > 1
    )
    return LadderRoundAsked(champion, challenger, since, until, epochs)


class RoundGathering:
    """Takes blocks, and gives a round's evidence."""

    def __init__(self, course: Course, asked: LadderRoundAsked, *, unix_ms: int) -> None:
        """
        Begin with nobody.

        Args:
            course: The ladder's.
            asked: The round under way.
            unix_ms: Now.
        """
        plan = course.plan
        self._course, self._asked, self._unix_ms = course, asked, unix_ms
        self._measures = measures_of(plan.metrics, plan.primary_metric)
        metrics = tuple(plan.metrics.values())
        self.query = ExperimentQuery(plan.release, asked.cells, metrics, asked.since_unix_ms, unix_ms)
        self._gathering = Gathering(self.query, self._measures, asked.champion)

    def include(self, block: UnitBlock) -> None:
        """Add a block."""
        self._gathering.include(block)

    def evidence(self, closed: Collection[str]) -> RoundEvidence:
        """
        Give what a decision looks at.

        Args:
            closed: Arms that a breaker keeps.
        """
        asked, gathering = self._asked, self._gathering
        effects = self._effects()
        primary = effects.get(self._primary.name) if self._primary is not None else None
        contrast = None if self._primary is None else gathering.contrast(self._primary, asked.challenger)
        check = ratio_check(gathering, asked.epochs)
        cost = effects.get("cost")
        known = RoundEvidence(
            n_champion=gathering.n_units[asked.champion],
            n_challenger=gathering.n_units[asked.challenger],
            elapsed_s=max(0.0, (self._unix_ms - asked.since_unix_ms) / 1000),
            is_withheld=check is not None and check.is_alarm,
            tripped=STOPPED if asked.challenger in closed else "",
            protects=tuple(
                name for name, one in effects.items() if one.question is Question.GUARDRAIL and one.is_better
            ),
            is_cheaper=None if cost is None or not cost.is_enough else cost.is_better,
            removed=frozenset(closed),
        )
        if primary is None or contrast is None or self._primary is None:
            return known
        found, sample = contrast
        return replace(
            known,
            n_values=primary.n + primary.n_baseline,
            effect=primary.effect,
            se=max(found.se, sample.least_se()),
            champion_mean=primary.baseline_mean,
            challenger_mean=primary.mean,
            is_enough=primary.is_enough,
            is_more_better=primary.harm is not Harm.UP,
            is_share=primary.scale is Scale.SHARE,
        )

    @property
    def _primary(self) -> Measure | None:
        return self._gathering.primary

    def _effects(self) -> dict[str, Effect]:
        n_guardrails = sum(each.question is Question.GUARDRAIL for each in self._measures)
        rule = EffectRule(n_guardrails=max(1, n_guardrails), n_star=2.0 * max(100, self._course.plan.min_users))
        found = {}
        for measure in self._measures:
            contrast = self._gathering.contrast(measure, self._asked.challenger)
            if contrast is not None:
                found[measure.name] = effect_of(measure, self._asked.challenger, self._asked.champion, *contrast, rule)
        return found
