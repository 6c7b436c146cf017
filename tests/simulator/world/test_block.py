"""Requests, and how each arm would have answered them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gateway.simulator.world.block import Block, Drawer, end_of_block, metric_keys
from gateway.simulator.world.crowd import Crowd
from gateway.simulator.world.scenario import BOTH, Fault, Scenario


def drawn(scenario: Scenario, *, first: int = 0, end: int = 60, fault_s: float | None = None) -> tuple[Block, Crowd]:
    """Give a block of two arms, with who asked."""
    dice = np.random.default_rng(3)
    crowd = Crowd(scenario.population, salt="s", n_kinds=4, seed=1, chance=np.random.default_rng(2))
    keys = ["satisfaction", "faithfulness"]
    drawer = Drawer(scenario, crowd, roles=["baseline", "candidate"], metrics=keys, chance=dice)
    return drawer.draw(first, end, fault_s=fault_s), crowd


def test_requests_are_in_order(scenario: Scenario) -> None:
    """Requests rise in time, and every minute's are where they should be."""
    block, _ = drawn(scenario, first=120, end=180)
    assert (np.diff(block.at_ms) >= 0).all()
    inside = block.at_ms[block.starts[3] : block.starts[4]]
    assert (inside // 60_000 == 123).all()
    assert (block.starts[0], block.starts[-1], block.end_minute) == (0, len(block.users), 180)


def test_rate_follows_the_day(scenario: Scenario) -> None:
    """A day has its mean rate; the busiest hour has more, the quietest less."""
    population = replace(scenario.population, swing=0.5, peak_hour=15.0)
    world = replace(scenario, population=population)
    peak, night = (len(drawn(world, first=hour * 60, end=hour * 60 + 60)[0].users) for hour in (15, 3))
    assert peak == pytest.approx(2 * 3_600 * 1.5, rel=0.05)
    assert night == pytest.approx(2 * 3_600 * 0.5, rel=0.05)


def test_equal_arms_answer_equally(scenario: Scenario) -> None:
    """The same dice for both arms: where they are treated alike, no request tells them apart."""
    block, _ = drawn(scenario)
    assert (block.fails[0] == block.fails[1]).all()
    assert (block.unsafe[0] == block.unsafe[1]).all()
    assert block.fails.mean() == pytest.approx(0.02, abs=0.01)


def test_worse_arm_only_adds(broken: Scenario) -> None:
    """What fails with the baseline fails with a worse candidate too, and more besides."""
    block, _ = drawn(broken)
    assert not (block.fails[0] & ~block.fails[1]).any()
    assert block.fails[1].mean() == pytest.approx(0.3, abs=0.03)


def test_outages_hit_both(scenario: Scenario) -> None:
    """A fault on both arms fails both."""
    outage = replace(scenario, faults=(Fault(0.0, 3_600.0, BOTH, {"errors": 1.0}),))
    assert drawn(outage, fault_s=60.0)[0].fails.all()


def test_segments_differ(scenario: Scenario) -> None:
    """Only the people of a segment are treated as it says."""
    candidate = replace(scenario.candidate, segments={"plan=paid": {"errors": 1.0}})
    block, crowd = drawn(replace(scenario, candidate=candidate))
    paid = crowd.are_in("plan=paid", block.users)
    assert block.fails[1][paid].all()
    assert block.fails[1][~paid].mean() < 0.1


def test_one_abuses(scenario: Scenario) -> None:
    """One person's failing requests come on top, all of them, within their time."""
    abuse = replace(scenario, faults=(Fault(0.0, 600.0, abusive_errors=500),))
    without, with_one = drawn(scenario, end=10)[0], drawn(abuse, end=10, fault_s=0.0)[0]
    assert len(with_one.users) == len(without.users) + 500
    assert np.bincount(with_one.users[with_one.fails[0]]).max() >= 500
    assert (np.diff(with_one.at_ms) >= 0).all()


def test_persistent_people_fail(scenario: Scenario) -> None:
    """Some fail half of the time, in both arms."""
    population = replace(scenario.population, persistent=0.2, persistent_errors=0.5)
    block, crowd = drawn(replace(scenario, population=population))
    assert block.fails[:, crowd.persistent[block.users]].mean() == pytest.approx(0.5, abs=0.05)


def test_blocks_end_at_edges(scenario: Scenario) -> None:
    """A block ends with its hour, or where a fault begins or ends."""
    late = replace(scenario, faults=(Fault(1_800.0, 600.0),))
    assert end_of_block(late, 130, faults_from=None) == 180
    assert [end_of_block(late, minute, faults_from=120) for minute in (120, 150, 160)] == [150, 160, 180]


def test_metrics_go_by_name_or_role(scenario: Scenario, plan: object) -> None:
    """A scenario may call a metric by its name or by what it stands for; what it leaves out is silent."""
    from gateway.domain.rollout import RolloutPlan

    assert isinstance(plan, RolloutPlan)
    silent = replace(plan.metrics["thumbs"], name="edits", role=None)
    assert metric_keys(scenario, {**plan.metrics, "edits": silent}) == ["satisfaction", "faithfulness", ""]
