"""What many runs say together: how often, how soon, in which stage, at whose cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil

from gateway.control.journal import DecisionKind
from gateway.control.rollout import RolloutPhase
from gateway.domain.release import BUCKETS
from gateway.domain.rollout import Plan, RolloutPlan, SplitPlan
from gateway.simulator.world.answers import SHIP, best_of, truths_of
from gateway.simulator.world.expectation import QUANTITIES, Expectation, parse_expectation
from gateway.simulator.world.scenario import Scenario
from gateway.simulator.world.trial import Trial

_COMPLETE = (RolloutPhase.COMPLETE, RolloutPhase.FINISHED)
_ENDS = (*_COMPLETE, RolloutPhase.ROLLED_BACK, "stopped")


@dataclass(frozen=True, slots=True)
class StageSummary:
    """
    What happened in one stage.

    Attributes:
        label: As people call it.
        reached: Share of runs that came to it.
        median_hours: When, in the middle run of those; None where none came.
        promoted: Share of all runs that were promoted from it.
        rolled_back: Share of all runs rolled back in it.
        stepped_back: Share of all runs that stepped back from it at least once.
        paused: Share of all runs that were paused in it.
        held: Share of all runs that were held in it for lack of evidence.
    """

    label: str
    reached: float
    median_hours: float | None
    promoted: float
    rolled_back: float
    stepped_back: float
    paused: float
    held: float


@dataclass(frozen=True, slots=True)
class Checked:
    """
    An expectation, and what came.

    Attributes:
        expectation: What the scenario expects.
        value: What was seen: a share, seconds or a number; None when it never came.
        is_met: Whether that is within the bound.
    """

    expectation: Expectation
    value: float | None
    is_met: bool


@dataclass(frozen=True, slots=True)
class TrialSummary:
    """
    What many runs say together.

    Attributes:
        release: Release name.
        scenario: Its name.
        n_runs: How many.
        values: By quantity of `expectation.QUANTITIES`: a share, seconds or a number; None where there is none.
        causes: What the controller reacted to first, by `Decision.cause`, as a share of all runs; most frequent first.
        ends: Phase at the end, as a share of all runs; most frequent first.
        stages: In order; empty for splits.
        checked: Every expectation.
        trials: All of them, in the order of their seeds.
    """

    release: str
    scenario: str
    n_runs: int
    values: dict[str, float | None]
    causes: dict[str, float]
    ends: dict[str, float]
    stages: tuple[StageSummary, ...]
    checked: tuple[Checked, ...]
    trials: tuple[Trial, ...] = field(repr=False)

    @property
    def is_as_expected(self) -> bool:
        """Tell whether every expectation is met."""
        return all(each.is_met for each in self.checked)


def summarize(plan: Plan, scenario: Scenario, trials: Sequence[Trial]) -> TrialSummary:
    """
    Give what runs of one plan and scenario say together.

    Raises:
        ValueError: There are none.
    """
    if not trials:
        msg = "no runs, nothing to say"
        raise ValueError(msg)
    values = {name: _VALUES[name](trials) for name in QUANTITIES if name in _VALUES}
    values |= experiment_values(plan, scenario, trials)
    checked = []
    for quantity, text in scenario.expect.items():
        expectation = parse_expectation(quantity, text)
        if isinstance(expectation, Expectation):
            value = values[quantity]
            checked.append(Checked(expectation, value, expectation.is_met(value)))
    reactions = [trial.reaction for trial in trials]
    return TrialSummary(
        release=plan.release,
        scenario=scenario.name,
        n_runs=len(trials),
        values=values,
        causes=_shares([each.cause for each in reactions if each is not None], len(trials)),
        ends=_shares([trial.phase for trial in trials], len(trials)),
        stages=_stages(plan, trials) if isinstance(plan, RolloutPlan) else (),
        checked=tuple(checked),
        trials=tuple(trials),
    )


def experiment_values(plan: Plan, scenario: Scenario, trials: Sequence[Trial]) -> dict[str, float | None]:
    """
    Give what an experiment's runs came to; nothing but None of rollouts, and of what the scenario does not describe.

    An arm is wrong that is no better than the baseline; the best one is whichever the scenario says.
    """
    values: dict[str, float | None] = dict.fromkeys(_OF_EXPERIMENTS)
    if not isinstance(plan, SplitPlan) or any(trial.answer is None for trial in trials):
        return values
    truths, last = truths_of(plan, scenario), [trial.answers[-1] for trial in trials]
    shipped = [each.arm for each in last if each.what == SHIP or each.what == "complete"]
    values["shipped"] = len(shipped) / len(trials)
    values["decided"] = sum(each.is_final for each in last) / len(trials)
    values["decide_median"] = quantile_of([each for trial in trials if (each := trial.decided_s) is not None], 0.5)
    if truths:
        best, base = best_of(truths), truths.get(plan.baseline, 0.0)
        wrong = [arm for arm in shipped if arm != plan.baseline and truths.get(arm, 0.0) <= base]
        values["shipped_wrong"] = len(wrong) / len(trials)
        values["best_ahead"] = sum(each.arm in best for each in last) / len(trials)
        shares = [sum(buckets for arm, buckets in each.weights if arm in best) / BUCKETS for each in last]
        values["best_share"] = quantile_of(shares, 0.5)
    return values


_OF_EXPERIMENTS = ("shipped", "shipped_wrong", "decided", "best_ahead", "best_share", "decide_median")


def quantile_of(values: Sequence[float], share: float) -> float | None:
    """
    Give the value that `share` of them are at most; None of none.

    >>> quantile_of([1, 2, 3, 4], 0.5), quantile_of([3], 0.9)
    (2, 3)
    """
    return sorted(values)[max(0, ceil(share * len(values)) - 1)] if values else None


def _shares(names: Sequence[str], n: int) -> dict[str, float]:
    return {name: count / n for name, count in Counter(names).most_common()}


def _share_of(holds: Callable[[Trial], bool]) -> Callable[[Sequence[Trial]], float | None]:
    return lambda trials: sum(map(holds, trials)) / len(trials)


def _decided(*kinds: DecisionKind) -> Callable[[Trial], bool]:
    return lambda trial: any(each.kind in kinds and each.who == "controller" for each in trial.decisions)


def _quantile(value: Callable[[Trial], float | None], share: float) -> Callable[[Sequence[Trial]], float | None]:
    return lambda trials: quantile_of([each for trial in trials if (each := value(trial)) is not None], share)


def _completed_s(trial: Trial) -> float | None:
    minutes = [each.minute for each in trial.decisions if each.kind is DecisionKind.COMPLETED]
    return 60.0 * minutes[0] if minutes else None


_VALUES: dict[str, Callable[[Sequence[Trial]], float | None]] = {
    "rolled_back": _share_of(_decided(DecisionKind.ROLLED_BACK, DecisionKind.STOPPED)),
    "stepped_back": _share_of(_decided(DecisionKind.STEPPED_BACK)),
    "paused": _share_of(_decided(DecisionKind.PAUSED)),
    "alerted": _share_of(_decided(DecisionKind.ALERTED)),
    "completed": _share_of(lambda trial: trial.phase in _COMPLETE),
    "unfinished": _share_of(lambda trial: trial.phase not in _ENDS),
    "reacted": _share_of(lambda trial: trial.reaction is not None),
    "detect_median": _quantile(lambda trial: trial.detected_s, 0.5),
    "detect_p90": _quantile(lambda trial: trial.detected_s, 0.9),
    "complete_median": _quantile(_completed_s, 0.5),
    "users_harmed_median": _quantile(lambda trial: trial.harm.harmed, 0.5),
    "users_harmed_p90": _quantile(lambda trial: trial.harm.harmed, 0.9),
    "requests_harmed_median": _quantile(lambda trial: trial.harm.requests, 0.5),
    "requests_harmed_p90": _quantile(lambda trial: trial.harm.requests, 0.9),
}


def _stages(plan: RolloutPlan, trials: Sequence[Trial]) -> tuple[StageSummary, ...]:
    return tuple(_stage(stage.label, index == 0, trials) for index, stage in enumerate(plan.stages))


def _stage(label: str, is_first: bool, trials: Sequence[Trial]) -> StageSummary:
    entered = []
    for trial in trials:
        minutes = [each.minute for each in trial.decisions if each.to_stage == label != each.from_stage]
        if is_first:
            minutes.append(0)
        if minutes:
            entered.append(min(minutes) / 60)

    def share(*kinds: DecisionKind) -> float:
        return sum(
            any(each.kind in kinds and each.from_stage == label for each in trial.decisions) for trial in trials
        ) / len(trials)

    return StageSummary(
        label=label,
        reached=len(entered) / len(trials),
        median_hours=quantile_of(entered, 0.5),
        promoted=share(DecisionKind.PROMOTED, DecisionKind.COMPLETED),
        rolled_back=share(DecisionKind.ROLLED_BACK),
        stepped_back=share(DecisionKind.STEPPED_BACK),
        paused=share(DecisionKind.PAUSED),
        held=share(DecisionKind.HELD),
    )
