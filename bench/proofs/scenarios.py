"""Every scenario that ships, many times: what it expects must come of it."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from bench.proofs.kept import KeptTrials
from bench.proofs.plans import compile_plans
from bench.rows import Row
from gateway.domain.rollout import ChangeType, RolloutPlan
from gateway.simulator.world.many import run_trials
from gateway.simulator.world.scenario import Scenario
from gateway.simulator.world.scenario_file import read_scenario
from gateway.simulator.world.summary import Checked, summarize

SCENARIOS = Path(__file__).parents[2] / "configs" / "scenarios"
RUNS = 20


def prove_scenarios(scale: float, processes: int, kept: KeptTrials) -> list[Row]:
    """Run every scenario with the plan for system prompts: 5, 20 and 50 % in a week."""
    runs, plan = max(2, round(RUNS * scale)), compile_plans()[ChangeType.SYSTEM_PROMPT_RESTRUCTURE]
    return [row for scenario in shipped() for row in rows_of(plan, scenario, runs, processes, kept)]


def shipped() -> list[Scenario]:
    """Give the scenarios of configs/scenarios, by name."""
    return [read_scenario(path) for path in sorted(SCENARIOS.glob("*.yaml"))]


def rows_of(plan: RolloutPlan, scenario: Scenario, runs: int, processes: int, kept: KeptTrials) -> list[Row]:
    """Give what came first, and a row per expectation."""
    name, seeds = f"scenario {scenario.name}", range(runs)
    trials = kept.of(name, seeds)
    for part in kept.missing(name, seeds):
        trials += run_trials(
            plan, scenario, len(part), seed=part.start, processes=processes, on_trial=partial(kept.keep, name)
        ).trials
    summary = summarize(plan, scenario, sorted(trials, key=lambda trial: trial.seed))
    sys.stderr.write(f"  {scenario.name}: {'as expected' if summary.is_as_expected else 'not as expected'}\n")
    causes = ", ".join(f"{cause} {share:.0%}".replace("%", " %") for cause, share in summary.causes.items())
    first = f"{scenario.name}: {scenario.describes} First reaction in {runs} runs"
    return [Row(first, causes or "none"), *(_row_of(each) for each in summary.checked)]


def _row_of(checked: Checked) -> Row:
    quantity = checked.expectation.quantity.replace("_", " ")
    must = checked.expectation.text.replace("%", " %")
    return Row(f"… {quantity}", _said(checked), must.replace("<=", "≤").replace(">=", "≥"), checked.is_met)


def _said(checked: Checked) -> str:
    value, text = checked.value, checked.expectation.text
    if value is None:
        return "never"
    if text.endswith("%"):
        return f"{100 * value:g} %"
    return f"{value / 60:,.0f} min" if text[-1] in "mhd" else f"{value:,.0f}"
