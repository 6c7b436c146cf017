"""Signals."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.domain.rollout import Action, RolloutPlan, Signal
from gateway.errors import ConfigError
from gateway.settings.compile import Compiled

Compile = Callable[..., Compiled]
_METRICS = (
    "metrics: {thumbs: {kind: binary, role: satisfaction}, done: {kind: binary, role: task_completion},"
    " s: {kind: score, range: [0, 1]}}"
)


def _signals(compile_parts: Compile, written: str = "") -> dict[str, Signal]:
    release = f"{{rollout: {{baseline: a, candidate: b, change_type: prompt_wording, signals: {{{written}}}}}}}"
    plan = compile_parts(b="{like: a, model: n}", release=release, top=_METRICS).plans["r"]
    assert isinstance(plan, RolloutPlan)
    return {signal.name: signal for signal in plan.signals}


def test_defaults_are_the_articles(compile_parts: Compile) -> None:
    """Six signals with their thresholds."""
    signals = _signals(compile_parts)
    assert {name: signal.ratio for name, signal in signals.items()} == {
        "error_rate": 2, "safety": 2, "thumbs_down": 1.5, "task_completion": 0.9, "cost": 1.5, "latency_p95": 2,
    }  # fmt: skip
    assert (signals["error_rate"].floor, signals["safety"].floor) == (0.002, 0)
    assert (signals["thumbs_down"].step_back_to, signals["task_completion"].step_back_to) == (500, 2_500)


def test_each_may_be_switched_off(compile_parts: Compile) -> None:
    """`off` and `false` are one thing."""
    assert set(_signals(compile_parts, "cost: off, safety: false")) == {
        "error_rate", "thumbs_down", "task_completion", "latency_p95",
    }  # fmt: skip


def test_each_may_be_changed(compile_parts: Compile) -> None:
    """What is not written stays."""
    written = (
        "error_rate: {ratio: 3, floor: 1%}, task_completion: {drop: 20%, action: {step_back: 10%}},"
        " latency_p95: {sustained: 1h, ux_impacting: false}, thumbs_down: {metric: done, action: rollback}"
    )
    signals = _signals(compile_parts, written)
    assert (signals["error_rate"].ratio, signals["error_rate"].floor, signals["error_rate"].alpha) == (3, 0.01, 0.004)
    assert (signals["task_completion"].ratio, signals["task_completion"].step_back_to) == (0.8, 1_000)
    assert (signals["latency_p95"].action, signals["latency_p95"].window_s) == (Action.ALERT, 3600)
    assert (signals["thumbs_down"].metric, signals["thumbs_down"].step_back_to) == ("done", None)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("eror_rate: off", "there is no signal 'eror_rate'; did you mean 'error_rate'"),
        ("safety: {ratio: 1.02}", "takes millions of users to see; .*stop_on_safety: 2pp"),
        ("cost: {floor: 1%}", "`floor` says nothing about cost"),
        ("thumbs_down: {metric: s}", "no value of 's' is good or bad"),
        ("thumbs_down: {metric: thmbs}", "did you mean 'thumbs'"),
        ("thumbs_down: {action: {step_back: 7%}}", "7% is no share to step back to; write one of 5%, 10%, 25%, 50%"),
        ("task_completion: {drop: 100%}", "no drop that is seen"),
        ("cost: {window: 0s}", "nothing is seen in no time"),
    ],
)
def test_nonsense_is_refused(compile_parts: Compile, written: str, problem: str) -> None:
    """With the way out."""
    with pytest.raises(ConfigError, match=problem):
        _signals(compile_parts, written)
