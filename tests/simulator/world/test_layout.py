"""Who gets what."""

from __future__ import annotations

from gateway.domain.rollout import RolloutPlan, SplitPlan
from gateway.domain.standing import Standing
from gateway.simulator.world.layout import UNCOMPARED, candidates_of, layout_of, release_of


def _standing(weight: int, epoch: int = 1, **more: object) -> Standing:
    weights = (("current", 10_000 - weight), ("concise", weight))
    return Standing("support-v8", weights, epoch, **more)  # type: ignore[arg-type]


def test_ramps_are_nested(plan: RolloutPlan) -> None:
    """Whoever has the candidate at 1 % has it at 5 %."""
    release = release_of(plan)
    one, five = (layout_of(release, _standing(weight)) for weight in (100, 500))
    assert one.weights == {"current": 9_900, "concise": 100}
    assert (five.arm_of[one.arm_of == 1] == 1).all()


def test_rest_is_not_compared(plan: RolloutPlan) -> None:
    """Beside a control slice, the rest of the baseline counts for nobody."""
    layout = layout_of(release_of(plan), _standing(500, control=500))
    assert layout.weights == {"current": 500, "concise": 500}
    assert (layout.arm_of == UNCOMPARED).sum() == 9_000


def test_latched_arms_get_nothing(plan: RolloutPlan) -> None:
    """Once the breaker is closed, everybody has the baseline and nobody is compared."""
    layout = layout_of(release_of(plan), _standing(500, latched=("concise",)))
    assert layout.weights == {"current": 0, "concise": 0}


def test_internal_users_are_apart(plan: RolloutPlan) -> None:
    """An internal stage is no share of the users."""
    layout = layout_of(release_of(plan), _standing(0, internal_arm="concise"))
    assert (layout.is_internal, layout.weights["concise"]) == (True, 0)
    assert layout.equals(layout) and not layout.equals(layout_of(release_of(plan), _standing(0)))


def test_splits_have_many_arms() -> None:
    """A split's arms own what the file says."""
    weights = (("a", 5_000), ("b", 3_000), ("c", 2_000))
    split = SplitPlan("s", "r", "a", weights, (), ())
    layout = layout_of(release_of(split), Standing("s", weights))
    assert layout.weights == dict(weights)
    assert candidates_of(split) == ("b", "c")
