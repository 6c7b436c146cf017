"""Shadows on a route."""

from __future__ import annotations

import pytest

from gateway.domain.release import Arm, Release, ReleaseKind, Role, SlotRange, Unit
from gateway.domain.route import Route
from gateway.domain.shadow import JudgeRule, Shadow


@pytest.mark.parametrize(("shares", "largest"), [((), 0), ((500,), 500), ((500, 2_000, 0), 2_000)])
def test_largest_share(shares: tuple[int, ...], largest: int) -> None:
    """A worker copies what any of the shadows wants."""
    shadows = tuple(Shadow(f"v{index}", n_buckets) for index, n_buckets in enumerate(shares))
    arms = (Arm("v0", Role.BASELINE, 10_000),)
    release = Release("r", ReleaseKind.FIXED, Unit.USER, arms, (SlotRange(0, 10_000, 0),))
    assert Route("r", {}, release, shadows=shadows).copied_buckets == largest


def test_rubrics_are_not_shown() -> None:
    """A rubric is a prompt."""
    assert "secret" not in repr(JudgeRule("judge", rubric="secret"))
