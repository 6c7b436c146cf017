"""The picture."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from gateway.domain.rollout import RolloutPlan
from gateway.simulator.world.many import run_trials
from gateway.simulator.world.plot import render_svg, weight_at
from gateway.simulator.world.scenario import Scenario
from gateway.simulator.world.trial import Trial
from gateway.simulator.world.world import Harm


def test_picture_is_well_formed(plan: RolloutPlan, broken: Scenario) -> None:
    """It is XML, names what it shows, and marks what was decided."""
    summary = run_trials(plan, replace(broken, name="<broken>", lasts_s=6 * 3_600.0), 2, processes=1)
    drawn = render_svg(summary)
    root = ElementTree.fromstring(drawn)
    assert "are rolled back" in root.attrib["aria-label"]
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"<broken>", "100 %", "hours", "rolled back"} <= set(texts)
    assert "NaN" not in drawn and "nan" not in drawn


def test_weights_hold_until_they_change() -> None:
    """A weight is in force until the next; a run that was cut off says nothing of later."""
    run = Trial(0, "progressing", "1%", 100, ((1, 100), (50, 500)), (), Harm(0, 0, 0, 0), None)
    assert [weight_at(run, minute) for minute in (0, 1, 49, 50, 100, 101)] == [0.0, 1.0, 1.0, 5.0, 5.0, None]
    assert weight_at(replace(run, phase="rolled_back"), 101) == 5.0
