"""
The real controller with nothing wrong: every plan, on a virtual clock, from its start until it is complete.

What the trip layer leaves out is in it: gates, ratings, costs, durations, resumes and step-backs, and everybody's own
chance of failing. A stage is as long as its shortest duration, as in the trip layer, and two hours in which gates are
asked; an hour later a person promotes what had too little evidence. So every run passes every share, and in all its
days nothing may go wrong.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import median

from bench.proofs.kept import KeptTrials
from bench.proofs.plans import compile_plans
from bench.proofs.rows import is_within, render_bounded
from bench.rows import Row
from gateway.control.journal import DecisionKind
from gateway.domain.rollout import RolloutPlan, SignalKind
from gateway.simulator.world.many import run_trials
from gateway.simulator.world.scenario_file import parse_scenario
from gateway.simulator.world.trial import Trial

RUNS = 200
ASKED_S = 7_200.0
MOST_ROLLED_BACK = 0.008
MOST_STEPPED_BACK = 0.02
HEALTHY = b"""
describes: 5,000 users a day with five requests each, as in the trip layer; nothing is wrong.
lasts: 60d
settles: 6h
population:
  arrivals: {users_per_day: 5000, requests_per_user: 5}
  segments: {plan: {free: 70%, paid: 30%}}
  persistent: {share: 1%, errors: 50%}
baseline:
  errors: 1%
  unsafe: 0.1%
  metrics:
    satisfaction: {good: 80%, said: 10%, after: 10m}
    task_completion: {good: 85%, said: 20%, after: 45m}
people: {approve_after: 1h, resume_after: 1d, promote_after: 1h}
"""


def prove_controller(scale: float, processes: int, kept: KeptTrials) -> list[Row]:
    """Run the controller over every plan with a healthy candidate; types of change whose plans are alike share runs."""
    runs, rows, trials = max(2, round(RUNS * scale)), list[Row](), list[Trial]()
    for alike in sorted_groups():
        done = _run(alike, runs, processes, kept)
        trials += done
        rows += rows_of(", ".join(plan.change_type for plan in alike), done)
    rows += rows_of("all plans", trials)
    return rows


def shortened(plan: RolloutPlan) -> RolloutPlan:
    """Give a plan that waits in no stage for evidence: soon after its shortest duration a person decides."""
    stages = tuple(
        stage if stage.max_duration_s is None else replace(stage, max_duration_s=stage.min_duration_s + ASKED_S)
        for stage in plan.stages
    )
    return replace(plan, stages=stages)


def sorted_groups() -> list[list[RolloutPlan]]:
    """Give all plans, shortest first, those together that differ in nothing but their names."""
    groups: list[list[RolloutPlan]] = []
    for plan in compile_plans().values():
        like = next((group for group in groups if _rules(group[0]) == _rules(plan)), None)
        if like is None:
            groups.append([plan])
        else:
            like.append(plan)
    return sorted(groups, key=lambda plans: _days(plans[0]))


def _rules(plan: RolloutPlan) -> tuple[object, ...]:
    return plan.stages, plan.signals, plan.gates, plan.holdback


def _days(plan: RolloutPlan) -> float:
    return sum(stage.min_duration_s for stage in plan.stages) / 86_400


def _run(alike: Sequence[RolloutPlan], runs: int, processes: int, kept: KeptTrials) -> list[Trial]:
    scenario, trials = parse_scenario(HEALTHY, name="healthy-5000.yaml"), list[Trial]()
    for number, plan in enumerate(alike):
        share, name = len(range(number, runs, len(alike))), str(plan.change_type)
        seeds = range(1_000 * number, 1_000 * number + share)
        trials += kept.of(name, seeds)
        for part in kept.missing(name, seeds):
            trials += run_trials(
                shortened(plan),
                scenario,
                len(part),
                seed=part.start,
                processes=processes,
                on_trial=partial(_tell, kept, name),
            ).trials
    return trials


def _tell(kept: KeptTrials, name: str, trial: Trial) -> None:
    """Keep a run, and say how it ended, in a line: a full run takes hours, and whoever waits may look."""
    kept.keep(name, trial)
    reacted = "" if trial.reaction is None else f"; {trial.reaction.kind}: {trial.reaction.cause}"
    sys.stderr.write(f"  run {trial.seed}: {trial.phase} after {trial.minutes / 1440:.1f} days{reacted}\n")


def rows_of(what: str, trials: Sequence[Trial]) -> list[Row]:
    """Give a plan's rows."""
    runs, days = len(trials), median(trial.minutes / 1440 for trial in trials)
    back = [trial for trial in trials if trial.has(DecisionKind.ROLLED_BACK)]
    rows = [
        Row(
            f"{what}, {days:.1f} days: rolled back though nothing changed",
            render_bounded(len(back), runs) + _by_cause(back, DecisionKind.ROLLED_BACK),
            "≤ 0.8 %",
            is_within(len(back), runs, MOST_ROLLED_BACK),
        )
    ]
    for name in (SignalKind.DOWN_RATE, SignalKind.COMPLETION):
        n = sum(_stepped_back(trial, _NAMES[name]) for trial in trials)
        rows.append(
            Row(
                f"… stepped back by {_NAMES[name]}",
                render_bounded(n, runs),
                "≤ 2 %",
                is_within(n, runs, MOST_STEPPED_BACK),
            )
        )
    paused = sum(trial.has(DecisionKind.PAUSED) for trial in trials)
    held = sum(trial.has(DecisionKind.HELD) for trial in trials)
    completed = sum(trial.has(DecisionKind.COMPLETED) for trial in trials)
    came = f"{completed:,} of {runs:,} completed; in {held:,} a person promoted at least once; {paused:,} paused"
    return [*rows, Row("… how they went", came)]


_NAMES = {SignalKind.DOWN_RATE: "thumbs_down", SignalKind.COMPLETION: "task_completion"}


def _stepped_back(trial: Trial, signal: str) -> bool:
    return any(each.kind is DecisionKind.STEPPED_BACK and each.signal == signal for each in trial.decisions)


def _by_cause(trials: Sequence[Trial], kind: DecisionKind) -> str:
    causes = Counter(next(each.cause for each in trial.decisions if each.kind is kind) for trial in trials)
    return "".join(f"; {cause}: {n}" for cause, n in causes.most_common())
