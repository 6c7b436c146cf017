"""Stages as they are written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.domain.rollout import GateName, OnFail, RolloutPlan, StageKind
from gateway.errors import ConfigError
from gateway.settings.compile import Compiled

Compile = Callable[..., Compiled]
_TOP = "metrics: {thumbs: {kind: binary, role: satisfaction}, done: {kind: binary, role: task_completion}}\n" + (
    "identity: {internal_users: [ana]}"
)


def _compile(
    compile_parts: Compile, stages: str, change: str = "prompt_wording", more: str = "", route: str = ""
) -> Compiled:
    release = f"{{rollout: {{baseline: a, candidate: b, change_type: {change}, stages: [{stages}]{more}}}}}"
    return compile_parts(b="{like: a, params: {set: {temperature: 0}}}", release=release, top=_TOP, route=route)


@pytest.mark.parametrize(
    ("stages", "problem"),
    [
        ("{at: 10%}, {at: 10%}", "10% after 10%; stages must rise"),
        ("{at: 10%}, {at: internal}", "internal after 10%"),
        ("{at: internal}", "internal is no end"),
        ("{at: 0%}, {at: 100%}", "0% is nobody"),
        ("{at: shadow}, {at: 100%}", r"no entry of `shadows` copies to 'b'; add shadows: \[\{variant: b\}\]"),
        ("{at: 10%, sample: 5%}, {at: 100%}", "only a shadow stage copies"),
        ("{at: internal, gates: [errors]}, {at: 100%}", "nobody is compared in the stage internal"),
        ("{at: 10%, gates: [primary]}, {at: 100%}", "no primary_metric is named"),
        ("{at: 10%, min_duration: 2d, max_duration: 1d}, {at: 100%}", "max_duration is shorter"),
    ],
)
def test_nonsense_is_refused(compile_parts: Compile, stages: str, problem: str) -> None:
    """With the place and the way out."""
    with pytest.raises(ConfigError, match=problem):
        _compile(compile_parts, stages, more=", quality_metrics: []" if "primary" in stages else "")


@pytest.mark.parametrize(
    ("stages", "change", "problem"),
    [
        ("{at: 10%}, {at: 100%, gates: [errors]}", "prompt_wording", "the last stage is never left: gates"),
        ("{at: 10%, gates: [segments]}, {at: 100%}", "prompt_wording", "identity has no segments"),
        ("{at: 50%, min_duration: 3d}, {at: 100%}", "new_feature", "falls after 3 days"),
    ],
)
def test_idle_words_are_warned_of(compile_parts: Compile, stages: str, change: str, problem: str) -> None:
    """What is written and does nothing, or less than it seems."""
    assert any(problem in warning.problem for warning in _compile(compile_parts, stages, change).warnings)


def test_what_is_left_out_follows(compile_parts: Compile) -> None:
    """Durations, users and gates of a stage are those of its share, as its type of change has them."""
    stages = "{at: internal}, {at: shadow, sample: 5%}, {at: 10%}, {at: 100%}"
    plan = _compile(compile_parts, stages, route="shadows: [{variant: b}]").plans["r"]
    assert isinstance(plan, RolloutPlan)
    internal, shadow, share, last = plan.stages
    assert (internal.kind, internal.gates) == (StageKind.INTERNAL, (GateName.CRITICAL,))
    assert shadow.gates == (GateName.SHADOW,) and plan.gates[GateName.SHADOW].on_fail is OnFail.HOLD
    assert (shadow.sample, share.min_duration_s, share.gates) == (0.05, 103_680, (GateName.ERRORS, GateName.QUALITY))
    assert (last.gates, last.max_duration_s) == ((), None)


def test_short_stages_stay_short(compile_parts: Compile) -> None:
    """A written maximum takes the minimum that nobody wrote with it."""
    plan = _compile(compile_parts, "{at: 10%, max_duration: 1h}, {at: 100%}").plans["r"]
    assert isinstance(plan, RolloutPlan)
    assert (plan.stages[0].min_duration_s, plan.stages[0].max_duration_s) == (3600, 3600)


def test_shadow_gate_can_be_changed(compile_parts: Compile) -> None:
    """Copies that came out worse may roll back at once; a stage without gates passes by time."""
    stages = "{at: shadow, gates: []}, {at: 10%}, {at: 100%}"
    more = ", gates: {shadow: {on_fail: rollback}}"
    plan = _compile(compile_parts, stages, more=more, route="shadows: [{variant: b}]").plans["r"]
    assert isinstance(plan, RolloutPlan) and plan.stages[0].gates == ()
    asked = _compile(compile_parts, stages.replace(", gates: []", ""), more=more, route="shadows: [{variant: b}]")
    plan = asked.plans["r"]
    assert isinstance(plan, RolloutPlan) and plan.gates[GateName.SHADOW].on_fail is OnFail.ROLLBACK
