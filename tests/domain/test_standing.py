"""A standing is a value: equal when nothing would change, so that nothing is published twice."""

from gateway.domain.standing import Standing


def test_equal_by_value() -> None:
    """Two standings that say the same are the same."""
    weights = (("new", 500), ("old", 9_500))
    assert Standing("support", weights, epoch=3) == Standing("support", tuple(weights), epoch=3)
    assert Standing("support", weights, epoch=3) != Standing("support", weights, epoch=4)
