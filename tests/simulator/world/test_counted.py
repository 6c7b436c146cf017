"""A block, counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gateway.domain.rollout import RolloutPlan
from gateway.domain.standing import Standing
from gateway.gates.facts import RECENT
from gateway.simulator.world.block import Block, Drawer
from gateway.simulator.world.counted import TIMED_PER_MINUTE, CountedArm, Heard
from gateway.simulator.world.crowd import Crowd
from gateway.simulator.world.layout import layout_of, release_of
from gateway.simulator.world.scenario import Scenario


def drawn(scenario: Scenario) -> tuple[Block, Crowd]:
    """Give an hour, with who asked."""
    crowd = Crowd(scenario.population, salt="support-v8", n_kinds=4, seed=1, chance=np.random.default_rng(2))
    keys, dice = ["satisfaction", "faithfulness"], np.random.default_rng(3)
    return Drawer(scenario, crowd, roles=["baseline", "candidate"], metrics=keys, chance=dice).draw(
        0, 60, fault_s=None
    ), crowd


def counted(block: Block, crowd: Crowd, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> CountedArm:
    """Give some of a block's requests as the candidate's."""
    dice = np.random.default_rng(4)
    return CountedArm(block, 1, rows, crowd, starts_unix_ms=1_000, streams=0.3, chance=dice)


def test_minutes_add_up(broken: Scenario) -> None:
    """Every request and every failure is in exactly one minute, at its time."""
    block, crowd = drawn(broken)
    rows = np.flatnonzero(crowd.slots[block.users] < 3_000)
    facts = [counted(block, crowd, rows).facts(minute) for minute in range(60)]
    assert sum(each.requests for each in facts) == len(rows)
    failures = [incident for each in facts for incident in each.failures]
    assert [incident.unix_ms for incident in failures] == (1_000 + block.at_ms[rows[block.fails[1, rows]]]).tolist()
    assert {incident.unit_hash for incident in failures} <= set(crowd.hashes[block.users[rows]].tolist())


def test_last_ones_are_in_order(broken: Scenario) -> None:
    """The last requests of a minute are told with how they ended; as many as there are fine ones to stop at."""
    block, crowd = drawn(broken)
    rows = np.arange(len(block.users))
    judged = counted(block, crowd, rows).facts(7).recent
    last = rows[: block.starts[8]][-20:]
    assert [each.is_failed for each in judged] == block.fails[1, last].tolist()
    assert [each.unit_hash for each in judged] == crowd.hashes[block.users[last]].tolist()


def test_outages_are_told_at_length(broken: Scenario) -> None:
    """Where nothing was fine any more, RECENT requests are told."""
    block, crowd = drawn(replace(broken, candidate=replace(broken.candidate, errors=1.0)))
    judged = counted(block, crowd, np.arange(len(block.users))).facts(7).recent
    assert len(judged) == RECENT and all(each.is_failed for each in judged)


def test_samples_are_of_people(scenario: Scenario) -> None:
    """Durations come from a sample of people, all of whose answered requests are in it."""
    block, crowd = drawn(replace(scenario, population=replace(scenario.population, rate_per_s=5.0)))
    rows = np.arange(len(block.users))
    arm = counted(block, crowd, rows)
    timings = [timing for minute in range(60) for timing in arm.facts(minute).timings]
    timed = {timing.unit_hash for timing in timings}
    of_theirs = np.isin(crowd.hashes[block.users], list(timed)) & ~block.fails[1]
    assert len(timings) == of_theirs.sum()
    assert 0.5 * TIMED_PER_MINUTE < len(timings) / 60 < 1.5 * TIMED_PER_MINUTE < len(rows) / 60


def test_words_go_to_their_epoch(scenario: Scenario, plan: RolloutPlan) -> None:
    """What is said is heard under the layout of its request, whatever is in force when it is said."""
    block, crowd = drawn(scenario)
    release = release_of(plan)
    one, two = (
        layout_of(release, Standing("support-v8", (("current", 10_000 - w), ("concise", w)), epoch))
        for epoch, w in ((0, 0), (1, 5_000))
    )
    heard = Heard(
        block.said.taken(np.argsort(block.said.at_ms)),
        block,
        [one, two],
        [0] * 30,
        crowd,
        metrics=["thumbs", "faithfulness"],
        starts_unix_ms=0,
    )
    by_minute = [heard.in_minute(minute) for minute in range(60)]
    early = [rating for each in by_minute for rating in each.get(0, {}).get(0, [])]
    assert all(rating.exposed_unix_ms < 30 * 60_000 for rating in early)
    assert not any(1 in each.get(0, {}) for each in by_minute)
    late = [rating for each in by_minute for rating in each.get(1, {}).get(1, [])]
    assert late and all(rating.exposed_unix_ms >= 30 * 60_000 for rating in late)
