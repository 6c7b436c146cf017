"""What people say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gateway.simulator.world.crowd import Crowd
from gateway.simulator.world.said import CATASTROPHIC, GOOD, SILENT, Said, Voices, joined
from gateway.simulator.world.scenario import Opinion, Scenario, Treatment

_N = 60_000


def said_of(scenario: Scenario, *treatments: Treatment, fails: bool = False) -> tuple[Said, Crowd]:
    """Give what is said of many requests at minute 0, with who spoke."""
    population = replace(scenario.population, n_users=4_000)
    crowd = Crowd(population, salt="s", n_kinds=4, seed=1, chance=np.random.default_rng(2))
    voices = Voices(population, crowd, ["satisfaction", "faithfulness"], np.random.default_rng(3))
    failing = np.full((len(treatments), _N), fails)
    return voices.draw(crowd.draw(_N), np.zeros(_N, np.int64), failing, treatments), crowd


def test_shares_are_kept(scenario: Scenario) -> None:
    """As much is said, and as much of it good and catastrophic, as the scenario says; by raters only."""
    said, crowd = said_of(scenario, scenario.baseline)
    thumbs, faith = (said.values[0][said.metric == metric] for metric in (0, 1))
    assert (thumbs != SILENT).sum() / _N == pytest.approx(0.1, rel=0.1)
    assert (thumbs == GOOD).sum() / (thumbs != SILENT).sum() == pytest.approx(0.8, abs=0.03)
    assert (faith == CATASTROPHIC).sum() / (faith != SILENT).sum() == pytest.approx(0.02, abs=0.01)
    assert crowd.raters[said.users].all()


def test_feedback_comes_late(scenario: Scenario) -> None:
    """Delays are exponential about their mean, from the request."""
    said, _ = said_of(scenario, scenario.baseline)
    late_s = (said.at_ms - said.exposed_ms)[said.metric == 0] / 1000
    assert late_s.mean() == pytest.approx(1_200, rel=0.05)


def test_failures_please_nobody(scenario: Scenario) -> None:
    """Who got no answer does not praise it."""
    said, _ = said_of(scenario, scenario.baseline, fails=True)
    assert not (said.values == GOOD).any()


def test_arms_may_be_rated_differently(scenario: Scenario) -> None:
    """An arm may be liked less, and be spoken of less."""
    worse = replace(scenario.baseline, opinions={"satisfaction": Opinion(good=0.4, said=0.05)})
    said, _ = said_of(scenario, scenario.baseline, worse)
    thumbs = said.values[:, said.metric == 0]
    spoken = (thumbs != SILENT).sum(axis=1)
    assert spoken[1] / spoken[0] == pytest.approx(0.5, rel=0.1)
    assert (thumbs[1] == GOOD).sum() / spoken[1] == pytest.approx(0.4, abs=0.04)


def test_segments_like_less(scenario: Scenario) -> None:
    """A segment may like an arm less than the others do."""
    changed = {"plan=paid": {"opinions": {"satisfaction": Opinion(good=0.0, said=0.1)}}}
    said, crowd = said_of(scenario, replace(scenario.baseline, segments=changed))
    of_paid = crowd.are_in("plan=paid", said.users) & (said.metric == 0)
    assert not (said.values[0][of_paid] == GOOD).any()
    assert (said.values[0][~of_paid] == GOOD).any()


def test_nothing_joins_to_nothing() -> None:
    """No feedback is feedback of no rows."""
    nothing = joined([], n_arms=2)
    assert (len(nothing.users), nothing.values.shape) == (0, (2, 0))
    assert joined([nothing, nothing], n_arms=2).values.shape == (2, 0)
