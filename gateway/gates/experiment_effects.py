"""From a contrast to an effect: the interval that may be looked at every day, and what it says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, exp, inf, sqrt

from gateway.gates.experiment import Effect, Harm, Question
from gateway.gates.experiment_metrics import Measure
from gateway.stats.anytime import always_valid_p, half_width, msprt, tuning
from gateway.stats.cells import CellContrast

LEAST_UNITS = 100
LEAST_OF_EACH = 5
"""Of a rate's successes, and of its failures, in each arm, if both had the rate of both together."""
MOST_UNITS = 50_000_000
"""More than this is never."""

_POWER_80 = 0.8416212335729143
"""The normal quantile of .80."""


@dataclass(frozen=True, slots=True)
class EffectRule:
    """
    How effects are judged.

    Attributes:
        alpha: P(an arm like the baseline is ever called different in the primary metric), over all arms, in (0, 1);
            of every other metric, which decides nothing, likewise.
        guardrail_alpha: P(an arm like the baseline is ever called harmful by any guardrail), over all arms.
        n_guardrails: How many there are, at least 1: they share it.
        n_star: Units of both arms at which intervals are narrowest: the planned number, fixed beforehand.
        n_arms: Arms compared with the baseline, at least 1: they share alpha.
    """

    alpha: float = 0.05
    guardrail_alpha: float = 0.01
    n_guardrails: int = 1
    n_star: float = 2_000
    n_arms: int = 1

    def n_shared(self, question: Question) -> int:
        """Give among how many questions alike alpha is shared."""
        return self.n_arms * (self.n_guardrails if question is Question.GUARDRAIL else 1)

    def alpha_of(self, question: Question) -> float:
        """Give what one arm may spend on one metric: Bonferroni's share, which any dependence keeps."""
        whole = self.guardrail_alpha if question is Question.GUARDRAIL else self.alpha
        return whole / self.n_shared(question)


@dataclass(frozen=True, slots=True)
class Sample:
    """
    How many spoke.

    Attributes:
        n: Distinct units of the arm with a value.
        n_baseline: The baseline's.
        successes: Of rates: (units' rates summed up, of arm and baseline); None for everything else.
    """

    n: int
    n_baseline: int
    successes: tuple[float, float] | None = None

    @property
    def is_burnt_in(self) -> bool:
        """
        Tell whether asymptotic intervals hold: units enough, and of a rate some of either kind.

        By what both arms together make expected: a baseline without a single catastrophe must not hide the candidate's
        hundred.
        """
        least = min(self.n, self.n_baseline)
        if least < LEAST_UNITS:
            return False
        rate = self.pooled
        return rate is None or LEAST_OF_EACH <= rate * least <= least - LEAST_OF_EACH

    @property
    def pooled(self) -> float | None:
        """Give the rate of both arms together, 0 to 1; None of what is no rate, or of nobody."""
        n = self.n + self.n_baseline
        return None if self.successes is None or not n else sum(self.successes) / n

    def least_se(self) -> float:
        """
        Give the standard error that a difference of rates has at least.

        An arm that happens to have none of a rare thing, or next to none, shows no spread: it gets that of both
        together. 0 where each arm has enough of its own to tell.

        >>> round(Sample(2_500, 2_500, (125.0, 0.0)).least_se(), 5), Sample(2_500, 2_500, (125.0, 90.0)).least_se()
        (0.00442, 0.0)
        """
        rate = self.pooled
        if rate is None or self.successes is None or not self.n or not self.n_baseline:
            return 0.0
        both = zip(self.successes, (self.n, self.n_baseline), strict=True)
        if all(LEAST_OF_EACH <= came <= n - LEAST_OF_EACH for came, n in both):
            return 0.0
        return sqrt(rate * (1 - rate) * (1 / self.n + 1 / self.n_baseline))


def effect_of(
    measure: Measure, arm: str, baseline: str, contrast: CellContrast, sample: Sample, rule: EffectRule
) -> Effect:
    """
    Give an effect with its always-valid interval and p-value; the sentence is added later.

    Until the burn-in is over nothing is better or worse: the interval is shown, and believed by nobody.
    """
    n, alpha = sample.n + sample.n_baseline, rule.alpha_of(measure.question)
    contrast = replace(contrast, se=max(contrast.se, sample.least_se()))
    reach = _reach(n, contrast.se, alpha, rule.n_star)
    low, high = contrast.effect - reach, contrast.effect + reach
    is_enough = sample.is_burnt_in
    up = is_enough and low > 0
    down = is_enough and high < 0
    lift = None if contrast.baseline_mean <= 0 else contrast.effect / contrast.baseline_mean
    lift_low, lift_high = lift_ends(contrast, _reach(n, 1.0, alpha, rule.n_star))
    return Effect(
        metric=measure.name,
        question=measure.question,
        scale=measure.scale,
        harm=measure.harm,
        arm=arm,
        baseline=baseline,
        n=sample.n,
        n_baseline=sample.n_baseline,
        mean=contrast.mean,
        baseline_mean=contrast.baseline_mean,
        effect=contrast.effect,
        low=low,
        high=high,
        lift=lift,
        lift_low=lift_low,
        lift_high=lift_high,
        p=min(1.0, _p(contrast, n, alpha, rule.n_star) * rule.n_shared(measure.question)) if is_enough else 1.0,
        confidence=1 - alpha,
        is_enough=is_enough,
        is_better=up if measure.harm is Harm.DOWN else down if measure.harm is Harm.UP else False,
        is_worse=down if measure.harm is Harm.DOWN else up if measure.harm is Harm.UP else False,
        wants_units=None
        if up or down
        else units_wanted(contrast.effect, contrast.se, n, alpha=alpha, n_star=rule.n_star),
        variance_cut=contrast.variance_cut,
    )


def units_wanted(effect: float, se: float, n: int, *, alpha: float, n_star: float) -> int | None:
    """
    Give about how many units more would decide, should the effect stay as it is.

    Args:
        effect: As estimated.
        se: Its standard error now.
        n: Units so far, of both arms.
        alpha: Of the interval, in (0, 1).
        n_star: Units at which it is narrowest.

    Returns:
        Units of both arms, beyond the present; None without units, or when it would be more than fifty million.

    >>> units_wanted(0.05, 0.04, 400, alpha=0.05, n_star=2_000)
    1961
    """
    if not n or se <= 0 or effect == 0:
        return None
    # Scaled by √n: what one unit adds stays as it is.
    sd = se * sqrt(n)

    def is_decided(units: float) -> bool:
        return _reach(units, sd / sqrt(units), alpha, n_star) < abs(effect)

    low, high = float(n), float(n)
    while not is_decided(high):
        low, high = high, high * 2
        if high > MOST_UNITS:
            return None
    while high - low > 0.001 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if is_decided(middle) else (middle, high)
    return max(0, ceil(high) - n)


def detectable(contrast: CellContrast, n: int, rule: EffectRule) -> float | None:
    """
    Give the smallest lift of the primary metric that would have been decided by now in four cases of five.

    None without a baseline above 0. Earlier looks would have found it now and then where this one does not: it is
    found a little more often than said.
    """
    if contrast.baseline_mean <= 0:
        return None
    reach = _reach(n, contrast.se, rule.alpha_of(Question.PRIMARY), rule.n_star)
    return (reach + _POWER_80 * contrast.se) / contrast.baseline_mean


def _reach(n: float, se: float, alpha: float, n_star: float) -> float:
    return half_width(n, se=se, alpha=alpha, n_star=n_star) if se > 0 else 0.0


def lift_ends(contrast: CellContrast, n_errors: float) -> tuple[float | None, float | None]:
    """Give the ends of the lift's interval, so many standard errors of its logarithm wide to each side."""
    if contrast.log_ratio is None or contrast.log_ratio_se is None:
        return None, None
    reach = n_errors * contrast.log_ratio_se
    return exp(contrast.log_ratio - reach) - 1, _above(contrast.log_ratio + reach)


def _above(log_ratio: float) -> float:
    return exp(log_ratio) - 1 if log_ratio < 700 else inf


def _p(contrast: CellContrast, n: int, alpha: float, n_star: float) -> float:
    """Give the p-value that is below alpha exactly when the interval excludes 0: the same mixture's."""
    if contrast.se <= 0:
        return 1.0 if contrast.effect == 0 else 0.0
    tau = contrast.se * sqrt(n) * tuning(alpha=alpha, n_star=n_star)
    return always_valid_p(msprt(contrast.effect, se=contrast.se, tau=tau))
