"""What an experiment measures: the metrics of the file, and what every request tells anyway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.domain.metric import Metric, MetricKind
from gateway.gates.experiment import Harm, Question, Scale

GOOD, CATASTROPHIC, RATED = "good", "catastrophic", "rated"


@dataclass(frozen=True, slots=True)
class Measure:
    """
    One number per unit that arms are compared in.

    Attributes:
        name: `thumbs`, `faithfulness:catastrophic`, `errors`.
        question: What it is asked for.
        scale: How it is written.
        harm: Which way is worse.
        numerator: What is summed up: a name in `UnitSums` or `unsafe`; of feedback `total`, `good` or `catastrophic`.
        denominator: What it is divided by: likewise; of feedback `count`.
        metric: The metric said; None for what requests tell.
        is_ratio: Sum over sum, by the delta method; else the mean of units' own ratios.
    """

    name: str
    question: Question
    scale: Scale
    harm: Harm
    numerator: str
    denominator: str
    metric: str | None = None
    is_ratio: bool = False

    @property
    def is_rate(self) -> bool:
        """Tell whether its values are 0 or 1: a burn-in wants both."""
        return self.scale is Scale.SHARE


OF_REQUESTS = (
    Measure("errors", Question.GUARDRAIL, Scale.SHARE, Harm.UP, "provider_faults", "requests"),
    Measure("safety", Question.GUARDRAIL, Scale.SHARE, Harm.UP, "unsafe", "requests"),
    Measure("refusals", Question.SECONDARY, Scale.SHARE, Harm.UP, "refused", "requests"),
    Measure("duration", Question.SECONDARY, Scale.MS, Harm.UP, "duration_ms", "answered", is_ratio=True),
    Measure("ttft", Question.SECONDARY, Scale.MS, Harm.UP, "ttft_ms", "ttfts", is_ratio=True),
    Measure("cost", Question.SECONDARY, Scale.USD, Harm.UP, "cost_usd", "priced", is_ratio=True),
    Measure(
        "output_tokens", Question.SECONDARY, Scale.TOKENS, Harm.NEITHER, "output_tokens", "answered", is_ratio=True
    ),
)
"""What every request tells; latency, cost and length are ratios of sums, failures are users' own rates."""

_SCALES = {
    MetricKind.BINARY: (Scale.SHARE, Harm.DOWN),
    MetricKind.SCORE: (Scale.SCORE, Harm.DOWN),
    MetricKind.COUNT: (Scale.COUNT, Harm.NEITHER),
    MetricKind.DURATION: (Scale.SECONDS, Harm.NEITHER),
}


def measures_of(metrics: Mapping[str, Metric], primary: str | None) -> tuple[Measure, ...]:
    """
    Give all that is measured, the primary metric first.

    A score with lines is three: its mean, the share of good ones and the share of catastrophes. The last guards the
    primary's tail: 80 % better and 5 % broken has a better mean.
    """
    first = [metrics[primary]] if primary is not None and primary in metrics else []
    others = [metric for name, metric in metrics.items() if name != primary]
    found: list[Measure] = []
    for metric in (*first, *others):
        found += _of_metric(metric, is_primary=metric.name == primary)
    return (*found, *OF_REQUESTS)


def _of_metric(metric: Metric, *, is_primary: bool) -> list[Measure]:
    if metric.kind not in _SCALES:
        return []
    scale, harm = _SCALES[metric.kind]
    question = Question.PRIMARY if is_primary else Question.SECONDARY
    found = [Measure(metric.name, question, scale, harm, "total", "count", metric.name)]
    if metric.kind is MetricKind.SCORE and metric.good is not None:
        name = f"{metric.name}:{GOOD}"
        found.append(Measure(name, Question.SECONDARY, Scale.SHARE, Harm.DOWN, GOOD, "count", metric.name))
    if metric.kind is MetricKind.SCORE and metric.catastrophic is not None:
        name = f"{metric.name}:{CATASTROPHIC}"
        found.append(Measure(name, Question.GUARDRAIL, Scale.SHARE, Harm.UP, CATASTROPHIC, "count", metric.name))
    return found
