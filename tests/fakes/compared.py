"""Comparisons and plans for gates, from counts."""

from __future__ import annotations

from math import log, sqrt

from gateway.domain.metric import Metric, MetricKind
from gateway.domain.rollout import ChangeType, GateName, GateRule, RolloutPlan, Stage, StageKind
from gateway.gates.evidence import ArmMean, Compared

THUMBS = Metric("thumbs", MetricKind.BINARY)
FAITHFULNESS = Metric("faithfulness", MetricKind.SCORE, range=(0, 1), good=0.7, catastrophic=0.2)
EDITS = Metric("edits", MetricKind.COUNT)


def rates(
    candidate: float, n: int, baseline: float, n_baseline: int, *, metric: str = "thumbs", segment: str = ""
) -> Compared:
    """Give two rates compared, one value per unit: the candidate's and its units, the baseline's and its."""
    return values(
        (candidate, sqrt(candidate * (1 - candidate)), n),
        (baseline, sqrt(baseline * (1 - baseline)), n_baseline),
        metric=metric,
        segment=segment,
    )


def values(
    candidate: tuple[float, float, int], baseline: tuple[float, float, int], *, metric: str, segment: str = ""
) -> Compared:
    """Give two means compared: mean, deviation and units of the candidate, and of the baseline."""
    (ours, our_sd, n), (theirs, their_sd, m) = candidate, baseline
    log_ratio = log(ours / theirs) if ours > 0 and theirs > 0 else None
    relative = None if log_ratio is None else sqrt((our_sd / ours) ** 2 / n + (their_sd / theirs) ** 2 / m)
    return Compared(
        metric=metric,
        segment=segment,
        baseline=ArmMean(m, m, theirs),
        candidate=ArmMean(n, n, ours),
        effect=ours - theirs,
        se=sqrt(our_sd**2 / n + their_sd**2 / m),
        log_ratio=log_ratio,
        log_ratio_se=relative,
    )


def gated(*gates: GateRule, min_users: int = 0, **changes: object) -> RolloutPlan:
    """Give a plan with an internal stage and one at 5 %, left by these gates; `changes` are its other fields."""
    known: dict[str, object] = {
        "release": "support-v8",
        "route": "support",
        "baseline": "current",
        "candidate": "concise",
        "content": "0123456789ab",
        "change_type": ChangeType.NEW_FEATURE,
        "stages": (
            Stage(StageKind.INTERNAL, 0),
            Stage(StageKind.SHARE, 500, min_users=min_users, gates=tuple(rule.name for rule in gates)),
            Stage(StageKind.SHARE, 10_000),
        ),
        "gates": {rule.name: rule for rule in (*gates, GateRule(GateName.CRITICAL))},
        "signals": (),
        "metrics": {metric.name: metric for metric in (THUMBS, FAITHFULNESS, EDITS)},
    }
    return RolloutPlan(**{**known, **changes})  # type: ignore[arg-type]
