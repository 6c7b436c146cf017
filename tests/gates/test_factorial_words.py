"""Factorial verdicts in sentences."""

from __future__ import annotations

import pytest

from gateway.gates.experiment import ExperimentState, Recommendation, Scale
from gateway.gates.factorial import Arrivals, FactorialEvidence, decide_factorial
from gateway.gates.factorial_effects import FactorialRule
from gateway.gates.factorial_words import (
    experiment_verdict,
    least_at_a_level,
    main_words,
    name_of_effect,
    verdict_words,
)
from gateway.stats.factorial_sums import CellSums, sums_of_cells

RULE = FactorialRule({"prompt": ["kind", "terse"], "model": ["big", "small"]}, planned_units=8_000, smallest=0.04)
THREE = FactorialRule({"prompt": ["a", "b", "c"], "model": ["x", "y"]}, planned_units=8_000, smallest=0.04)


def evidence_of(n: int, *rates: float, arrivals: tuple[Arrivals, ...] = ()) -> FactorialEvidence:
    """Give as many users per cell, of these rates."""
    return FactorialEvidence(sums_of_cells([CellSums(n, n * rate, n * rate) for rate in rates]), arrivals)


def words_of(n: int, *rates: float, rule: FactorialRule = RULE) -> str:
    """Say what as many users per cell show."""
    return "\n".join(verdict_words(decide_factorial(evidence_of(n, *rates), rule), rule))


def test_main_effect() -> None:
    """A found effect has its size and interval, whatever the other factor, once that is known."""
    said = words_of(40_000, 0.70, 0.70, 0.80, 0.80)
    assert said.startswith("Go on with prompt=terse,model=big. Prompt terse in place of kind adds 10.0 points (9.2 to")
    assert "prompt terse in place of kind adds 10.0 points (9.2 to 10.8), whatever the model." in said
    assert "model small in place of big makes no difference that matters: +0.0 points (−0.8 to +0.8)." in said
    assert "No two factors depend on each other by as much as" in said


def test_on_average() -> None:
    """While an interplay cannot be excluded an effect is one on average, and how large it could be is said."""
    said = words_of(2_000, 0.70, 0.70, 0.80, 0.80)
    assert "on average over model." in said
    assert "cannot be excluded" in said


def test_turned() -> None:
    """What is said is what the new does in place of the baseline's, whichever stands first."""
    rule = FactorialRule(RULE.factors, 8_000, 0.04, baseline=3)
    assert "prompt kind in place of terse takes away 10.0 points (9.2 to 10.8)" in words_of(
        40_000, 0.70, 0.70, 0.80, 0.80, rule=rule
    )


def test_interaction() -> None:
    """A found interaction says what the one does with either of the other, and averages are called such."""
    said = words_of(10_000, 0.70, 0.80, 0.80, 0.72)
    assert "prompt terse in place of kind: +10.0 points with model big, −8.0 points with small; a difference of" in said
    assert "Prompt and model depend on each other, so averages mislead." in said
    assert "on average only: it depends on" in words_of(10_000, 0.60, 0.70, 0.80, 0.99)


def test_early() -> None:
    """Before the burn-in there is one sentence; before anything is known, that is said."""
    assert words_of(10, 0.5, 0.5, 0.5, 0.5).startswith("Keep it running: every combination needs 20 users")
    assert "too few users to say anything" in words_of(30, 0.5, 0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("rates", "state", "what"),
    [
        ((0.7, 0.7, 0.8, 0.8), ExperimentState.BETTER, Recommendation.SHIP),
        ((0.8, 0.8, 0.7, 0.7), ExperimentState.WORSE, Recommendation.STOP),
        ((0.8, 0.8, 0.8, 0.8), ExperimentState.NO_DIFFERENCE, Recommendation.STOP),
        ((0.800, 0.800, 0.835, 0.835), ExperimentState.BETTER, Recommendation.SHIP),
    ],
)
def test_as_every_experiment(rates: tuple[float, ...], state: ExperimentState, what: Recommendation) -> None:
    """The verdict is one of those that every report knows, cells being the arms; its time is waited for."""
    verdict = decide_factorial(evidence_of(40_000, *rates), RULE)
    told = experiment_verdict(verdict, RULE)
    assert (told.state, told.recommendation) == (state, what)
    changed = {f"prompt=terse,model={model}" for model in ("big", "small") if rates[2] != rates[0]}
    assert {arm.arm for arm in told.arms} == changed
    early = experiment_verdict(verdict, RULE, due_s=86_400.0)
    assert early.recommendation is Recommendation.KEEP_RUNNING
    assert "1 day more" in early.headline


def test_sure_so_far() -> None:
    """While the best of three levels is open, those that beat the baseline's already are named."""
    said = words_of(500, 0.70, 0.70, 0.83, 0.83, 0.84, 0.84, rule=THREE)
    assert said.startswith(
        "Keep it running: prompt and model are not settled yet. Already sure, on average: prompt b and c beat a."
    )


def test_waits_for_levels() -> None:
    """However sure, it waits for as many users at each level as the file asks for."""
    verdict = decide_factorial(evidence_of(4_000, 0.7, 0.7, 0.8, 0.8), RULE)
    assert least_at_a_level(verdict, RULE) == 8_000
    told = experiment_verdict(verdict, RULE, min_units=8_001)
    assert (told.state, told.recommendation) == (ExperimentState.BETTER, Recommendation.KEEP_RUNNING)
    assert experiment_verdict(verdict, RULE, min_units=8_000).recommendation is Recommendation.SHIP


def test_days_left() -> None:
    """While it runs, the days are told that the present traffic would take."""
    told = experiment_verdict(decide_factorial(evidence_of(500, 0.7, 0.7, 0.75, 0.75), RULE), RULE, units_per_day=500)
    assert (told.state, told.recommendation) == (ExperimentState.RUNNING, Recommendation.KEEP_RUNNING)
    assert told.days_left is not None
    assert 1 < told.days_left < 60
    assert "days more would settle it" in told.headline


def test_invalid() -> None:
    """A mismatch is all that is said."""
    skewed = (Arrivals((900, 900, 1_300, 1_300), (1.0,) * 4),)
    told = experiment_verdict(decide_factorial(evidence_of(900, 0.7, 0.7, 0.9, 0.9, arrivals=skewed), RULE), RULE)
    assert (told.state, told.recommendation, told.arms) == (ExperimentState.INVALID, Recommendation.REPAIR, ())
    assert told.headline.startswith("No result: users did not come to the levels of prompt")


def test_names_for_tables() -> None:
    """Effects have names of their own, interactions of several levels too."""
    verdict = decide_factorial(evidence_of(500, 0.7, 0.7, 0.7, 0.7, 0.7, 0.71), THREE)
    names = [name_of_effect(one, THREE) for pairs in verdict.mains.values() for one in pairs]
    assert names == ["prompt: b − a", "prompt: c − a", "prompt: c − b", "model: y − x"]
    assert name_of_effect(verdict.interactions[0], THREE) == "prompt: b − a × model: y − x"
    plain = decide_factorial(evidence_of(500, 0.7, 0.7, 0.7, 0.71), RULE)
    assert name_of_effect(plain.interactions[0], RULE) == "prompt × model"


def test_other_scales() -> None:
    """Milliseconds are told as such."""
    rule = FactorialRule(RULE.factors, 8_000, 20.0, is_rate=False, is_higher_better=False)
    sums = sums_of_cells([CellSums(5_000, 5_000 * ms, 5_000 * (ms**2 + 90_000)) for ms in (900, 900, 700, 700)])
    verdict = decide_factorial(FactorialEvidence(sums, ()), rule)
    said = main_words(verdict.mains["prompt"][0], verdict, rule, scale=Scale.MS)
    assert said.startswith("prompt terse in place of kind takes away 200 ms (186 ms to 214 ms)")
