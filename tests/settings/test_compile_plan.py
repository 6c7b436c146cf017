"""Plans of rollouts and splits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.domain.release import Arm, ReleaseKind, Role, SlotRange
from gateway.domain.rollout import ChangeType, Control, PlannedLooks, RolloutPlan, SplitPlan
from gateway.errors import ConfigError
from gateway.settings.compile import Compiled

Compile = Callable[..., Compiled]
_METRICS = "metrics: {thumbs: {kind: binary, role: satisfaction}, done: {kind: binary, role: task_completion}}"
_B = "{like: a, params: {set: {temperature: 0}}}"


def _rollout(more: str = "", change: str = "change_type: prompt_wording") -> str:
    return f"{{rollout: {{baseline: a, candidate: b, {change}{more}}}}}"


def _plan(compiled: Compiled) -> RolloutPlan:
    plan = compiled.plans["r"]
    assert isinstance(plan, RolloutPlan)
    return plan


def test_three_lines_are_a_plan(compile_parts: Compile) -> None:
    """Everything else has a default, and nothing is warned of."""
    compiled = compile_parts(b=_B, release=_rollout(), top=_METRICS)
    plan = _plan(compiled)
    assert compiled.warnings == ()
    assert [stage.label for stage in plan.stages] == ["10%", "50%", "100%"]
    assert (plan.quality_metrics, plan.primary_metric, len(plan.signals)) == (("thumbs", "done"), "thumbs", 6)


def test_release_is_canonical(compile_parts: Compile) -> None:
    """Two arms, the candidate first with nothing, whatever was remembered."""
    split = compile_parts(b=_B, release="{split: {arms: {a: 40%, b: 60%}}}")
    release = compile_parts(split.allocations, b=_B, release=_rollout(), top=_METRICS).routes[0].release
    assert release.kind is ReleaseKind.ROLLOUT
    assert release.arms == (Arm("b", Role.CANDIDATE, 0), Arm("a", Role.BASELINE, 10_000))
    assert release.ranges == (SlotRange(0, 10_000, 1),)


def test_split_comes_back_after_a_rollout(compile_parts: Compile) -> None:
    """Its users are where they were."""
    split = "{split: {arms: {a: 40%, b: 60%}}}"
    first = compile_parts(b=_B, release=split)
    between = compile_parts(first.allocations, b=_B, release=_rollout(), top=_METRICS)
    back = compile_parts(between.allocations, b=_B, release=split)
    assert back.routes[0].release.ranges == first.routes[0].release.ranges


def test_thresholds_are_no_content(compile_parts: Compile) -> None:
    """A latch outlives a changed threshold, and not a changed variant."""
    parts = {"release": _rollout(), "top": _METRICS}
    content = _plan(compile_parts(b=_B, **parts)).content
    changed = _rollout(", gates: {quality: {margin: 7%}}, signals: {cost: off}, control: equal")
    assert _plan(compile_parts(b=_B, release=changed, top=_METRICS)).content == content
    assert _plan(compile_parts(b="{like: a, model: n}", **parts)).content != content


def test_everything_may_be_written(compile_parts: Compile) -> None:
    """Numbers of the file win over the article's."""
    more = (
        ", control: equal, holdback: {share: 5%, for: 1d}, on_insufficient: hold, primary_metric: done,"
        " stages: [{at: 20%, min_duration: 1h, min_users: 7, gates: [errors, primary]},"
        " {at: 50%, approve: true}, {at: 100%}]"
    )
    plan = _plan(compile_parts(b=_B, release=_rollout(more), top=_METRICS))
    assert (plan.stages[0].min_duration_s, plan.stages[0].max_duration_s, plan.stages[0].min_users) == (3600, 10_800, 7)
    assert (plan.control, plan.holdback.share, plan.primary_metric) == (Control.EQUAL, 500, "done")
    assert plan.stages[1].needs_approval


def test_written_stages_need_no_type(compile_parts: Compile) -> None:
    """Then it is told by what differs."""
    release = _rollout("", "stages: [{at: 10%}, {at: 100%}]")
    plan = _plan(compile_parts(b="{like: a, model: n}", release=release, top=_METRICS))
    assert plan.change_type is ChangeType.MODEL_SWAP_DIFFERENT_TIER


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (", control: equal, stages: [{at: 60%}, {at: 100%}]", "beside 60% there is no room"),
        (", holdback: {share: 60%}", "60% held back is no rollout"),
        (", quality_metrics: [thmbs]", "there is no metric 'thmbs'; did you mean 'thumbs'"),
    ],
)
def test_nonsense_is_refused(compile_parts: Compile, more: str, problem: str) -> None:
    """With the way out."""
    with pytest.raises(ConfigError, match=problem):
        compile_parts(b=_B, release=_rollout(more), top=_METRICS)


def test_nothing_is_careful_by_itself(compile_parts: Compile) -> None:
    """Neither stages nor a type: that is no plan."""
    with pytest.raises(ConfigError, match="nothing says how carefully; add change_type"):
        compile_parts(b=_B, release=_rollout("", "holdback: {share: 1%}"), top=_METRICS)


def test_candidate_is_no_fallback(compile_parts: Compile) -> None:
    """Else it would answer users it has not reached."""
    with pytest.raises(ConfigError, match="would answer users it has not reached"):
        compile_parts(b=_B, release=_rollout(), top=_METRICS, route="fallback: [b]")


def test_vectors_are_not_mixed(compile_parts: Compile) -> None:
    """Two variants of one embedding model may still differ in dimensions."""
    with pytest.raises(ConfigError, match="vectors of two variants"):
        compile_parts(
            a="{model: text-embedding-3-small}", b="{like: a, params: {set: {dimensions: 9}}}", release=_rollout()
        )


def test_internal_stage_needs_somebody(compile_parts: Compile) -> None:
    """Without internal users the first stage would never be left."""
    release = _rollout("", "change_type: new_feature")
    with pytest.raises(ConfigError, match="there are none: it would never be left"):
        compile_parts(b=_B, release=release, top=_METRICS)
    top = f"{_METRICS}\nidentity: {{internal_users: [ana]}}"
    assert _plan(compile_parts(b=_B, release=release, top=top)).stages[0].label == "internal"


def test_no_metric_is_said(compile_parts: Compile) -> None:
    """What cannot be seen is warned of, once each."""
    problems = [warning.problem for warning in compile_parts(b=_B, release=_rollout()).warnings]
    assert any("only errors and safety decide" in problem for problem in problems)
    assert any("thumbs_down and task_completion watch nothing" in problem for problem in problems)


def test_same_content_is_said(compile_parts: Compile) -> None:
    """Nothing to roll out is no error, and worth a word."""
    (warning,) = compile_parts(release=_rollout(), top=_METRICS).warnings
    assert "there is nothing to roll out" in warning.problem


def test_splits_are_watched(compile_parts: Compile) -> None:
    """Every arm has a content of its own; safety stops at two points unless told otherwise."""
    plan = compile_parts(b=_B, release="{split: {arms: {a: 40%, b: 60%}, stop_on_safety: 3pp}}").plans["r"]
    assert isinstance(plan, SplitPlan)
    assert (plan.baseline, plan.stop_on_safety, plan.min_users) == ("a", 0.03, 1_000)
    assert len(dict(plan.contents)) == 2 and len(set(dict(plan.contents).values())) == 2


def test_split_declares_segments(compile_parts: Compile) -> None:
    """A split's report knows every metric of the file, and which segments were named beforehand."""
    top = f"{_METRICS}\nidentity: {{segments: {{plan: 'header:x-plan', locale: 'header:x-locale'}}}}"
    split = "{split: {arms: {a: 40%, b: 60%}, segments: [plan]}}"
    plan = compile_parts(b=_B, release=split, top=top).plans["r"]
    assert isinstance(plan, SplitPlan)
    assert (plan.segments, plan.primary_metric, set(plan.metrics)) == (("plan",), None, {"thumbs", "done"})


def test_planned_looks_of_a_split(compile_parts: Compile) -> None:
    """They are about the primary metric: without one there is nothing to look at."""
    split = "{split: {arms: {a: 40%, b: 60%}, planned: {users: 20000, looks: 4}, MORE}}"
    plan = compile_parts(b=_B, release=split.replace("MORE", "primary_metric: thumbs"), top=_METRICS).plans["r"]
    assert isinstance(plan, SplitPlan) and plan.planned == PlannedLooks(20_000, 4)
    with pytest.raises(ConfigError, match="add primary_metric"):
        compile_parts(b=_B, release=split.replace(", MORE", ""), top=_METRICS)


def test_unknown_segment_of_a_split(compile_parts: Compile) -> None:
    """A segment that identity does not have is an error that names it."""
    with pytest.raises(ConfigError, match="plam"):
        compile_parts(b=_B, release="{split: {arms: {a: 40%, b: 60%}, segments: [plam]}}", top=_METRICS)
