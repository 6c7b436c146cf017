"""What a shadow would cost: hand-reckoned, and honest where the answer is no."""

from __future__ import annotations

import pytest

from gateway.domain.price import Price, Rates
from gateway.domain.shadow import Budget, JudgeRule, Shadow
from gateway.report.shadow_plan import WANTED_JUDGED, WANTED_PAIRS, Demand, ShadowPlan, plan_shadow

PRICE = Price(Rates(2e-6, 8e-6, 1e-6))
"""A request of 1,000 tokens in and 250 out costs 0.4 cents."""


def planned(
    per_day: float = 10_000, *, price: Price | None = PRICE, judge: JudgeRule | None = None, **changes: object
) -> ShadowPlan:
    """Give the plan of a shadow of a fifth of the users."""
    shadow = Shadow("bigger", 2_000, judge=judge, **changes)  # type: ignore[arg-type]
    return plan_shadow(shadow, Demand(per_day, 1_000, 250, "a test"), price, PRICE, PRICE)


def test_copies_cost() -> None:
    """A fifth of ten thousand requests at 0.4 cents, and a tenth of those once more."""
    plan = planned(noise_buckets=1_000)
    assert (plan.copies_per_day, plan.noise_per_day) == (2_000, 200)
    assert plan.usd_per_day == pytest.approx(8.8) and plan.tokens_per_day == 2_200 * 1_250
    assert plan.sentences[0].startswith("bigger would cost $8.80 a day for 2,000 copies and 200 for the noise floor")


def test_judge_costs() -> None:
    """He reads prompt and both answers, twice, of a tenth of the pairs."""
    plan = planned(judge=JudgeRule("judge", n_buckets=1_000))
    one = PRICE.rates.input_usd * (1_000 + 2 * 250 + 400) + PRICE.rates.output_usd * 80
    assert plan.judged_per_day == 200 and plan.judge_usd_per_day == pytest.approx(200 * 2 * one)


@pytest.mark.parametrize(
    ("budget", "ratio"),
    [
        (Budget(), None),
        (Budget(usd_per_day=4.0), 0.5),
        (Budget(usd_per_day=80.0), 1.0),
        (Budget(requests_per_day=500), 0.25),
        (Budget(tokens_per_day=1_250_000, usd_per_day=80.0), 0.5),
    ],
)
def test_budget_ends_it(budget: Budget, ratio: float | None) -> None:
    """The tightest bound holds, and it is said at what time of day."""
    plan = planned(budget=budget)
    assert plan.budget_holds_ratio == ratio
    assert ("12:00 UTC" in " ".join(plan.sentences)) is (ratio == 0.5)


def test_time_to_a_verdict() -> None:
    """Pairs for errors, judged pairs for quality, whichever takes longer."""
    assert planned().days_to_verdict == pytest.approx(WANTED_PAIRS / 2_000)
    few = planned(judge=JudgeRule("judge", n_buckets=10))
    assert few.days_to_verdict == pytest.approx(WANTED_JUDGED / 2)


def test_says_no() -> None:
    """With next to no traffic nothing could be told, and the way out is named."""
    assert any(sentence.startswith("No: at this traffic") for sentence in planned(20).sentences)
    assert planned(0).days_to_verdict is None


def test_unknown_price() -> None:
    """Nobody's price is guessed."""
    plan = planned(price=None)
    assert plan.usd_per_day is None and "an unknown sum" in plan.sentences[0]
    assert any("requests or tokens is what holds" in sentence for sentence in plan.sentences)
