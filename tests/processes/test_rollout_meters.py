"""Rollouts in metrics: what an operator's dashboard and alarms stand on."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.control.journal import DecisionKind, Entry
from gateway.control.rollout import Latch, Rollout, RolloutPhase
from gateway.domain.rollout import ChangeType, RolloutPlan, SplitPlan, Stage, StageKind
from gateway.processes.rollout_meters import RolloutMeter
from gateway.telemetry import instruments as metrics

STAGES = (Stage(StageKind.SHARE, 500), Stage(StageKind.SHARE, 10_000))
PLAN = RolloutPlan("support-v8", "support", "old", "new", "c", ChangeType.PROMPT_WORDING, STAGES, {}, ())
SPLIT = SplitPlan("three", "chat", "a", (("a", 4_000), ("b", 3_000), ("c", 3_000)), (), ())


@dataclass
class Steered:
    """One rollout and one split."""

    rollouts: dict[str, Rollout] = field(default_factory=lambda: {"support-v8": Rollout(PLAN, stage=1)})
    splits: dict[str, SplitPlan] = field(default_factory=lambda: {"three": SPLIT})
    latches: tuple[Latch, ...] = ()


def told(meter: RolloutMeter, steered: Steered) -> dict[tuple[str, tuple[str, ...]], float]:
    """Give what is told, by name and attributes."""
    observed = meter.observe(steered, {"sent": 2})
    return {(one.instrument.name, tuple(map(str, one.key))): one.value for one in observed}


def test_stage_and_phase() -> None:
    """A rollout tells the stage it reached, counted from one, and its phase."""
    values = told(RolloutMeter(), Steered())
    assert values[metrics.ROLLOUT_STAGE.name, ("support", "support-v8", "progressing")] == 2
    steered = Steered(rollouts={"support-v8": Rollout(PLAN, phase=RolloutPhase.ROLLED_BACK)})
    assert (metrics.ROLLOUT_STAGE.name, ("support", "support-v8", "rolled_back")) in told(RolloutMeter(), steered)


def test_breakers() -> None:
    """Every arm that can be latched tells whether it is; a latch without an arm is on all of a release."""
    latches = (
        Latch("support-v8", "", "", "person", "odd", "ana", 0),
        Latch("three", "b", "", "safety", "unsafe", "controller", 0),
    )
    values = told(RolloutMeter(), Steered(latches=latches))
    breakers = {key: value for (name, key), value in values.items() if name == metrics.BREAKER_OPEN.name}
    assert breakers == {("support", "support-v8", "new"): 1, ("chat", "three", "b"): 1, ("chat", "three", "c"): 0}


def test_decisions_and_alerts() -> None:
    """Decisions are counted by kind as they are made; alerts by how they ended."""
    meter = RolloutMeter()
    for _ in range(2):
        meter.note(Entry("e", 0, DecisionKind.PROMOTED, "support", "support-v8", "new", "controller", "up", "gates"))
    values = told(meter, Steered())
    assert values[metrics.DECISIONS.name, ("support", "support-v8", "promoted")] == 2
    assert values[metrics.ALERTS.name, ("sent",)] == 2
