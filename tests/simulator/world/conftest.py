"""A small world: a plan of three stages, a few hundred people, and what they say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.domain.metric import Metric, MetricKind
from gateway.domain.rollout import (
    Action,
    ChangeType,
    GateName,
    GateRule,
    RolloutPlan,
    Signal,
    SignalKind,
    Stage,
    StageKind,
)
from gateway.simulator.world.scenario import Opinion, Population, Scenario, Treatment

_DAY_S = 86_400.0


@pytest.fixture
def plan() -> RolloutPlan:
    """Give a plan of 10, 50 and 100 % in three days, with gates and signals as the file would fill them in."""
    gates = {name: GateRule(name) for name in GateName}
    return RolloutPlan(
        release="support-v8",
        route="support",
        baseline="current",
        candidate="concise",
        content="0123456789ab",
        change_type=ChangeType.PROMPT_WORDING,
        stages=(
            Stage(StageKind.SHARE, 1_000, _DAY_S, 4 * _DAY_S, 50, (GateName.ERRORS,)),
            Stage(StageKind.SHARE, 5_000, _DAY_S, 4 * _DAY_S, 50, (GateName.ERRORS, GateName.SEGMENTS)),
            Stage(StageKind.SHARE, 10_000),
        ),
        gates=gates,
        signals=(
            Signal("error_rate", SignalKind.ERRORS, Action.ROLLBACK, 2.0, floor=0.002),
            Signal("safety", SignalKind.SAFETY, Action.ROLLBACK, 2.0),
        ),
        metrics={
            "thumbs": Metric("thumbs", MetricKind.BINARY, role="satisfaction"),
            "faithfulness": Metric("faithfulness", MetricKind.SCORE, range=(0, 1), good=0.7, catastrophic=0.2),
        },
        primary_metric="thumbs",
        quality_metrics=("thumbs", "faithfulness"),
        segments=("plan",),
    )


@pytest.fixture
def scenario() -> Scenario:
    """Give two requests a second of 400 people, a tenth of which says something."""
    opinions = {
        "satisfaction": Opinion(good=0.8, said=0.1, after_s=1_200.0),
        "faithfulness": Opinion(good=0.9, catastrophic=0.02, said=0.05, after_s=60.0),
    }
    treated = Treatment(errors=0.02, unsafe=0.01, opinions=opinions)
    population = Population(rate_per_s=2.0, n_users=400, segments={"plan": (("free", 0.7), ("paid", 0.3))})
    return Scenario("small", "Nothing is wrong.", population=population, baseline=treated, candidate=treated)


@pytest.fixture
def broken(scenario: Scenario) -> Scenario:
    """Give the same people with a candidate that fails three of ten."""
    return replace(scenario, name="broken", candidate=replace(scenario.candidate, errors=0.3))
