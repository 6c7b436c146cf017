"""What experiments beyond a plain split are about."""

from __future__ import annotations

from gateway.domain.adaptive import BanditPlan
from gateway.domain.release import ReleaseKind
from gateway.domain.rollout import SplitPlan


def test_slice_is_exact() -> None:
    """A share that a float cannot hold still gives whole buckets."""
    assert [BanditPlan("m", explore=share).slice_buckets for share in (0.1, 0.07, 0.5)] == [1_000, 700, 5_000]


def test_kind_follows_from_the_plan() -> None:
    """Whoever has a bandit's plan is one, and divides its own traffic."""
    bandit = SplitPlan("s", "r", "a", (("a", 10_000),), (("a", ""),), (), bandit=BanditPlan("m"))
    assert (bandit.kind, bandit.is_adaptive) == (ReleaseKind.BANDIT, True)
    split = SplitPlan("s", "r", "a", (("a", 10_000),), (("a", ""),), ())
    assert (split.kind, split.is_adaptive) == (ReleaseKind.SPLIT, False)
