"""Gates."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.domain.rollout import GateName, OnFail, Require, RolloutPlan
from gateway.errors import ConfigError
from gateway.settings.compile import Compiled

Compile = Callable[..., Compiled]


def _plan(compile_parts: Compile, gates: str = "", more: str = "") -> RolloutPlan:
    release = f"{{rollout: {{baseline: a, candidate: b, change_type: prompt_wording, gates: {{{gates}}}{more}}}}}"
    top = "metrics: {thumbs: {kind: binary, role: satisfaction}, said: {kind: text}}"
    plan = compile_parts(b="{like: a, model: n}", release=release, top=top).plans["r"]
    assert isinstance(plan, RolloutPlan)
    return plan


def test_rules_may_be_written(compile_parts: Compile) -> None:
    """What is not written stays as it was."""
    gates = _plan(compile_parts, "primary: {require: better, alpha: 0.01}, quality: {margin: 3%, on_fail: hold}").gates
    assert (gates[GateName.PRIMARY].require, gates[GateName.PRIMARY].alpha) == (Require.BETTER, 0.01)
    assert (gates[GateName.QUALITY].margin, gates[GateName.QUALITY].on_fail) == (0.03, OnFail.HOLD)
    assert gates[GateName.ERRORS].ratio == 2


def test_only_named_gates_have_rules(compile_parts: Compile) -> None:
    """And CRITICAL, which an internal stage asks by itself."""
    assert set(_plan(compile_parts, more=", quality_metrics: []").gates) == {GateName.CRITICAL, GateName.ERRORS}


@pytest.mark.parametrize(
    ("gates", "more", "problem"),
    [
        ("quality: {ratio: 2}", "", "`ratio` says nothing about the gate quality; it has alpha, margin, on_fail"),
        ("quality: {margin: 0%}", "", "a margin of 0% cannot be asked for"),
        ("errors: {ratio: 1}", "", "an equally good candidate would fail"),
        ("primary: {alpha: 0.5}", "", "alpha 0.5 is a coin's"),
        ("shadow: {margin: 5%}", "", "`margin` says nothing about the gate shadow; it has on_fail"),
        ("shadow: {on_fail: step_back}", "", "nobody has the candidate yet"),
        ("", ", primary_metric: said", "'said' is text"),
    ],
)
def test_nonsense_is_refused(compile_parts: Compile, gates: str, more: str, problem: str) -> None:
    """With the way out."""
    with pytest.raises(ConfigError, match=problem):
        _plan(compile_parts, gates, more)
