"""
The questions between two stages, each answered PASS, FAIL or INSUFFICIENT with a sentence and its numbers.

Every gate gathers *facts* (counts held against what is wanted) and *asks* (one metric, one margin, see
`gates.bound`); `gates.ask` settles them, `gates.telling` says it.

A gate with nothing configured to look at passes and says so: with no metric there is never going to be evidence, and
holding for ever would not make anybody safer; trips on errors and safety go on. `sluice check` warns about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log

from gateway.domain.metric import MetricKind
from gateway.domain.rollout import GateName, GateRule, PassMode, Require, RolloutPlan, SignalKind, StageKind
from gateway.gates.ask import Ask, Facts, Role, Scene, asked, settled, told
from gateway.gates.bound import Question
from gateway.gates.evidence import Compared, Evidence
from gateway.gates.health import SRM_ODDS, worst_odds
from gateway.gates.telling import sentence_of
from gateway.gates.verdict import GateVerdict, Verdict
from gateway.stats.power import e_process_requests

INTERNAL_REQUESTS = 20
"""Internal requests without a critical failure (product.md § 9)."""
SEEN_RATIO = 5.0
"""`no_evidence` passes only once a failure rate this many times the baseline's would have shown."""
SEEN_ALPHA = 0.001
MIN_FAILING_UNITS = 20
"""With fewer users there is no valid quick test: somebody has to decide (decisions.md § 1.1)."""
TAIL_POINTS = 0.02
"""Two points more catastrophes than the baseline are too many, as two points of safety are."""
ERROR_FLOOR = 0.002


def decide_gates(plan: RolloutPlan, stage: int, evidence: Evidence, *, trips_seen: bool) -> tuple[GateVerdict, ...]:
    """
    Answer every gate of a stage, in the plan's order.

    Valid at any number of looks: call it every hour.

    Args:
        plan: The rollout's.
        stage: Index of the stage to be left.
        evidence: About the candidate and its baseline, over the whole rollout.
        trips_seen: An error or safety signal acted on the candidate since the stage began (or was resumed).

    Returns:
        A verdict per gate; empty for a stage without gates. An internal stage always asks CRITICAL.

    Raises:
        IndexError: The plan has no such stage.
    """
    at = plan.stages[stage]
    names = at.gates
    if at.kind is StageKind.INTERNAL and GateName.CRITICAL not in names:
        names = (GateName.CRITICAL, *names)
    verdicts = []
    for name in names:
        rule = plan.gates.get(name) or GateRule(name)
        verdicts.append(decide_gate(Scene(plan, rule, evidence, at.min_users, trips_seen)))
    return tuple(verdicts)


def decide_gate(scene: Scene) -> GateVerdict:
    """Answer one gate."""
    gate = scene.rule.name
    facts, asks = GATHER[gate](scene)
    if gate is not GateName.CRITICAL:
        odds = worst_odds(scene.evidence.epochs)
        facts = {"users": scene.evidence.stage_units, "min_users": scene.min_users, "srm": odds >= SRM_ODDS, **facts}
    verdict = settled(facts, asks)
    evidence = {
        "until_unix_ms": scene.evidence.until_unix_ms,
        "pass_mode": str(scene.rule.pass_mode),
        "require": str(scene.rule.require),
        "margin": scene.rule.margin,
        "ratio": scene.rule.ratio,
        "alpha": scene.rule.alpha,
        "facts": facts,
        "asked": [told(ask) for ask in asks],
    }
    return GateVerdict(gate, verdict, sentence_of(scene, verdict, facts, asks), evidence)


def gather_critical(scene: Scene) -> tuple[Facts, list[Ask]]:
    """Internal requests, and critical failures among them."""
    seen = scene.evidence.internal
    return {
        "requests": seen.requests,
        "requests_wanted": INTERNAL_REQUESTS,
        "failures": seen.failures,
        "unsafe": seen.unsafe,
        "invalid_formats": seen.invalid_formats,
    }, []


def gather_shadow(scene: Scene) -> tuple[Facts, list[Ask]]:
    """What the comparison of copies came to."""
    seen = scene.evidence.shadow
    if seen is None:
        return {"unseen": ["shadow"]}, []
    return {
        "shadow_state": str(seen.state),
        "pairs": seen.n_pairs,
        "pair_users": seen.n_users,
        "findings": [dict(finding) for finding in seen.findings],
    }, []


def gather_errors(scene: Scene) -> tuple[Facts, list[Ask]]:
    """Failing requests by user, against the ratio; how many requests would have shown a fivefold rate."""
    evidence, rule = scene.evidence, scene.rule
    facts: Facts = {"trips_seen": scene.trips_seen, "ratio": rule.ratio}
    asks: list[Ask] = []
    is_proof = rule.pass_mode is PassMode.PROOF
    for compared, floor in ((evidence.errors, error_floor(scene.plan)), (evidence.safety, 0.0)):
        if compared is None:
            continue
        question = Question(
            rule.ratio,
            is_more_better=False,
            alpha=rule.alpha,
            is_bounded=True,
            floor=floor,
            min_units=MIN_FAILING_UNITS,
        )
        needs_proof = is_proof and compared is evidence.errors
        asks.append(asked(Role.BOTH if needs_proof else Role.HARM, compared, question))
        asks.append(asked(Role.SUSPICION, compared, replace(question, factor=1.0, aim=log(rule.ratio))))
    if evidence.errors is None:
        facts["unseen"] = ["errors"]
    elif not is_proof:
        facts["requests"] = evidence.stage_requests
        facts["requests_wanted"] = requests_wanted(scene, evidence.errors)
        facts["units"] = evidence.errors.candidate.n_units
        facts["units_wanted"] = MIN_FAILING_UNITS
    return facts, asks


def requests_wanted(scene: Scene, errors: Compared) -> int | None:
    """Give the candidate's requests after which a fivefold failure rate would have tripped."""
    buckets = [(epoch.candidate_buckets, epoch.baseline_buckets) for epoch in scene.evidence.epochs]
    ours, theirs = buckets[-1] if buckets else (errors.candidate.n_units, errors.baseline.n_units)
    if ours <= 0 or theirs <= 0:
        return None
    base = min(0.5, max(errors.baseline.mean, error_floor(scene.plan)))
    needed = e_process_requests(base, SEEN_RATIO, share=ours / (ours + theirs), alpha=SEEN_ALPHA)
    return None if needed is None else round(needed)


def error_floor(plan: RolloutPlan) -> float:
    """Give what the baseline's failure rate counts as at least."""
    floors = [signal.floor for signal in plan.signals if signal.kind is SignalKind.ERRORS]
    return max([*floors, 1e-4]) if floors else ERROR_FLOOR


def gather_quality(scene: Scene) -> tuple[Facts, list[Ask]]:
    """Every quality metric's mean against the margin, and its tail."""
    plan, evidence = scene.plan, scene.evidence
    asks: list[Ask] = []
    unseen = []
    for metric in plan.quality_metrics:
        compared = evidence.metrics.get(metric)
        if compared is None:
            unseen.append(metric)
            continue
        asks.append(asked(Role.BOTH, compared, margin_question(plan, metric, scene.rule)))
        if tail := evidence.tails.get(metric):
            points = Question(
                1.0, is_more_better=False, alpha=scene.rule.alpha, is_bounded=True, points=0.0, aim=TAIL_POINTS
            )
            asks.append(asked(Role.HARM, tail, points))
            asks.append(asked(Role.KEPT, tail, replace(points, points=TAIL_POINTS)))
    return {"configured": len(plan.quality_metrics), "unseen": unseen}, asks


def gather_segments(scene: Scene) -> tuple[Facts, list[Ask]]:
    """Every quality metric in every declared segment, Holm's alpha over all that are large enough."""
    plan, rule = scene.plan, scene.rule
    role = Role.SIZE if rule.is_strict else Role.SHOWN
    large: list[tuple[Compared, Question]] = []
    small: list[Ask] = []
    for metric in plan.quality_metrics:
        for segment, compared in sorted(scene.evidence.segments.get(metric, {}).items()):
            if segment.partition("=")[0] not in plan.segments:
                continue
            question = margin_question(plan, metric, rule)
            ask = asked(role, compared, question)
            if ask.known.method:
                large.append((compared, question))
            else:
                small.append(ask)
    configured = len(plan.segments) if plan.quality_metrics else 0
    facts: Facts = {"configured": configured, "large": len(large), "small": len(small)}
    if rule.is_strict and configured and not large and not small:
        facts["unseen"] = list(plan.segments)
    return facts, [*stepped_down(large, rule.alpha), *small]


def stepped_down(family: list[tuple[Compared, Question]], alpha: float) -> list[Ask]:
    """
    Ask a family of questions so that P(any wrong FAIL at any look) stays below alpha: Holm's rule, by bounds.

    Holm's step-down with p-values and this one, which asks all the rest again with the alpha that is left after
    each round of rejections, reject the same.
    """
    rest = list(family)
    failed: list[Ask] = []
    while rest:
        asks = [asked(Role.HARM, seen, replace(question, alpha=alpha / len(rest))) for seen, question in rest]
        fresh = [ask for ask in asks if ask.known.verdict is Verdict.FAIL]
        if not fresh:
            return failed + asks
        failed += fresh
        rest = [pair for pair, ask in zip(rest, asks, strict=True) if ask.known.verdict is not Verdict.FAIL]
    return failed


def gather_primary(scene: Scene) -> tuple[Facts, list[Ask]]:
    """The primary metric: not worse than the margin, or better."""
    plan, metric = scene.plan, scene.plan.primary_metric
    if metric is None:
        return {"configured": 0}, []
    compared = scene.evidence.metrics.get(metric)
    if compared is None:
        return {"configured": 1, "unseen": [metric]}, []
    question = margin_question(plan, metric, scene.rule)
    if scene.rule.require is Require.BETTER:
        question = replace(question, factor=1.0, aim=scene.rule.margin)
    return {"configured": 1}, [asked(Role.BOTH, compared, question)]


def margin_question(plan: RolloutPlan, metric: str, rule: GateRule) -> Question:
    """
    Give the question whether a metric is no worse than the rule's margin.

    Of binary metrics and scores more is better; of counts and durations less is (edits needed, seconds to resolve).
    """
    known = plan.metrics.get(metric)
    if known is not None and known.kind in (MetricKind.COUNT, MetricKind.DURATION):
        return Question(1 + rule.margin, is_more_better=False, alpha=rule.alpha)
    is_bounded = known is not None and (
        known.kind is MetricKind.BINARY or (known.range is not None and known.range[0] >= 0 and known.range[1] <= 1)
    )
    return Question(1 - rule.margin, alpha=rule.alpha, is_bounded=is_bounded)


GATHER: dict[GateName, Callable[[Scene], tuple[Facts, list[Ask]]]] = {
    GateName.CRITICAL: gather_critical,
    GateName.SHADOW: gather_shadow,
    GateName.ERRORS: gather_errors,
    GateName.QUALITY: gather_quality,
    GateName.SEGMENTS: gather_segments,
    GateName.PRIMARY: gather_primary,
}
