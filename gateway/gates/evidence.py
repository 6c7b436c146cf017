"""Evidence for stage gates: one candidate against its baseline, by unit, stratified by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.stats.strata import Contrast


@dataclass(frozen=True, slots=True)
class ArmMean:
    """
    One arm's mean over units.

    Attributes:
        n_units: Units with at least one value.
        n_values: Values in all.
        mean: Mean of the units' means.
    """

    n_units: int
    n_values: int
    mean: float


@dataclass(frozen=True, slots=True)
class Compared:
    """
    One metric, candidate against baseline.

    Estimates are over epochs, each compared within itself; standard errors are clustered by unit across epochs
    (decisions.md § 1.6), so a unit that was exposed in three stages is one unit.

    Attributes:
        metric: Name; `errors` and `safety` are the share of a unit's requests that failed or were unsafe.
        segment: `name=value`; empty for all.
        baseline: Its mean.
        candidate: Its mean.
        effect: Candidate minus baseline, in the metric's unit, stratified.
        se: Its standard error; None with too few units to tell.
        log_ratio: Natural logarithm of candidate over baseline; None where a mean is not above 0.
        log_ratio_se: Its standard error, by the delta method; None likewise.
    """

    metric: str
    segment: str
    baseline: ArmMean
    candidate: ArmMean
    effect: float
    se: float | None
    log_ratio: float | None = None
    log_ratio_se: float | None = None


def compared_of(metric: str, found: Contrast, segment: str = "") -> Compared:
    """Give what strata came to as evidence about a metric, in all or in one segment."""
    return Compared(
        metric=metric,
        segment=segment,
        baseline=ArmMean(*found.baseline),
        candidate=ArmMean(*found.candidate),
        effect=found.effect,
        se=found.se,
        log_ratio=found.log_ratio,
        log_ratio_se=found.log_ratio_se,
    )


@dataclass(frozen=True, slots=True)
class InternalEvidence:
    """
    What internal users saw of the candidate.

    Attributes:
        requests: How many.
        failures: Provider faults among them.
        unsafe: Safety incidents among them.
        invalid_formats: Answers that did not keep to the route's schema.
    """

    requests: int = 0
    failures: int = 0
    unsafe: int = 0
    invalid_formats: int = 0


@dataclass(frozen=True, slots=True)
class ShadowEvidence:
    """
    What the comparison of the candidate's shadow came to.

    Attributes:
        state: Of `gates.shadow_verdict.ShadowState`.
        sentence: Its headline.
        n_pairs: Pairs compared.
        n_users: Their users.
        findings: What it stood on, each as name, effect, low, high and sentence; JSON values only.
    """

    state: str
    sentence: str
    n_pairs: int
    n_users: int
    findings: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class EpochUnits:
    """
    Units exposed in one epoch, for the sample ratio.

    Attributes:
        epoch: Which.
        candidate_buckets: The candidate's share of those compared.
        baseline_buckets: The baseline's.
        candidate: Its exposed units.
        baseline: Its exposed units.
    """

    epoch: int
    candidate_buckets: int
    baseline_buckets: int
    candidate: int
    baseline: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    What a stage's gates look at.

    Attributes:
        until_unix_ms: What is known up to here.
        stage_units: Candidate units exposed since the stage began.
        stage_requests: Their requests.
        stage_s: How long the stage has lasted, to say how much longer it may take; 0 where that is not known.
        metrics: By metric: means of what feedback said; binary ones as 0 and 1.
        tails: By metric with a `catastrophic` line: share of values beyond it.
        segments: By metric, by segment (`name=value`): the same within a segment.
        errors: Share of failing requests by unit; None with nobody in one of the arms.
        safety: Likewise of unsafe answers.
        internal: What internal users saw.
        epochs: Exposed units by epoch.
        n_multi_exposed: Units exposed in both arms within one epoch: there should be none.
        shadow: What copies came to; None where nobody asked.
    """

    until_unix_ms: int
    stage_units: int = 0
    stage_requests: int = 0
    stage_s: float = 0.0
    metrics: Mapping[str, Compared] = field(default_factory=dict)
    tails: Mapping[str, Compared] = field(default_factory=dict)
    segments: Mapping[str, Mapping[str, Compared]] = field(default_factory=dict)
    errors: Compared | None = None
    safety: Compared | None = None
    internal: InternalEvidence = InternalEvidence()
    epochs: tuple[EpochUnits, ...] = ()
    n_multi_exposed: int = 0
    shadow: ShadowEvidence | None = None
