"""Many runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.domain.rollout import RolloutPlan
from gateway.simulator.world.many import run_trials
from gateway.simulator.world.scenario import Scenario
from gateway.simulator.world.trial import Trial


def test_processes_change_nothing(plan: RolloutPlan, broken: Scenario) -> None:
    """The same runs, in the same order, however many processes share them."""
    short = replace(broken, lasts_s=3_600.0)
    assert run_trials(plan, short, 3, seed=7, processes=1) == run_trials(plan, short, 3, seed=7, processes=2)


def test_every_run_is_told(plan: RolloutPlan, broken: Scenario) -> None:
    """A progress bar hears of every run; seeds count up from the first."""
    heard: list[Trial] = []
    summary = run_trials(plan, replace(broken, lasts_s=3_600.0), 3, seed=7, processes=1, on_trial=heard.append)
    assert [each.seed for each in heard] == [each.seed for each in summary.trials] == [7, 8, 9]


def test_more_runs_contain_fewer(plan: RolloutPlan, broken: Scenario) -> None:
    """Run k is the same run among two and among three."""
    short = replace(broken, lasts_s=3_600.0)
    two, three = (run_trials(plan, short, n, processes=1).trials for n in (2, 3))
    assert two == three[:2]


def test_none_is_refused(plan: RolloutPlan, scenario: Scenario) -> None:
    """No runs are a mistake of whoever asks."""
    with pytest.raises(ValueError, match="no runs"):
        run_trials(plan, scenario, 0)
