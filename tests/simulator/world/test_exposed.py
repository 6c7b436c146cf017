"""Sums per person."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.control.rollout import Rollout
from gateway.domain.rollout import RolloutPlan
from gateway.domain.standing import Standing
from gateway.gates.evidence import Evidence, InternalEvidence
from gateway.simulator.world.block import Block, Drawer
from gateway.simulator.world.crowd import Crowd
from gateway.simulator.world.exposed import Exposed
from gateway.simulator.world.layout import Layout, layout_of, release_of
from gateway.simulator.world.scenario import Scenario


@pytest.fixture
def crowd(scenario: Scenario) -> Crowd:
    """Give the people."""
    return Crowd(scenario.population, salt="support-v8", n_kinds=4, seed=1, chance=np.random.default_rng(2))


@pytest.fixture
def block(broken: Scenario, crowd: Crowd) -> Block:
    """Give an hour of a broken candidate."""
    keys, dice = ["satisfaction", "faithfulness"], np.random.default_rng(3)
    return Drawer(broken, crowd, roles=["baseline", "candidate"], metrics=keys, chance=dice).draw(0, 60, fault_s=None)


def layouts_of(plan: RolloutPlan, *weights: int) -> list[Layout]:
    """Give layouts of rising epochs."""
    release = release_of(plan)
    return [
        layout_of(release, Standing("support-v8", (("current", 10_000 - weight), ("concise", weight)), epoch))
        for epoch, weight in enumerate(weights)
    ]


def evidence_of(exposed: Exposed, plan: RolloutPlan) -> Evidence:
    """Give the evidence of what was settled."""
    return exposed.evidence(
        Rollout(plan, dwelt_s=86_400.0), until_unix_ms=1, starts_unix_ms=0, internal=InternalEvidence()
    )


def test_pieces_sum_like_the_whole(plan: RolloutPlan, crowd: Crowd, block: Block) -> None:
    """Settling minute by minute, or everything at once, gives the same evidence."""
    layouts, found = layouts_of(plan, 3_000), []
    for step in (1, 60):
        exposed = Exposed(plan, crowd, ("current", "concise"))
        for minute in range(0, 60, step):
            exposed.note(block, int(block.starts[minute]), int(block.starts[minute + step]), 0)
            exposed.settle(layouts)
        found.append((evidence_of(exposed, plan), exposed.harm()))
    assert found[0] == found[1]


def test_epochs_are_apart(plan: RolloutPlan, crowd: Crowd, block: Block) -> None:
    """Every stretch of constant weights is a stratum of its own; a person in both is one unit."""
    exposed = Exposed(plan, crowd, ("current", "concise"))
    middle = int(block.starts[30])
    exposed.note(block, 0, middle, 0)
    exposed.note(block, middle, len(block.users), 1)
    exposed.settle(layouts_of(plan, 1_000, 5_000))
    evidence = evidence_of(exposed, plan)
    assert [(each.epoch, each.candidate_buckets) for each in evidence.epochs] == [(0, 1_000), (1, 5_000)]
    assert evidence.errors is not None
    assert evidence.errors.candidate.n_units < sum(each.candidate for each in evidence.epochs)


def test_known_harm(plan: RolloutPlan, crowd: Crowd, block: Block) -> None:
    """Harm is counted request by request."""
    exposed = Exposed(plan, crowd, ("current", "concise"))
    exposed.note(block, 0, len(block.users), 0)
    exposed.settle(layouts_of(plan, 10_000))
    spoilt = (block.fails[1] | block.unsafe[1]) & ~(block.fails[0] | block.unsafe[0])
    users = block.users
    assert exposed.harm() == (len(set(users.tolist())), len(set(users[spoilt].tolist())), spoilt.sum(), len(users))


def test_metrics_wait_for_their_gates(plan: RolloutPlan, crowd: Crowd, block: Block) -> None:
    """Until gates are about to be asked there is only who was exposed, and how long the stage has lasted."""
    exposed = Exposed(plan, crowd, ("current", "concise"))
    exposed.note(block, 0, len(block.users), 0)
    exposed.settle(layouts_of(plan, 3_000))
    early, soon = (
        exposed.evidence(Rollout(plan, dwelt_s=dwelt_s), until_unix_ms=1, starts_unix_ms=0, internal=InternalEvidence())
        for dwelt_s in (3_600.0, 86_340.0)
    )
    assert (early.errors, early.stage_s) == (None, 3_600.0)
    assert early.stage_units == soon.stage_units > 0
    assert soon.errors is not None
