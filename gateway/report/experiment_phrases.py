"""What both renderers of an experiment say in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from math import isfinite

from gateway.gates.experiment import (
    ArmRow,
    Effect,
    ExperimentState,
    Harm,
    Question,
    RatioCheck,
    Recommendation,
    Scale,
    SegmentEffect,
)
from gateway.gates.experiment_words import difference, dollars, noun, signed, written
from gateway.gates.sentence import counted, percent
from gateway.report.experiment_summary import ExperimentSummary
from gateway.report.words import duration

TO_DO = {
    Recommendation.SHIP: "ship",
    Recommendation.KEEP_RUNNING: "keep running",
    Recommendation.STOP: "stop",
    Recommendation.REPAIR: "repair first",
}
STATES = {
    ExperimentState.BETTER: "better",
    ExperimentState.WORSE: "worse",
    ExperimentState.NO_DIFFERENCE: "no difference",
    ExperimentState.MIXED: "better and harmful",
    ExperimentState.RUNNING: "cannot tell yet",
    ExperimentState.INVALID: "invalid",
}
REASONS = {
    "no_user": "no user is known",
    "internal": "of internal users",
    "not_in_audience": "not in the audience",
    "override": "the client chose the variant",
    "breaker_open": "the arm was stopped",
    "rest": "outside the compared shares",
    "two_arms": "units seen in two arms of one epoch",
}
_UNITS = {Scale.SHARE: "points", Scale.MS: "ms", Scale.SECONDS: "s", Scale.USD: "$", Scale.TOKENS: "tokens"}
LAST_EPOCHS = 10
"""As many of a bandit's hundreds are shown; JSON has them all."""

WITHHELD = "Numbers that compare arms are withheld while users do not come to the arms as planned."
NO_PRIMARY = "No primary metric is named: nothing but guardrails is judged."
FOREST_SAYS = "Each metric's lift over the baseline with its interval; whichever way it goes, better is to the right."
EXPLORATORY = "Exploratory segments say where to look next, not what is so."


def tag_of(effect: Effect) -> tuple[str, str]:
    """Give an effect's tone (`good`, `bad` or none) and what it is called."""
    if not effect.is_enough:
        return "", "too little"
    if effect.is_better or effect.is_worse:
        return ("good", "better") if effect.is_better else ("bad", "worse")
    if effect.harm is Harm.NEITHER and (effect.low > 0 or effect.high < 0):
        return "", "more" if effect.low > 0 else "less"
    return "", "undecided"


def lift_of(effect: Effect) -> str:
    """Give the lift with its interval; the difference where there is no lift."""
    if effect.lift is None:
        return difference_of(effect)
    if not effect.is_enough:
        return _signed(effect.lift)
    ends = (effect.lift_low, effect.lift_high)
    return f"{_signed(effect.lift)} ({_signed(ends[0])} to {_signed(ends[1])})"


def difference_of(effect: Effect) -> str:
    """Give the difference with its interval."""
    low, high = (_differing(effect, end) for end in (effect.low, effect.high))
    return f"{_differing(effect, effect.effect)} ({low} to {high})"


def means_of(effect: Effect) -> str:
    """Give both arms' means."""
    return f"{_mean(effect, effect.mean)} against {_mean(effect, effect.baseline_mean)}"


def sentence_of(effect: Effect) -> str:
    """Give an effect in a sentence or two."""
    return effect.sentence or f"{noun(effect.metric)}: {means_of(effect)}, {difference_of(effect)}."


def told_of(effect: Effect) -> str:
    """Give an effect in words, with its lift."""
    said = sentence_of(effect)
    return said if effect.lift is None else f"{said} Lift {lift_of(effect)}."


def more_of(effect: Effect, unit: str) -> tuple[str, ...]:
    """Give what else a reader of the primary metric may want to know."""
    found = [f"{counted(effect.n, unit)} of {effect.arm} and {effect.n_baseline:,} of {effect.baseline} have a value."]
    if effect.wants_units is not None:
        found.append(f"About {counted(effect.wants_units, unit)} more, of all arms, would decide it.")
    return tuple(found)


def p_of(p: float) -> str:
    """
    Give a p-value.

    >>> p_of(0.03124), p_of(1e-9), p_of(float("nan"))
    ('p 0.0312', 'p < 0.0001', 'p unknown')
    """
    if not isfinite(p):
        return "p unknown"
    return "p < 0.0001" if p < 0.0001 else f"p {p:.4f}"


def look_number(effect: Effect | None, value: float) -> str:
    """Give a difference on one day without its unit; of shares in points."""
    if not isfinite(value):
        return "none"
    number = f"{100 * value:+.2f}" if effect is not None and effect.scale is Scale.SHARE else f"{value:+.3g}"
    return number.replace("-", "−")


def look_tick(effect: Effect | None, value: float) -> str:
    """
    Give a round number on the line of differences, without its unit.

    >>> look_tick(None, 0.5), look_tick(None, -20.0)
    ('+0.5', '−20')
    """
    number = 100 * value if effect is not None and effect.scale is Scale.SHARE else value
    return f"{number:+g}".replace("-", "−")


def look_unit(effect: Effect | None) -> str:
    """Give the unit of a difference on one day; empty where it has none."""
    return "" if effect is None else _UNITS.get(effect.scale, "")


def scaled(scale: Scale, value: float | None, *, is_difference: bool = False) -> str:
    """
    Give a number of a metric.

    >>> scaled(Scale.SHARE, 0.031, is_difference=True), scaled(Scale.MS, 812.0), scaled(Scale.SHARE, None)
    ('+3.10 points', '812 ms', 'unknown')
    """
    if value is None or not isfinite(value):
        return "unknown"
    blank = Effect("", Question.EXPLORATORY, scale, Harm.NEITHER, "", "", 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0)
    return difference(blank, value) if is_difference else written(blank, value)


def usd_of(usd: float | None) -> str:
    """
    Give what something cost.

    >>> usd_of(1234.5), usd_of(0.00042), usd_of(None)
    ('$1,234.50', '$0.00042', 'unknown')
    """
    return "unknown" if usd is None or not isfinite(usd) else dollars(usd)


def cost_of(arms: Sequence[ArmRow]) -> str:
    """Give what all arms cost; where some prices are not known, at least."""
    known = [arm.usd for arm in arms if arm.usd is not None]
    if not known:
        return "unknown: no price is known"
    return f"{'' if len(known) == len(arms) else 'at least '}{usd_of(sum(known))}"


def cost_row(arm: ArmRow) -> tuple[str, str, str]:
    """Give what an arm cost, what a request of it and what a unit; `unknown` without a price or any of them."""
    request, unit = (None if arm.usd is None or not n else arm.usd / n for n in (arm.n_requests, arm.n_units))
    return usd_of(arm.usd), usd_of(request), usd_of(unit)


def span_of(summary: ExperimentSummary) -> str:
    """Give how long it has been running, and since when."""
    if not summary.since:
        return "nobody exposed yet"
    return f"{duration(summary.days * 86_400)} since {summary.since}"


def ratio_sentence(check: RatioCheck) -> str:
    """Say whether units came as planned."""
    odds = (
        f"{check.odds:,.2g}" if check.odds < 10 else f"{check.odds:,.0f}" if check.odds < 1e9 else "over 1,000,000,000"
    )
    said = "did not come" if check.is_alarm else "came"
    limit = f"{check.limit:,.0f}"
    n = len(check.epochs)
    shown = f" The last {LAST_EPOCHS} of {n:,} epochs are shown." if n > LAST_EPOCHS else ""
    return f"Units {said} to the arms as planned: odds {odds} to 1 against the plan, alarm from {limit} to 1 on.{shown}"


def ratio_rows(check: RatioCheck) -> list[tuple[str, str, str, str, str]]:
    """Give (epoch, arm, units seen, share seen, share planned) for the last epochs and every arm."""
    found = []
    for epoch, arms in check.epochs[-LAST_EPOCHS:]:
        total = sum(n for _, n, _ in arms)
        found += [
            (f"{epoch}", arm, f"{n:,}", percent(n / total) if total else "none", percent(share))
            for arm, n, share in arms
        ]
    return found


def reason_of(reason: str) -> str:
    """Say why requests are not analysed."""
    return REASONS.get(reason) or reason.replace("_", " ")


def detectable_sentences(summary: ExperimentSummary) -> tuple[str, ...]:
    """Say which lift would have been found by now, by arm."""
    return tuple(
        f"{arm}: a lift of {percent(abs(lift))} or more, either way, would have been found by now (power 80 %)."
        if isfinite(lift)
        else f"{arm}: no lift, however large, could be found by now."
        for arm, lift in summary.detectable.items()
    )


def by_arm(effects: Iterable[Effect]) -> list[tuple[str, list[Effect]]]:
    """Give effects by arm, in the order in which arms come first."""
    found = list(effects)
    order = list(dict.fromkeys(each.arm for each in found))
    found.sort(key=lambda each: order.index(each.arm))
    return [(arm, list(those)) for arm, those in groupby(found, key=lambda each: each.arm)]


def segment_word(segment: SegmentEffect) -> tuple[str, str]:
    """Give a segment's tone and what is to be thought of it."""
    effect = segment.effect
    if not segment.is_proven:
        return "", "undecided" if effect.is_enough else "too little"
    is_more = effect.effect > 0
    if effect.harm is Harm.NEITHER:
        return "", "more" if is_more else "less"
    return ("bad", "worse") if is_more is (effect.harm is Harm.UP) else ("good", "better")


def _signed(value: float | None) -> str:
    return "no bound" if value is None or not isfinite(value) else signed(value)


def _differing(effect: Effect, value: float) -> str:
    return difference(effect, value) if isfinite(value) else "no bound"


def _mean(effect: Effect, value: float) -> str:
    return written(effect, value) if isfinite(value) else "unknown"
