"""A report as a value: what it is of, and when nothing in it is a result."""

from __future__ import annotations

from dataclasses import replace

from gateway.gates.experiment import ExperimentState, Question, RatioCheck, Recommendation
from tests.fakes.experiments import EVERY, SKEWED, clear_win, mismatched, three_arms


def test_alarm_withholds_any_verdict() -> None:
    """Whatever was decided, units that came otherwise than planned leave one answer: the reason."""
    careless = replace(clear_win(), ratio_check=SKEWED)
    assert careless.verdict.state is ExperimentState.BETTER and careless.is_withheld
    answer = careless.answer
    assert (answer.state, answer.recommendation) == (ExperimentState.INVALID, Recommendation.REPAIR)
    assert "6.7 %" not in f"{answer.headline}{answer.reason}{answer.arms}" and "48,211 to 1" in answer.headline


def test_invalid_is_withheld_without_a_check() -> None:
    """A verdict that is invalid for another reason withholds as well."""
    assert replace(mismatched(), ratio_check=None).is_withheld
    assert mismatched().answer is not None and not replace(clear_win(), ratio_check=None).is_withheld


def test_alarm_begins_at_the_limit() -> None:
    """As many odds as the limit says are an alarm; fewer are none."""
    found = [replace(clear_win(), ratio_check=RatioCheck(odds, 1_000.0)).is_withheld for odds in (999.9, 1_000.0)]
    assert found == [False, True]


def test_asked_by_question() -> None:
    """Effects are found by what they were asked for, and the primary one by its arm."""
    summary = three_arms()
    assert [each.arm for each in summary.asked(Question.PRIMARY)] == ["concise", "kind", "bigger"]
    found = summary.primary_of("bigger")
    assert found is not None and found.effect == -0.06 and summary.primary_of("nobody") is None
    assert len(summary.asked(Question.SECONDARY, Question.GUARDRAIL)) == 15 and summary.n_units == 20_006


def test_examples_are_what_they_say() -> None:
    """Verdicts of the examples come from the same rule as everybody's."""
    told = {make.__name__: str(make().verdict.recommendation) for make in EVERY}
    assert (
        told
        | {
            "clear_win": "ship",
            "keep_running": "keep_running",
            "harmful": "stop",
            "mismatched": "repair",
            "no_difference": "stop",
            "nothing_yet": "keep_running",
        }
        == told
    )
