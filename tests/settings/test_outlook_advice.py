"""The plan that fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.domain.rollout import ChangeType, GateName, RolloutPlan
from gateway.settings.compile import Compiled
from gateway.settings.outlook import Traffic, stage_outlooks
from gateway.settings.outlook_advice import advise, render_plan

Compile = Callable[..., Compiled]


def _plan(compile_parts: Compile, rollout: str) -> RolloutPlan:
    top = "metrics: {t: {kind: binary, role: satisfaction}, d: {kind: binary, role: task_completion}}"
    top += "\nidentity: {internal_users: [ana]}"
    plan = compile_parts(b="{like: a, model: n}", release=f"{{{rollout}}}", top=top).plans["r"]
    assert isinstance(plan, RolloutPlan)
    return plan


def test_what_fits_stays(compile_parts: Compile) -> None:
    """Enough users need no advice."""
    plan = _plan(compile_parts, "rollout: {baseline: a, candidate: b, change_type: prompt_wording}")
    assert advise(plan, Traffic(100_000)).plan == plan


@pytest.mark.parametrize("change", ChangeType)
@pytest.mark.parametrize("users", [100, 1_000])
def test_advice_can_be_met_and_written(compile_parts: Compile, change: ChangeType, users: int) -> None:
    """What is recommended compiles to what was meant, and all of it can be met."""
    plan = _plan(compile_parts, f"rollout: {{baseline: a, candidate: b, change_type: {change}}}")
    advice = advise(plan, Traffic(users))
    assert advice.is_met and all(stage.is_met for stage in stage_outlooks(advice.plan, Traffic(users)))
    block = "\n".join(f"      {line}" for line in render_plan(advice.plan)).strip()
    written = compile_parts(
        b="{like: a, model: n}",
        release="\n      " + block,
        top="metrics: {t: {kind: binary, role: satisfaction}, d: {kind: binary, role: task_completion}}"
        "\nidentity: {internal_users: [ana]}",
    ).plans["r"]
    assert isinstance(written, RolloutPlan)
    assert [(s.label, s.gates) for s in written.stages] == [(s.label, s.gates) for s in advice.plan.stages]


def test_hopeless_traffic_asks_a_person(compile_parts: Compile) -> None:
    """Where quality cannot be measured, somebody reads answers."""
    plan = _plan(compile_parts, "rollout: {baseline: a, candidate: b, change_type: prompt_wording}")
    advice = advise(plan, replace(Traffic(30), rated=0.05))
    assert advice.plan.stages[-2].needs_approval
    assert advice.plan.stages[-2].gates == (GateName.ERRORS,)
