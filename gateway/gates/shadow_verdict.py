"""The verdict on a shadow, and the findings it stands on: values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ShadowState(StrEnum):
    """What is to be thought of a shadow."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no_difference"
    MIXED = "mixed"
    INSUFFICIENT = "insufficient"


class Harm(StrEnum):
    """Which way a number gets worse."""

    UP = "up"
    DOWN = "down"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing found, in numbers and in a sentence.

    Attributes:
        name: Of `Measured`: `errors`, `safety`, `refusals`, `format`, `ttft`, `ttft_p95`, `duration`, `duration_p95`,
            `cost`, `output_tokens`, `length`, `similarity`, `equal`, `other_fields`, `other_tools`; and `quality`,
            `judge_position`, `judge_noise`.
        unit: Of effect, low and high: `difference` (of shares or means), `ratio`, `share` (0 to 1).
        primary: The primary's number; None where there is none of one side.
        shadow: The shadow's.
        effect: Shadow minus primary, shadow over primary, or the share itself.
        low: Lower end of the interval.
        high: Upper end.
        null: The effect of no difference: 0, 1 or 0.5.
        margin: How far from `null` it must be to matter.
        harm: Which way is worse.
        p: Two-sided, of one look, before it is corrected for many questions.
        is_worse: Surely different, beyond the margin, the wrong way.
        is_better: Likewise the right way.
        is_decisive: The verdict stands on it; the rest is told.
        is_enough: Harm of twice the margin can be excluded, or the finding is worse or better.
        n_pairs: Pairs in it.
        n_users: Users in it.
        wants_pairs: About how many pairs more it needs to be enough; None when enough.
        noise_effect: The same number of the primary's variant against itself; None without noise pairs.
        noise_low: Lower end of its interval.
        noise_high: Upper end.
        is_adjusted: The variant differs from itself in this, so the effect was judged against that.
        sentence: For a product owner.
    """

    name: str
    unit: str
    primary: float | None
    shadow: float | None
    effect: float
    low: float
    high: float
    null: float
    margin: float
    harm: Harm
    p: float
    is_worse: bool = False
    is_better: bool = False
    is_decisive: bool = False
    is_enough: bool = True
    n_pairs: int = 0
    n_users: int = 0
    wants_pairs: int | None = None
    noise_effect: float | None = None
    noise_low: float | None = None
    noise_high: float | None = None
    is_adjusted: bool = False
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class ShadowRule:
    """
    What counts as a difference that matters.

    Attributes:
        alpha: P(an equal shadow is called different in anything), in (0, 1).
        min_pairs: Below it nothing is said.
        min_users: Likewise.
        error_margin: Difference of rates, a share.
        safety_margin: Likewise.
        refusal_margin: Likewise.
        format_margin: Likewise.
        quality_margin: Of the win rate from a half.
        latency_ratio: Of typical times, above 1.
        tail_ratio: Of 95th percentiles, above 1.
        cost_ratio: Above 1.
        likeness_margin: Difference of means from the noise floor's.
        bias_alpha: Below it the judge counts as biased, in (0, 1).
    """

    alpha: float = 0.05
    min_pairs: int = 100
    min_users: int = 20
    error_margin: float = 0.01
    safety_margin: float = 0.005
    refusal_margin: float = 0.01
    format_margin: float = 0.01
    quality_margin: float = 0.05
    latency_ratio: float = 1.25
    tail_ratio: float = 1.5
    cost_ratio: float = 1.5
    likeness_margin: float = 0.05
    bias_alpha: float = 0.005


@dataclass(frozen=True, slots=True)
class ShadowVerdict:
    """
    The answer.

    Attributes:
        state: What is to be thought.
        headline: What, how sure, what next: one or two sentences for a product owner.
        findings: The telling ones first.
        n_pairs: Pairs seen.
        n_users: Users seen.
        wants_pairs: About how many pairs more would do, where it is INSUFFICIENT.
        warnings: What weakens all this: a judge that prefers what stands first, no noise pairs.
    """

    state: ShadowState
    headline: str
    findings: tuple[Finding, ...] = ()
    n_pairs: int = 0
    n_users: int = 0
    wants_pairs: int | None = None
    warnings: tuple[str, ...] = ()
