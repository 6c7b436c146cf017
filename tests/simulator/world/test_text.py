"""Summaries in words."""

from __future__ import annotations

from dataclasses import replace

import orjson

from gateway.domain.rollout import RolloutPlan
from gateway.simulator.world.many import run_trials
from gateway.simulator.world.scenario import Scenario
from gateway.simulator.world.summary import TrialSummary
from gateway.simulator.world.text import plain_of, render_text, sentence_of


def summary_of(plan: RolloutPlan, scenario: Scenario) -> TrialSummary:
    """Give the summary of two short runs."""
    return run_trials(plan, replace(scenario, lasts_s=6 * 3_600.0), 2, processes=1)


def test_sentence_comes_first(plan: RolloutPlan, broken: Scenario) -> None:
    """What, how sure, how soon, at whose cost; then the numbers behind it."""
    summary = summary_of(plan, broken)
    text = render_text(plan, broken, summary)
    assert text.startswith("In broken, 100 % of 2 runs of support-v8 are rolled back; error_rate (")
    assert "min after it goes wrong" in text and "users were harmed" in text
    assert "stage" in text and "rolled back" in text


def test_unmet_expectations_stand_out(plan: RolloutPlan, broken: Scenario) -> None:
    """A scenario that did not go as expected says so in its first sentence."""
    summary = summary_of(plan, replace(broken, expect={"rolled_back": "== 0%"}))
    assert sentence_of(summary).endswith("Not as expected: rolled_back == 0%.")
    assert "NOT AS EXPECTED: rolled_back == 0% (it is 100 %)" in render_text(plan, broken, summary)


def test_silence_is_said(plan: RolloutPlan, scenario: Scenario) -> None:
    """A metric of the plan that the scenario leaves out is named: its gates cannot tell."""
    silent = replace(scenario, baseline=replace(scenario.baseline, opinions={}), candidate=scenario.baseline)
    silent = replace(silent, candidate=silent.baseline)
    assert "Nobody says anything about thumbs, faithfulness" in render_text(plan, silent, summary_of(plan, silent))


def test_scripts_get_everything(plan: RolloutPlan, broken: Scenario) -> None:
    """JSON holds every run and every decision, seconds and shares as numbers."""
    told = orjson.loads(orjson.dumps(plain_of(summary_of(plan, broken))))
    assert (told["runs"], told["values"]["rolled_back"]) == (2, 1.0)
    assert told["values"]["detect_median_s"] > 0
    assert {each["kind"] for each in told["trials"][1]["decisions"]} == {"started", "rolled_back"}
