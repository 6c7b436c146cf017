"""Edits of serving variants."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.domain.edit import EditRule, OnEdit, change_type_of, content_of, likeness_of, name_of_old, plan_of_edit
from gateway.domain.metric import Metric, MetricKind
from gateway.domain.price import Price, Rates
from gateway.domain.rollout import ChangeType
from gateway.domain.variant import Api, Rewrite, SystemMode, SystemPrompt, Variant

_PROMPT = "You are a patient support agent. Explain every step, and ask when something is unclear."


def _variant(prompt: str | None = _PROMPT, model: str = "small", usd: float = 1e-6, **chat: object) -> Variant:
    system = SystemPrompt(SystemMode.REPLACE, prompt) if prompt is not None else None
    rewrites = {Api.CHAT: Rewrite(system=system, **chat)}  # type: ignore[arg-type]
    return Variant("current", "p", model, rewrites, content_hash="0" * 12, price=Price(Rates(usd, usd, usd)))


@pytest.mark.parametrize(
    ("new", "change"),
    [
        (_variant(_PROMPT.replace("patient", "kind")), ChangeType.PROMPT_WORDING),
        (_variant("Answer in one sentence and nothing else."), ChangeType.SYSTEM_PROMPT_RESTRUCTURE),
        (_variant(None), ChangeType.SYSTEM_PROMPT_RESTRUCTURE),
        (_variant(model="other", usd=1.4e-6), ChangeType.MODEL_SWAP_SAME_TIER),
        (_variant(model="other", usd=2e-6), ChangeType.MODEL_SWAP_DIFFERENT_TIER),
        (replace(_variant(model="other"), price=None), ChangeType.MODEL_SWAP_DIFFERENT_TIER),
        (replace(_variant(), provider="q"), ChangeType.MODEL_SWAP_SAME_TIER),
        (_variant(set=((("temperature",), b"0.2"),)), ChangeType.PROMPT_WORDING),
        (_variant(set=((("tools",), b"[]"),)), ChangeType.SYSTEM_PROMPT_RESTRUCTURE),
    ],
)
def test_change_type_is_told(new: Variant, change: ChangeType) -> None:
    """By what differs, the weightiest first."""
    assert change_type_of(_variant(), new) is change


def test_edit_becomes_a_rollout() -> None:
    """From the old content, under a name of its own, to the new one; metrics count by their role."""
    metrics = {"thumbs": Metric("thumbs", MetricKind.BINARY, role="satisfaction")}
    rule = EditRule("rel", "support", "current", OnEdit.ROLLOUT, metrics)
    plan = plan_of_edit(rule, _variant(), replace(_variant(model="other"), content_hash="1" * 12))
    assert (plan.baseline, plan.candidate, plan.is_edit) == ("current@000000", "current", True)
    assert plan.content == content_of("1" * 12, "0" * 12)
    assert plan.primary_metric == "thumbs"
    assert [signal.name for signal in plan.signals] == ["error_rate", "safety", "thumbs_down", "cost", "latency_p95"]


def test_names_stay_short() -> None:
    """The old content's name fits request ids, whatever the variant is called."""
    name = name_of_old(replace(_variant(), name="ü" * 32))
    assert len(name.encode()) <= 64 and name.endswith("@000000")


def test_long_prompts_are_quick() -> None:
    """Nothing is compared beyond what fits a moment."""
    assert likeness_of("a b " * 50_000, "b c " * 50_000) < 1
