"""Effects: intervals that may be looked at every day, and when they say something."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.gates.experiment import Harm, Question, Scale
from gateway.gates.experiment_effects import EffectRule, Sample, detectable, effect_of, units_wanted
from gateway.gates.experiment_metrics import Measure
from gateway.stats.cells import CellContrast

THUMBS = Measure("thumbs", Question.PRIMARY, Scale.SHARE, Harm.DOWN, "total", "count", "thumbs")
ERRORS = replace(THUMBS, name="errors", question=Question.GUARDRAIL, harm=Harm.UP)
RULE = EffectRule()


def contrast(rate: float, baseline: float, n: int) -> CellContrast:
    """Give a contrast of two rates, n users each."""
    se = sqrt((rate * (1 - rate) + baseline * (1 - baseline)) / n)
    log_se = sqrt((1 - rate) / rate / n + (1 - baseline) / baseline / n)
    return CellContrast(rate, baseline, rate - baseline, se, float(np.log(rate / baseline)), log_se, 1)


def sample(rate: float, baseline: float, n: int) -> Sample:
    """Give how many spoke."""
    return Sample(n, n, (rate * n, baseline * n))


def test_better_and_worse() -> None:
    """The same interval is better for thumbs and worse for errors."""
    found = contrast(0.85, 0.80, 5_000), sample(0.85, 0.80, 5_000)
    thumbs, errors = (effect_of(each, "new", "old", *found, RULE) for each in (THUMBS, ERRORS))
    assert (thumbs.is_better, thumbs.is_worse, errors.is_better, errors.is_worse) == (True, False, False, True)
    assert thumbs.low > 0 and thumbs.p < 0.05 and thumbs.lift == pytest.approx(0.0625)
    assert thumbs.wants_units is None


def test_wider_than_one_look() -> None:
    """At its planned size the interval is about 1.6 times that of a single look."""
    found = effect_of(THUMBS, "new", "old", contrast(0.8, 0.8, 1_000), sample(0.8, 0.8, 1_000), RULE)
    one_look = 1.96 * sqrt(2 * 0.8 * 0.2 / 1_000)
    assert found.high / one_look == pytest.approx(1.55, abs=0.1)


@given(st.floats(-0.1, 0.1), st.integers(200, 200_000), st.integers(1, 5))
def test_p_agrees_with_the_interval(effect: float, n: int, n_arms: int) -> None:
    """p is below alpha exactly when the interval excludes no difference, for any number of arms."""
    rule = EffectRule(n_arms=n_arms)
    found = effect_of(THUMBS, "new", "old", contrast(0.5 + effect, 0.5, n), sample(0.5 + effect, 0.5, n), rule)
    is_out = found.low > 0 or found.high < 0
    assert is_out == (found.p < rule.alpha) or abs(found.p - rule.alpha) < 1e-9


@pytest.mark.parametrize(("n", "rate"), [(99, 0.5), (400, 0.99), (400, 0.01)])
def test_burn_in(n: int, rate: float) -> None:
    """With too few users, or almost no failure or success, nothing is better or worse however far apart."""
    found = effect_of(THUMBS, "new", "old", replace(contrast(rate, 0.5, n), se=1e-6), sample(rate, rate, n), RULE)
    assert (found.is_enough, found.is_better, found.is_worse, found.p) == (False, False, False, 1.0)


def test_baseline_without_a_single_one() -> None:
    """Catastrophes that the baseline never had are found all the same."""
    found = effect_of(THUMBS, "new", "old", contrast(0.05, 0.0004, 2_500), sample(0.05, 0.0, 2_500), RULE)
    assert found.is_enough and found.low > 0


def test_several_arms_share_alpha() -> None:
    """With four arms each has a quarter of alpha, and a wider interval."""
    one, four = (
        effect_of(THUMBS, "new", "old", contrast(0.82, 0.8, 3_000), sample(0.82, 0.8, 3_000), EffectRule(n_arms=n))
        for n in (1, 4)
    )
    assert (one.confidence, four.confidence) == (0.95, 0.9875)
    assert four.high - four.low > one.high - one.low


def test_guardrails_have_their_own_alpha() -> None:
    """Three guardrails of two arms share one percent, however much the primary metric spends."""
    rule = EffectRule(n_arms=2, n_guardrails=3)
    found = effect_of(ERRORS, "new", "old", contrast(0.8, 0.8, 3_000), sample(0.8, 0.8, 3_000), rule)
    assert found.confidence == pytest.approx(1 - 0.01 / 6)


def test_units_wanted() -> None:
    """With as many units as were wanted, and the same effect, it is decided; with a tenth fewer it is not."""
    sd = sqrt(0.84 * 0.16 + 0.8 * 0.2)
    more = units_wanted(0.04, sd / sqrt(500), 1_000, alpha=0.05, n_star=2_000)
    assert more is not None
    for share, is_decided in ((1.01, True), (0.9, False)):
        n = round((1_000 + more) * share / 2)
        found = effect_of(THUMBS, "new", "old", contrast(0.84, 0.8, n), sample(0.84, 0.8, n), RULE)
        assert found.is_better is is_decided


def test_never_wanted() -> None:
    """No effect is never decided, and a tiny one would take more users than there are."""
    assert units_wanted(0.0, 0.01, 1_000, alpha=0.05, n_star=2_000) is None
    assert units_wanted(1e-6, 0.01, 1_000, alpha=0.05, n_star=2_000) is None


def test_no_spread() -> None:
    """Arms without any spread differ or do not; nothing is divided by zero."""
    flat = CellContrast(1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1)
    found = effect_of(replace(THUMBS, scale=Scale.SCORE), "new", "old", flat, Sample(500, 500), RULE)
    assert (found.low, found.high, found.p, found.is_better) == (0.0, 0.0, 1.0, False)


def test_detectable() -> None:
    """What would have been found in four cases of five is 0.84 standard errors beyond the half width."""
    one = contrast(0.8, 0.8, 1_000)
    found = effect_of(THUMBS, "new", "old", one, sample(0.8, 0.8, 1_000), RULE)
    assert detectable(one, 2_000, RULE) == pytest.approx((found.high + 0.8416212 * one.se) / 0.8)
    assert detectable(replace(one, baseline_mean=0.0), 2_000, RULE) is None
