"""How experiments speak."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.gates.experiment import (
    ArmVerdict,
    Effect,
    ExperimentState,
    Harm,
    Question,
    RatioCheck,
    Recommendation,
    Scale,
)
from gateway.gates.experiment_words import arm_sentence, difference, headline, lift, meaning, reason, withheld, written

COST = Effect(
    "cost", Question.SECONDARY, Scale.USD, Harm.UP, "new", "old", 900, 950, 0.0123, 0.01, 0.0023, -0.0001, 0.0047,
    lift=0.23, lift_low=-0.01, lift_high=0.47, is_enough=True,
)  # fmt: skip


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        (Scale.SHARE, "81.2 %"),
        (Scale.MS, "1 ms"),
        (Scale.USD, "$0.812"),
        (Scale.SECONDS, "0.812 s"),
        (Scale.TOKENS, "1 tokens"),
        (Scale.SCORE, "0.812"),
    ],
)
def test_means(scale: Scale, said: str) -> None:
    """A mean is written as what it is."""
    assert written(replace(COST, scale=scale), 0.8123) == said


def test_differences_have_signs() -> None:
    """A difference says which way; of shares it is points."""
    assert difference(COST, -0.0023) == "−$0.0023"
    assert difference(replace(COST, scale=Scale.SHARE), 0.0123) == "+1.23 points"
    assert lift(COST) == "+23.0 % (−1.0 % to +47.0 %)"
    assert lift(replace(COST, lift=None)) == ""


def test_meanings() -> None:
    """Too little, surely, not yet, and neither better nor worse are four things."""
    assert meaning(replace(COST, is_enough=False)) == "Too little to say anything."
    assert meaning(replace(COST, is_worse=True)) == "Surely worse than old."
    assert meaning(COST) == "No difference can be told yet."
    assert meaning(replace(COST, harm=Harm.NEITHER, low=0.001)) == "Surely more."


def test_mixed_names_the_harm() -> None:
    """What is better on the whole and breaks some says both, and not to ship it."""
    thumbs = replace(COST, metric="thumbs", question=Question.PRIMARY, scale=Scale.SHARE, lift=0.05)
    broken = replace(COST, metric="errors", question=Question.GUARDRAIL, scale=Scale.SHARE, effect=0.05, is_worse=True)
    said = arm_sentence("new", ExperimentState.MIXED, Recommendation.REPAIR, [thumbs, broken], 0.0)
    assert "better on the whole (thumbs +5.0 %" in said and "failed requests +5.00 points" in said
    assert "do not ship it" in said


def test_headline_says_what_next() -> None:
    """A running experiment says for how long, or that nobody can tell."""
    running = ArmVerdict("new", ExperimentState.RUNNING, Recommendation.KEEP_RUNNING, "new cannot be told apart yet.")
    assert headline(running, 2.2) == "new cannot be told apart yet. Keep it running, for about 3 days more."
    assert headline(running, None).endswith("nobody can tell yet for how long.")


def test_reason_names_users() -> None:
    """What a recommendation stands on is users and an interval."""
    ship = ArmVerdict("new", ExperimentState.BETTER, Recommendation.SHIP, "")
    said = reason(ship, [replace(COST, metric="thumbs", question=Question.PRIMARY, scale=Scale.SHARE)])
    assert said.startswith("900 users of new and 950 of old") and "95 %" in said
    assert reason(ship, []) == ""


def test_withheld_shows_no_number_of_the_result() -> None:
    """Odds beyond counting are said in words."""
    assert "thousand million" in withheld(RatioCheck(float("inf"), 1_000.0))
