"""Every scenario that ships keeps what it expects: a few short runs here, many whole ones in `make proofs`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.proofs.kept import KeptTrials
from bench.proofs.plans import compile_plans
from bench.proofs.scenarios import rows_of, shipped
from gateway.domain.rollout import ChangeType, RolloutPlan
from gateway.simulator.world.many import run_trials
from gateway.simulator.world.scenario import Scenario

HOUR_S = 3_600.0
SHORT: dict[str, tuple[float, int, float]] = {
    "abusive-user": (33, 1, 0.1),
    "broken-8-percent": (24, 6, 1.0),
    "healthy": (12, 1, 0.1),
    "low-traffic": (12, 1, 1.0),
    "provider-outage-both-arms": (33, 1, 0.1),
    "safety-regression": (24, 3, 1.0),
    "slow-candidate": (24, 3, 1.0),
    "total-outage": (31, 1, 0.2),
    "triple-errors-late": (51, 1, 1.0),
    "worse-quality": (60, 1, 0.25),
}
"""Hours looked at, runs, and how many of the people are there: what expects quiet is as quiet with a tenth of them."""


@pytest.fixture(scope="module")
def plan() -> RolloutPlan:
    """Give 5, 20 and 50 % in a week."""
    return compile_plans()[ChangeType.SYSTEM_PROMPT_RESTRUCTURE]


def shrunk(scenario: Scenario, hours: float, share: float) -> Scenario:
    """Give some of the people, for some hours."""
    people = scenario.population
    fewer = replace(people, rate_per_s=share * people.rate_per_s, n_users=round(share * people.n_users))
    return replace(scenario, lasts_s=hours * HOUR_S, population=fewer)


def test_all_are_tried() -> None:
    """Every scenario has a short form, and the other way around."""
    assert {scenario.name for scenario in shipped()} == set(SHORT)


@pytest.mark.parametrize("scenario", shipped(), ids=lambda scenario: scenario.name)
def test_expectations_hold(plan: RolloutPlan, scenario: Scenario) -> None:
    """What the scenario expects of many runs comes of the first few."""
    hours, runs, share = SHORT[scenario.name]
    summary = run_trials(plan, shrunk(scenario, hours, share), runs, seed=1, processes=1)
    assert [each for each in summary.checked if not each.is_met] == []
    assert all(trial.harm.exposed for trial in summary.trials)


def test_a_bound_that_is_missed_is_said(plan: RolloutPlan) -> None:
    """A scenario's rows say what came first, each bound, and whether it was kept."""
    broken = next(scenario for scenario in shipped() if scenario.name == "broken-8-percent")
    wrong = replace(shrunk(broken, 6, 1.0), expect={"rolled_back": "<= 1%", "detect_p90": "<= 3h"})
    first, rolled_back, detected = rows_of(plan, wrong, 1, processes=1, kept=KeptTrials())
    assert "error_rate" in first.came
    assert (rolled_back.came, rolled_back.must, rolled_back.is_met) == ("100 %", "≤ 1 %", False)
    assert (detected.came.endswith("min"), detected.is_met) == (True, True)
