"""What a scenario says of a moment."""

from __future__ import annotations

from dataclasses import replace

from gateway.simulator.world.scenario import BOTH, Fault, Opinion, Scenario, Treatment


def test_faults_strike_their_arm(scenario: Scenario) -> None:
    """A fault changes its arm while it lasts, and nobody before the candidate has users."""
    late = replace(scenario, faults=(Fault(3_600.0, 60.0, changes={"errors": 1.0}),))
    found = [late.treatment("candidate", at_s).errors for at_s in (None, 3_599.0, 3_600.0, 3_660.0)]
    assert found == [0.02, 0.02, 1.0, 0.02]
    assert late.treatment("baseline", 3_600.0) == scenario.baseline


def test_outages_strike_both(scenario: Scenario) -> None:
    """A provider's fault is on both arms."""
    outage = replace(scenario, faults=(Fault(0.0, 60.0, BOTH, {"errors": 0.6}),))
    assert {outage.treatment(arm, 1.0).errors for arm in ("baseline", "candidate")} == {0.6}


def test_faults_spare_no_segment() -> None:
    """What a fault changes is the same in every segment; what it leaves alone stays different."""
    treated = Treatment(segments={"plan=paid": {"errors": 0.05, "unsafe": 0.1}})
    fault = Fault(0.0, 60.0, changes={"errors": 1.0})
    struck = Scenario("x", candidate=treated, faults=(fault,)).treatment("candidate", 0.0)
    assert struck.within("plan=paid") == replace(treated, errors=1.0, unsafe=0.1, segments={})


def test_faults_change_opinions() -> None:
    """An opinion that a fault changes replaces one; the others stay."""
    treated = Treatment(opinions={"a": Opinion(0.8), "b": Opinion(0.7)})
    fault = Fault(0.0, 60.0, changes={"opinions": {"a": Opinion(0.1)}})
    struck = Scenario("x", candidate=treated, faults=(fault,)).treatment("candidate", 0.0)
    assert {name: each.good for name, each in struck.opinions.items()} == {"a": 0.1, "b": 0.7}


def test_edges_are_in_order(scenario: Scenario) -> None:
    """Every beginning and end of a fault is an edge, once."""
    faults = (Fault(60.0, 60.0), Fault(0.0, 120.0))
    assert replace(scenario, faults=faults).edges_s() == (0.0, 60.0, 120.0)
