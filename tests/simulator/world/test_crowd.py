"""The people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gateway.assign.bucketing import bucket_of, unit_hash_of
from gateway.simulator.world.crowd import Crowd
from gateway.simulator.world.scenario import Population


def crowd_of(population: Population, *, seed: int = 1) -> Crowd:
    """Give a crowd, with dice of its own."""
    return Crowd(population, salt="support-v8", n_kinds=3, seed=seed, chance=np.random.default_rng(seed))


def test_buckets_are_real() -> None:
    """A person's bucket is the one that a worker gives that id."""
    crowd = crowd_of(Population(n_users=50))
    assert crowd.slots.tolist() == [bucket_of("support-v8", f"user-1-{number}") for number in range(50)]
    assert int(crowd.hashes[7]) == unit_hash_of("support-v8", "user-1-7")


def test_people_leave_and_come() -> None:
    """After the mean stay about a third is still there, and everybody new is somebody else."""
    crowd = crowd_of(Population(n_users=2_000, stays_s=86_400.0, returns=1.0))
    crowd.begin_day(86_400.0)
    still_there = np.unique(crowd.draw(100_000))
    assert (still_there < 2_000).mean() == pytest.approx(np.exp(-1), abs=0.05)
    assert len(crowd) == len(crowd.slots) == len(crowd.raters) == crowd.ranks.shape[1] > 2_000


def test_some_are_away() -> None:
    """On a day, as many are there as return."""
    crowd = crowd_of(Population(n_users=2_000, returns=0.3, heaviness=0.1))
    assert len(np.unique(crowd.draw(200_000))) == pytest.approx(600, rel=0.15)


def test_appetites_differ() -> None:
    """The coefficient of variation of requests per person is the heaviness."""
    crowd = crowd_of(Population(n_users=2_000, returns=1.0, heaviness=1.5))
    requests = np.bincount(crowd.draw(2_000_000), minlength=2_000)
    assert requests.std() / requests.mean() == pytest.approx(1.5, rel=0.1)


def test_segments_have_their_shares() -> None:
    """Values come as often as their shares say, and are told by name."""
    crowd = crowd_of(Population(n_users=5_000, segments={"plan": (("free", 0.7), ("paid", 0.3))}))
    everybody = np.arange(5_000)
    assert crowd.labels_of("plan") == ("free", "paid")
    assert crowd.are_in("plan=paid", everybody).mean() == pytest.approx(0.3, abs=0.03)


def test_same_seed_same_people() -> None:
    """Everything comes from the seed."""
    population = replace(Population(), n_users=100, raters=0.5)
    one, same, other = (crowd_of(population, seed=seed) for seed in (1, 1, 2))
    assert one.raters.tolist() == same.raters.tolist() != other.raters.tolist()
    assert one.slots[one.lowest_slot()] == one.slots.min() or one.lowest_slot() in one.draw(1_000)
