"""A route shows its variant and limits its bodies unless the file says otherwise."""

from gateway.domain.release import Arm, Release, ReleaseKind, Role, SlotRange, Unit
from gateway.domain.route import Expose, ExposeModel, Route


def test_route_defaults() -> None:
    """No fallback, 32 MiB, the variant in a header, the model as served."""
    arm = Arm("only", Role.BASELINE, 10_000)
    release = Release("r", ReleaseKind.FIXED, Unit.USER, (arm,), (SlotRange(0, 10_000, 0),))
    route = Route("r", {}, release)
    assert (route.fallback, route.max_body_bytes) == ((), 33_554_432)
    assert route.expose == Expose(variant=True, model=ExposeModel.SERVED)
