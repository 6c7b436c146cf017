"""From the sums of an experiment to its summary: effects, looks, segments, checks, and the verdict on all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import isfinite, prod
from statistics import NormalDist

from gateway.domain.rollout import PlannedLooks
from gateway.gates.experiment import (
    ArmRow,
    DayLook,
    Effect,
    Excluded,
    Question,
    RatioCheck,
    SegmentEffect,
)
from gateway.gates.experiment_effects import LEAST_UNITS, EffectRule, Sample, detectable, effect_of, lift_ends
from gateway.gates.experiment_metrics import Measure
from gateway.gates.experiment_verdict import DAY_S, ArmEvidence, ExperimentRule, decide_experiment, told
from gateway.gates.experiment_words import effect_sentence
from gateway.record.experiment_query import EpochShares
from gateway.report.experiment_gathering import Gathering
from gateway.report.experiment_summary import ExperimentSummary
from gateway.report.planned_looks import LookOver, at_planned_look, looks_over
from gateway.report.words import moment
from gateway.stats.cells import CellContrast
from gateway.stats.multiple import benjamini_hochberg, holm
from gateway.stats.srm import sequential

RATIO_LIMIT = 1_000.0
LATELY_DAYS = 7
SEGMENT_ALPHA = 0.05
MAX_LOOKS = 31
"""Days that are looked at: the first, and the last of them."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """
    What is analysed.

    Attributes:
        route: Route name.
        release: Release name.
        kind: `split`, …
        unit: What is randomised.
        baseline: Arm name.
        weights: (arm, buckets now), the baseline among them.
        primary: Metric name; None where only guardrails are judged.
        min_duration_s: Before a verdict.
        min_units: Per arm, before a verdict.
        epochs: How it was divided, each stretch.
        since_unix_ms: When it began.
        stopped: Arm to when and why it was stopped.
        declared_segments: Names of segments named beforehand.
        planned: When it is looked at; None where one may look whenever one likes.
    """

    route: str
    release: str
    kind: str
    unit: str
    baseline: str
    weights: tuple[tuple[str, int], ...]
    primary: str | None
    min_duration_s: float
    min_units: int
    epochs: tuple[EpochShares, ...]
    since_unix_ms: int
    stopped: Mapping[str, str] = field(default_factory=dict)
    declared_segments: tuple[str, ...] = ()
    planned: PlannedLooks | None = None

    @property
    def candidates(self) -> tuple[str, ...]:
        """Give the arms but the baseline."""
        return tuple(arm for arm, _ in self.weights if arm != self.baseline)


@dataclass(frozen=True, slots=True)
class Traffic:
    """
    What requests came to.

    Attributes:
        requests: Analysed ones, by arm.
        usd: What they cost, by arm; arms without a price are not in it.
        excluded: Requests by reason, of those nobody analyses.
    """

    requests: Mapping[str, int]
    usd: Mapping[str, float]
    excluded: Mapping[str, int]


def look_days(since_unix_ms: int, now_unix_ms: int) -> tuple[int, ...]:
    """
    Give the days since 1970 at whose end is looked: all of them, or the first and the last of many.

    >>> look_days(3 * 86_400_000, 5 * 86_400_000 + 1)
    (3, 4, 5)
    """
    days = range(since_unix_ms // 86_400_000, now_unix_ms // 86_400_000 + 1)
    return tuple(days) if len(days) <= MAX_LOOKS else (days[0], *days[-MAX_LOOKS + 1 :])


def summarize_experiment(
    experiment: Experiment, gathering: Gathering, measures: Sequence[Measure], traffic: Traffic, *, now_unix_ms: int
) -> ExperimentSummary:
    """Put together what an experiment came to."""
    rule = _rule_of(experiment, measures)
    elapsed_s = max(0.0, (now_unix_ms - experiment.since_unix_ms) / 1000) if gathering.n_units else 0.0
    looks = looks_over(gathering.n_by_day, experiment.planned, today=now_unix_ms // 86_400_000)
    by_arm = {
        arm: told(tuple(_effects(gathering, measures, arm, experiment, rule, looks))) for arm in experiment.candidates
    }
    check = ratio_check(gathering, experiment.epochs)
    per_day = units_per_day(gathering, now_unix_ms)
    verdict = decide_experiment(
        [
            ArmEvidence(
                arm,
                gathering.n_units[arm],
                effects,
                is_stopped=arm in experiment.stopped,
                is_over=bool(looks) and looks[-1].share >= 1,
            )
            for arm, effects in by_arm.items()
        ],
        ExperimentRule(experiment.min_duration_s, experiment.min_units, primary=experiment.primary),
        elapsed_s=elapsed_s,
        ratio_check=check,
        units_per_day=per_day,
    )
    return ExperimentSummary(
        route=experiment.route,
        release=experiment.release,
        kind=experiment.kind,
        unit=experiment.unit,
        generated=moment(now_unix_ms),
        since=moment(experiment.since_unix_ms) if gathering.n_units else "",
        days=elapsed_s / DAY_S,
        arms=_arms(experiment, gathering, traffic),
        verdict=verdict,
        effects=tuple(effect for effects in by_arm.values() for effect in effects),
        looks=tuple(_looks(gathering, experiment, rule)),
        segments=tuple(_segments(gathering, experiment, rule)),
        ratio_check=check,
        excluded=_excluded(gathering, traffic),
        n_analysed=sum(traffic.requests.values()),
        primary=experiment.primary,
        method=_method(rule, experiment),
        detectable=_detectable(gathering, experiment, rule),
        notes=tuple(_notes(experiment, gathering, by_arm)),
    )


def ratio_check(gathering: Gathering, epochs: Sequence[EpochShares]) -> RatioCheck | None:
    """
    Give whether new units came to the arms as planned, over all epochs; None before anybody came.

    Odds of epochs multiply: each is a martingale of its own units.
    """
    rows, odds = [], []
    for epoch in epochs:
        total = sum(buckets for _, buckets in epoch.arms)
        counts = [gathering.n_new[epoch.epoch, arm] for arm, _ in epoch.arms]
        if len(epoch.arms) < 2 or not sum(counts):
            continue
        odds.append(sequential(counts, [buckets for _, buckets in epoch.arms]))
        rows.append(
            (
                epoch.epoch,
                tuple((arm, n, buckets / total) for (arm, buckets), n in zip(epoch.arms, counts, strict=True)),
            )
        )
    return RatioCheck(prod(odds), RATIO_LIMIT, tuple(rows)) if rows else None


def units_per_day(gathering: Gathering, now_unix_ms: int) -> float:
    """Give how many new units came a day, of the last whole days; of what there is where there are none."""
    today = now_unix_ms // 86_400_000
    whole = {day: n for day, n in gathering.n_by_day.items() if today - LATELY_DAYS <= day < today}
    if whole:
        return sum(whole.values()) / (today - min(whole))
    hours = max(1.0, (now_unix_ms % 86_400_000) / 3_600_000)
    return gathering.n_by_day[today] * 24 / hours


def _rule_of(experiment: Experiment, measures: Sequence[Measure]) -> EffectRule:
    n_guardrails = sum(each.question is Question.GUARDRAIL for each in measures)
    n_arms = max(1, len(experiment.candidates))
    return EffectRule(n_star=2.0 * max(100, experiment.min_units), n_arms=n_arms, n_guardrails=max(1, n_guardrails))


def _effects(
    gathering: Gathering,
    measures: Sequence[Measure],
    arm: str,
    experiment: Experiment,
    rule: EffectRule,
    looks: Sequence[LookOver],
) -> Iterator[Effect]:
    at_days = {day: found for day, found, _ in gathering.looks(arm)} if experiment.planned is not None else {}
    for measure in measures:
        found = gathering.contrast(measure, arm)
        if found is None:
            continue
        effect = effect_of(measure, arm, experiment.baseline, *found, rule)
        if experiment.planned is not None and measure.question is Question.PRIMARY:
            effect = at_planned_look(effect, at_days, looks, experiment.planned, gathering.n_by_day, rule)
        yield effect


def _looks(gathering: Gathering, experiment: Experiment, rule: EffectRule) -> Iterator[DayLook]:
    primary = gathering.primary
    if primary is None or primary.question is not Question.PRIMARY:
        return
    for arm in experiment.candidates:
        for day, found, n in gathering.looks(arm):
            if n < 2 * LEAST_UNITS:
                continue
            one = effect_of(primary, arm, experiment.baseline, found, Sample(n, 0), rule)
            yield DayLook(arm, _date(day), n, one.effect, one.low, one.high)


def _segments(gathering: Gathering, experiment: Experiment, rule: EffectRule) -> Iterator[SegmentEffect]:
    primary = gathering.primary
    if primary is None or primary.question is not Question.PRIMARY:
        return
    for arm in experiment.candidates:
        rows = [
            SegmentEffect(
                f"{name}={value}",
                _of_one_look(effect_of(primary, arm, experiment.baseline, found, sample, rule), found, sample),
                is_declared=name in experiment.declared_segments,
            )
            for name, value, found, sample in gathering.segments(arm)
        ]
        yield from _corrected(rows)


def _of_one_look(effect: Effect, found: CellContrast, sample: Sample) -> Effect:
    """Give a segment's effect with the interval and p of a single look: tables of segments are corrected together."""
    if found.se <= 0:
        return replace(effect, question=Question.EXPLORATORY)
    normal = NormalDist()
    reach = normal.inv_cdf(0.975) * found.se
    lift_low, lift_high = lift_ends(found, normal.inv_cdf(0.975))
    p = 2 * normal.cdf(-abs(found.effect) / found.se) if sample.is_burnt_in else 1.0
    one = replace(
        effect,
        question=Question.EXPLORATORY,
        low=found.effect - reach,
        high=found.effect + reach,
        lift_low=lift_low,
        lift_high=lift_high,
        p=p,
        confidence=0.95,
        wants_units=None,
    )
    return replace(one, sentence=effect_sentence(one))


def _corrected(rows: Sequence[SegmentEffect]) -> Iterator[SegmentEffect]:
    for is_declared, correct in ((True, holm), (False, benjamini_hochberg)):
        some = [row for row in rows if row.is_declared is is_declared]
        proven = correct([row.effect.p for row in some], alpha=SEGMENT_ALPHA) if some else []
        for row, is_proven in zip(some, proven, strict=True):
            yield replace(row, is_proven=is_proven and row.effect.is_enough)


def _arms(experiment: Experiment, gathering: Gathering, traffic: Traffic) -> tuple[ArmRow, ...]:
    total = sum(buckets for _, buckets in experiment.weights) or 1
    return tuple(
        ArmRow(
            arm,
            arm == experiment.baseline,
            0.0 if arm in experiment.stopped else buckets / total,
            gathering.n_units[arm],
            traffic.requests.get(arm, 0),
            traffic.usd.get(arm),
            experiment.stopped.get(arm, ""),
        )
        for arm, buckets in experiment.weights
    )


def _excluded(gathering: Gathering, traffic: Traffic) -> tuple[Excluded, ...]:
    found = [Excluded(reason, n) for reason, n in sorted(traffic.excluded.items()) if n]
    return (*found, Excluded("two_arms", gathering.n_two_arms)) if gathering.n_two_arms else tuple(found)


def _detectable(gathering: Gathering, experiment: Experiment, rule: EffectRule) -> dict[str, float]:
    primary, found = gathering.primary, {}
    if primary is None or primary.question is not Question.PRIMARY:
        return {}
    for arm in experiment.candidates:
        one = gathering.contrast(primary, arm)
        least = None if one is None else detectable(one[0], one[1].n + one[1].n_baseline, rule)
        if least is not None and isfinite(least):
            found[arm] = least
    return found


def _notes(experiment: Experiment, gathering: Gathering, by_arm: Mapping[str, Sequence[Effect]]) -> Iterator[str]:
    if experiment.unit == "request":
        yield "The unit is the request: a person may get both arms, and what a person says counts for neither alone."
    if gathering.n_two_arms:
        yield f"{gathering.n_two_arms:,} users were seen in two arms of one epoch and are left out."
    if len(experiment.epochs) > 1:
        yield f"Weights changed {len(experiment.epochs) - 1} times; each stretch is compared for itself."
    primaries = [each for effects in by_arm.values() for each in effects if each.question is Question.PRIMARY]
    for each in primaries:
        spoke, exposed = each.n + each.n_baseline, gathering.n_units[each.arm] + gathering.n_units[each.baseline]
        if exposed and spoke < 0.5 * exposed:
            yield f"Of {exposed:,} users of {each.arm} and {each.baseline}, {spoke:,} have a value of {each.metric}."
        if each.variance_cut:
            yield f"What users did before takes away {each.variance_cut:.0%} of the variance of {each.metric} (CUPED)."
    for arm, when in experiment.stopped.items():
        yield f"{arm} was stopped: {when}. From then on nobody is compared with it."


def _method(rule: EffectRule, experiment: Experiment) -> str:
    arms = f", shared by {rule.n_arms} arms" if rule.n_arms > 1 else ""
    epochs = ", each epoch for itself" if len(experiment.epochs) > 1 else ""
    planned = experiment.planned
    if planned is not None:
        epochs += f", the primary metric at {planned.looks} looks planned over {planned.users:,} units (Lan-DeMets)"
    return (
        f"By {experiment.unit}{epochs}: means of {experiment.unit}s' own means, ratios by the delta method; "
        f"asymptotic confidence sequences at {1 - rule.alpha:.0%}{arms}, narrowest at {rule.n_star:,.0f} units, which"
        f" hold at every look together. Guardrails share {rule.guardrail_alpha:.0%}. Segments: a single look, Holm"
        " where declared, else Benjamini-Hochberg."
    )


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()
