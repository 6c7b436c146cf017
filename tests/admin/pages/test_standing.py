"""How routes stand, put together."""

from __future__ import annotations

import pytest

from gateway.admin.pages.standing import headline_of, route_of, routes_now
from gateway.control.rollout import RolloutPhase
from tests.fakes.busy_operations import BusyOperations, LiveFacts, arm_of, live_numbers, live_route, numbers_of
from tests.fakes.quiet_operations import QuietOperations
from tests.processes.rollout_toys import ToyController, latch, rollout

P = RolloutPhase


def test_worst_comes_first() -> None:
    """What is stopped is above what waits, and that above what is well."""
    operations = BusyOperations(ToyController(a=rollout(P.ROLLED_BACK, weight=0, reason="too many errors")))
    operations.controller.latches = (latch(),)
    routes = routes_now(operations)
    assert routes[0]["route"] == "support" and routes[0]["tone"] == "bad"
    assert headline_of(routes) == "concise on support was rolled back by controller and gets nobody: too many errors."


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (P.PROGRESSING, "All 4 routes are served as the file says; support is at 10% and waits for 14 h more"),
        (P.AWAITING_APPROVAL, "a person has to say yes. It waits for a person: sluice approve support."),
        (P.PAUSED, "is paused. It waits for a person: sluice resume or rollback support."),
        (P.FINISHED, "All 4 routes are served as the file says."),
    ],
)
def test_headline_of_each_phase(phase: RolloutPhase, words: str) -> None:
    """The first line says what is true, and what is next."""
    assert words in headline_of(routes_now(BusyOperations(ToyController(a=rollout(phase)))))


def test_unknown_stays_unknown() -> None:
    """Without live numbers there are no rates, and none is taken for zero."""
    facts = route_of(BusyOperations(), "support")
    assert facts is not None and facts["n_requests"] is None and not facts["is_live"]
    assert {arm["error_pct"] for arm in facts["arms"]} == {None}


def test_live_numbers_are_joined() -> None:
    """Arms are the file's, with what traffic did beside them."""
    operations = BusyOperations()
    operations.live = live_numbers()
    facts = route_of(operations, "support")
    assert facts is not None and [(arm["arm"], arm["n_requests"]) for arm in facts["arms"]] == [
        ("current", 2_200),
        ("concise", 240),
    ]
    assert facts["n_requests"] == 2_440


def test_a_bad_rate_is_a_concern() -> None:
    """Three times the baseline's errors, not tripped yet, is said before any gate says it."""
    operations = BusyOperations(ToyController(a=rollout(P.COMPLETE)))
    bad = arm_of("concise", "candidate", 10, **numbers_of(240, 3.4, error_ratio=3.1))
    operations.live = LiveFacts(live_route("support", arm_of("current", "baseline", 90, **numbers_of(900, 1.1)), bad))
    routes = routes_now(operations)
    assert routes[0]["route"] == "support" and routes[0]["tone"] == "warn"
    assert headline_of(routes) == "concise on support does worse than its baseline (error); nothing was stopped yet."


def test_stopped_arm_of_a_split() -> None:
    """A split's arm that was stopped makes its route a bad one."""
    operations = BusyOperations()
    operations.controller.latches = (latch(release="sales", arm="new"),)
    facts = route_of(operations, "sales")
    assert facts is not None and facts["tone"] == "bad"
    assert [arm["arm"] for arm in facts["arms"] if arm["is_stopped"]] == ["new"]


def test_nothing_is_configured() -> None:
    """A gateway without routes says so."""
    assert routes_now(QuietOperations()) == [] and "No route" in headline_of([])
    assert route_of(QuietOperations(), "support") is None


def test_an_outage_is_said_first() -> None:
    """A route whose only arm fails has no baseline to be worse than, and is still the first thing to know."""
    operations = BusyOperations()
    operations.live = LiveFacts(live_route("search", arm_of("only", "baseline", 100, **numbers_of(77, 100.0))))
    routes = routes_now(operations)
    assert (routes[0]["route"], routes[0]["tone"]) == ("search", "bad")
    assert headline_of(routes) == "only on search fails 100 % of its requests."
