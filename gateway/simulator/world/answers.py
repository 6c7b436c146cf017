"""What an experiment says of itself at the end of each virtual day, by the code that reports on real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.control.controller import Controller
from gateway.domain.metric import Metric
from gateway.domain.release import ReleaseKind
from gateway.domain.rollout import SplitPlan
from gateway.gates.course import Course
from gateway.gates.experiment import ExperimentVerdict, Recommendation
from gateway.gates.experiment_metrics import Measure, measures_of
from gateway.report.experiment_analysis import Traffic
from gateway.report.experiment_question import question_of
from gateway.simulator.world.scenario import Scenario
from gateway.simulator.world.units import REQUEST_SUMS
from gateway.simulator.world.world import World

SHIP, STOP, REPAIR, KEEP = (str(each) for each in (
    Recommendation.SHIP, Recommendation.STOP, Recommendation.REPAIR, Recommendation.KEEP_RUNNING
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class DayAnswer:
    """
    What was said at the end of a day.

    Attributes:
        day: From 1.
        what: Of splits and factorials the recommendation: `ship`, `keep_running`, `stop` or `repair`; of bandits and
            ladders the phase.
        arm: Who is to be shipped, leads or is champion; empty for nobody.
        sentence: For a product owner.
        weights: (arm, buckets) in force.
    """

    day: int
    what: str
    arm: str
    sentence: str
    weights: tuple[tuple[str, int], ...]

    @property
    def is_final(self) -> bool:
        """Tell whether whoever reads it would act on it."""
        return self.what in (SHIP, STOP, REPAIR, "complete", "no_difference")


def answer_of(plan: SplitPlan, world: World, controller: Controller, *, day: int, unix_ms: int) -> DayAnswer:
    """Give what the experiment says now."""
    now = controller.split(plan.release) or plan
    course = controller.course(plan.release)
    if course is not None:
        return DayAnswer(day, course.phase, _ahead(course), course.sentence, tuple(course.weights.items()))
    stopped = {latch.arm: latch.sentence for latch in controller.latches if latch.arm}
    question = question_of(
        plan, None, world.epochs(), stopped=stopped, now_unix_ms=unix_ms, measures=counted_measures(plan)
    )
    question.include(world.block(question.query.cells))
    verdict = question.summarize(Traffic({}, {}, {}), now_unix_ms=unix_ms).answer
    return DayAnswer(day, str(verdict.recommendation), _shipped(verdict), verdict.headline, now.weights)


def counted_measures(plan: SplitPlan) -> tuple[Measure, ...]:
    """Give what a world can tell: failures, safety, what people say and their catastrophes."""
    every = measures_of(plan.metrics, plan.primary_metric)
    return tuple(
        each
        for each in every
        if (each.metric is not None and each.numerator != "good") or each.numerator in REQUEST_SUMS
    )


def truths_of(plan: SplitPlan, scenario: Scenario) -> dict[str, float]:
    """Give how good each arm is in the primary metric, as the scenario describes it; empty where it does not."""
    metric = plan.metrics.get(plan.primary_metric or "")
    if metric is None:
        return {}
    found = {arm: _good(scenario, plan, arm, metric) for arm, _ in plan.weights}
    return {arm: good for arm, good in found.items() if good is not None}


def best_of(truths: Mapping[str, float]) -> Sequence[str]:
    """Give the arms that are as good as any."""
    most = max(truths.values(), default=0.0)
    return [arm for arm, good in truths.items() if good >= most - 1e-9]


def _good(scenario: Scenario, plan: SplitPlan, arm: str, metric: Metric) -> float | None:
    role = "baseline" if arm == plan.baseline else "candidate"
    opinions = scenario.treatment(role, None, arm).opinions
    opinion = opinions.get(metric.name) or opinions.get(str(metric.role))
    return None if opinion is None else opinion.good


def _ahead(course: Course) -> str:
    if course.plan.kind is ReleaseKind.LADDER:
        return str(course.memory["champion"])
    return max(course.best, key=lambda each: each[1])[0] if course.best else ""


def _shipped(verdict: ExperimentVerdict) -> str:
    return next((each.arm for each in verdict.arms if each.recommendation is Recommendation.SHIP), "")
