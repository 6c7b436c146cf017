"""What a shadow would cost, and how soon it would say something: arithmetic from traffic, prices and budgets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from gateway.domain.price import Price
from gateway.domain.release import BUCKETS
from gateway.domain.shadow import Budget, Shadow
from gateway.domain.usage import Usage
from gateway.gates.shadow_verdict import ShadowRule
from gateway.report.words import number, percent

_RULE = ShadowRule()
Z_SUM = 2.80
"""1.96 + 0.84: two-sided 5 %, and 80 % power."""

DECISIVE = 0.5
"""Share of judged pairs whose vote both orders agree on and that is no tie; what judges do is mostly near it."""

JUDGE_OUTPUT_TOKENS = 80
"""Of a verdict with its reason."""

RUBRIC_TOKENS = 400
"""Of what a judge is told beside the two answers."""

WANTED_JUDGED = ceil((Z_SUM * 0.5 / (2 * _RULE.quality_margin)) ** 2 / DECISIVE)
"""Judged pairs after which a win rate of twice the margin beyond a half is probably found, or excluded."""

WANTED_PAIRS = ceil((Z_SUM / (2 * _RULE.error_margin)) ** 2 * 2 * 0.01 * 0.99)
"""Pairs after which failures of twice the margin more than 1 % are probably found, or excluded."""


@dataclass(frozen=True, slots=True)
class Demand:
    """
    What a route is asked.

    Attributes:
        requests_per_day: Chat requests and the like.
        input_tokens: Mean of a prompt.
        output_tokens: Mean of an answer.
        source: Where these numbers are from, in words.
    """

    requests_per_day: float
    input_tokens: float
    output_tokens: float
    source: str


@dataclass(frozen=True, slots=True)
class ShadowPlan:
    """
    What a shadow would do.

    Attributes:
        variant: The shadow's.
        demand: What it was reckoned from.
        copies_per_day: Requests sent to the shadow.
        noise_per_day: Requests sent to the primary's variant once more.
        tokens_per_day: Of both together.
        usd_per_day: Of both together; None where a price is not known.
        judged_per_day: Pairs judged.
        judge_usd_per_day: What that costs; None where nobody judges or the price is not known.
        budget_holds_ratio: Share of a day until the budget is spent, 1 for all of it; None without a budget that
            can be reckoned.
        days_to_verdict: Until errors and, where somebody judges, quality can probably be told; None for never.
        sentences: What a person should know, the answer first.
    """

    variant: str
    demand: Demand
    copies_per_day: float
    noise_per_day: float
    tokens_per_day: float
    usd_per_day: float | None
    judged_per_day: float
    judge_usd_per_day: float | None
    budget_holds_ratio: float | None
    days_to_verdict: float | None
    sentences: tuple[str, ...]


def plan_shadow(
    shadow: Shadow, demand: Demand, price: Price | None, primary_price: Price | None, judge_price: Price | None
) -> ShadowPlan:
    """
    Reckon what a shadow would cost and tell.

    Args:
        shadow: As the file says.
        demand: What the route is asked.
        price: Of the shadow's model; None where nobody knows.
        primary_price: Of the variant that answers most, for the noise floor.
        judge_price: Of the judge's model.
    """
    copies = demand.requests_per_day * shadow.n_buckets / BUCKETS
    noise = copies * shadow.noise_buckets / BUCKETS
    tokens = demand.input_tokens + demand.output_tokens
    usage = Usage(round(demand.input_tokens), round(demand.output_tokens))
    usd = None
    if price is not None and (primary_price is not None or not noise):
        usd = copies * price.cost_usd(usage) + (noise * primary_price.cost_usd(usage) if primary_price else 0.0)
    judged, judge_usd = _judged(shadow, copies + noise, demand, judge_price)
    held = _held(shadow.budget, copies + noise, (copies + noise) * tokens, usd)
    plan = ShadowPlan(
        variant=shadow.variant,
        demand=demand,
        copies_per_day=copies,
        noise_per_day=noise,
        tokens_per_day=(copies + noise) * tokens,
        usd_per_day=usd,
        judged_per_day=judged,
        judge_usd_per_day=judge_usd,
        budget_holds_ratio=held,
        days_to_verdict=_days(shadow, copies * (1.0 if held is None else held), judged),
        sentences=(),
    )
    return _with_sentences(plan, shadow)


def _judged(shadow: Shadow, pairs: float, demand: Demand, judge_price: Price | None) -> tuple[float, float | None]:
    if shadow.judge is None:
        return 0.0, None
    judged = pairs * shadow.judge.n_buckets / BUCKETS
    if judge_price is None:
        return judged, None
    # A judge reads the prompt and both answers, twice.
    asked = Usage(round(demand.input_tokens + 2 * demand.output_tokens) + RUBRIC_TOKENS, JUDGE_OUTPUT_TOKENS)
    return judged, 2 * judged * judge_price.cost_usd(asked)


def _held(budget: Budget, requests: float, tokens: float, usd: float | None) -> float | None:
    bounds = [
        (budget.usd_per_day, usd),
        (budget.requests_per_day, requests),
        (budget.tokens_per_day, tokens),
    ]
    shares = [min(1.0, most / wanted) for most, wanted in bounds if most is not None and wanted]
    return min(shares, default=None)


def _days(shadow: Shadow, copies: float, judged: float) -> float | None:
    if copies <= 0:
        return None
    days = WANTED_PAIRS / copies
    if shadow.judge is not None:
        days = max(days, WANTED_JUDGED / judged) if judged > 0 else days
    return days


def _with_sentences(plan: ShadowPlan, shadow: Shadow) -> ShadowPlan:
    return replace(plan, sentences=tuple(_sentences(plan, shadow)))


def _sentences(plan: ShadowPlan, shadow: Shadow) -> list[str]:
    told = [_cost_words(plan), _time_words(plan, shadow)]
    held = plan.budget_holds_ratio
    if held is not None and held < 1:
        hours, minutes = divmod(int(24 * 60 * held), 60)
        told.append(
            f"The budget ends it at about {hours:02d}:{minutes:02d} UTC each day, if requests come evenly: "
            f"{percent(held, 0)} of the sample is sent."
        )
    if plan.usd_per_day is None:
        told.append("A price is not known: a budget in requests or tokens is what holds.")
    if shadow.judge is None:
        told.append("Nobody judges: the report will say what differs, and not which answer is better.")
    if not shadow.noise_buckets:
        told.append("Without `noise` nobody knows how much the primary differs from itself.")
    return told


def _cost_words(plan: ShadowPlan) -> str:
    judge = ""
    if plan.judged_per_day:
        usd = "an unknown sum" if plan.judge_usd_per_day is None else f"${plan.judge_usd_per_day:,.2f}"
        judge = f", and {usd} for a judge who reads {number(round(plan.judged_per_day))} pairs"
    cost = "an unknown sum" if plan.usd_per_day is None else f"${plan.usd_per_day:,.2f}"
    copies = f"{number(round(plan.copies_per_day))} copies"
    noise = f" and {number(round(plan.noise_per_day))} for the noise floor" if plan.noise_per_day else ""
    return f"{plan.variant} would cost {cost} a day for {copies}{noise}{judge}."


def _time_words(plan: ShadowPlan, shadow: Shadow) -> str:
    about = "errors and quality" if shadow.judge is not None else "errors"
    if plan.days_to_verdict is None:
        return "It would never say anything: nothing is copied."
    if plan.days_to_verdict > 90:
        return (
            f"No: at this traffic {about} could not be told within 90 days. Raise `sample`, or ask people about some "
            "pairs instead."
        )
    days = max(1, ceil(plan.days_to_verdict))
    return f"After about {days} {'day' if days == 1 else 'days'} it can probably tell {about}."
