"""The world as the controller sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.control.rollout import Rollout
from gateway.domain.rollout import RolloutPlan
from gateway.domain.standing import Standing
from gateway.gates.facts import Facts
from gateway.simulator.world.scenario import Fault, Scenario
from gateway.simulator.world.world import World

_STARTS = 1_000_000_000_000


def world_of(plan: RolloutPlan, scenario: Scenario, *, seed: int = 1) -> World:
    """Give a world that nobody has published to."""
    return World(plan, scenario, seed=seed, starts_unix_ms=_STARTS)


async def stand(world: World, weight: int, epoch: int, **more: object) -> None:
    """Publish a weight."""
    standing = Standing("support-v8", (("current", 10_000 - weight), ("concise", weight)), epoch, **more)  # type: ignore[arg-type]
    await world.restand({"support-v8": standing})


def passed(world: World, minutes: int) -> Sequence[Facts]:
    """Let minutes pass; give what happened."""
    for _ in range(minutes):
        world.pass_minute()
    return world.facts("support-v8")


def test_nothing_happens_unpublished(plan: RolloutPlan, scenario: Scenario) -> None:
    """Without a table nobody can be answered."""
    with pytest.raises(ValueError, match="nothing was published"):
        world_of(plan, scenario).pass_minute()


async def test_facts_tell_all(plan: RolloutPlan, scenario: Scenario) -> None:
    """Every minute has its facts, of both arms, once."""
    world = world_of(plan, scenario)
    await stand(world, 3_000, 1)
    facts = passed(world, 90)
    assert [each.since_unix_ms for each in facts] == [_STARTS + 60_000 * minute for minute in range(90)]
    shares = [sum(each.arms[arm].requests for each in facts) for arm in ("current", "concise")]
    assert shares[1] / sum(shares) == pytest.approx(0.3, abs=0.1)
    assert world.facts("support-v8") == [] == list(world.facts("other"))


async def test_same_seed_same_world(plan: RolloutPlan, scenario: Scenario) -> None:
    """Everything comes from the seed."""
    told = []
    for seed in (1, 1, 2):
        world = world_of(plan, scenario, seed=seed)
        await stand(world, 3_000, 1)
        told.append(passed(world, 70))
    assert told[0] == told[1] != told[2]


async def test_changed_weights_act_at_once(plan: RolloutPlan, scenario: Scenario) -> None:
    """From the minute after a table is published people are answered by it, in the middle of an hour too."""
    world = world_of(plan, scenario)
    await stand(world, 5_000, 1)
    passed(world, 20)
    await stand(world, 0, 2, latched=("concise",))
    facts = passed(world, 10)
    now = [each for each in facts if each.epoch == 2]
    assert all(not each.arms for each in now) and len(now) == 10


async def test_late_words_name_their_epoch(plan: RolloutPlan, scenario: Scenario) -> None:
    """Feedback to an earlier epoch comes as facts of that epoch, with its weights and nothing but feedback."""
    world = world_of(plan, scenario)
    await stand(world, 5_000, 1)
    passed(world, 60)
    await stand(world, 1_000, 2)
    late = [each for each in passed(world, 60) if each.epoch == 1]
    assert late and {each.weights["concise"] for each in late} == {5_000}
    assert {arm.requests for each in late for arm in each.arms.values()} == {0}
    assert all(arm.ratings for each in late for arm in each.arms.values())


async def test_evidence_is_by_unit(plan: RolloutPlan, broken: Scenario) -> None:
    """Evidence has every exposed person once, by epoch, arm and segment."""
    world = world_of(plan, broken)
    await stand(world, 5_000, 1)
    passed(world, 120)
    evidence = await world.evidence(Rollout(plan, stage=1, entered_unix_ms=_STARTS, dwelt_s=86_400.0))
    assert evidence is not None and evidence.errors is not None
    assert evidence.errors.candidate.mean == pytest.approx(0.3, abs=0.05)
    assert evidence.epochs[0].candidate == evidence.stage_units == evidence.errors.candidate.n_units
    assert set(evidence.segments["thumbs"]) == {"plan=free", "plan=paid"}
    assert evidence.tails.keys() == {"faithfulness"}


async def test_stage_counts_from_its_beginning(plan: RolloutPlan, scenario: Scenario) -> None:
    """People of an earlier stage are not this one's, unless they come again."""
    world = world_of(plan, scenario)
    await stand(world, 5_000, 1)
    passed(world, 60)
    await stand(world, 100, 2)
    passed(world, 60)
    later = await world.evidence(Rollout(plan, entered_unix_ms=_STARTS + 60 * 60_000))
    assert later is not None
    assert later.stage_units == later.epochs[1].candidate < later.epochs[0].candidate


async def test_harm_is_what_was_avoidable(plan: RolloutPlan, scenario: Scenario, broken: Scenario) -> None:
    """A candidate like the baseline harms nobody, whatever fails; a broken one is charged with what it broke."""
    harms = []
    for each in (scenario, broken):
        world = world_of(plan, each)
        await stand(world, 5_000, 1)
        passed(world, 60)
        harms.append(world.harm())
    assert (harms[0].harmed, harms[0].requests) == (0, 0)
    assert harms[1].requests / harms[1].of_requests == pytest.approx(0.28, abs=0.04)
    assert 0 < harms[1].harmed <= harms[1].exposed


async def test_faults_wait_for_users(plan: RolloutPlan, scenario: Scenario) -> None:
    """Faults are timed from the hour in which the candidate gets users."""
    late = replace(scenario, faults=(Fault(600.0, 600.0, changes={"errors": 1.0}),))
    world = world_of(plan, late)
    await stand(world, 0, 0, internal_arm="concise")
    passed(world, 60)
    assert world.faults_from_minute is None
    await stand(world, 9_000, 1)
    arms = [each.arms["concise"] for each in passed(world, 30) if each.epoch == 1 and each.arms["concise"].requests]
    failing = [len(arm.failures) == arm.requests for arm in arms]
    assert world.faults_from_minute == 60
    assert all(failing[10:20]) and not any(failing[:10])


async def test_internal_users_are_counted_apart(plan: RolloutPlan, broken: Scenario) -> None:
    """While a stage is internal, testers meet what the candidate does worse, and no user does."""
    population = replace(broken.population, internal_per_day=1_440.0)
    world = world_of(plan, replace(broken, population=population))
    await stand(world, 0, 0, internal_arm="concise")
    facts = passed(world, 240)
    evidence = await world.evidence(Rollout(plan))
    assert evidence is not None
    assert evidence.internal.failures / evidence.internal.requests == pytest.approx(0.28, abs=0.1)
    assert all("concise" not in each.arms for each in facts)
