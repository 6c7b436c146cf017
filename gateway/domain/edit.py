"""
What an edit of a serving variant does, and the rollout that it becomes.

The type of change is told by what differs, the weightiest first: the provider or the model (and whether it costs about
the same), tools or the form of answers, the wording of the system prompt, parameters; docs/operating.md has the rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from enum import StrEnum

from gateway.domain.default_plan import (
    SIGNALS,
    Looked,
    gates_of,
    metric_of,
    quality_metrics_of,
    stages_of,
)
from gateway.domain.metric import Metric
from gateway.domain.rollout import ChangeType, RolloutPlan, Signal, SignalKind
from gateway.domain.variant import Api, SystemPrompt, Variant

SAME_TIER = 1.5
"""Models whose tokens cost up to this many times each other's are of one tier."""
SAME_WORDING = 0.6
"""Of two system prompts this alike, one is the other reworded; below, it is restructured."""
_MAX_WORDS = 2_000
_MAX_STEM_BYTES = 57
_SHAPING = ("tools", "response_format", "functions", "tool_choice", "format")


class OnEdit(StrEnum):
    """What saving another content of a serving variant does."""

    ROLLOUT = "rollout"
    REFUSE = "refuse"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class EditRule:
    """
    What an edit of a `fixed` release's variant does, and what its rollout looks at.

    Attributes:
        release: Release name.
        route: Route name.
        variant: The variant that everybody gets.
        on_edit: What its edit does. REFUSE was seen to by the compiler already, where it knew what is served.
        metrics: All that the file has.
        segments: Names of those in `identity`.
    """

    release: str
    route: str
    variant: str
    on_edit: OnEdit
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    segments: tuple[str, ...] = ()


def plan_of_edit(rule: EditRule, old: Variant, new: Variant) -> RolloutPlan:
    """
    Give the rollout of an edit, from the content that is served to the one that was saved.

    Args:
        rule: The release's.
        old: What everybody gets.
        new: What the file says now, under the same name.
    """
    change = change_type_of(old, new)
    quality = quality_metrics_of(rule.metrics)
    primary = quality[0] if quality else None
    stages = stages_of(change, Looked(quality, primary, rule.segments))
    signals = default_signals(rule.metrics)
    named = {*quality, *(signal.metric for signal in signals)}
    return RolloutPlan(
        release=rule.release,
        route=rule.route,
        baseline=name_of_old(old),
        candidate=new.name,
        content=content_of(new.content_hash, old.content_hash),
        change_type=change,
        stages=stages,
        gates=gates_of(stages, {}),
        signals=signals,
        metrics={name: metric for name, metric in rule.metrics.items() if name in named},
        primary_metric=primary,
        quality_metrics=quality,
        segments=rule.segments,
        is_edit=True,
    )


def default_signals(metrics: Mapping[str, Metric]) -> tuple[Signal, ...]:
    """Give the signals that are on where nobody wrote otherwise: all that have something to watch."""
    return tuple(
        signal if signal.kind not in (SignalKind.DOWN_RATE, SignalKind.COMPLETION) else with_metric(signal, metric)
        for signal in SIGNALS.values()
        if (metric := metric_of(signal.kind, metrics)) is not None
        or signal.kind not in (SignalKind.DOWN_RATE, SignalKind.COMPLETION)
    )


def with_metric(signal: Signal, metric: str | None) -> Signal:
    """Give a signal that watches `metric`."""
    return replace(signal, metric=metric)


def name_of_old(old: Variant) -> str:
    """
    Give the name under which a content goes on being served beside the one that replaces it.

    >>> name_of_old(Variant("current", "openai", None, {}, content_hash="0123456789ab"))
    'current@012345'
    """
    # Names have at most 64 bytes; a content's are told apart by its hash.
    name = old.name.encode()[:_MAX_STEM_BYTES].decode(errors="ignore")
    return f"{name}@{old.content_hash[:6]}"


def content_of(candidate: str, baseline: str) -> str:
    """
    Give what a latch hangs on: 12 hex digits over both arms' content hashes, and over nothing else.

    >>> content_of("a", "b") == content_of("b", "a")
    False
    """
    return hashlib.blake2b(f"{candidate}\0{baseline}".encode(), digest_size=6, person=b"sluice-plan").hexdigest()


def change_type_of(old: Variant, new: Variant) -> ChangeType:
    """Give what an edit changes; the weightiest of its changes counts."""
    if (old.provider, old.model) != (new.provider, new.model):
        is_same = is_same_tier(old, new)
        return ChangeType.MODEL_SWAP_SAME_TIER if is_same else ChangeType.MODEL_SWAP_DIFFERENT_TIER
    if _shapes_of(old) != _shapes_of(new):
        return ChangeType.SYSTEM_PROMPT_RESTRUCTURE
    before, after = _system_of(old), _system_of(new)
    if before is None or after is None or before.mode is not after.mode:
        return ChangeType.PROMPT_WORDING if before == after else ChangeType.SYSTEM_PROMPT_RESTRUCTURE
    if likeness_of(before.text, after.text) < SAME_WORDING:
        return ChangeType.SYSTEM_PROMPT_RESTRUCTURE
    # Parameters alone are rolled out as wording is: they move every answer a little and none a lot.
    return ChangeType.PROMPT_WORDING


def is_same_tier(old: Variant, new: Variant) -> bool:
    """Tell whether two models cost about the same; what nobody knows the price of is taken for another tier."""
    if old.model == new.model:
        return True
    if old.price is None or new.price is None:
        return False
    pairs = (
        (old.price.rates.input_usd, new.price.rates.input_usd),
        (old.price.rates.output_usd, new.price.rates.output_usd),
    )
    return all(max(pair) <= SAME_TIER * min(pair) for pair in pairs)


def likeness_of(old: str, new: str) -> float:
    """
    Give how much of two texts is the same words in the same order, in [0, 1].

    Beyond the first 2,000 words of each nothing is compared.

    >>> likeness_of("Answer in two sentences.", "Answer in three sentences.")
    0.75
    """
    if old == new:
        return 1.0
    # Its shortcut for frequent words keeps the time in bounds: without it two odd texts take minutes.
    return SequenceMatcher(None, old.split()[:_MAX_WORDS], new.split()[:_MAX_WORDS]).ratio()


def _system_of(variant: Variant) -> SystemPrompt | None:
    rewrite = variant.rewrites.get(Api.CHAT)
    return None if rewrite is None else rewrite.system


def _shapes_of(variant: Variant) -> list[tuple[tuple[str, ...], bytes]]:
    """Give what says which tools there are and what form an answer has."""
    rewrite = variant.rewrites.get(Api.CHAT)
    written = () if rewrite is None else (*rewrite.set, *rewrite.default)
    return [(path, value) for path, value in written if path[0] in _SHAPING]
