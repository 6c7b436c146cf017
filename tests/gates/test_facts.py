"""Facts as trips get them."""

from gateway.gates.facts import RECENT, ArmFacts, Facts, Judged


def test_arm_starts_empty() -> None:
    """Nothing is known of an arm until somebody says it, and no two arms share what they know."""
    one, two = ArmFacts(), ArmFacts()
    one.recent.append(Judged(1, is_failed=True))
    assert (one.requests, two.recent) == (0, [])


def test_judged_is_safe() -> None:
    """A request is safe unless somebody says otherwise."""
    assert Judged(7, is_failed=False) == (7, False, False)


def test_recent_covers_run() -> None:
    """As many requests are listed as the rule about total outages looks at, and more."""
    assert RECENT > 2 * 20


def test_absent_arm() -> None:
    """An arm of which nothing is known is absent, not empty."""
    assert Facts("r", 0, {"new": 500}, 0, 1000, {}).arms.get("new") is None
