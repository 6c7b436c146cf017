"""
The verdict on a shadow: better, worse, both, no different, or not enough seen; and why, finding by finding.

A finding is worse or better when two things hold: it is surely different, after Holm's correction for all that is
asked, and by more than a margin that matters. So an equal shadow is called different in 5 % of cases at most, and a
tiny difference seen in very many pairs is not called worse. No difference is only said where harm of twice the margin
can be excluded; otherwise the verdict is "not enough", with about how many pairs are missing.

Where the primary's variant differs from itself (asked again it is faster, because the provider has cached the prompt),
the shadow is judged against that. A judge that prefers one of two answers of the same variant is not believed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, inf, isfinite, log, sqrt
from typing import NamedTuple

from gateway.gates.shadow_findings import ALIKE, Measured, PairFindings
from gateway.gates.shadow_verdict import Finding, Harm, ShadowRule, ShadowState, ShadowVerdict
from gateway.gates.shadow_words import headline, sentence, warnings_of
from gateway.stats.clustered_pairs import Paired, Spread, half_and_p, t_at
from gateway.stats.multiple import holm

__all__ = ["Finding", "Harm", "ShadowRule", "ShadowState", "ShadowVerdict", "decide_shadow"]

_DEFAULT = ShadowRule()
_GRAVE_FIRST = (
    "safety",
    "quality",
    "errors",
    "format",
    "refusals",
    "cost",
    "duration",
    "ttft",
    "duration_p95",
    "ttft_p95",
)
_POWER_Z = 0.84
"""Of 80 % power: how many pairs are wanted is told so that they will probably do."""


class _Question(NamedTuple):
    name: str
    unit: str
    harm: Harm
    margin: float
    must_be_enough: bool = True


@dataclass(frozen=True, slots=True)
class _Scaled:
    """A finding on the scale where no difference is 0 and harm is upwards."""

    effect: float
    spread: Spread
    worst: float
    margin: float
    p: float


def decide_shadow(found: PairFindings, rule: ShadowRule = _DEFAULT) -> ShadowVerdict:
    """
    Decide what is to be thought of a shadow.

    Args:
        found: What was measured.
        rule: What counts as a difference that matters.

    Returns:
        The verdict; its findings sorted: worse, better, undecided, the rest.
    """
    asked = [pair for question in _questions(rule) if (pair := _asked(question, found)) is not None]
    quality, bias = _quality(found, rule), _noise_of_judge(found, rule)
    is_believed = bias is None or bias.p >= rule.bias_alpha
    if quality is not None and is_believed:
        asked.append(quality)
    is_sure = holm([scaled.p for _, scaled in asked], alpha=rule.alpha)
    decided = [_decided(*pair, sure) for pair, sure in zip(asked, is_sure, strict=True)]
    if quality is not None and not is_believed:
        decided.append(replace(quality[0], is_enough=False, is_decisive=False))
    told = [*decided, *_told(found, rule), *([] if bias is None else [bias])]
    state = _state(decided, found, rule)
    findings = tuple(replace(one, sentence=sentence(one)) for one in sorted(told, key=_rank))
    wants = _wants(findings, found.shadow, rule) if state is ShadowState.INSUFFICIENT else None
    said = headline(state, findings, found, rule, wants)
    counts = (found.shadow.n_pairs, found.shadow.n_users)
    return ShadowVerdict(state, said, findings, *counts, wants, warnings_of(findings, found, rule))


def _questions(rule: ShadowRule) -> tuple[_Question, ...]:
    return (
        _Question("errors", "difference", Harm.UP, rule.error_margin),
        _Question("safety", "difference", Harm.UP, rule.safety_margin),
        _Question("refusals", "difference", Harm.UP, rule.refusal_margin),
        _Question("format", "difference", Harm.DOWN, rule.format_margin),
        _Question("cost", "ratio", Harm.UP, rule.cost_ratio),
        _Question("ttft", "ratio", Harm.UP, rule.latency_ratio),
        _Question("duration", "ratio", Harm.UP, rule.latency_ratio),
        # A tail takes many times the pairs of a typical time: it can convict, but nobody waits for it.
        _Question("ttft_p95", "ratio", Harm.UP, rule.tail_ratio, must_be_enough=False),
        _Question("duration_p95", "ratio", Harm.UP, rule.tail_ratio, must_be_enough=False),
    )


def _asked(question: _Question, found: PairFindings) -> tuple[Finding, _Scaled] | None:
    measured: Paired | None = getattr(found.shadow, question.name)
    if measured is None:
        return None
    noise: Paired | None = None if found.noise is None else getattr(found.noise, question.name)
    null = 1.0 if question.unit == "ratio" else 0.0
    finding = _finding(question.name, question.unit, measured, null, question.margin, question.harm, noise)
    scaled = _scaled(finding, measured, noise)
    # A variant that surely differs from itself: only what goes beyond that is the shadow's doing.
    finding = replace(finding, is_adjusted=scaled.effect != _signed(finding, measured.effect))
    is_enough = scaled.worst <= 2 * scaled.margin or not question.must_be_enough
    return replace(finding, is_decisive=True, is_enough=is_enough), scaled


def _quality(found: PairFindings, rule: ShadowRule) -> tuple[Finding, _Scaled] | None:
    """Ask the judge: the win rate among decisive pairs, or where those are few what all judged pairs say."""
    judged = found.shadow.judged
    if judged is None or judged.preference is None:
        return None
    preference = judged.preference
    # Nearly all ties is an answer too: not many can be worse.
    is_even = preference.low >= -2 * rule.quality_margin
    if judged.win_rate is None:
        finding = _finding("quality", "difference", preference, 0.0, 2 * rule.quality_margin, Harm.DOWN, None)
        scaled = _scaled(finding, preference, None)
    else:
        noise = None if found.noise is None or found.noise.judged is None else found.noise.judged.win_rate
        finding = _finding("quality", "share", judged.win_rate, 0.5, rule.quality_margin, Harm.DOWN, noise)
        finding = replace(finding, primary=1 - judged.win_rate.effect)
        scaled = _scaled(finding, judged.win_rate, None)
    is_enough = is_even or scaled.worst <= 2 * scaled.margin
    return replace(finding, is_decisive=True, is_enough=is_enough), scaled


def _noise_of_judge(found: PairFindings, rule: ShadowRule) -> Finding | None:
    judged = None if found.noise is None else found.noise.judged
    if judged is None or judged.win_rate is None:
        return None
    return _finding("judge_noise", "share", judged.win_rate, 0.5, rule.quality_margin, Harm.NEITHER, None)


def _told(found: PairFindings, rule: ShadowRule) -> list[Finding]:
    """Give what decides nothing by itself: length, likeness against the noise floor, how the judge stands."""
    told = []
    for name in ("output_tokens", "length"):
        measured: Paired | None = getattr(found.shadow, name)
        noise: Paired | None = None if found.noise is None else getattr(found.noise, name)
        if measured is not None:
            told.append(_finding(name, "ratio", measured, 1.0, rule.latency_ratio, Harm.NEITHER, noise))
    for name in ALIKE:
        alone: Paired | None = getattr(found.shadow, name)
        floor: Paired | None = None if found.noise is None else getattr(found.noise, name)
        beyond = found.beyond_noise.get(name)
        if beyond is not None:
            told.append(_finding(name, "difference", beyond, 0.0, rule.likeness_margin, Harm.NEITHER, floor))
        elif alone is not None:
            told.append(_finding(name, "share", alone, 0.0, rule.likeness_margin, Harm.NEITHER, None))
    judged = found.shadow.judged
    if judged is not None and judged.first_rate is not None:
        told.append(_finding("judge_position", "share", judged.first_rate, 0.5, 0.05, Harm.NEITHER, None))
    return told


def _finding(
    name: str, unit: str, measured: Paired, null: float, margin: float, harm: Harm, noise: Paired | None
) -> Finding:
    known = None if noise is None else noise
    return Finding(
        name=name,
        unit=unit,
        primary=measured.first if isfinite(measured.first) else None,
        shadow=measured.second,
        effect=measured.effect,
        low=measured.low,
        high=measured.high,
        null=null,
        margin=margin,
        harm=harm,
        p=measured.p,
        n_pairs=measured.n_pairs,
        n_users=measured.n_units,
        noise_effect=None if known is None else known.effect,
        noise_low=None if known is None else known.low,
        noise_high=None if known is None else known.high,
    )


def _signed(finding: Finding, value: float) -> float:
    """Put a value on the scale where no difference is 0 and harm is upwards."""
    logarithm = log(value) if value > 0 else -inf
    away = logarithm if finding.unit == "ratio" else value - finding.null
    return -away if finding.harm is Harm.DOWN else away


def _scaled(finding: Finding, measured: Paired, noise: Paired | None) -> _Scaled:
    margin = log(finding.margin) if finding.unit == "ratio" else finding.margin
    effect, p = _signed(finding, measured.effect), measured.p
    spread = Spread(measured.se, measured.degrees)
    worst = _signed(finding, measured.low if finding.harm is Harm.DOWN else measured.high)
    if noise is not None and noise.p < 0.01:
        effect -= _signed(finding, noise.effect)
        spread = Spread(sqrt(measured.se**2 + noise.se**2), min(measured.degrees, noise.degrees))
        half, p = half_and_p(effect, spread, 0.95)
        worst = effect + half
    return _Scaled(effect, spread, worst, margin, p)


def _decided(finding: Finding, scaled: _Scaled, is_sure: bool) -> Finding:
    is_worse = is_sure and scaled.effect >= scaled.margin
    is_better = is_sure and scaled.effect <= -scaled.margin
    is_enough = finding.is_enough or is_worse or is_better
    return replace(
        finding,
        is_worse=is_worse,
        is_better=is_better,
        is_enough=is_enough,
        wants_pairs=None if is_enough else _wanted(finding, scaled),
    )


def _wanted(finding: Finding, scaled: _Scaled) -> int:
    """Give about how many pairs more would exclude harm of twice the margin, were there none."""
    reach = (t_at(0.975, scaled.spread.degrees) + _POWER_Z) * scaled.spread.se
    # Where nothing has happened yet, what may still happen shrinks with the pairs, not with their root.
    power = 1 if finding.unit == "difference" and finding.shadow == finding.primary in {0.0, 1.0} else 2
    # At least a tenth more: it may have been bad luck alone.
    more = finding.n_pairs * max(0.1, (reach / (2 * scaled.margin)) ** power - 1)
    size = int(10 ** max(1, len(str(ceil(more))) - 2))
    return ceil(more / size) * size


def _state(decided: list[Finding], found: PairFindings, rule: ShadowRule) -> ShadowState:
    if found.shadow.n_pairs < rule.min_pairs or found.shadow.n_users < rule.min_users:
        return ShadowState.INSUFFICIENT
    is_worse, is_better = any(one.is_worse for one in decided), any(one.is_better for one in decided)
    if is_worse:
        return ShadowState.MIXED if is_better else ShadowState.WORSE
    if not decided or not all(one.is_enough for one in decided) or _is_unjudged(found, rule):
        return ShadowState.INSUFFICIENT
    return ShadowState.BETTER if is_better else ShadowState.NO_DIFFERENCE


def _is_unjudged(found: PairFindings, rule: ShadowRule) -> bool:
    """Tell whether a judge was begun with and has too few pairs, or answers surely differ and nobody judged them."""
    judged = found.shadow.judged
    if judged is not None:
        return judged.preference is None
    differs = found.beyond_noise.get("similarity")
    return differs is not None and differs.p < 0.01 and differs.effect < -rule.likeness_margin


def _wants(findings: tuple[Finding, ...], shadow: Measured, rule: ShadowRule) -> int | None:
    wanted = [one.wants_pairs for one in findings if one.wants_pairs is not None]
    if shadow.n_pairs < rule.min_pairs:
        wanted.append(rule.min_pairs - shadow.n_pairs)
    return max(wanted, default=None)


def _rank(finding: Finding) -> tuple[int, int]:
    """Sort: worse first, then better, then undecided, then what decides, then what is told; grave things first."""
    place = 0 if finding.is_worse else 1 if finding.is_better else 2 if not finding.is_enough else 3
    weight = _GRAVE_FIRST.index(finding.name) if finding.name in _GRAVE_FIRST else len(_GRAVE_FIRST)
    return place if finding.is_decisive or place == 2 else 4, weight
