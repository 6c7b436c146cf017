"""What many runs say together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.control.journal import DecisionKind
from gateway.domain.rollout import RolloutPlan
from gateway.simulator.world.scenario import Scenario
from gateway.simulator.world.summary import summarize
from gateway.simulator.world.trial import Decision, Trial
from gateway.simulator.world.world import Harm


def decided(minute: int, kind: DecisionKind, before: str, after: str, *, signal: str = "") -> Decision:
    """Give a decision of the controller's."""
    rule = "e_process" if signal else "gates"
    return Decision(minute, kind, rule, signal, "controller", "Because.", before, after, 0)


def trial(seed: int, *, rolled_back_at: int | None, harmed: int = 3) -> Trial:
    """Give a run that went wrong at minute 60: rolled back at a minute, or never."""
    decisions = [decided(0, DecisionKind.STARTED, "10%", "10%")]
    if rolled_back_at is None:
        decisions.append(decided(1_440, DecisionKind.PROMOTED, "10%", "50%"))
        decisions.append(decided(2_880, DecisionKind.COMPLETED, "50%", "100%"))
    else:
        decisions.append(decided(rolled_back_at, DecisionKind.ROLLED_BACK, "10%", "10%", signal="error_rate"))
    phase = "complete" if rolled_back_at is None else "rolled_back"
    weights = ((1, 1_000), (rolled_back_at or 1_440, 0 if rolled_back_at else 5_000))
    return Trial(seed, phase, "10%", 3_000, weights, tuple(decisions), Harm(40, harmed, harmed * 2, 900), 60)


def test_shares_and_times(plan: RolloutPlan, scenario: Scenario) -> None:
    """Shares are of all runs, times of those in which it came to it."""
    trials = [trial(0, rolled_back_at=70), trial(1, rolled_back_at=90), trial(2, rolled_back_at=None)]
    values = summarize(plan, scenario, trials).values
    assert values["rolled_back"] == pytest.approx(2 / 3)
    assert values["completed"] == pytest.approx(1 / 3)
    assert (values["detect_median"], values["detect_p90"]) == (600, 1_800)
    assert (values["complete_median"], values["users_harmed_median"]) == (2_880 * 60, 3)


def test_stages_are_told_apart(plan: RolloutPlan, scenario: Scenario) -> None:
    """Every stage says how many runs came to it, when, and how they left it."""
    trials = [trial(0, rolled_back_at=70), trial(1, rolled_back_at=None)]
    first, second, last = summarize(plan, scenario, trials).stages
    assert (first.label, first.reached, first.promoted, first.rolled_back) == ("10%", 1.0, 0.5, 0.5)
    assert (second.reached, second.median_hours) == (0.5, 24)
    assert (last.label, last.reached) == ("100%", 0.5)


def test_causes_are_counted(plan: RolloutPlan, scenario: Scenario) -> None:
    """What reacted first is named with its rule; how runs end, with their phase."""
    summary = summarize(plan, scenario, [trial(0, rolled_back_at=70), trial(1, rolled_back_at=None)])
    assert summary.causes == {"error_rate (e_process)": 0.5}
    assert summary.ends == {"rolled_back": 0.5, "complete": 0.5}


def test_expectations_are_checked(plan: RolloutPlan, scenario: Scenario) -> None:
    """Each is met or not, and all together."""
    wanted = {"rolled_back": ">= 50%", "detect_p90": "<= 5m"}
    summary = summarize(plan, replace(scenario, expect=wanted), [trial(0, rolled_back_at=70)])
    assert [each.is_met for each in summary.checked] == [True, False]
    assert not summary.is_as_expected
    assert summarize(plan, scenario, [trial(0, rolled_back_at=70)]).is_as_expected


def test_no_runs_say_nothing(plan: RolloutPlan, scenario: Scenario) -> None:
    """There is no summary of nothing."""
    with pytest.raises(ValueError, match="no runs"):
        summarize(plan, scenario, [])
