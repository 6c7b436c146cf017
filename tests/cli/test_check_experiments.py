"""What is said of experiments before they start, at a given traffic."""

from __future__ import annotations

from dataclasses import replace

from gateway.cli.check_experiments import experiment_outlook
from gateway.domain.adaptive import BanditPlan, FactorialPlan, LadderPlan
from gateway.domain.rollout import SplitPlan
from gateway.settings.outlook import Traffic

SPLIT = SplitPlan("s", "r", "a", (("a", 5_000), ("b", 5_000)), (("a", ""), ("b", "")), ())
BANDIT = replace(SPLIT, bandit=BanditPlan("thumbs"))
LADDER = replace(SPLIT, ladder=LadderPlan("a", ("b", "c")))
FACTORIAL = replace(SPLIT, factorial=FactorialPlan("a", (("x", ("0", "1")), ("y", ("0", "1")))))


def said(plan: SplitPlan, users_per_day: float, rated: float = 1.0) -> tuple[str, bool]:
    """Give what is said of a plan."""
    found = experiment_outlook(plan, Traffic(users_per_day, rated=rated))
    assert found is not None
    return found


def test_bandit_explores() -> None:
    """For as long as it is told to, or until there are users and outcomes enough."""
    assert "equally for 3 days" in said(BANDIT, 1_000)[0]
    assert "equally for 10 days" in said(BANDIT, 20)[0]
    assert "equally for 25 days" in said(BANDIT, 40, rated=0.1)[0]


def test_ladder_takes_rounds() -> None:
    """Whole weeks each; with too few users every round would be a tie."""
    assert said(LADDER, 2_000)[0] == "r: 2 rounds of 7 to 28 days each, so 14 to 56 days in all."
    assert "2 rounds of 14 to 28 days" in said(LADDER, 200)[0]
    assert "every round would be a tie" in said(LADDER, 20)[0]


def test_factorial_is_fed_or_refused() -> None:
    """It says how long, or why not and what would do."""
    assert said(FACTORIAL, 2_000)[1]
    sentence, is_met = said(FACTORIAL, 50)
    assert not is_met and "What would do" in sentence


def test_split_is_somebody_elses() -> None:
    """Of a plain split there is more to say, elsewhere."""
    assert experiment_outlook(SPLIT, Traffic(100)) is None
