"""One run, by the real controller, watch and gates."""

from __future__ import annotations

from dataclasses import replace

from gateway.control.journal import DecisionKind
from gateway.domain.rollout import RolloutPlan, SplitPlan, Stage, StageKind
from gateway.simulator.world.scenario import Fault, People, Scenario
from gateway.simulator.world.trial import run_trial


def test_healthy_candidates_come_through(plan: RolloutPlan, scenario: Scenario) -> None:
    """A candidate like the baseline climbs stage by stage to everybody but the holdback."""
    ungated = replace(plan, stages=tuple(replace(stage, gates=()) for stage in plan.stages))
    run = run_trial(ungated, replace(scenario, settles_s=600.0), seed=3)
    assert (run.phase, run.stage) == ("complete", "100%")
    assert [weight for _, weight in run.weights] == [1_000, 5_000, 9_800]
    assert run.reaction is None and run.harm.harmed == 0


def test_broken_candidates_are_rolled_back(plan: RolloutPlan, broken: Scenario) -> None:
    """One that fails three of ten is gone within the hour, latched, and charged with what it did."""
    run = run_trial(plan, broken, seed=1)
    assert run.phase == "rolled_back"
    assert run.weights[-1][1] == 0
    assert run.reaction is not None and run.reaction.cause.startswith("error_rate")
    assert run.detected_s is not None and run.detected_s <= 3_600
    assert run.harm.requests >= run.harm.harmed > 0


def test_late_faults_are_timed_from_their_start(plan: RolloutPlan, scenario: Scenario) -> None:
    """Time to detect counts from the fault, not from the stage."""
    late = replace(scenario, faults=(Fault(12 * 3_600.0, 7_200.0, changes={"errors": 1.0}),))
    run = run_trial(plan, late, seed=1)
    assert run.harm_from_minute == 12 * 60
    assert run.phase == "rolled_back"
    assert run.detected_s is not None and run.detected_s <= 1_800


def test_same_seed_same_run(plan: RolloutPlan, broken: Scenario) -> None:
    """Everything comes from the seed."""
    one, same, other = (run_trial(plan, broken, seed=seed) for seed in (1, 1, 2))
    assert one == same != other


def test_people_approve(plan: RolloutPlan, scenario: Scenario) -> None:
    """An approval comes when the scenario says; without one the rollout waits."""
    first = replace(plan.stages[0], needs_approval=True, gates=(), min_duration_s=3_600.0)
    asking = replace(plan, stages=(first, *plan.stages[1:]))
    short = replace(scenario, lasts_s=4 * 3_600.0)
    never = run_trial(asking, replace(short, people=People(approve_after_s=None)), seed=1)
    later = run_trial(asking, replace(short, people=People(approve_after_s=7_200.0)), seed=1)
    assert never.phase == "awaiting_approval"
    approved = next(each for each in later.decisions if each.who == "scenario")
    asked = next(each for each in later.decisions if each.kind is DecisionKind.AWAITS_APPROVAL)
    assert approved.minute - asked.minute == 120


def test_internal_stages_have_no_users(plan: RolloutPlan, scenario: Scenario) -> None:
    """While a stage is internal, no user has the candidate."""
    internal = Stage(StageKind.INTERNAL, 0, 86_400.0)
    inside = replace(plan, stages=(internal, *plan.stages))
    run = run_trial(inside, replace(scenario, lasts_s=0.9 * 86_400.0), seed=1)
    assert (run.stage, run.harm.exposed, run.harm_from_minute) == ("internal", 0, None)


def test_splits_are_stopped(plan: RolloutPlan, broken: Scenario) -> None:
    """A split's harmful arm gets nothing any more."""
    weights = (("current", 5_000), ("concise", 5_000))
    contents = (("current", "0123456789ab"), ("concise", "ba9876543210"))
    split = SplitPlan(plan.release, plan.route, "current", weights, contents, plan.signals, metrics=plan.metrics)
    run = run_trial(split, replace(broken, lasts_s=3 * 3_600.0), seed=1)
    assert run.phase == "stopped"
    assert run.weights[-1][1] == 0
