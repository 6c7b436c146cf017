"""Releases."""

from __future__ import annotations

from collections.abc import Callable

from gateway.domain.release import Arm, Release, ReleaseKind, Role, SlotRange, Unit
from gateway.settings.compile import Compiled

Compile = Callable[..., Compiled]


def _split(a: int) -> str:
    return f"{{split: {{arms: {{a: {a}%, b: {100 - a}%}}}}}}"


def _owned(release: Release, arm: int) -> set[int]:
    return {slot for part in release.ranges if part.arm == arm for slot in range(part.start, part.end)}


def test_fixed_is_one_arm(compile_parts: Compile) -> None:
    """It owns everything."""
    release = compile_parts(release="{fixed: {variant: b}}").routes[0].release
    assert (release.kind, release.arms) == (ReleaseKind.FIXED, (Arm("b", Role.BASELINE, 10_000),))
    assert release.ranges == (SlotRange(0, 10_000, 0),)


def test_growing_takes_nobody_out(compile_parts: Compile) -> None:
    """5 ⊂ 25 ⊂ 50 %, and the epoch counts."""
    first = compile_parts(release=_split(95))
    second = compile_parts(first.allocations, release=_split(75))
    third = compile_parts(second.allocations, release=_split(50))
    slots = [_owned(each.routes[0].release, 1) for each in (first, second, third)]
    assert slots[0] < slots[1] < slots[2]
    assert [each.routes[0].release.epoch for each in (first, second, third)] == [0, 1, 2]


def test_same_weights_change_nothing(compile_parts: Compile) -> None:
    """Compiling again gives the same release and nothing new to write down."""
    first = compile_parts()
    second = compile_parts(first.allocations)
    assert (second.routes, second.allocations) == (first.routes, first.allocations)


def test_order_moves_nobody(compile_parts: Compile) -> None:
    """Arms are remembered by name, not by place."""
    first = compile_parts(release="{split: {arms: {a: 70%, b: 30%}, baseline: a}}")
    second = compile_parts(first.allocations, release="{split: {arms: {b: 30%, a: 70%}, baseline: a}}")
    assert _owned(first.routes[0].release, 1) == _owned(second.routes[0].release, 0)
    assert second.routes[0].release.epoch == 0


def test_split_comes_back(compile_parts: Compile) -> None:
    """After a detour over `fixed`, users are where they were."""
    first = compile_parts(release=_split(70))
    fixed = compile_parts(first.allocations, release="{fixed: {variant: a}}")
    back = compile_parts(fixed.allocations, release=_split(70))
    assert back.routes[0].release.ranges == first.routes[0].release.ranges
    assert back.routes[0].release.epoch == 2


def test_audience_is_text(compile_parts: Compile) -> None:
    """Values are what a request's segments look like; one may stand alone."""
    top = "identity: {segments: {plan: header:x-plan, ill: {match: x}}}"
    release = "{unit: conversation, audience: {plan: [free, 3], ill: true}, fixed: {variant: a}}"
    made = compile_parts(release=release, top=top).routes[0].release
    assert dict(made.audience) == {"plan": {"free", "3"}, "ill": {"true"}}
    assert made.unit is Unit.CONVERSATION
