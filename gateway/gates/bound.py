"""
One metric against a margin: surely kept, surely broken, or not yet known.

Theory of operation
===================
A question asks whether the candidate's mean is on the good side of `factor` times the baseline's: 0.95 for "no more
than 5 % worse", 1 for "better", 2 for "no more than twice the errors"; or of the baseline's plus so many points. It
may be asked every hour, so bounds are those of a one-sided confidence sequence: P(it ever errs) stays below alpha.

Three ways to bound, by what was seen:
  `log`    ln(candidate/baseline) with its clustered standard error, from 100 units and 5 of the rarer kind in each arm;
  `effect` the difference: where points are asked about, or a mean is not above 0 and has no logarithm;
  `rates`  each arm's own exact sequence, where values lie in [0, 1] and are too lopsided for a normal approximation:
           a metric at 99.9 %, of which five bad ones would take thousands of users, gets an answer as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf, isfinite, log, log2, sqrt
from typing import Any

from gateway.gates.evidence import ArmMean, Compared
from gateway.gates.verdict import Verdict
from gateway.stats.anytime import lower_bound, upper_bound
from gateway.stats.interval import Interval
from gateway.stats.power import anytime_inflation, balanced_units, two_means_n
from gateway.stats.rate import rate_sequence
from gateway.stats.ratio import Estimate

MIN_UNITS = 100
"""Per arm, before a normal approximation is looked at."""
MIN_RARER = 5.0
"""Good ones and bad ones each arm must have shown, likewise."""

ANYTHING = Interval(-inf, inf)


@dataclass(frozen=True, slots=True)
class Question:
    """
    What is asked of a metric.

    Attributes:
        factor: The candidate's mean is held against this times the baseline's; above 0.
        is_more_better: Higher values are better.
        alpha: P(a wrong answer at any look), one-sided, in (0, 1).
        is_bounded: Values lie in [0, 1], so that exact bounds exist.
        floor: The baseline's mean counts as at least this; bounded values only.
        points: Where not None, the difference is held against this instead, in the metric's unit.
        aim: A difference worth finding, which the sequence is tuned to where the threshold itself is none: relative,
            or in points where `points` are asked about; above 0.
        min_units: Per arm, before any answer.
    """

    factor: float
    is_more_better: bool = True
    alpha: float = 0.05
    is_bounded: bool = False
    floor: float = 0.0
    points: float | None = None
    aim: float = 0.05
    min_units: int = MIN_UNITS


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What is known about a question.

    Attributes:
        verdict: PASS where the bound keeps the factor, FAIL where it breaks it.
        method: `log`, `effect` or `rates`; empty where there is too little to say anything.
        bounds: One-sided each: of ln(candidate/baseline) (`log`), candidate − baseline (`effect`, and `rates` about
            points) or candidate/baseline (`rates`).
        threshold: What the bounds are held against, on the same scale.
        n_star: Units, as of two equal arms, that the sequence is tuned to; None where none was used.
        wanted: Candidate units at which an equally good one would probably pass; None where that cannot be told.
    """

    verdict: Verdict
    method: str = ""
    bounds: Interval = ANYTHING
    threshold: float | None = None
    n_star: int | None = None
    wanted: int | None = None


def answer(compared: Compared, question: Question) -> Answer:
    """Answer a question from what was seen; PASS and FAIL hold at every look, the first as well as the hundredth."""
    fewest = min(compared.candidate.n_units, compared.baseline.n_units)
    wanted = units_wanted(compared, question)
    if fewest < max(1, question.min_units):
        return Answer(Verdict.INSUFFICIENT, wanted=wanted)
    if question.is_bounded and (is_lopsided(compared) or compared.baseline.mean < question.floor):
        return by_rates(compared, question, wanted)
    if fewest < MIN_UNITS or compared.se is None:
        return Answer(Verdict.INSUFFICIENT, wanted=wanted)
    if compared.se == 0:
        return by_constants(compared, question, wanted)
    if question.points is None and compared.log_ratio is not None and compared.log_ratio_se:
        return by_sequence(compared, question, wanted, "log", Estimate(compared.log_ratio, compared.log_ratio_se))
    if question.points is not None or compared.baseline.mean:
        return by_sequence(compared, question, wanted, "effect", Estimate(compared.effect, compared.se))
    return Answer(Verdict.INSUFFICIENT, wanted=wanted)


def by_sequence(compared: Compared, question: Question, wanted: int | None, method: str, seen: Estimate) -> Answer:
    """Answer by the asymptotic confidence sequence, on the logarithm or on the difference."""
    # Units as of two equal arms grow as the information does, also while a ramp changes the arms' proportion.
    n = balanced_units(compared.candidate.n_units, compared.baseline.n_units)
    n_star = tuned(seen.se, n, aim_of(compared, question, method), question.alpha)
    threshold = threshold_of(compared, question, method)
    low = lower_bound(seen.value, se=seen.se, n=n, alpha=question.alpha, n_star=n_star)
    high = upper_bound(seen.value, se=seen.se, n=n, alpha=question.alpha, n_star=n_star)
    verdict = held_against(threshold, low, high, is_more_better=question.is_more_better)
    return Answer(verdict, method, Interval(low, high), threshold, n_star, wanted)


def by_constants(compared: Compared, question: Question, wanted: int | None) -> Answer:
    """Answer where not one unit differs from its arm: no edits at all in both is as good as it gets."""
    threshold = threshold_of(compared, question, "effect")
    over = compared.effect - threshold if question.is_more_better else threshold - compared.effect
    verdict = Verdict.PASS if over >= 0 else Verdict.FAIL
    return Answer(verdict, "effect", Interval(compared.effect, compared.effect), threshold, None, wanted)


def by_rates(compared: Compared, question: Question, wanted: int | None) -> Answer:
    """Answer by each arm's exact sequence, half of alpha each; no burn-in."""
    ours, theirs = (
        rate_sequence(min(max(arm.mean, 0.0), 1.0) * arm.n_units, arm.n_units, alpha=question.alpha / 2)
        for arm in (compared.candidate, compared.baseline)
    )
    least, most = max(theirs.low, question.floor), max(theirs.high, question.floor)
    if question.points is None:
        threshold = question.factor
        bounds = Interval(ours.low / most, ours.high / least if least else inf)
    else:
        threshold = question.points
        bounds = Interval(ours.low - most, ours.high - least)
    verdict = held_against(threshold, bounds.low, bounds.high, is_more_better=question.is_more_better)
    return Answer(verdict, "rates", bounds, threshold, None, wanted)


def held_against(threshold: float, low: float, high: float, *, is_more_better: bool) -> Verdict:
    """
    Give PASS where the bounds are on the good side of the threshold, FAIL where they are on the other.

    >>> held_against(0.95, 0.97, 1.1, is_more_better=True), held_against(2.0, 1.5, 2.5, is_more_better=False)
    (<Verdict.PASS: 'pass'>, <Verdict.INSUFFICIENT: 'insufficient'>)
    """
    if low > threshold:
        return Verdict.PASS if is_more_better else Verdict.FAIL
    if high < threshold:
        return Verdict.FAIL if is_more_better else Verdict.PASS
    return Verdict.INSUFFICIENT


def threshold_of(compared: Compared, question: Question, method: str) -> float:
    """Give what the estimate is held against, on the method's scale."""
    if question.points is not None:
        return question.points
    if method == "log":
        return log(question.factor)
    # Of a negative baseline, a twentieth worse is a twentieth further down: the margin is of its size.
    return (question.factor - 1.0) * abs(compared.baseline.mean)


def aim_of(compared: Compared, question: Question, method: str) -> float:
    """Give the difference that the sequence is tuned to, on the method's scale."""
    if threshold := abs(threshold_of(compared, question, method)):
        return threshold
    if question.points is not None or method == "log":
        return question.aim
    return question.aim * abs(compared.baseline.mean)


def is_lopsided(compared: Compared) -> bool:
    """Tell whether values in [0, 1] are too near an end, in one of the arms, for a normal approximation."""
    rarer = (min(arm.mean, 1 - arm.mean) * arm.n_units for arm in (compared.candidate, compared.baseline))
    return min(rarer) < MIN_RARER


def tuned(se: float, n: float, effect: float, alpha: float) -> int:
    """
    Give what to tune a sequence to: the units, as of two equal arms, that a single look would need.

    A sequence must not be tuned by what it bounds, so the number is taken to the nearest power of two: as the
    spread's estimate settles it stays where it is.

    >>> tuned(0.02, 1000.0, 0.05, 0.05)
    1024
    """
    planned = 2 * two_means_n(se * sqrt(n) / 2, effect, alpha=alpha, sides=1)
    return int(2 ** min(40, max(5, round(log2(planned)))))


def units_wanted(compared: Compared, question: Question) -> int | None:
    """
    Give the candidate's units at which an equally good candidate would pass in four of five cases, looked at hourly.

    Returns:
        Units, at the arms' present proportion; None where the spread is not known yet, or nobody is in an arm.
    """
    spread = spread_of(compared, question)
    ours, theirs = compared.candidate.n_units, compared.baseline.n_units
    if spread is None or not ours or not theirs:
        return None
    sd, effect = spread
    units = 2 * two_means_n(sd, effect, alpha=question.alpha, sides=1) * anytime_inflation(alpha=question.alpha)
    return max(question.min_units, round(units / 4 * (1 + ours / theirs)))


def spread_of(compared: Compared, question: Question) -> tuple[float, float] | None:
    """Give (deviation between units, difference asked about) on one scale; None where nothing tells them."""
    n = balanced_units(compared.candidate.n_units, compared.baseline.n_units)
    is_relative = question.points is None
    # Until the burn-in a standard error is hearsay; of values in [0, 1] the baseline's mean bounds it.
    if question.is_bounded and (n < 2 * MIN_UNITS or is_lopsided(compared)):
        base = min(max(compared.baseline.mean, question.floor, 5e-3), 0.995)
        return sqrt(base * (1 - base)) / (base if is_relative else 1.0), aim_of(compared, question, "log")
    if n < 20:
        return None
    if is_relative and compared.log_ratio_se:
        return compared.log_ratio_se * sqrt(n) / 2, aim_of(compared, question, "log")
    size = aim_of(compared, question, "effect")
    return (compared.se * sqrt(n) / 2, size) if compared.se and size else None


def described(compared: Compared, question: Question, known: Answer) -> dict[str, Any]:
    """Give everything the answer stood on, as JSON values: enough for `replayed` to give it again."""
    return {
        "metric": compared.metric,
        "segment": compared.segment,
        "candidate": asdict(compared.candidate),
        "baseline": asdict(compared.baseline),
        "effect": compared.effect,
        "se": compared.se,
        "log_ratio": compared.log_ratio,
        "log_ratio_se": compared.log_ratio_se,
        "question": asdict(question),
        "verdict": str(known.verdict),
        "method": known.method,
        "low": finite(known.bounds.low),
        "high": finite(known.bounds.high),
        "threshold": known.threshold,
        "n_star": known.n_star,
        "units_wanted": known.wanted,
    }


def replayed(entry: Mapping[str, Any]) -> tuple[Compared, Question]:
    """Give what was seen and asked, from `described`."""
    compared = Compared(
        metric=entry["metric"],
        segment=entry["segment"],
        baseline=ArmMean(**entry["baseline"]),
        candidate=ArmMean(**entry["candidate"]),
        effect=entry["effect"],
        se=entry["se"],
        log_ratio=entry["log_ratio"],
        log_ratio_se=entry["log_ratio_se"],
    )
    return compared, Question(**entry["question"])


def finite(value: float) -> float | None:
    """
    Give the value, or None of an infinity, which JSON does not know.

    >>> finite(inf), finite(1.0)
    (None, 1.0)
    """
    return value if isfinite(value) else None
