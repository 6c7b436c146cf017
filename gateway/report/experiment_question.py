"""
What has to be read of the store for an experiment's report, and what becomes of it: kind by kind.

A split and a factorial release are compared as they were divided, epoch by epoch. Of a bandit only the exploration
slice is, for everybody else's share follows what was rewarded. Of a ladder the round that is under way is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.domain.rollout import SplitPlan
from gateway.gates.course import Course, ladder_state_of, plan_at
from gateway.gates.experiment import ExperimentState, ExperimentVerdict, Recommendation
from gateway.gates.experiment_metrics import Measure, measures_of
from gateway.record.experiment_query import Cell, EpochShares, ExperimentQuery, UnitBlock
from gateway.record.rollup import DAY_MS
from gateway.report.course_look import cells_of
from gateway.report.experiment_analysis import Experiment, Traffic, look_days, summarize_experiment, units_per_day
from gateway.report.experiment_gathering import Gathering
from gateway.report.experiment_summary import (
    BanditSection,
    ExperimentSummary,
    LadderRound,
    LadderSection,
    WeightsAt,
)
from gateway.report.factor_section import with_factors
from gateway.report.round_gathering import round_of
from gateway.report.slice_blocks import slice_of, slice_shares
from gateway.report.words import moment

GRACE_MS = 60_000
"""A table is in use a little before anybody notes it; what is older than this is of another life of the same number."""

HISTORY_S = 28 * 86_400.0
"""What users did so long before an experiment explains a part of what they do in it."""

_NOTHING = "nothing is kept yet of how {} is divided; wait a minute, the gateway writes it then"


class NothingKeptError(Exception):
    """Nothing is known yet of how the release is divided; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ExperimentQuestion:
    """
    What is asked of the store, and how the answer is read.

    Attributes:
        plan: The experiment's, as it stands.
        course: How it stands, where it divides its own traffic; None for others.
        experiment: What is analysed.
        query: What has to be read.
        measures: What is measured, the primary metric first.
        gathering: Takes the blocks.
    """

    plan: SplitPlan
    course: Course | None
    experiment: Experiment
    query: ExperimentQuery
    measures: tuple[Measure, ...]
    gathering: Gathering

    def include(self, block: UnitBlock) -> None:
        """Add a block."""
        self.gathering.include(self._fitted(block))

    def _fitted(self, block: UnitBlock) -> UnitBlock:
        if self.plan.bandit is None:
            return block
        arms = [arm for arm, _ in self.experiment.weights if arm not in self.experiment.stopped]
        return slice_of(block, self.query.cells, arms, self.plan.bandit.slice_buckets)

    def summarize(self, traffic: Traffic, *, now_unix_ms: int) -> ExperimentSummary:
        """Put together what came of it."""
        summary = summarize_experiment(self.experiment, self.gathering, self.measures, traffic, now_unix_ms=now_unix_ms)
        if self.plan.factorial is not None:
            factors = {name: list(levels) for name, levels in self.plan.factorial.factors}
            per_day = units_per_day(self.gathering, now_unix_ms)
            primary = self.gathering.primary
            return with_factors(summary, self.gathering, primary, self.experiment, factors, units_per_day=per_day)
        if self.course is None:
            return summary
        return with_ladder(summary, self.course) if self.plan.ladder is not None else with_bandit(summary, self.course)


def question_of(
    plan: SplitPlan,
    course: Course | None,
    epochs: Sequence[EpochShares],
    *,
    stopped: Mapping[str, str],
    least_unix_ms: int = 0,
    now_unix_ms: int,
    measures: Sequence[Measure] | None = None,
) -> ExperimentQuestion:
    """
    Give what has to be read, and how.

    Args:
        plan: As the state directory has it.
        course: Likewise; None where the file divides.
        epochs: How the release was divided, as far as it is kept.
        stopped: Arm to when and why it was stopped.
        least_unix_ms: Users who came before are left out.
        now_unix_ms: Up to here.
        measures: The primary metric's first; None for all there are.

    Raises:
        NothingKeptError: Nothing is kept yet of how it is divided.
    """
    plan = plan if course is None else plan_at(course)
    until = now_unix_ms
    if course is not None and plan.ladder is not None:
        asked = round_of(course, unix_ms=now_unix_ms)
        if asked is None or not asked.epochs:
            raise NothingKeptError(_NOTHING.format(plan.release))
        shares, until = list(asked.epochs), asked.until_unix_ms
        plan = replace(plan, baseline=asked.champion, weights=shares[-1].arms)
    else:
        shares = _shares_of(plan, course, epochs, stopped)
    since = max(least_unix_ms, min(each.since_unix_ms for each in shares))
    is_slice = course is not None and plan.bandit is not None
    cells = cells_of(course) if course is not None and is_slice else _cells(shares)
    metrics = tuple(plan.metrics.values())
    query = ExperimentQuery(plan.release, cells, metrics, max(0, since - GRACE_MS), until, HISTORY_S)
    measures = measures_of(plan.metrics, plan.primary_metric) if measures is None else tuple(measures)
    gathered = replace(query, cells=_cells(shares))
    return ExperimentQuestion(
        plan=plan,
        course=course,
        experiment=_experiment_of(plan, shares, since, stopped),
        query=query,
        measures=measures,
        gathering=Gathering(gathered, measures, plan.baseline, _days_of(plan, since, now_unix_ms)),
    )


def _days_of(plan: SplitPlan, since_unix_ms: int, now_unix_ms: int) -> tuple[int, ...]:
    """Give the days that are looked at: of planned looks nobody knows beforehand on which days they fall."""
    if plan.planned is None:
        return look_days(since_unix_ms, now_unix_ms)
    return tuple(range(since_unix_ms // DAY_MS, now_unix_ms // DAY_MS + 1))


def with_bandit(summary: ExperimentSummary, course: Course) -> ExperimentSummary:
    """Give the summary of a bandit: what it is at comes first, and what its exploration slice shows is the reason."""
    bandit = course.plan.bandit
    if bandit is None:
        return summary
    best = dict(course.best)
    leader = max(best, key=best.__getitem__) if best else None
    section = BanditSection(
        phase=course.phase or "exploring",
        leader=leader,
        best=course.best,
        weights=tuple(_weights_at(mark.since_unix_ms, mark.weights) for mark in course.marks),
        explore=bandit.explore,
        sentence=course.sentence,
    )
    note = (
        f"Compared are the {bandit.explore:.0%} of users who are divided equally for ever; a bandit's others are not."
    )
    summary = replace(summary, bandit=section, notes=(note, *summary.notes))
    if summary.is_withheld or not course.sentence:
        return summary
    return replace(summary, verdict=_verdict_of(summary.verdict, course))


def with_ladder(summary: ExperimentSummary, course: Course) -> ExperimentSummary:
    """Give the summary of a ladder: compared is the round under way, or the last one; how far it is comes first."""
    state = ladder_state_of(course)
    rounds = [
        LadderRound(each.number, each.champion, each.challenger, str(each.result), each.sentence)
        for each in state.results
    ]
    if state.challenger is not None:
        rounds.append(LadderRound(state.number, state.champion, state.challenger, "running", course.sentence))
    said = course.sentence or f"Round {state.number} has begun: {state.challenger} against {state.champion}."
    section = LadderSection(state.champion, tuple(rounds), state.waiting, said)
    summary = replace(summary, ladder=section)
    if summary.is_withheld:
        return summary
    is_over = state.challenger is None
    what = Recommendation.KEEP_RUNNING
    if is_over:
        is_new = course.plan.ladder is not None and state.champion != course.plan.ladder.champion
        what = Recommendation.SHIP if is_new else Recommendation.STOP
    at = ExperimentState.BETTER if what is Recommendation.SHIP else ExperimentState.RUNNING
    at = ExperimentState.NO_DIFFERENCE if what is Recommendation.STOP else at
    verdict = replace(
        summary.verdict, state=at, recommendation=what, headline=said, reason=summary.verdict.headline, days_left=None
    )
    return replace(summary, verdict=verdict)


def _verdict_of(verdict: ExperimentVerdict, course: Course) -> ExperimentVerdict:
    is_over = course.phase == "no_difference"
    return replace(
        verdict,
        state=ExperimentState.NO_DIFFERENCE if is_over else ExperimentState.RUNNING,
        recommendation=Recommendation.STOP if is_over else Recommendation.KEEP_RUNNING,
        headline=course.sentence,
        reason=verdict.headline,
        days_left=None,
    )


def _shares_of(
    plan: SplitPlan, course: Course | None, epochs: Sequence[EpochShares], stopped: Mapping[str, str]
) -> list[EpochShares]:
    if course is not None:
        arms = [arm for arm, _ in plan.weights if arm not in stopped]
        return [slice_shares(arms, course.started_unix_ms)]
    ours = [each for each in epochs if each.content in ("", plan.content)]
    if not ours:
        raise NothingKeptError(_NOTHING.format(plan.release))
    return ours


def _cells(shares: Sequence[EpochShares]) -> tuple[Cell, ...]:
    return tuple(Cell(each.epoch, arm) for each in shares for arm, _ in each.arms)


def _experiment_of(
    plan: SplitPlan, shares: Sequence[EpochShares], since_unix_ms: int, stopped: Mapping[str, str]
) -> Experiment:
    return Experiment(
        route=plan.route,
        release=plan.release,
        kind=str(plan.kind),
        unit=str(plan.unit),
        baseline=plan.baseline,
        weights=plan.weights,
        primary=plan.primary_metric,
        min_duration_s=plan.min_duration_s,
        min_units=plan.min_users,
        epochs=tuple(shares),
        since_unix_ms=since_unix_ms,
        stopped=stopped,
        declared_segments=plan.segments,
        planned=plan.planned,
    )


def _weights_at(unix_ms: int, weights: Sequence[tuple[str, int]]) -> WeightsAt:
    total = sum(buckets for _, buckets in weights) or 1
    return WeightsAt(moment(unix_ms), tuple((arm, buckets / total) for arm, buckets in weights))
