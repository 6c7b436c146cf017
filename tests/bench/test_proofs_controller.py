"""The plans that are proven, and how the controller's runs are told."""

from __future__ import annotations

from collections import Counter

from bench.proofs.controller import HEALTHY, rows_of, shortened, sorted_groups
from bench.proofs.plans import compile_plans
from bench.proofs.trips import PLANS
from gateway.control.journal import DecisionKind
from gateway.domain.rollout import ChangeType, StageKind
from gateway.simulator.world.scenario_file import parse_scenario
from gateway.simulator.world.trial import Decision, Trial
from gateway.simulator.world.world import Harm


def trial(seed: int, *kinds: DecisionKind, signal: str = "") -> Trial:
    """Give a run of three days with these decisions."""
    decisions = tuple(Decision(9, kind, "a_rule", signal, "controller", "", "5%", "20%", 500) for kind in kinds)
    return Trial(seed, "complete", "100%", 4_320, ((0, 500),), decisions, Harm(0, 0, 0, 0), None)


def test_every_type_has_its_plan() -> None:
    """All eight types of change are proven, three of them with one plan."""
    groups = sorted_groups()
    assert Counter(len(group) for group in groups) == {1: 5, 3: 1}
    assert {plan.change_type for group in groups for plan in group} == set(ChangeType)


def test_trip_layer_has_the_same_plans() -> None:
    """The trip layer's days and shares are those that the types of change compile to, internal days aside."""
    plans = compile_plans()
    for names, (days, shares) in PLANS.items():
        for name in names.split(", "):
            stages = [stage for stage in plans[ChangeType(name)].stages if stage.kind is StageKind.SHARE]
            assert tuple(stage.weight / 10_000 for stage in stages[:-1]) == shares
            assert sum(stage.min_duration_s for stage in stages) <= days * 86_400 + 1


def test_shortened_waits_for_nothing() -> None:
    """A shortened plan's stages end two hours after their shortest durations; its gates and signals stay."""
    plan = compile_plans()[ChangeType.NEW_FEATURE]
    short = shortened(plan)
    assert all(stage.max_duration_s in (None, stage.min_duration_s + 7_200) for stage in short.stages)
    assert (short.gates, short.signals) == (plan.gates, plan.signals)


def test_healthy_is_alike() -> None:
    """Nothing is wrong with the candidate of the controller's runs, and 5,000 users come a day."""
    scenario = parse_scenario(HEALTHY, name="healthy.yaml")
    assert scenario.candidate == scenario.baseline
    assert not scenario.faults
    assert scenario.population.n_users * scenario.population.returns == 5_000


def test_rows_say_what_happened() -> None:
    """Rollbacks come with their causes and an upper bound, step-backs by signal."""
    trials = [trial(k, DecisionKind.COMPLETED) for k in range(98)]
    trials += [trial(98, DecisionKind.ROLLED_BACK, signal="safety")]
    trials += [trial(99, DecisionKind.STEPPED_BACK, DecisionKind.COMPLETED, signal="thumbs_down")]
    rolled_back, down, done, went = rows_of("a plan", trials)
    assert rolled_back.came == "1 of 100 (95 % sure: below 4.66 %); safety (a_rule): 1"
    assert down.came.startswith("1 of 100")
    assert done.came.startswith("0 of 100")
    assert went.came == "99 of 100 completed; in 0 a person promoted at least once; 0 paused"
