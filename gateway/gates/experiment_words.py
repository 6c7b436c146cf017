"""How the verdict on an experiment speaks: an effect in a sentence, and a headline a product owner can act on."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, isfinite, log10

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
from gateway.gates.sentence import counted, percent

DAY_S = 86_400.0

NOUNS = {
    "errors": "failed requests",
    "safety": "blocked or flagged answers",
    "refusals": "refusals",
    "duration": "the duration of an answer",
    "ttft": "the time to the first token",
    "cost": "the cost of a request",
    "output_tokens": "the length of answers",
}


def effect_sentence(effect: Effect) -> str:
    """Give an effect in words: how much, how sure, what it means."""
    what = f"{noun(effect.metric)}: {written(effect, effect.mean)} against {written(effect, effect.baseline_mean)}"
    ends = (
        f"{difference(effect, effect.effect)} ({difference(effect, effect.low)} to {difference(effect, effect.high)})"
    )
    return f"{what[0].upper()}{what[1:]}, {ends}. {meaning(effect)}"


def meaning(effect: Effect) -> str:
    """Say what an interval means."""
    if not effect.is_enough:
        return "Too little to say anything."
    if effect.low == effect.high == 0:
        return "Not the least difference."
    if effect.is_better:
        return f"Surely better than {effect.baseline}."
    if effect.is_worse:
        return f"Surely worse than {effect.baseline}."
    if effect.harm is Harm.NEITHER:
        is_other = effect.low > 0 or effect.high < 0
        return f"Surely {'more' if effect.low > 0 else 'less'}." if is_other else "No difference seen."
    return "No difference can be told yet."


def noun(metric: str) -> str:
    """
    Give what a metric is called in a sentence.

    >>> noun("errors"), noun("faithfulness:catastrophic"), noun("thumbs")
    ('failed requests', 'catastrophic faithfulness', 'thumbs')
    """
    name, _, line = metric.partition(":")
    return NOUNS.get(metric) or (f"{line} {name}" if line else name)


def written(effect: Effect, value: float) -> str:
    """Give a mean as people write it."""
    match effect.scale:
        case Scale.SHARE:
            return percent(value)
        case Scale.MS:
            return f"{value:,.0f} ms"
        case Scale.SECONDS:
            return f"{value:,.3g} s"
        case Scale.USD:
            return dollars(value)
        case Scale.TOKENS:
            return f"{value:,.0f} tokens"
    return f"{value:.3g}"


def difference(effect: Effect, value: float) -> str:
    """Give a difference with its sign; of shares in points."""
    if effect.scale is Scale.SHARE:
        return f"{value * 100:+.2f} points".replace("-", "−")
    sign = "−" if value < 0 else "+"
    return f"{sign}{written(effect, abs(value))}"


def dollars(usd: float) -> str:
    """
    Give an amount of money; small ones to three digits.

    >>> dollars(1234.5), dollars(0.00042), dollars(0.00003), dollars(0.0)
    ('$1,234.50', '$0.00042', '$0.00003', '$0.00')
    """
    if usd == 0 or abs(usd) >= 1:
        return f"${usd:,.2f}"
    digits = min(12, 2 - floor(log10(abs(usd))))
    return f"${usd:.{digits}f}".rstrip("0")


def lift(effect: Effect) -> str:
    """Give the relative lift with its interval; empty where there is none."""
    if effect.lift is None:
        return ""
    ends = ""
    if effect.lift_low is not None and effect.lift_high is not None and isfinite(effect.lift_high):
        ends = f" ({signed(effect.lift_low)} to {signed(effect.lift_high)})"
    return f"{signed(effect.lift)}{ends}"


def signed(share: float) -> str:
    """
    Give a relative difference.

    >>> signed(0.0512), signed(-0.2)
    ('+5.1 %', '−20.0 %')
    """
    return f"{'−' if share < 0 else '+'}{abs(share) * 100:.1f} %"


def withheld(check: RatioCheck) -> str:
    """Say that, and why, no result can be believed."""
    odds = f"{check.odds:,.0f}" if check.odds < 1e9 else "more than a thousand million"
    return (
        f"No result: users did not come to the arms as planned (sample ratio mismatch, odds {odds} to 1 against it)."
        " Whoever is missing from an arm may be who it failed. Find out why before anything is read from it."
    )


def arm_sentence(
    arm: str, state: ExperimentState, what: Recommendation, effects: Sequence[Effect], due_s: float
) -> str:
    """Say what is to be thought of an arm, how sure, and what next."""
    primary = next((each for each in effects if each.question is Question.PRIMARY), None)
    harms = [each for each in effects if each.question is Question.GUARDRAIL and each.is_worse]
    said = ""
    if primary is not None and primary.is_enough:
        said = f"{noun(primary.metric)} {lift(primary) or difference(primary, primary.effect)}"
    hurt = ", ".join(f"{noun(each.metric)} {difference(each, each.effect)}" for each in harms)
    match state:
        case ExperimentState.BETTER if what is Recommendation.SHIP:
            return f"{arm} is better: {said}. Ship it."
        case ExperimentState.BETTER:
            return f"{arm} looks better: {said}. Its time is not over: {until(due_s)}."
        case ExperimentState.MIXED:
            return f"{arm} is better on the whole ({said}) and does harm ({hurt}). Mend that first; do not ship it."
        case ExperimentState.WORSE if harms:
            return f"{arm} does harm: {hurt}. Stop it."
        case ExperimentState.WORSE:
            return f"{arm} is worse: {said}. Stop it."
        case ExperimentState.NO_DIFFERENCE:
            return f"{arm} makes no difference worth having: {said}. Keep what is cheaper or simpler."
    if what is Recommendation.STOP:
        return f"{arm} was stopped before it could be told apart."
    return f"{arm} cannot be told apart yet{': ' + said if said else ''}."


def until(due_s: float) -> str:
    """
    Say how long still.

    >>> until(3 * 86_400.0), until(0.0)
    ('3 days more, so that whole weeks are compared', 'more users are wanted')
    """
    if due_s <= 0:
        return "more users are wanted"
    return f"{counted(ceil(due_s / DAY_S), 'day')} more, so that whole weeks are compared"


def headline(best: ArmVerdict | None, days: float | None) -> str:
    """Give what, how sure, what next, in one or two sentences."""
    if best is None:
        return "Nobody has been exposed yet: keep it running."
    if best.recommendation is not Recommendation.KEEP_RUNNING:
        return best.sentence
    if days is None:
        return f"{best.sentence} Keep it running; nobody can tell yet for how long."
    return f"{best.sentence} Keep it running, for about {counted(max(1, ceil(days)), 'day')} more."


def reason(best: ArmVerdict, effects: Sequence[Effect]) -> str:
    """Say what a recommendation stands on."""
    wanted = Question.PRIMARY if best.state is not ExperimentState.WORSE else Question.GUARDRAIL
    told = [each for each in effects if each.question is wanted and (each.is_worse or wanted is Question.PRIMARY)]
    told = told or [each for each in effects if each.question is Question.PRIMARY]
    if not told:
        return ""
    one = told[0]
    if not one.is_enough:
        return ""
    users = f"{one.n:,} users of {one.arm} and {one.n_baseline:,} of {one.baseline}"
    level = percent(one.confidence)
    ends = f"{difference(one, one.low)} to {difference(one, one.high)}"
    return f"{users} have a value of {one.metric}; the interval of {ends} holds at {level} however often anybody looks."
