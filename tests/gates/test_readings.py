"""How signals stand, in words."""

from gateway.gates.cost import CostRules
from gateway.gates.facts import ArmFacts, Incident, Judged
from gateway.gates.failing import FailingRules
from gateway.gates.latency import LatencyRules
from gateway.gates.margin import MarginRule
from gateway.gates.ratings import RatingRules
from gateway.gates.readings import cost_reading, failing_reading, latency_reading, margin_reading, rating_reading
from tests.gates.crowd import COST, DONE, DOWN, ERRORS, LATENCY, comparison


def failing(share: float, *, is_crowd: bool = True) -> tuple[str, str | None]:
    """Read errors after a minute: state, and why it is inactive."""
    rules = FailingRules(ERRORS, comparison(ERRORS), since_ms=0)
    one = ArmFacts(500, [Incident(0, at) for at in range(12)], [], [Judged(1, is_failed=False)])
    two = ArmFacts(9_500, [Incident(0, 10**6 + at) for at in range(190)], [], [Judged(2, is_failed=False)])
    rules.include(0, epoch=0, share=share, candidate=one, baseline=two)
    reading = failing_reading(rules, ERRORS, "new", alpha=0.004, is_crowd=is_crowd)
    return reading.state, reading.inactive


def test_failing_in_words() -> None:
    """The ratio, the line, the evidence and the users, against what is needed of each."""
    state, inactive = failing(0.05)
    assert state.startswith("1.2 × baseline; acts above 2 ×; evidence 0.")
    assert state.endswith("of 250 needed; 12 of 3 failing users")
    assert inactive is None


def test_failing_inactive() -> None:
    """No share, no baseline and no crowd are said."""
    assert failing(0.0)[1] == "the candidate has no share of users to compare"
    assert failing(1.0)[1] == "no baseline is left and none was seen before: only a total outage can act"
    assert failing(0.5, is_crowd=False)[1] == "fewer than 20 users seen: no quick test is valid with so few"


def test_others_begin_inactive() -> None:
    """Before anybody came, the others say what they need and act at, and hold no number for one."""
    both = comparison()
    readings = [
        rating_reading(RatingRules(DOWN, both, since_ms=0), DOWN, "new", alpha=0.02),
        rating_reading(RatingRules(DONE, both, since_ms=0), DONE, "new", alpha=0.02),
        latency_reading(LatencyRules(LATENCY, since_ms=0), LATENCY, "new"),
        cost_reading(CostRules(COST, both, since_ms=0), COST, "new"),
        margin_reading(MarginRule(), 0.02, "new"),
    ]
    assert all(reading.inactive and reading.value is None for reading in readings)
    assert [reading.threshold for reading in readings] == [1.5, 0.9, 2.0, 1.5, 0.02]
    assert "acts below 0.9 × when the bound is below 1" in readings[1].state
